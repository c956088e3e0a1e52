"""GaussianMixture: scikit-learn's interface."""

import warnings

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture as Oracle

import gmmseg
from gmmseg.errors import ConvergenceWarning

pytestmark = pytest.mark.usefixtures("one_blas_thread")

GaussianMixture = gmmseg.GaussianMixture
FAMILIES = ["full", "tied", "diag", "spherical"]


@pytest.mark.slow
@pytest.mark.parametrize("covariance", FAMILIES)
def test_fitted_attributes_have_scikit_learn_s_shapes(blobs, covariance):
    x = blobs(300)[0]
    ours = GaussianMixture(4, covariance_type=covariance, random_state=0).fit(x)
    theirs = Oracle(4, covariance_type=covariance, random_state=0).fit(x)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
    assert ours.n_features_in_ == 3
    assert isinstance(ours.converged_, bool)
    assert ours.predict(x).dtype == theirs.predict(x).dtype
    samples, component = ours.sample(50)
    assert (samples.shape, component.shape) == ((50, 3), (50,))


@pytest.mark.slow
@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance", FAMILIES)
def test_every_start_gives_a_fit(blobs, init_params, covariance):
    x = blobs(400, 2, 3)[0]
    model = GaussianMixture(3, covariance_type=covariance, init_params=init_params, random_state=0, max_iter=500)
    assert np.isfinite(model.fit(x).score(x))
    # EM from this start: scores stay within those of one Gaussian and of the best start.
    single = GaussianMixture(1, covariance_type=covariance).fit(x).score(x)
    assert single < model.score(x)


def test_given_starting_values_are_used(blobs):
    x = blobs(300, 2, 2)[0]
    options = {"max_iter": 0, "means_init": [[1.0, 2.0], [3.0, 4.0]], "weights_init": [0.25, 0.75]}
    model = GaussianMixture(2, precisions_init=np.stack([np.eye(2), 4 * np.eye(2)]), **options).fit(x)
    np.testing.assert_allclose(model.means_, options["means_init"], atol=1e-12)
    np.testing.assert_allclose(model.weights_, options["weights_init"])
    np.testing.assert_allclose(model.covariances_, np.stack([np.eye(2), np.eye(2) / 4]), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["weights_init", "means_init", "precisions_init"])
def test_some_starting_values_may_be_given_alone(blobs, given):
    x = blobs(300, 2, 2)[0]
    full = GaussianMixture(2, random_state=0).fit(x)
    value = {"weights_init": full.weights_, "means_init": full.means_, "precisions_init": full.precisions_}[given]
    model = GaussianMixture(2, random_state=0, **{given: value}).fit(x)
    assert model.score(x) == pytest.approx(full.score(x), abs=0.01)


def test_a_warm_start_goes_on_from_the_last_fit(blobs):
    x = blobs(500)[0]
    cold = GaussianMixture(4, random_state=0, tol=1e-9, max_iter=6)
    warm = GaussianMixture(4, random_state=0, tol=1e-9, max_iter=3, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        cold.fit(x)
        warm.fit(x).fit(x)
    np.testing.assert_allclose(warm.means_, cold.means_, rtol=1e-9)
    assert warm.lower_bound_ == pytest.approx(cold.lower_bound_, rel=1e-11)


def test_more_starts_are_never_worse(blobs):
    x = blobs(400, 2, 8, apart=2.0)[0]
    scores = []
    for n_init in (1, 6):
        model = GaussianMixture(8, init_params="random_from_data", n_init=n_init, random_state=3, max_iter=300)
        scores.append(model.fit(x).lower_bound_)
    assert scores[1] >= scores[0] - 1e-9


@pytest.mark.slow
def test_the_same_random_state_gives_the_same_fit(blobs):
    x = blobs(500)[0]
    for state in (0, np.random.RandomState, np.random.default_rng):
        first, second = (
            GaussianMixture(4, random_state=state if state == 0 else state(5)).fit(x).means_ for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_do_not_change_a_bit(threads, rng):
    x = rng.normal(size=(20_000, 3))
    model = GaussianMixture(3, random_state=0, tol=0.1, threads=threads).fit(x)
    single = GaussianMixture(3, random_state=0, tol=0.1, threads=1).fit(x)
    assert model.covariances_.tobytes() == single.covariances_.tobytes()
    assert model.predict_proba(x).tobytes() == single.predict_proba(x).tobytes()


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", [read_only, np.asfortranarray, np.ndarray.tolist, lambda x: np.repeat(x, 2, axis=0)[::2]]
)
def test_any_form_of_the_samples_gives_the_same(blobs, form):
    x = blobs(300)[0]
    expected = GaussianMixture(3, random_state=0).fit(x)
    model = GaussianMixture(3, random_state=0).fit(form(x))
    np.testing.assert_allclose(model.means_, expected.means_, rtol=1e-9)
    np.testing.assert_allclose(model.predict_proba(form(x)), expected.predict_proba(x), atol=1e-9)


def test_whole_numbers_are_computed_in_double_precision(rng):
    x = rng.integers(0, 50, (200, 2))
    np.testing.assert_array_equal(
        GaussianMixture(2, random_state=0).fit(x).means_, GaussianMixture(2, random_state=0).fit(x.astype(float)).means_
    )


def test_float32_is_kept(blobs):
    x = blobs(300)[0].astype(np.float32)
    model = GaussianMixture(3, random_state=0).fit(x)
    assert model.predict_proba(x).dtype == np.float32
    assert model.score_samples(x).dtype == np.float32


def test_the_samples_are_not_changed(blobs):
    x = blobs(300)[0]
    before = x.copy()
    GaussianMixture(3, random_state=0).fit(x).predict(x)
    np.testing.assert_array_equal(x, before)


def test_sample_weights_count_samples_that_often(blobs, rng):
    x, times = blobs(300, 2, 2)[0], rng.integers(1, 4, 300)
    start = {"means_init": x[:2], "weights_init": [0.5, 0.5], "precisions_init": np.stack([np.eye(2)] * 2)}
    options = {"max_iter": 10, "tol": 0, **start}
    weighted = GaussianMixture(2, **options)
    repeated = GaussianMixture(2, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weighted.fit(x, sample_weight=times)
        repeated.fit(np.repeat(x, times, axis=0))
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-10)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-9)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, rel=1e-10)


def test_stopping_early_is_said_once(blobs):
    with pytest.warns(ConvergenceWarning, match="max_iter=2, tol=1e-12") as caught:
        GaussianMixture(4, tol=1e-12, max_iter=2, n_init=3, random_state=0).fit(blobs(300)[0])
    assert len(caught) == 1


GOOD = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_samples", "score", "bic", "aic"])
def test_nothing_is_said_before_a_fit_nor_of_other_features(method):
    with pytest.raises(ValueError, match="not fitted yet"):
        getattr(GaussianMixture(), method)(GOOD)
    model = GaussianMixture(2, random_state=0).fit(GOOD)
    with pytest.raises(ValueError, match="X has 3 features.*expecting 2"):
        getattr(model, method)(np.ones((5, 3)))
    with pytest.raises(ValueError, match="infinity"):
        getattr(model, method)(np.full((5, 2), np.inf))


def test_samples_are_not_drawn_before_a_fit_nor_fewer_than_one():
    with pytest.raises(ValueError, match="not fitted yet"):
        GaussianMixture().sample()
    with pytest.raises(ValueError, match="'n_samples': 0"):
        GaussianMixture(random_state=0).fit(GOOD).sample(0)


def test_a_mixture_put_together_by_hand_predicts():
    model = GaussianMixture(2, covariance_type="spherical")
    model.weights_, model.means_ = np.array([0.5, 0.5]), np.array([[0.0, 0.0], [4.0, 4.0]])
    model.covariances_ = model.precisions_cholesky_ = np.ones(2)
    np.testing.assert_array_equal(model.predict(np.array([[0.1, 0.0], [3.9, 5.0]])), [0, 1])


@pytest.mark.slow
@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("data", ["constant", "duplicates", "collinear", "as many components as samples"])
def test_hard_data_give_a_usable_fit(covariance, data, rng):
    x, k = {
        "constant": (np.full((30, 2), 3.0), 3),
        "duplicates": (np.repeat([[0.0, 1.0], [5.0, 5.0]], 20, axis=0), 5),
        "collinear": (np.outer(rng.normal(size=100), [1.0, 2.0]), 3),
        "as many components as samples": (rng.normal(size=(6, 2)), 6),
    }[data]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gmmseg.GmmsegWarning)
        model = GaussianMixture(k, covariance_type=covariance, random_state=0).fit(x)
    assert np.isfinite(model.score(x))
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, rtol=1e-9)
