"""Components without samples or volume: what stays of them, and that the likelihood rises from there on."""

from dataclasses import replace

import numpy as np
import pytest

from gmmseg.mixture.covariance import family
from gmmseg.mixture.em import Iteration, expectation_maximization, with_outliers
from gmmseg.mixture.parameters import Mixture


def mostly_equal(n=60, d=2, share=0.7, seed=0):
    """Samples that are mostly zero: of Student-t components the likelihood has no bound."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, 0, rng.normal(0, 3, (d, n)))


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_a_likelihood_without_bound_rises_to_variances_of_a_part_of_the_spread(covariance, dtype, seed):
    planes = mostly_equal(seed=seed).astype(dtype)
    kind = family(covariance)
    start = Mixture(np.full(2, 0.5), np.array([[0.0, 0.0], [3.0, 3.0]]), np.ones(kind.shape(2, 2)), covariance)
    if not kind.diagonal:
        start = replace(start, covariances=start.covariances * np.eye(2))
    fit = expectation_maximization(planes, with_outliers(start, "student", planes), Iteration(1e-6, 1000))
    assert np.diff(fit.history).min(initial=0) >= -1e-5 * max(map(abs, fit.history))
    if dtype == np.float64:  # of float32 one component or other is dropped before
        assert str(fit.remarks[-1]) == "every component was degenerate; their variances were raised"
        assert 1e-8 < np.linalg.eigvalsh(kind.dense(fit.mixture.covariances, 2, 2)).min() < 1e-3


@pytest.mark.parametrize("covariance", ["tied", "diag"])
def test_where_all_samples_are_outliers_components_stay_and_it_is_said_once(covariance):
    planes = np.random.default_rng(0).uniform(0, 1, (4, 3)).repeat(2, axis=1)
    shape = family(covariance).shape(1, 4)
    covariances = np.ones(shape) * (np.eye(4) if covariance == "tied" else 1.0)
    start = with_outliers(Mixture(np.ones(1), np.full((1, 4), 0.5), covariances, covariance), "uniform", planes)
    start = replace(start, weights=np.array([1e-9]), outlier_weight=1 - 1e-9)
    fit = expectation_maximization(planes, start, Iteration())
    assert fit.converged
    assert [str(each) for each in fit.remarks] == ["every sample is likelier an outlier than of a component"]
    assert fit.mixture.outlier_weight == pytest.approx(1)
    np.testing.assert_array_equal(fit.mixture.covariances, start.covariances)
