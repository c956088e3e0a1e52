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
def test_centres_move_to_the_means_of_their_samples(kernel, planes, dtype):
    planes = planes.astype(dtype)
    centres = np.array([[-1.0, 0, 0], [1, 0, 0], [50, 50, 50]])
    nearest = ((planes.T[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    moved = kernel.lloyd(planes, centres, None, 1, 1)
    for label in (0, 1):
        np.testing.assert_allclose(moved[label], planes[:, nearest == label].mean(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(moved[2], centres[2])


@compiled
def test_twins_move_centres_alike(kernel, rng, planes):
    centres, weights = rng.normal(size=(5, 3)), rng.uniform(0.1, 1, 200)
    np.testing.assert_allclose(
        kernel.lloyd(planes, centres, weights, 5, 2), reference.lloyd(planes, centres, weights, 5, 1), rtol=1e-9
    )


@both
@DTYPES
def test_moments_of_classes_are_weighted_averages(kernel, rng, planes, dtype):
    planes, labels, mass = planes.astype(dtype), rng.integers(2, size=200), rng.uniform(0.1, 2, 200)
    counts, means, second = kernel.class_moments(planes, labels, mass, 3, False)
    assert counts[2] == 0
    for label in (0, 1):
        some, weights = planes[:, labels == label].astype(np.float64), mass[labels == label]
        assert counts[label] == pytest.approx(weights.sum())
        np.testing.assert_allclose(means[label], np.average(some, axis=1, weights=weights), rtol=1e-9)
        np.testing.assert_allclose(second[label], np.cov(some, aweights=weights, bias=True), rtol=1e-9, atol=1e-12)
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
        for found, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(found[:7], wanted[:7], rtol=1e-9, atol=1e-12)
