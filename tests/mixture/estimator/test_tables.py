"""Choosing, standard errors and merging, against scikit-learn, closed forms and all pairs tried."""

import itertools
import warnings

import numpy as np
import pytest
import sklearn.datasets
import sklearn.mixture

from gmmseg import GaussianMixture, ParameterError
from gmmseg.errors import DataWarning

pytestmark = pytest.mark.usefixtures("one_blas_thread")


def test_the_choice_on_iris_is_that_of_scikit_learn_s_bic():
    x, added = sklearn.datasets.load_iris().data, 0.1**2 / 12  # the variance of rounding to millimetres
    model = GaussianMixture.choose(x, range(1, 5), random_state=0, reg_covar=added)
    options = {"n_init": 5, "random_state": 0, "reg_covar": added}
    theirs = {
        (name, k): sklearn.mixture.GaussianMixture(k, covariance_type=name, **options).fit(x).bic(x)
        for name in ("full", "tied", "diag", "spherical")
        for k in range(1, 5)
    }
    assert (model.covariance_type, model.n_components) == min(theirs, key=theirs.get)
    assert model.choice_.keys() == theirs.keys()
    assert min(model.choice_.values()) == model.bic(x) <= min(theirs.values()) + 0.5


@pytest.mark.parametrize("criterion", ["bic", "aic", "icl"])
def test_clear_classes_are_counted_by_every_criterion(criterion, rng):
    x = np.concatenate([rng.normal(mean, 1, (300, 2)) for mean in (0, 8, 16)])
    x[::40, 0], x[5] = np.nan, np.nan
    found = GaussianMixture.choose(x, [2, 3], ["spherical"], criterion=criterion, random_state=0)
    assert found.n_components == 3
    assert found.choice_["spherical", 3] == pytest.approx(found.aic(x) if criterion == "aic" else found.bic(x), abs=1)


def test_standard_errors_are_those_of_the_closed_form(rng):
    x = np.concatenate([rng.normal(0, 1, (600, 2)), rng.normal(50, 3, (300, 2))])
    model = GaussianMixture(2, covariance_type="diag", random_state=0).fit(x)
    errors = model.standard_errors(x, 300)
    counts = np.round(model.weights_ * 900)[:, None]
    np.testing.assert_allclose(errors["weights"], np.sqrt(2 / 9 / 900), rtol=0.15)
    np.testing.assert_allclose(errors["means"], np.sqrt(model.covariances_ / counts), rtol=0.15)
    np.testing.assert_allclose(errors["covariances"], model.covariances_ * np.sqrt(2 / counts), rtol=0.25)


def test_components_of_one_class_are_merged_as_all_pairs_tried_say(rng):
    x = np.concatenate([rng.normal(0, 1, (400, 1)) * [1, 3], rng.normal(12, 1, (400, 2)), rng.normal(0, 3, (300, 2))])
    model = GaussianMixture(4, random_state=0).fit(x)
    soft = model.predict_proba(x)

    def doubt(p):
        return -(p * np.log(np.maximum(p, 1e-300))).sum()

    freed = {
        (i, j): (doubt(soft[:, [i, j]]) - doubt(soft[:, i] + soft[:, j])) / soft[:, [i, j]].sum()
        for i, j in itertools.combinations(range(4), 2)
    }
    classes = model.merge(x, 3)
    i, j = max(freed, key=freed.get)
    assert classes[i] == classes[j]
    assert sorted(set(classes)) == [0, 1, 2]
    np.testing.assert_array_equal(model.merge(x, 1), 0)
    assert len(set(model.merge(x, 4))) == 4


def test_samples_without_any_feature_tell_nothing_of_mergers(rng):
    means = np.array([[0.0], [2.0], [30.0], [60.0]])
    weights = np.array([0.02, 0.18, 0.4, 0.4])
    model = GaussianMixture(4, weights_init=weights, means_init=means, precisions_init=np.ones((4, 1, 1)), tol=0)
    x = rng.normal(means[rng.choice(4, 2000, p=weights)])
    model.set_params(max_iter=0).fit(x)
    classes = model.merge(np.r_[x, np.full((50_000, 1), np.nan)], 3)
    assert classes[0] == classes[1]
    np.testing.assert_array_equal(classes, model.merge(x, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: GaussianMixture.choose(x, criterion="mml"),
            "criterion='mml' is not known; use one of bic, aic, icl",
        ),
        (lambda x: GaussianMixture.choose(x, [1], ["round"]), "covariance_types='round' is not known"),
        (lambda x: GaussianMixture.choose(x, []), "no number of components can be chosen"),
        (lambda x: GaussianMixture(2).fit(x).merge(x, 3), "n_classes=3 is not usable; use a whole number from 1 to 2"),
        (lambda x: GaussianMixture(2).fit(x).merge(x, 1.5), "n_classes=1.5 is not usable; use a whole number"),
        (lambda x: GaussianMixture(2).fit(x).standard_errors(x, 1), "n_resamples=1 is not usable; use a whole number"),
        (lambda x: GaussianMixture(2).fit(x).standard_errors(x, 2.5), "n_resamples=2.5 is not usable"),
        (lambda x: GaussianMixture.choose(x, 3), r"n_components=3 is not usable; .* such as range\(1, 10\)"),
        (
            lambda x: GaussianMixture(2).fit(x, sample_weight=["a"] * len(x)),
            "sample_weight is no array of numbers: .*'a'",
        ),
    ],
)
def test_unusable_questions_are_refused(call, message, rng):
    with pytest.raises(ParameterError, match=message):
        call(rng.normal(size=(50, 2)))


def test_a_choice_of_a_component_that_is_one_step_of_rounding_is_warned_of(rng):
    """With the variance of rounding added, which the warning names, there is none."""
    x = np.round(rng.normal([0, 0], [1, 0.1], (300, 2)), 1)
    with pytest.warns(DataWarning, match=r"variance of feature 1 is .*steps of 0.1 .* reg_covar=0.00083 or more"):
        chosen = GaussianMixture.choose(x, [1, 3], ["diag"], random_state=0)
    assert chosen.n_components == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GaussianMixture.choose(x, [1, 3], ["diag"], random_state=0, reg_covar=0.00084).n_components


def test_draws_of_too_few_samples_are_left_out_of_standard_errors():
    """Of three rows every ninth draw holds one alone, too few for two components."""
    x = np.array([[0.0], [1.0], [9.0]])
    model = GaussianMixture(2, random_state=0).fit(x)
    errors = model.standard_errors(x, 200)
    assert all(np.isfinite(each).all() for each in errors.values())
    spread = np.sort(errors["means"].ravel())
    assert 0 <= spread[0] < spread[1] < 9
    with pytest.raises(ParameterError, match="infinity"):
        model.standard_errors([[0.0], [np.inf], [1.0]], 5)
