"""k-means and moments of labels: both kernels against each other and plain formulas."""

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg.kernels import reference

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def planes(rng):
    """Samples (3, 200), as every other one of an array."""
    return rng.normal(size=(3, 400))[:, ::2]


@compiled
@DTYPES
def test_twins_choose_the_same_centres(kernel, rng, planes, dtype):
    planes, mass, draws = planes.astype(dtype), rng.uniform(0, 2, 200), rng.random((8, 4))
    found = []
    for each in (kernel, reference):
        distances = ((planes - planes[:, :1]) ** 2).sum(axis=0) * mass
        found.append((each.plus_plus(planes, mass, distances, draws), distances))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)
    assert len(set(found[0][0])) == 8


@both
def test_no_more_centres_than_distinct_samples(kernel):
    planes = np.array([[0.0, 0, 5, 5]])
    distances = planes[0] ** 2
    assert kernel.plus_plus(planes, np.ones(4), distances, np.full((3, 2), 0.7)) in ([2], [3])
    np.testing.assert_array_equal(distances, 0)


@both
@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
def test_clusters_are_those_of_k_means_from_the_centres_drawn(kernel, rng, planes, dtype, weighted):
    """Step by step, by plain formulas."""
    planes = planes.astype(dtype)
    weights = rng.uniform(0.1, 2, 200).astype(dtype) if weighted else None
    mass, draws = np.ones(200) if weights is None else weights.astype(np.float64), rng.random(1 + 4 * 3)
    first = np.searchsorted(np.cumsum(mass), draws[0] * mass.sum())
    distances = ((planes - planes[:, [first]]) ** 2).sum(axis=0) * mass
    chosen = [first, *kernel.plus_plus(planes, mass, distances, draws[1:].reshape(4, 3))]
    centres = planes[:, chosen].T.astype(np.float64)
    for iterations in range(4):
        nearest = ((planes.T[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        labels, number = kernel.cluster(planes, weights, draws, 3, iterations, 1)
        assert number == 5
        np.testing.assert_array_equal(labels, nearest)
        centres = np.stack([np.average(planes[:, nearest == c], axis=1, weights=mass[nearest == c]) for c in range(5)])


@both
def test_samples_that_are_all_equal_or_drawn_once_are_one_cluster(kernel):
    planes = np.array([[0.0, 0, 1, 1, 9]])
    labels, number = kernel.cluster(planes, None, np.array([0.5]), 2, 5, 1)
    assert number == 1
    np.testing.assert_array_equal(labels, 0)
    labels, number = kernel.cluster(np.zeros((1, 5)), None, np.full(5, 0.5), 2, 5, 1)
    assert number == 1
    np.testing.assert_array_equal(labels, 0)


@compiled
def test_clusters_are_the_same_with_any_number_of_threads(kernel, rng):
    planes, draws = rng.normal(size=(2, 30_000)).astype(np.float32), rng.random(1 + 8 * 4)
    (one, _), (three, _) = (kernel.cluster(planes, None, draws, 4, 5, threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


@both
@DTYPES
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_classes_are_weighted_averages(kernel, rng, planes, dtype, weighted):
    """And a little of those of all of them, of which no class without samples is one."""
    planes, labels = planes.astype(dtype), rng.integers(2, size=200)
    mass = rng.uniform(0.1, 2, 200) if weighted else None
    counts, means, second, variances = kernel.class_moments(planes, labels, mass, 3, False)
    assert counts[2] == 0
    values, own = planes.astype(np.float64), np.ones(200) if mass is None else mass
    spread = [np.cov(values[:, labels == c], aweights=own[labels == c], bias=True) for c in (0, 1)]
    common = np.average(spread, axis=0, weights=counts[:2])
    for label in (0, 1):
        some, weights = values[:, labels == label], own[labels == label]
        assert counts[label] == pytest.approx(weights.sum())
        np.testing.assert_allclose(means[label], np.average(some, axis=1, weights=weights), rtol=1e-9)
        wanted = spread[label] + common * 3 / (counts[label] + 3)
        np.testing.assert_allclose(second[label], wanted, rtol=1e-9, atol=1e-12)
    whole = values.var(axis=1)
    np.testing.assert_allclose(variances, np.maximum(np.diagonal(common), whole) if weighted else whole, rtol=1e-6)
    squares = kernel.class_moments(planes, labels, mass, 3, True)[2]
    np.testing.assert_allclose(squares[:2], np.diagonal(second, axis1=1, axis2=2)[:2], rtol=1e-9)


@compiled
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("d", [1, 6, 21])
def test_twins_have_the_same_moments(kernel, rng, d, diagonal):
    """Of classes of one sample, of a few and of hundreds."""
    planes, labels = rng.normal(size=(d, 500)), np.minimum(rng.geometric(0.4, 500), 6) - 1
    labels[0] = 6
    for mass in (None, rng.uniform(0.1, 2, 500)):
        ours, theirs = (each.class_moments(planes, labels, mass, 8, diagonal) for each in (kernel, reference))
        np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-9)
        for found, wanted in zip(ours[:3], theirs[:3], strict=True):
            np.testing.assert_allclose(found[:7], wanted[:7], rtol=1e-9, atol=1e-12)
