"""The oracle: from the same parameters, the same numbers as scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as Oracle

import gmmseg

pytestmark = pytest.mark.usefixtures("one_blas_thread")

FAMILIES = ["full", "tied", "diag", "spherical"]
families = pytest.mark.parametrize("covariance", FAMILIES)
# scikit-learn runs in double precision on the same float32 numbers.
dtypes = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-10)])


def fitted(estimator, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few iterations do not converge
        return estimator.fit(x)


def start(x, k, covariance):
    """Starting values near the data, far from any optimum."""
    d, rng = x.shape[1], np.random.default_rng(5)
    variances = x.astype(np.float64).var(axis=0)
    precisions = {
        "full": np.repeat(np.diag(1 / variances)[None], k, axis=0),
        "tied": np.diag(1 / variances),
        "diag": np.repeat(1 / variances[None], k, axis=0),
        "spherical": np.full(k, d / variances.sum()),
    }
    return {
        "weights_init": rng.dirichlet(np.full(k, 10.0)),
        "means_init": x[rng.choice(len(x), k, replace=False)].astype(np.float64),
        "precisions_init": precisions[covariance],
    }


def pair(x, k, covariance, iterations, **options):
    options = {"covariance_type": covariance, "max_iter": iterations, "tol": 0, **start(x, k, covariance), **options}
    ours = fitted(gmmseg.GaussianMixture(k, **options), x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ours, Oracle(k, **options).fit(x.astype(np.float64))


def assert_close(found, expected, tolerance, scale=None):
    """Equal relative to the largest number, or to `scale`."""
    scale = np.abs(expected).max() if scale is None else scale
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.slow
@families
@dtypes
@pytest.mark.parametrize("iterations", [1, 10])
def test_em_takes_the_same_steps(blobs, covariance, iterations, dtype, tolerance):
    x = blobs(2000, 4, 3)[0].astype(dtype)
    ours, theirs = pair(x, 3, covariance, iterations)
    assert_close(ours.weights_, theirs.weights_, tolerance)
    assert_close(ours.means_, theirs.means_, tolerance)
    assert_close(ours.covariances_, theirs.covariances_, tolerance)
    assert_close(ours.precisions_cholesky_, theirs.precisions_cholesky_, 2 * tolerance)
    assert_close(ours.precisions_, theirs.precisions_, 4 * tolerance)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=tolerance)
    assert ours.n_iter_ == theirs.n_iter_ == iterations
    assert len(ours.lower_bounds_) == iterations


@pytest.mark.slow
@families
@dtypes
def test_a_fitted_mixture_says_the_same(blobs, covariance, dtype, tolerance):
    x = blobs(1500, 3, 4)[0].astype(dtype)
    ours, theirs = pair(x, 4, covariance, 5)
    for name in ("weights_", "means_", "covariances_", "precisions_cholesky_"):
        setattr(theirs, name, getattr(ours, name))
    new = blobs(700, 3, 4, seed=1)[0].astype(dtype)
    double = new.astype(np.float64)
    density = theirs.score_samples(double)
    # A log density is a difference of squares as large as itself, and a posterior inherits its absolute error.
    assert_close(ours.score_samples(new), density, tolerance)
    assert_close(ours.predict_proba(new), theirs.predict_proba(double), tolerance, np.abs(density).max())
    assert (ours.predict(new) == theirs.predict(double)).mean() >= (0.998 if dtype == np.float32 else 1)
    assert ours.score(new) == pytest.approx(theirs.score(double), rel=tolerance)
    assert ours.bic(new) == pytest.approx(theirs.bic(double), rel=tolerance)
    assert ours.aic(new) == pytest.approx(theirs.aic(double), rel=tolerance)


@families
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_units_do_not_matter(blobs, covariance, scale):
    x = blobs(800, 3, 3)[0] * scale
    ours, theirs = pair(x, 3, covariance, 10, reg_covar=1e-6 * scale**2)
    assert_close(ours.means_, theirs.means_, 1e-10)
    assert_close(ours.covariances_, theirs.covariances_, 1e-10)
    assert_close(ours.score_samples(x), theirs.score_samples(x), 1e-10)


@pytest.mark.slow
@families
def test_far_from_zero_nothing_cancels(blobs, covariance):
    """At an offset of 1e6 scikit-learn's own sums lose digits: the oracle there is the fit without the offset."""
    x = np.round(blobs(800, 3, 3)[0] * 2**20) / 2**20  # exact when 2^20 is added
    options = {"covariance_type": covariance, "max_iter": 10, "tol": 0}
    near = fitted(gmmseg.GaussianMixture(3, **options, **start(x, 3, covariance)), x)
    moved = start(x, 3, covariance)
    moved["means_init"] = moved["means_init"] + 2**20
    far = fitted(gmmseg.GaussianMixture(3, **options, **moved), x + 2**20)
    _, theirs = pair(x, 3, covariance, 10)
    assert_close(near.covariances_, theirs.covariances_, 1e-10)
    # Means near 1e6 are known to 1e-10: relative to the spread that leaves 1e-9.
    assert_close(far.means_ - 2**20, near.means_, 1e-8)
    assert_close(far.covariances_, near.covariances_, 1e-8)
    assert_close(far.score_samples(x + 2**20), near.score_samples(x), 1e-8)
    assert far.lower_bound_ == pytest.approx(near.lower_bound_, rel=1e-8)


@pytest.mark.slow
@families
def test_the_stop_rule_is_the_same(blobs, covariance):
    x = blobs(1000, 3, 3)[0]
    ours, theirs = pair(x, 3, covariance, 500, tol=1e-4)
    assert ours.converged_
    assert theirs.converged_
    assert abs(ours.n_iter_ - theirs.n_iter_) <= 1
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=2e-4)


def median_scores(x, k, seeds=7):
    """Median score of ours and of theirs, all else at its default."""
    both = []
    for kind in (gmmseg.GaussianMixture, Oracle):
        both.append(np.median([fitted(kind(k, random_state=seed), x).score(x) for seed in range(seeds)]))
    return both


@pytest.mark.slow
@pytest.mark.parametrize("data", ["iris", "blobs", "overlapping blobs", "many blobs"])
def test_fits_from_scratch_are_not_worse(blobs, data):
    x, k = {
        "iris": lambda: (load_iris().data, 3),
        "blobs": lambda: (blobs(600, 3, 5)[0], 5),
        "overlapping blobs": lambda: (blobs(800, 3, 4, apart=1.2)[0], 4),
        "many blobs": lambda: (blobs(1000, 2, 12, apart=6.0)[0], 12),
    }[data]()
    ours, theirs = median_scores(x, k)
    assert ours >= theirs - 0.005
