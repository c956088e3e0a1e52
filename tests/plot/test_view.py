"""View: a mixture in its features' own units, with the words for them, whatever it is made of."""

import numpy as np
import pytest
import sklearn.mixture

import gmmseg
from gmmseg import Mixture
from gmmseg.errors import InputError, ParameterError
from gmmseg.plot.view import View

MIXTURE = Mixture(
    np.array([0.25, 0.75]), np.array([[0.0, 1.0], [4.0, 1.0]]), np.array([np.diag([1.0, 9.0]), np.diag([2.0, 1.0])])
)


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(0)
    return (rng.normal(0, 8, (40, 50, 3)) + 100 * (np.arange(50) > 20)[:, None] + 60).astype(np.uint8)


@pytest.fixture(scope="module")
def model(photo):
    return gmmseg.fit(photo, 2, features="rgb,xy:0.5", class_names=("costs $5\n", "class 2"))


def test_a_model_is_shown_in_its_own_units_and_words(model, photo):
    view = View.of(model)
    np.testing.assert_array_equal(view.mixture.means, model.means)
    assert view.names == ("R", "G", "B", "x", "y")
    assert view.labels[0] == "red (image units)"
    assert view.labels[3] == "x (share of the longest side, × 0.5)"
    assert view.units == model.groups
    assert view.classes == (r"1 costs \$5", "class 2")  # dollars would be mathematics
    samples = view.samples(photo, 500, 0)
    assert samples.shape[0] == 5
    assert 400 < samples.shape[1] < 600
    assert {tuple(each) for each in samples[:3].T} <= {tuple(each) for each in photo.reshape(-1, 3).tolist()}
    assert View.of(view) is view


def test_a_mixture_and_an_estimator_are_shown_alike(rng):
    rows = rng.normal(size=(200, 2)) + 4 * (np.arange(200) % 2)[:, None]
    for made in (gmmseg.GaussianMixture, sklearn.mixture.GaussianMixture):
        estimator = made(2, covariance_type="tied", random_state=0).fit(rows)
        view = View.of(estimator)
        np.testing.assert_array_equal(view.mixture.means, estimator.means_)
        assert view.mixture.covariance == "tied"
        assert (view.names, view.classes) == (("feature 0", "feature 1"), ("component 1", "component 2"))
        np.testing.assert_array_equal(view.samples(rows, 1000, 0), rows.T)
    np.testing.assert_array_equal(View.of(MIXTURE).samples(rows.T, 1000, 0), rows.T)


def test_no_more_samples_than_asked_for_and_none_that_lacks_a_number(rng):
    planes = rng.normal(size=(2, 300))
    planes[0, ::3] = np.nan
    view = View.of(MIXTURE)
    few = view.samples(planes, 90, seed=1)
    assert 40 < few.shape[1] < 90
    assert np.isfinite(few).all()
    np.testing.assert_array_equal(few, view.samples(planes, 90, seed=1))
    assert not np.array_equal(few, view.samples(planes, 90, seed=2))
    np.testing.assert_array_equal(view.samples(planes, 300, 0), planes[:, np.isfinite(planes).all(axis=0)])
    held = view.holding(planes[:, 1:3])
    np.testing.assert_array_equal(held.samples(None, 1, 0), planes[:, 1:3])


def test_separation_is_fishers_criterion():
    # Means 0 and 4 with weights 1/4 and 3/4: variance between 3; within 1/4 + 3/2. The second feature tells nothing.
    np.testing.assert_allclose(View.of(MIXTURE).separation(), [3 / 1.75, 0], atol=1e-12)


def test_features_by_name_and_by_number(model):
    view = View.of(model)
    assert [view.index(each) for each in ("G", 2, np.int64(4))] == [1, 2, 4]
    for wrong, words in (
        ("H", "features='H' is not in the model; use any of R, G, B, x, y"),
        (5, "features=5 is not usable; use a name or a number from 0 to 4"),
        (True, "features=True is not usable"),
    ):
        with pytest.raises(ParameterError, match=words):
            view.index(wrong)
    twice = View(view.mixture, ("a", "a", "b", "c", "d"), view.labels, view.units, view.classes, view.read)
    with pytest.raises(ParameterError, match="names 2 features; use a number from 0 to 4"):
        twice.index("a")


def test_what_is_no_fitted_mixture_and_samples_that_do_not_fit(model):
    with pytest.raises(ParameterError, match="GaussianMixture is no fitted mixture; call its fit first"):
        View.of(gmmseg.GaussianMixture(2))
    with pytest.raises(ParameterError, match="dict is no fitted mixture; give a Model, a GaussianMixture or a Mixture"):
        View.of({})
    with pytest.raises(ParameterError, match="the samples have 3 features, the mixture has 2 features; give"):
        View.of(MIXTURE).samples(np.zeros((3, 5)), 10, 0)
    with pytest.raises(ParameterError, match="the samples have 1 axes"):
        View.of(MIXTURE).samples(np.zeros(5), 10, 0)
    empty = gmmseg.Image(np.zeros((4, 5, 3), np.uint8), color=True, valid=np.zeros((4, 5), bool), name="none")
    with pytest.raises(InputError, match="none: no pixel is valid; there is nothing to plot"):
        View.of(model).samples(empty, 10, 0)
