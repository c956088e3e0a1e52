"""Missing features: marginalised in the E step, imputed by their conditional moments in the M step."""

import numpy as np
import pytest
from gappy_samples import TRUE, gappy
from scipy.stats import multivariate_normal

from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import m_step, measure

families = pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])


def of_family(covariance):
    covariances = {
        "full": TRUE.covariances,
        "tied": TRUE.covariances.mean(axis=0),
        "diag": np.diagonal(TRUE.covariances, axis1=1, axis2=2),
        "spherical": np.array([1.0, 0.8, 0.3]),
    }[covariance]
    return Mixture(TRUE.weights, TRUE.means, covariances, covariance)


def textbook_step(planes, mixture):
    """One EM step sample by sample (Ghahramani and Jordan 1994), and the log-likelihood before it."""
    k, d = mixture.means.shape
    dense = mixture.family.dense(mixture.covariances, k, d)
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    log_likelihood = 0.0
    for x in planes.T:
        o = ~np.isnan(x)
        if not o.any():
            continue
        joint = np.array(
            [
                np.log(mixture.weights[j])
                + multivariate_normal(mixture.means[j, o], dense[j][np.ix_(o, o)]).logpdf(x[o])
                for j in range(k)
            ]
        )
        total = np.logaddexp.reduce(joint)
        log_likelihood += total
        for j, r in enumerate(np.exp(joint - total)):
            full, spread = mixture.means[j].copy(), np.zeros((d, d))
            across = dense[j][np.ix_(~o, o)] @ np.linalg.inv(dense[j][np.ix_(o, o)])
            full[~o] += across @ (x[o] - mixture.means[j, o])
            full[o] = x[o]
            spread[np.ix_(~o, ~o)] = dense[j][np.ix_(~o, ~o)] - across @ dense[j][np.ix_(o, ~o)]
            counts[j] += r
            first[j] += r * full
            second[j] += r * (np.outer(full, full) + spread)
    means = first / counts[:, None]
    covariances = second / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    return counts, means, covariances, log_likelihood


@pytest.mark.slow
@families
def test_a_step_is_that_of_the_textbook(covariance):
    planes, mixture = gappy(400), of_family(covariance)
    counts, means, covariances, log_likelihood = textbook_step(planes, mixture)
    statistics = measure(planes, mixture)
    step = m_step(statistics, covariance, np.zeros(3))
    assert statistics.log_likelihood == pytest.approx(log_likelihood, rel=1e-10)
    np.testing.assert_allclose(statistics.counts, counts, rtol=1e-9)
    np.testing.assert_allclose(step.means, means, rtol=1e-9, atol=1e-9)
    diagonals = np.diagonal(covariances, axis1=1, axis2=2)
    wanted = {
        "full": covariances,
        "tied": np.tensordot(counts / counts.sum(), covariances, 1),
        "diag": diagonals,
        "spherical": diagonals.mean(axis=1),
    }[covariance]
    np.testing.assert_allclose(step.covariances, wanted, rtol=1e-9, atol=1e-9)


@families
def test_the_likelihood_never_falls(covariance):
    fit = expectation_maximization(gappy(2000), of_family(covariance), Iteration(tolerance=1e-9, max_iterations=200))
    assert np.diff(fit.history).min() > -1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_are_found_in_spite_of_gaps(dtype):
    mixture = expectation_maximization(
        gappy(20_000, dtype=dtype), TRUE, Iteration(tolerance=1e-6, max_iterations=500)
    ).mixture
    np.testing.assert_allclose(mixture.means, TRUE.means, atol=0.06)
    np.testing.assert_allclose(mixture.covariances, TRUE.covariances, atol=0.08)
    np.testing.assert_allclose(mixture.weights, TRUE.weights, atol=0.01)


def test_statistics_are_those_of_the_parts():
    planes = gappy(3000)
    whole = measure(planes, TRUE)
    parts = measure(planes[:, :1000], TRUE) + measure(planes[:, 1000:], TRUE)
    np.testing.assert_allclose(parts.second, whole.second, rtol=1e-10, atol=1e-8)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


def test_only_missing_features_still_give_a_mixture():
    mixture = expectation_maximization(np.full((3, 10), np.nan), TRUE).mixture
    assert np.isfinite(mixture.means).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_missing_is_filled_in_from_the_rest(rng, dtype):
    slope = np.array([[1.0], [2.0], [-1.0]])
    whole = (slope * rng.normal(size=2000) + rng.normal(0, 0.05, (3, 2000)) + [[5.0], [-3], [100]]).astype(dtype)
    planes = whole.copy()
    planes[rng.integers(0, 3, 2000), np.arange(2000)] = np.nan  # one feature of each sample
    planes[:, :7] = np.nan
    before = planes.copy()
    found = fill_in(planes)
    np.testing.assert_array_equal(planes, before)
    assert found.dtype == dtype
    known = np.isfinite(planes)
    np.testing.assert_array_equal(found[known], whole[known])
    assert np.abs(found - whole)[:, 7:].max() < 0.6  # twelve times the noise; the features themselves vary by 1 to 2
    # Of a sample without any feature the mean of all is expected.
    np.testing.assert_allclose(found[:, :7], found[:, :1].repeat(7, axis=1))
    np.testing.assert_allclose(found[:, 0], [5, -3, 100], atol=0.2)


def test_samples_that_lack_nothing_stay_as_they_are(rng):
    planes = rng.normal(size=(2, 10))
    assert fill_in(planes) is planes
    constant = np.array([[4.0, 4, np.nan], [1, 2, 3]])
    np.testing.assert_allclose(fill_in(constant)[0], 4, atol=1e-6)
    assert np.isfinite(fill_in(np.full((2, 5), np.nan))).all()
