"""Sufficient statistics and the M step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln

from gmmseg import Mixture
from gmmseg.mixture.statistics import Statistics, m_step, measure

FAMILIES = ["full", "tied", "diag", "spherical"]
families = pytest.mark.parametrize("covariance", FAMILIES)
NONE = np.zeros(3)


def mixture_of(covariance, k=3, d=3, seed=0):
    rng = np.random.default_rng(seed)
    covariances = {
        "full": np.stack([np.eye(d) * s for s in rng.uniform(0.5, 2, k)]),
        "tied": np.eye(d) + 0.2,
        "diag": rng.uniform(0.5, 2, (k, d)),
        "spherical": rng.uniform(0.5, 2, k),
    }[covariance]
    return Mixture(rng.dirichlet(np.ones(k)), rng.normal(0, 2, (k, d)), covariances, covariance)


def assert_equal(found, expected, tolerance=1e-12):
    for name in ("origins", "counts", "first", "second", "log_likelihood", "weight"):
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max()), err_msg=name)


@given(
    seed=st.integers(0, 1000),
    n=st.integers(0, 1200),
    part=st.floats(0, 1),
    covariance=st.sampled_from(FAMILIES),
    weighted=st.booleans(),
)
def test_statistics_of_two_parts_add_up_to_those_of_the_whole(seed, n, part, covariance, weighted):
    rng = np.random.default_rng(seed)
    planes, mixture = rng.normal(0, 2, (3, n)), mixture_of(covariance, seed=seed)
    weights = rng.uniform(0, 3, n) if weighted else None
    cut = int(part * n)
    parts = [
        measure(planes[:, some], mixture, None if weights is None else np.ascontiguousarray(weights[some]))
        for some in (slice(None, cut), slice(cut, None))
    ]
    assert_equal(parts[0] + parts[1], measure(planes, mixture, weights))


@families
def test_statistics_taken_under_different_mixtures_cannot_be_added(covariance, rng):
    planes = rng.normal(size=(3, 50))
    one, other = (measure(planes, mixture_of(covariance, seed=seed)) for seed in (0, 1))
    with pytest.raises(ValueError, match="different mixtures"):
        one + other


@families
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_weights_count_samples_that_often(covariance, dtype, rng):
    planes, times = rng.normal(0, 2, (3, 400)).astype(dtype), rng.integers(0, 5, 400)
    mixture = mixture_of(covariance)
    weighted = measure(planes, mixture, times.astype(dtype))
    repeated = measure(np.repeat(planes, times, axis=1), mixture)
    assert_equal(weighted, repeated, 1e-10 if dtype == np.float64 else 2e-5)
    assert weighted.weight == times.sum()


@families
def test_counts_sum_to_the_samples_and_moments_are_symmetric(covariance, rng):
    planes = rng.normal(0, 2, (3, 700))
    statistics = measure(planes, mixture_of(covariance))
    assert statistics.counts.sum() == pytest.approx(700, rel=1e-12)
    if statistics.second.ndim == 3:
        np.testing.assert_array_equal(statistics.second, statistics.second.transpose(0, 2, 1))


def hard_statistics(planes, labels, k, *, diagonal):
    """Statistics of responsibilities 0 and 1, about an origin that is none of the means."""
    origins = np.arange(k)[:, None] + np.linspace(0.1, 0.7, len(planes))
    counts, first, second = np.zeros(k), np.zeros((k, len(planes))), []
    for i in range(k):
        x = planes[:, labels == i] - origins[i][:, None]
        counts[i], first[i] = x.shape[1], x.sum(axis=1)
        second.append((x * x).sum(axis=1) if diagonal else x @ x.T)
    return Statistics(origins, counts, first, np.array(second), 0.0, float(len(labels)))


@families
def test_the_m_step_gives_the_moments_of_each_class(covariance, rng):
    labels = rng.integers(3, size=300)
    planes = rng.normal(size=(3, 300)) * [[1], [2], [3]] + 3 * labels
    result = m_step(hard_statistics(planes, labels, 3, diagonal=covariance in ("diag", "spherical")), covariance, NONE)
    groups = [planes[:, labels == i] for i in range(3)]
    share = np.bincount(labels) / 300
    full = np.stack([np.cov(g, bias=True) for g in groups])
    variances = np.stack([g.var(axis=1) for g in groups])
    expected = {
        "full": full,
        "tied": np.tensordot(share, full, 1),
        "diag": variances,
        "spherical": variances.mean(axis=1),
    }[covariance]
    np.testing.assert_allclose(result.weights, share, rtol=1e-12)
    np.testing.assert_allclose(result.means, np.stack([g.mean(axis=1) for g in groups]), rtol=1e-11)
    np.testing.assert_allclose(result.covariances, expected, rtol=1e-11, atol=1e-11)


@families
def test_regularization_is_added_to_the_variances(covariance, rng):
    planes, labels, extra = rng.normal(size=(3, 200)), rng.integers(2, size=200), np.array([0.1, 0.2, 0.6])
    statistics = hard_statistics(planes, labels, 2, diagonal=covariance in ("diag", "spherical"))
    plain, raised = (m_step(statistics, covariance, r) for r in (NONE, extra))
    difference = raised.family.dense(raised.covariances - plain.covariances, 2, 3)
    expected = np.diag(extra) if covariance != "spherical" else 0.3 * np.eye(3)
    np.testing.assert_allclose(difference, np.stack([expected] * 2), atol=1e-12)


def test_a_component_without_samples_keeps_its_place(rng):
    statistics = hard_statistics(rng.normal(size=(3, 50)), np.zeros(50, int), 2, diagonal=False)
    result = m_step(statistics, "full", NONE)
    assert result.weights[1] < 1e-12
    np.testing.assert_array_equal(result.means[1], statistics.origins[1])


@pytest.mark.parametrize("dof", [1.0, 3.0, 30.0, 1000.0])
@pytest.mark.parametrize("shares", [0.1, 0.3, 1.5, 30.0])
def test_sure_steps_never_lower_the_expected_likelihood_of_degrees_of_freedom(dof, shares):
    """Whatever the samples' shares in the scale are, if only they are no shares of a Student-t."""
    rng = np.random.default_rng(0)
    weights = rng.gamma(shares, 1 / shares, 100) ** 2
    start = Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)), dof=np.array([dof]))
    tails = np.array([(np.log(weights) - weights).sum()])
    sums = {"mass": np.array([weights.sum()]), "tails": tails}
    statistics = Statistics(
        start.means, np.array([100.0]), np.zeros((1, 1)), np.full((1, 1, 1), 90.0), 0.0, 100.0, **sums
    )
    expected = [
        100 * (half * np.log(half) - gammaln(half)) + half * tails
        for half in (m_step(statistics, "full", np.zeros(1), previous=start, surely=True).dof / 2, start.dof / 2)
    ]
    assert expected[0] >= expected[1]
