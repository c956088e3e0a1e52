"""Starting points."""

import numpy as np
import pytest
from clusters import clusters, same_partition

from gmmseg.mixture import seeding
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.seeding import Seeding, distinct_samples, drawn, frame, seed_mixture

FAMILIES = ["full", "tied", "diag", "spherical"]


@pytest.mark.slow
@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separate_clusters_are_found_from_every_seed(covariance, dtype):
    planes, component = clusters()
    for seed in range(20):
        start = seed_mixture(planes.astype(dtype), 6, np.random.default_rng(seed), Seeding(covariance=covariance))
        assert same_partition(start.classify(planes.astype(dtype)), component)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_parallel_strips_are_told_apart_from_every_seed():
    rng = np.random.default_rng(3)
    strip = rng.integers(4, size=4000)
    planes = np.stack([rng.uniform(0, 20, 4000), strip + 0.15 * rng.normal(size=4000)])
    for seed in range(10):
        start = seed_mixture(planes, 4, np.random.default_rng(seed))
        np.testing.assert_allclose(np.sort(start.means[:, 1]), np.arange(4), atol=0.1)


@pytest.mark.slow
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
    some, some_weights = drawn(planes, weights, distinct_samples(planes, weights), 3000, rng.random())
    assert some.shape == (1, 3000)
    assert some_weights is None
    assert abs((some < 5000).mean() - 0.5) < 0.03


@pytest.mark.parametrize(("n", "size"), [(5000, 4096), (4097, 4096), (50_000, 32_768)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_subset_without_weights_is_that_of_equal_weights(n, size, dtype):
    planes = np.random.default_rng(n).permutation(np.arange(3.0 * n)).reshape(3, n).astype(dtype)
    ones = np.ones(n, dtype)
    for first in np.random.default_rng(0).random(5):
        some, none = drawn(planes, None, distinct_samples(planes, None), size, first)
        wanted, _ = drawn(planes, ones, distinct_samples(planes, ones), size, first)
        np.testing.assert_array_equal(some, wanted)
        assert none is None
        assert some.dtype == dtype
        assert some.flags.c_contiguous


def test_neighbouring_copies_are_one_sample_of_their_weight(rng):
    planes = np.repeat(rng.normal(size=(2, 40)), 3, axis=1)
    some, weights = drawn(planes, None, distinct_samples(planes, None), 100, 0.0)
    np.testing.assert_array_equal(some, planes[:, ::3])
    np.testing.assert_allclose(weights, 1)


@pytest.mark.parametrize("d", [20, 40, 156])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_classes_that_are_apart_are_found_in_many_features(d, covariance):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(4, d))
        centres *= 20 / np.linalg.norm(centres[0] - centres[1])
        truth = rng.integers(0, 4, 3000)
        samples = (centres[truth] + rng.normal(size=(3000, d))).T
        units = 10.0 ** rng.integers(-3, 4, d)
        planes = np.ascontiguousarray(samples * units[:, None])
        found = seed_mixture(planes, 4, rng, Seeding(covariance) if covariance != "spherical" else Seeding("diag"))
        crossed = np.histogram2d(truth, found.classify(planes), bins=(4, 4))[0]
        assert (np.sort(crossed.max(axis=0)) == np.sort(crossed.sum(axis=0))).all()
        assert found.n_components == 4


def test_no_component_of_few_samples_in_many_features_is_lost():
    planes = np.random.default_rng(0).normal(size=(120, 60))
    found = seed_mixture(planes, 10, np.random.default_rng(0), Seeding(regularization=1e-6))
    assert found.n_components == 10
    assert np.isfinite(found.log_density(planes)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_subset_s_few_far_samples_do_not_decide(seed):
    """Of heavy tails a subset has its own far samples, and a component for these; all samples want four clusters."""
    rng = np.random.default_rng(2024)
    centers = 10.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[rng.integers(4, size=5000)]
    planes = (centers + rng.normal(size=(5000, 2)) / np.sqrt(rng.chisquare(3, (5000, 1)) / 3)).T.copy()
    start = seed_mixture(planes, 4, np.random.default_rng(seed), Seeding(judged=True))
    np.testing.assert_allclose(start.weights, 0.25, atol=0.02)


def searched_in(monkeypatch, planes, **how):
    """Precision in which a start is looked for, of planes in float64."""
    dtypes = []

    class Watched(seeding.Search):
        def __init__(self, samples, *given):
            dtypes.append(samples.given.dtype)
            super().__init__(samples, *given)

    monkeypatch.setattr(seeding, "Search", Watched)
    start = seed_mixture(planes, 5, np.random.default_rng(0), Seeding(**how))
    assert start.means.dtype == np.float64
    return dtypes[-1]


@pytest.mark.parametrize(
    ("n", "far", "judged", "wanted"),
    [(3000, 0, True, "float32"), (3000, 1e4, True, "float64"), (300, 0, True, "float64"), (3000, 0, False, "float64")],
)
def test_many_samples_start_in_single_precision_unless_one_lies_far_out(monkeypatch, n, far, judged, wanted):
    planes = np.random.default_rng(0).normal(size=(5, n)) + 6 * np.eye(5)[:, np.arange(n) % 5]
    planes[0, 0] += far
    assert searched_in(monkeypatch, planes, judged=judged) == wanted


def test_k_means_in_the_data_s_own_units_is_tried_where_features_are_many():
    """Of 60 features in the same unit three tell the classes apart; the others are small, alike, and noise."""
    rng = np.random.default_rng(3)
    component = rng.integers(6, size=500)
    means = np.zeros((6, 60))
    means[:, :3] = [[0, 0, 0], [2.2, 0, 0], [0, 2.2, 0], [0, 0, 2.2], [2.2, 2.2, 0], [0, 2.2, 2.2]]
    rows = means[component] + rng.normal(size=(500, 60)) * np.repeat([0.3, 0.03], [3, 57])
    rows[:, 3:] += 0.05 * rng.standard_t(2, size=(500, 57))
    center, scale = frame(rows.T, common=False)
    planes = (rows.T - center[:, None]) / scale[:, None]
    found = [
        seed_mixture(planes, 6, np.random.default_rng(0), Seeding(regularization=1e-3, judged=True, units=units))
        for units in (None, scale)
    ]
    reached = [start.log_density(planes).mean() for start in found]
    assert reached[1] > reached[0] + 1


def test_equal_clusters_of_many_features_are_one_start(monkeypatch, rng):
    """k-means with two centres comes to the same halves each time, whichever number it gives them."""
    planes = rng.normal(size=(20, 400)) * np.where(np.arange(20) < 1, 4.0, 1.0)[:, None]
    begun = []

    def counted(values, labels, *given):
        if len(values) == 20:
            begun.append(np.where(labels == labels[0], 0, 1))
        return from_labels(values, labels, *given)

    monkeypatch.setattr(seeding, "from_labels", counted)
    seed_mixture(planes, 2, np.random.default_rng(0), Seeding(units=np.ones(20), judged=True))
    assert 2 <= len(begun) < 6
    assert len({each.tobytes() for each in begun}) == len(begun)


@pytest.mark.parametrize(("n", "searches"), [(400, 1), (600, 2)])
def test_with_more_parameters_than_samples_a_start_is_that_on_the_axes(monkeypatch, rng, n, searches):
    """Two components of twenty features have 461; classes overlap, so that no start is certain."""
    begun = []

    class Watched(seeding.Search):
        def __init__(self, samples, *given):
            begun.append(len(samples.given))
            super().__init__(samples, *given)

    monkeypatch.setattr(seeding, "Search", Watched)
    seed_mixture(rng.normal(size=(20, n)), 2, np.random.default_rng(0), Seeding(judged=True))
    assert begun == [8, 20][:searches]


@pytest.mark.parametrize("steps", [None, 2])
def test_the_order_of_few_samples_and_how_they_are_counted_do_not_matter(steps, rng):
    """Weights count as repeated samples do, wherever these stand; of rounded samples many are equal in a feature."""
    planes = np.concatenate([rng.normal(size=(3, 60)), rng.normal(1.5, 1, size=(3, 60))], axis=1)
    planes = planes if steps is None else np.round(planes * steps) / steps
    counts, order = rng.integers(0, 4, 120), rng.permutation(120)
    repeated = np.repeat(planes, counts, axis=1)
    shuffled = np.ascontiguousarray(repeated[:, rng.permutation(repeated.shape[1])])
    weights = counts[order].astype(np.float64)
    how = Seeding(judged=True)
    one = seed_mixture(np.ascontiguousarray(planes[:, order]), 3, np.random.default_rng(0), how, weights=weights)
    other = seed_mixture(shuffled, 3, np.random.default_rng(0), how)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_and_repeated_samples_have_one_frame_and_one_start(dtype):
    """Nine samples in nine features: all are equally far apart once they are whitened, and rounding would choose."""
    rng = np.random.default_rng(0)
    rows = rng.normal(100, 3, (9, 9)).astype(dtype)
    times = rng.integers(1, 6, 9)
    repeated, weights = np.repeat(rows, times, axis=0), (times / times.mean()).astype(dtype)
    order = rng.permutation(len(repeated))
    framed = frame(rows.T, weights, common=False), frame(repeated[order].T, common=False)
    np.testing.assert_array_equal(*framed)
    center, scale = framed[0]
    for seed in range(5):
        how, starts = Seeding("diag", 1e-3, moves=False, judged=True), []
        for planes, own in ((rows.T, weights), (repeated[order].T, None)):
            inside = np.ascontiguousarray(((planes - center[:, None]) / scale[:, None]).astype(dtype))
            starts.append(seed_mixture(inside, 3, np.random.default_rng(seed), how, weights=own))
        np.testing.assert_array_equal(starts[0].means, starts[1].means)
        np.testing.assert_array_equal(starts[0].covariances, starts[1].covariances)


def test_a_frame_is_that_of_the_numbers_that_are_known():
    rng = np.random.default_rng(6)
    planes = rng.normal([[3.0], [-200.0], [0.0]], [[4.0], [30.0], [1.0]], (3, 2000))
    gaps = np.where(rng.random(planes.shape) < 0.3, np.nan, planes)
    gaps[2] = np.nan
    center, scale = frame(gaps, common=False)
    np.testing.assert_array_equal(scale, [4, 32, 1])
    np.testing.assert_array_equal(center, [4, -192, 0])  # whole scales nearest to the means


@pytest.mark.parametrize(("d", "alike"), [(8, True), (7, False)])
def test_rows_that_repeat_are_one_each_that_weighs_more(rng, d, alike):
    """Each of 500 rows five times, in any order: where features are few, sorting takes longer than it saves."""
    rows = rng.normal(0, 1.5, (d, 6))[:, rng.integers(6, size=500)] + rng.normal(size=(d, 500))
    order = rng.permutation(2500) % 500
    how = Seeding(judged=True)
    found = seed_mixture(rows[:, order], 6, np.random.default_rng(0), how)
    wanted = seed_mixture(rows, 6, np.random.default_rng(0), how, weights=np.full(500, 5.0))
    assert np.allclose(found.means, wanted.means, rtol=1e-4, atol=1e-4) == alike
