"""k-means: centres, whitening and clusters."""

import numpy as np
import pytest
from clusters import clusters

from gmmseg.mixture.kmeans import clustered, from_labels, nearest, plus_plus, principal, whiten

FAMILIES = ["full", "tied", "diag", "spherical"]


@pytest.mark.parametrize("k", [1, 2, 7, 50])
def test_chosen_centres_are_distinct_samples(k):
    planes, _ = clusters(n=40)
    for seed in range(5):
        centers = plus_plus(planes, k, np.random.default_rng(seed))
        assert len(np.unique(centers, axis=0)) == k
        assert {tuple(c) for c in centers} <= {tuple(p) for p in planes.T}


@pytest.mark.parametrize("distinct", [1, 2, 3])
def test_no_more_centres_than_distinct_samples(distinct):
    planes = np.repeat(np.arange(float(distinct))[None], 50, axis=1)
    centers = plus_plus(planes, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(centers.ravel()), np.arange(distinct))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whitened_samples_have_unit_covariance(dtype, rng):
    planes = (np.array([[1e-4, 0], [50, 1e3]]) @ rng.normal(size=(2, 5000)) + 9).astype(dtype)
    white = whiten(planes)
    assert white.dtype == dtype
    np.testing.assert_allclose(np.cov(white, bias=True), np.eye(2), atol=1e-3)
    np.testing.assert_allclose(white.mean(axis=1), 0, atol=1e-3)


def test_whitening_leaves_constant_directions_out(rng):
    values = rng.normal(size=500)
    planes = np.stack([values, 2 * values, np.full(500, 3.0)])
    variances = np.sort(np.var(whiten(planes), axis=1))
    np.testing.assert_allclose(variances, [0, 0, 1], atol=1e-9)


def test_the_nearest_centre_is_the_nearest(rng):
    planes, centers = rng.normal(size=(3, 2000)), rng.normal(size=(7, 3))
    distances = ((planes[None] - centers[:, :, None]) ** 2).sum(axis=1)
    np.testing.assert_array_equal(nearest(planes, centers), distances.argmin(axis=0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clusters_are_the_nearest_samples_of_means_that_are_nearer_than_what_was_drawn(dtype, weighted, rng):
    planes, _ = clusters(apart=4.0)
    planes = planes.astype(dtype)
    weights = rng.uniform(0.5, 2, planes.shape[1]).astype(dtype) if weighted else None
    mass = np.ones(planes.shape[1]) if weights is None else weights.astype(np.float64)

    def cost(centers):
        return mass @ ((planes[None] - centers[:, :, None]) ** 2).sum(axis=1).min(axis=0)

    drawn = plus_plus(planes, 6, np.random.default_rng(0), weights)
    labels, number = clustered(planes, 6, np.random.default_rng(0), weights)
    assert number == 6
    assert labels.dtype == np.int64
    means = np.stack([np.average(planes[:, labels == c], axis=1, weights=mass[labels == c]) for c in range(6)])
    assert cost(means) < 0.9 * cost(drawn)
    assert np.mean(nearest(planes, means) == labels) > 0.95  # the last of a few iterations moves hardly one


@pytest.mark.parametrize("distinct", [1, 2, 3])
def test_no_more_clusters_than_distinct_samples(distinct):
    planes = np.repeat(np.arange(float(distinct))[None], 50, axis=1)
    labels, number = clustered(planes, 5, np.random.default_rng(0))
    assert number == distinct
    assert len(set(zip(planes[0], labels, strict=True))) == len(set(labels)) == distinct


@pytest.mark.parametrize("covariance", FAMILIES)
def test_a_start_from_labels_has_their_means_and_leaves_empty_ones_out(covariance, rng):
    planes, labels = rng.normal(size=(2, 300)), rng.choice([0, 2, 3], 300)
    start = from_labels(planes, labels, 5, covariance, None, 0.0)
    assert start.n_components == 3
    np.testing.assert_allclose(start.means, np.stack([planes[:, labels == i].mean(axis=1) for i in (0, 2, 3)]))
    np.testing.assert_allclose(start.weights, np.bincount(labels)[[0, 2, 3]] / 300)
    assert np.isfinite(start.factors).all()


@pytest.mark.parametrize("d", [12, 90])
def test_principal_components_are_the_longest(d, rng):
    """Of few features and of many, whose axes are found by turns."""
    hidden = rng.normal(size=(3, 400)) * np.array([[9.0], [6.0], [4.0]])
    planes = rng.normal(size=(d, 3)) @ hidden + 0.1 * rng.normal(size=(d, 400))
    standard = (planes - planes.mean(axis=1, keepdims=True)) / planes.std(axis=1, keepdims=True)
    wanted = np.linalg.svd(standard, full_matrices=False)
    found = principal(planes, 3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), wanted[1][:3], rtol=1e-6)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted[1][:3, None] * wanted[2][:3]), atol=1e-3)
