"""Starting points."""

import numpy as np
import pytest

from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.kmeans import from_labels, lloyd, nearest, plus_plus, whiten
from gmmseg.mixture.moves import merge_down, split_and_merge, split_in_scale, split_lengthwise
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, draw_subset, seed_mixture

FAMILIES = ["full", "tied", "diag", "spherical"]


def clusters(n=60, k=6, apart=30.0, seed=0):
    """Round clusters on a grid, and the cluster of each sample."""
    rng = np.random.default_rng(seed)
    centers = apart * np.stack(np.unravel_index(np.arange(k), (2, 3)))
    component = np.repeat(np.arange(k), n)
    return centers[:, component] + rng.normal(size=(2, n * k)), component


def same_partition(a, b):
    """Whether two labellings differ in their names only."""
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separate_clusters_are_found_from_every_seed(covariance, dtype):
    planes, component = clusters()
    for seed in range(20):
        start = seed_mixture(planes.astype(dtype), 6, np.random.default_rng(seed), Seeding(covariance=covariance))
        assert same_partition(start.classify(planes.astype(dtype)), component)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_units_do_not_matter(covariance):
    planes, _ = clusters(apart=3.0)
    units = np.array([[2.0**-10], [2.0**12]])
    starts = [
        seed_mixture(p, 4, np.random.default_rng(1), Seeding(covariance=covariance, regularization=0.0))
        for p in (planes, planes * units)
    ]
    np.testing.assert_allclose(starts[1].means, starts[0].means * units.T, rtol=1e-6)
    np.testing.assert_array_equal(starts[0].classify(planes), starts[1].classify(planes * units))


@pytest.mark.parametrize("covariance", FAMILIES)
def test_the_same_seed_gives_the_same_start(covariance):
    planes, _ = clusters(apart=2.0)
    starts = [
        seed_mixture(planes, 5, np.random.default_rng(7), Seeding(covariance=covariance, threads=t)) for t in (1, 3)
    ]
    np.testing.assert_array_equal(starts[0].means, starts[1].means)
    np.testing.assert_array_equal(starts[0].covariances, starts[1].covariances)


def test_only_a_subset_is_needed():
    planes, component = clusters(n=3000)
    start = seed_mixture(planes, 6, np.random.default_rng(0), Seeding(subset=500))
    assert same_partition(start.classify(planes), component)


def test_samples_without_weight_do_not_count():
    planes, component = clusters()
    weights = (component < 3).astype(float)
    start = seed_mixture(planes, 3, np.random.default_rng(0), weights=weights)
    assert (start.means[:, 0] < 15).all()


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


def test_lloyd_lowers_the_distances_and_leaves_lost_centres():
    planes, _ = clusters(apart=4.0)
    start = plus_plus(planes, 6, np.random.default_rng(0))

    def cost(centers):
        return ((planes[None] - centers[:, :, None]) ** 2).sum(axis=1).min(axis=0).sum()

    costs = [cost(lloyd(planes, start, iterations=i)) for i in range(6)]
    assert (np.diff(costs) <= 1e-9 * costs[0]).all()
    assert costs[-1] < costs[0]
    lost = lloyd(planes, np.concatenate([start, [[1e3, 1e3]]]))
    np.testing.assert_allclose(lost[-1], [1e3, 1e3])


@pytest.mark.parametrize("covariance", FAMILIES)
def test_a_start_from_labels_has_their_means_and_leaves_empty_ones_out(covariance, rng):
    planes, labels = rng.normal(size=(2, 300)), rng.choice([0, 2, 3], 300)
    start = from_labels(planes, labels, 5, covariance, None, 0.0)
    assert start.n_components == 3
    np.testing.assert_allclose(start.means, np.stack([planes[:, labels == i].mean(axis=1) for i in (0, 2, 3)]))
    np.testing.assert_allclose(start.weights, np.bincount(labels)[[0, 2, 3]] / 300)
    assert np.isfinite(start.factors).all()


def overall(mixture):
    """Mean and covariance of a whole mixture."""
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    mean = mixture.weights @ mixture.means
    offsets = mixture.means - mean
    return mean, np.einsum("k,kij->ij", mixture.weights, dense + offsets[:, :, None] * offsets[:, None, :])


@pytest.fixture
def tilted(rng):
    """A mixture of three tilted components in three dimensions."""
    roots = rng.normal(size=(3, 3, 3))
    return Mixture(np.array([0.5, 0.3, 0.2]), 4 * rng.normal(size=(3, 3)), roots @ roots.transpose(0, 2, 1))


@pytest.mark.parametrize("split", [split_lengthwise, split_in_scale])
def test_a_split_keeps_moments_and_merging_the_halves_undoes_it(split, tilted):
    halves = split(tilted)
    assert halves.n_components == 6
    for found, wanted in zip(overall(halves), overall(tilted), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    apart = Mixture(tilted.weights, 50 * tilted.means, tilted.covariances)
    merged = merge_down(split(apart), 3)
    np.testing.assert_allclose(merged.means, apart.means, rtol=1e-9)
    np.testing.assert_allclose(merged.covariances, apart.covariances, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_merging_keeps_moments_and_the_units_do_not_matter(k, tilted):
    parts = split_lengthwise(tilted)
    merged = merge_down(parts, k)
    assert merged.n_components == k
    for found, wanted in zip(overall(merged), overall(tilted), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    units = np.array([2.0**-10, 1.0, 2.0**9])
    scaled = merge_down(parts.transform(units, np.zeros(3)), k)
    np.testing.assert_allclose(scaled.means, merged.means * units, rtol=1e-9)


def test_equal_components_are_merged_first():
    mixture = Mixture(np.full(3, 1 / 3), np.array([[0.0], [5.0], [0.0]]), np.ones((3, 1, 1)))
    merged = merge_down(mixture, 2)
    np.testing.assert_allclose(merged.means.ravel(), [0, 5])
    np.testing.assert_allclose(merged.weights, [2 / 3, 1 / 3])


@pytest.mark.parametrize("covariance", FAMILIES)
def test_splitting_and_merging_frees_a_start_that_em_alone_leaves_stuck(covariance):
    planes, component = clusters(n=200, k=4)
    stuck = np.array([0, 1, 2, 2])[component]  # two clusters share a component, and one has two
    stuck[np.flatnonzero(component == 0)[:100]] = 3
    start = from_labels(planes, stuck, 4, covariance, None, 0.0)

    def climb(mixture, iterations):
        return expectation_maximization(planes, mixture, Iteration(max_iterations=iterations, tolerance=0))

    fit = climb(start, 50)
    assert not same_partition(fit.mixture.classify(planes), component)
    freed = split_and_merge(fit, climb, planes.shape[1])
    assert same_partition(freed.mixture.classify(planes), component)
    assert freed.history[-1] > fit.history[-1]


def test_parallel_strips_are_told_apart_from_every_seed():
    rng = np.random.default_rng(3)
    strip = rng.integers(4, size=4000)
    planes = np.stack([rng.uniform(0, 20, 4000), strip + 0.15 * rng.normal(size=4000)])
    for seed in range(10):
        start = seed_mixture(planes, 4, np.random.default_rng(seed))
        np.testing.assert_allclose(np.sort(start.means[:, 1]), np.arange(4), atol=0.1)


@pytest.mark.parametrize(("n", "accepted"), [(1000, False), (100_000, True)])
def test_a_gain_bought_by_a_component_of_few_samples_is_refused(n, accepted, tilted):
    spiked = Mixture(np.array([0.699, 0.3, 0.001]), tilted.means, tilted.covariances)
    before, after = (Fit(mixture, (score,), True) for mixture, score in ((tilted, 0.0), (spiked, 9.0)))
    assert split_and_merge(before, lambda *_: after, n) is (after if accepted else before)


@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("n", [600, 6000])
def test_integer_weights_start_as_repeated_samples_do(covariance, n):
    planes, _ = clusters(n=n // 6, apart=3.0)
    times = np.random.default_rng(1).integers(1, 4, n)
    weights = times / times.mean()
    starts = [
        seed_mixture(p, 5, np.random.default_rng(2), Seeding(covariance=covariance), weights=w)
        for p, w in ((planes, weights), (np.repeat(planes, times, axis=1), None))
    ]
    np.testing.assert_allclose(starts[0].weights, starts[1].weights, rtol=1e-6)
    np.testing.assert_allclose(starts[0].means, starts[1].means, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(starts[0].covariances, starts[1].covariances, rtol=1e-6, atol=1e-6)


def test_a_subset_follows_the_weights(rng):
    planes = rng.permutation(np.arange(20_000.0))[None]
    weights = np.where(planes[0] < 5000, 3.0, 1.0)
    some, some_weights = draw_subset(planes, weights, 3000, rng)
    assert some.shape == (1, 3000)
    assert some_weights is None
    assert abs((some < 5000).mean() - 0.5) < 0.03


def test_neighbouring_copies_are_one_sample_of_their_weight(rng):
    planes = np.repeat(rng.normal(size=(2, 40)), 3, axis=1)
    some, weights = draw_subset(planes, None, 100, rng)
    np.testing.assert_array_equal(some, planes[:, ::3])
    np.testing.assert_allclose(weights, 1)
