"""Splitting and merging components."""

import numpy as np
import pytest
from clusters import clusters, same_partition

from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.moves import Trials, merge_down, split_and_merge, split_in_scale, split_lengthwise
from gmmseg.mixture.parameters import Mixture

FAMILIES = ["full", "tied", "diag", "spherical"]


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


@pytest.mark.parametrize(("n", "accepted"), [(1000, False), (100_000, True)])
def test_a_gain_bought_by_a_component_of_few_samples_is_refused(n, accepted, tilted):
    spiked = Mixture(np.array([0.699, 0.3, 0.001]), tilted.means, tilted.covariances)
    before, after = (Fit(mixture, (score,), True) for mixture, score in ((tilted, 0.0), (spiked, 9.0)))
    assert split_and_merge(before, lambda *_: after, n) is (after if accepted else before)


@pytest.mark.parametrize("liked", [False, True])
def test_a_move_that_more_samples_do_not_like_is_refused(liked, tilted):
    other = Mixture(tilted.weights[::-1].copy(), tilted.means, tilted.covariances)
    before, after = (Fit(mixture, (score,), True) for mixture, score in ((tilted, 0.0), (other, 9.0)))
    found = split_and_merge(before, lambda *_: after, 1000, judge=lambda mixture: float(liked and mixture is other))
    assert found is (after if liked else before)


@pytest.mark.parametrize(("strict", "tries"), [(True, 2), (False, 4 + 2 * 3)])
def test_parts_that_merge_to_the_same_wholes_are_no_move(strict, tries, tilted):
    """EM gains a nat with each of its runs, as where it is slow: that is kept, but is no reason to try again."""
    reached = []

    def climb(mixture, iterations):
        if mixture.n_components == 3:
            reached.append(float(len(reached) + 1))
        return Fit(mixture, (reached[-1] if reached else 0.0,), True)

    apart = Mixture(tilted.weights, 50 * tilted.means, tilted.covariances)
    found = split_and_merge(Fit(apart, (0.0,), True), climb, 1000, Trials(strict=strict))
    assert len(reached) == tries
    assert found.history == (float(tries),)


@pytest.mark.parametrize(("patient", "first"), [(True, 4 * 5 + 12), (False, 4 * 4 + 4 + 8)])
def test_trials_end_where_another_is_not_worth_its_passes(patient, first, tilted):
    """The first of three components in four parts each is made, whatever it costs."""
    asked, tried = [], []

    def afford(passes, gained):
        asked.append((passes, gained))
        return False

    def climb(mixture, iterations):
        if mixture.n_components == 12:
            tried.append(iterations)
        return Fit(mixture, (0.25,), True)

    found = split_and_merge(Fit(tilted, (0.0,), True), climb, 1000, Trials(patient=patient), afford=afford)
    assert len(tried) == 1
    assert found.history == (0.25,)
    assert asked == [(3 * first, 0.0), (3 * first, 0.25)]
