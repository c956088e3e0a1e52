"""Runs of EM and mergers: both kernels against each other, and against EM step by step."""

import signal
from dataclasses import replace

import numpy as np
import pytest
from implementations import both, compiled
from sklearn.mixture import GaussianMixture as Peer

from gmmseg.kernels import reference
from gmmseg.mixture import em
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.moves import merge_pairs, split_in_scale, split_lengthwise
from gmmseg.mixture.parameters import Mixture

FAMILIES = pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])


def start(family, d=3, n=300, dtype=np.float64):
    """Samples (d, n) of three classes that overlap, and a mixture to start from."""
    rng = np.random.default_rng([d, n])
    truth = rng.integers(3, size=n)
    planes = (rng.normal(0, 2, (d, 3))[:, truth] + rng.normal(size=(d, n))).astype(dtype)
    return planes, from_labels(planes, rng.integers(3, size=n), 3, family, None, 1e-6)


def climb(kernel, planes, mixture, weights=None, noise=None, iterations=20, tolerance=1e-5, least=1.0, rescues=0):
    components = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
    added = np.full(len(planes), 1e-6) + (0 if noise is None else noise)
    return kernel.climb(planes, weights, components, added, noise, (tolerance, 1e-10, least), iterations, rescues, 1)


@compiled
@FAMILIES
@pytest.mark.parametrize("d", [1, 3, 12, 35])
def test_twins_take_the_same_way(kernel, family, d):
    planes, mixture = start(family, d)
    planes.flags.writeable = False
    weights = np.random.default_rng(0).uniform(0.5, 2, planes.shape[1])
    for given in ({}, {"weights": weights}, {"noise": np.full(d, 0.05)}):
        ours, theirs = (climb(each, planes, mixture, **given) for each in (kernel, reference))
        for found, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)
        assert len(ours[4]) > 1


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_that_stay_for_all_iterations_change_no_bit(kernel, dtype):
    """Runs are of several chunks, so that every thread has work, and more threads than chunks find none."""
    planes, mixture = start("full", 4, 40_000, dtype)
    components = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
    given = planes, None, components, np.full(4, 1e-6), None, (0.0, 1e-10, 1.0), 25, 0
    alone = kernel.climb(*given, 1)
    for threads in (2, 3, 64):
        for found, wanted in zip(kernel.climb(*given, threads), alone, strict=True):
            np.testing.assert_array_equal(found, wanted)
    assert len(alone[4]) == 25


def apart(d, k, distance, dtype):
    """Samples of k tilted classes, so many spreads apart along the axes, and a start that is a little off them."""
    rng = np.random.default_rng([d, k])
    n = 256 * (d + k) + 777  # of fewer, every sample is visited in every iteration
    means = np.concatenate([np.eye(d), -np.eye(d)])[rng.permutation(2 * d)[:k]] * distance / np.sqrt(2)
    roots = np.eye(d) + rng.normal(0, 0.3 / np.sqrt(d), (k, d, d))
    truth = np.minimum(rng.geometric(0.4, n) - 1, k - 1)
    planes = means[truth].T + np.einsum("nij,nj->in", roots[truth], rng.normal(size=(n, d)))
    off = means + rng.normal(0, 0.2, means.shape)
    return planes.astype(dtype), Mixture(np.full(k, 1 / k), off, np.stack([1.5 * np.eye(d)] * k))


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("d", "k"), [(9, 3), (17, 6)])
@pytest.mark.parametrize("distance", [5, 8, 11, 15, 40])
def test_samples_that_are_left_alone_change_nothing(kernel, distance, d, k, weighted, dtype):
    """At 5 spreads nobody is sure of any sample, at 11 of some, at 40 of all."""
    planes, mixture = apart(d, k, distance, dtype)
    weights = np.random.default_rng(0).uniform(0, 2, planes.shape[1]).astype(dtype) if weighted else None
    double = None if weights is None else weights.astype(np.float64)
    ours = climb(kernel, planes, mixture, weights, iterations=15, tolerance=0)
    theirs = climb(reference, planes.astype(np.float64), mixture, double, iterations=15, tolerance=0)
    rtol = 2e-5 if dtype == np.float32 else 1e-10
    for found, wanted in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours[4], theirs[4], rtol=rtol / 10)
    assert len(ours[4]) == 15


@compiled
def test_samples_that_are_left_alone_are_looked_at_again_when_a_component_jumps(kernel):
    """A component without samples is put on half of the widest class while those of four others stand."""
    planes, mixture = apart(10, 5, 30, np.float64)
    planes[0, :900] *= 40  # the widest class is two
    means = np.concatenate([mixture.means, mixture.means[:1] + 200])
    six = Mixture(np.append(mixture.weights * 0.9, 0.1), means, np.concatenate([mixture.covariances, [np.eye(10)]]))
    given = {"iterations": 30, "tolerance": 0, "rescues": 6}
    ours, theirs = (climb(each, planes, six, **given) for each in (kernel, reference))
    np.testing.assert_allclose(ours[4], theirs[4], rtol=1e-9)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-7, atol=1e-7)
    assert ours[8] == theirs[8] > 0


@compiled
@pytest.mark.parametrize("family", ["full", "tied"])
def test_samples_that_are_left_alone_are_the_same_for_any_threads(kernel, family):
    planes, mixture = apart(12, 4, 12, np.float32)
    planes = np.tile(planes, 3)  # of several chunks
    covariances = mixture.covariances if family == "full" else mixture.covariances[0]
    components = mixture.weights, mixture.means, covariances, family
    given = planes, None, components, np.full(12, 1e-6), None, (0.0, 1e-10, 1.0), 12, 0
    alone = kernel.climb(*given, 1)
    for found, wanted in zip(kernel.climb(*given, 3), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)


def among_each_other(d, k, scales, dtype=np.float32):
    """Samples of k tilted classes of these sizes that lie among each other, and a start that is a little off them."""
    rng = np.random.default_rng([d, k, 5])
    n = 300 * d
    truth = rng.integers(k, size=n)
    roots = (np.eye(d) + rng.normal(0, 0.3 / np.sqrt(d), (k, d, d))) * np.reshape(scales, (-1, 1, 1))
    means = rng.normal(0, 3 / np.sqrt(2 * d), (k, d)) * np.reshape(scales, (-1, 1))
    planes = means[truth].T + np.einsum("nij,nj->in", roots[truth], rng.normal(size=(n, d)))
    covariances = roots @ np.swapaxes(roots, 1, 2)
    return planes.astype(dtype), Mixture(np.full(k, 1 / k), means + rng.normal(0, 0.1, means.shape), covariances)


@compiled
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("d", "k"), [(9, 2), (17, 4), (32, 3), (64, 4)])
def test_what_the_others_leave_is_what_a_component_has(kernel, d, k, weighted):
    """Runs of many iterations take the sums of one component from those of the others and of all samples."""
    planes, mixture = among_each_other(d, k, np.linspace(1, 1.5, k))
    planes += np.float32(2)
    mixture = replace(mixture, means=mixture.means + 2)
    weights = np.random.default_rng(0).uniform(0, 2, planes.shape[1]).astype(np.float32) if weighted else None
    ours = climb(kernel, planes, mixture, weights, iterations=12, tolerance=0)
    double = None if weights is None else weights.astype(np.float64)
    theirs = climb(reference, planes.astype(np.float64), mixture, double, iterations=12, tolerance=0)
    for found, wanted in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(ours[4], theirs[4], rtol=1e-6)
    assert len(ours[4]) == 12


@compiled
@pytest.mark.parametrize("heavy", [0.4, 0.97])
def test_what_wide_components_leave_is_too_coarse_for_narrow_ones(kernel, heavy):
    """The narrow class is the heaviest, a ten-thousandth as wide as the others: its variance keeps its digits."""
    planes, mixture = among_each_other(12, 3, [1e-4, 1.0, 2.0])
    rng = np.random.default_rng(1)
    n = planes.shape[1]
    narrow = rng.random(n) < heavy
    planes[:, narrow] = 1e-4 * rng.normal(size=(12, narrow.sum())).astype(np.float32)
    means = mixture.means * np.array([[0], [1], [1]])
    mixture = replace(mixture, means=means, covariances=np.array([1e-8, 1.0, 4.0])[:, None, None] * np.eye(12))
    ours, theirs = (
        climb(each, some, mixture, iterations=12, tolerance=0, noise=np.zeros(12))
        for each, some in ((kernel, planes), (reference, planes.astype(np.float64)))
    )
    np.testing.assert_allclose(ours[2][0], theirs[2][0], rtol=2e-5, atol=2e-5 * theirs[2][0, 0, 0])
    np.testing.assert_allclose(ours[0], theirs[0], rtol=2e-5)


@compiled
def test_what_others_leave_is_the_same_for_any_threads(kernel):
    planes, mixture = among_each_other(20, 3, [1.0, 1.2, 1.4])
    planes = np.tile(planes, 3)  # of several chunks
    components = mixture.weights, mixture.means, mixture.covariances, "full"
    given = planes, None, components, np.full(20, 1e-6), None, (0.0, 1e-10, 1.0), 10, 0
    alone = kernel.climb(*given, 1)
    for found, wanted in zip(kernel.climb(*given, 3), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)


def side_by_side(d, k, n):
    """Samples of k tilted classes of very different weights side by side, some far from all, and a start off them."""
    rng = np.random.default_rng([d, k, n])
    means = rng.normal(0, 6, (k, d))
    truth = np.minimum(rng.geometric(min(0.3, 2 / k), n) - 1, k - 1)
    roots = np.eye(d) + rng.normal(0, 0.3, (k, d, d))
    planes = means[truth].T + np.einsum("nij,nj->in", roots[truth], rng.normal(size=(n, d)))
    planes[:, ::701] *= 9
    off = means + rng.normal(0, 1, means.shape)
    return planes.astype(np.float32), Mixture(np.full(k, 1 / k), off, np.stack([4.0 * np.eye(d)] * k))


def one_by_one(kernel, planes, mixture, weights, iterations):
    """Weights, means, covariances and history of iterations each of which is a run of its own."""
    history = []
    for _ in range(iterations):
        run = climb(kernel, planes, mixture, weights, iterations=1, tolerance=0, least=1e-6)
        mixture = replace(mixture, weights=run[0], means=run[1], covariances=run[2])
        history += run[4]
    return mixture.weights, mixture.means, mixture.covariances, history


@compiled
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("family", ["full", "tied"])
@pytest.mark.parametrize(("d", "k", "n"), [(1, 5, 700), (2, 4, 5000), (3, 20, 9000), (5, 8, 20_000), (8, 6, 4608)])
def test_samples_in_order_give_the_same(kernel, d, k, n, family, weighted):
    """Runs are long enough to put samples in order twice; of one iteration they never are."""
    planes, mixture = side_by_side(d, k, n)
    planes.flags.writeable = False
    weights = np.random.default_rng(0).uniform(0, 2e-3, n).astype(np.float32) if weighted else None
    if family == "tied":
        mixture = replace(mixture, covariances=mixture.covariances[0], covariance="tied")
    iterations = 15 if k > 8 else 60  # later small components fall together, sooner or later by rounding alone
    run = climb(kernel, planes, mixture, weights, iterations=iterations, tolerance=0, least=1e-6)
    wanted = one_by_one(kernel, planes, mixture, weights, iterations)
    np.testing.assert_allclose(run[4], wanted[3], rtol=3e-6)
    for found, expected in zip(run[:3], wanted, strict=False):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@compiled
def test_samples_in_order_are_the_same_for_any_threads(kernel):
    planes, mixture = side_by_side(5, 8, 30_000)
    weights = np.random.default_rng(0).uniform(0.5, 2, 30_000).astype(np.float32)
    components = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
    given = planes, weights, components, np.full(5, 1e-6), None, (0.0, 1e-10, 1.0), 60, 0
    alone = kernel.climb(*given, 1)
    for found, wanted in zip(kernel.climb(*given, 3), alone, strict=True):
        np.testing.assert_array_equal(found, wanted)


@compiled
def test_samples_in_order_follow_a_component_that_jumps(kernel):
    """A component without samples is put on half of a class of two, whose samples it had been far from."""
    planes, mixture = side_by_side(3, 6, 6000)
    planes[0, :1500] += 40
    planes[0, :700] += 6
    means = np.concatenate([mixture.means, [[400, 400, 400], [40, 0, 0]]])
    covariances = np.concatenate([mixture.covariances, [np.eye(3), 30 * np.eye(3)]])
    eight = Mixture(np.append(mixture.weights * 0.8, [0.1, 0.1]), means, covariances)
    given = {"iterations": 60, "tolerance": 0, "rescues": 8}
    ours = climb(kernel, planes, eight, **given)
    theirs = climb(kernel, planes.astype(np.float64), eight, **given)
    assert ours[8] == theirs[8] > 0
    np.testing.assert_allclose(ours[4], theirs[4], rtol=1e-5)


@compiled
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers")
def test_a_long_run_heeds_a_signal(kernel):
    planes, mixture = apart(40, 3, 4, np.float32)
    planes = np.tile(planes, 2)

    def ring(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeoutError):
            climb(kernel, planes, mixture, iterations=20_000, tolerance=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@both
@FAMILIES
@pytest.mark.parametrize("weighted", [False, True])
def test_runs_side_by_side_are_those_one_after_the_other(kernel, family, weighted):
    """The last of the starts has a component without volume, and the one before it a component of no samples."""
    planes, mixture = start(family)
    weights = np.random.default_rng(0).uniform(0.5, 2, planes.shape[1]) if weighted else None
    added, noise, limits = np.full(3, 0.01), np.full(3, 0.004), (1e-3, 1e-10, 0.5)
    far = mixture.means + np.array([[0.0], [0.0], [1e3]])
    starts = [replace(mixture, means=mixture.means + shift) for shift in (0.0, 0.5, -0.5)]
    starts += [replace(mixture, means=far), replace(mixture, covariances=0 * mixture.covariances)]
    rows = zip(*((each.weights, each.means, each.covariances) for each in starts), strict=True)
    together = (*map(np.stack, rows), family)
    for threads in (1, 3, 64):
        *found, covariances, reached = kernel.climb_each(planes, weights, together, added, noise, limits, 12, threads)
        assert np.isneginf(reached).tolist() == [False, False, False, True, True]
        for row, each in enumerate(starts[:3]):
            components = each.weights, each.means, each.covariances, family
            *own, _, history, _, _, _, _, _ = kernel.climb(planes, weights, components, added, noise, limits, 12, 0, 1)
            assert reached[row] == history[-1]
            np.testing.assert_array_equal(found[0][row], own[0])
            np.testing.assert_array_equal(found[1][row], own[1])
            np.testing.assert_array_equal(covariances[row], own[2].ravel())


@both
@FAMILIES
def test_five_steps_are_those_of_scikit_learn(kernel, family):
    planes, mixture = start(family)
    weights, means, covariances, *_ = climb(kernel, planes, mixture, iterations=5, tolerance=0)
    own = mixture.precisions_cholesky
    precisions = own**2 if mixture.family.diagonal else own @ np.swapaxes(own, -1, -2)
    given = {"weights_init": mixture.weights, "means_init": mixture.means, "precisions_init": precisions}
    peer = Peer(3, covariance_type=family, tol=0, max_iter=5, **given)
    with pytest.warns(UserWarning, match="did not converge"):
        peer.fit(planes.T)
    np.testing.assert_allclose(weights, peer.weights_, rtol=1e-6)
    np.testing.assert_allclose(means, peer.means_, rtol=1e-6)
    np.testing.assert_allclose(covariances, peer.covariances_, rtol=1e-6, atol=1e-9)


@compiled
@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
def test_twins_set_components_up_anew_alike(kernel, family):
    """One of three has no samples of its own, and is put on half of the widest."""
    planes, mixture = start(family)
    means = mixture.means.copy()
    means[1] += 60
    lost = replace(mixture, means=means)
    ours, theirs = (climb(each, planes, lost, rescues=3, iterations=12) for each in (kernel, reference))
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)
    *_, history, _, _, done, rescued, anew = ours
    assert (done, rescued, anew) == (12, 1, False)
    assert len(history) == 11
    assert (np.diff(history) > 0).all()
    without = climb(kernel, planes, lost, rescues=0, iterations=12)
    assert without[4] == []


@both
@pytest.mark.parametrize("seed", range(4))
def test_a_covariance_that_only_rounding_left_a_volume_ends_it_before(kernel, seed):
    """Of as many samples as features, of which some have a Cholesky factor nevertheless."""
    planes, mixture = start("full")
    d = mixture.n_features
    flat = np.cov(np.random.default_rng(seed).normal(size=(d, d)), bias=True)
    assert np.linalg.eigvalsh(flat)[0] < 1e-14
    for added, iterations in ((0, 0), (1e-9, 1)):
        one = Mixture(np.ones(1), mixture.means[:1], (flat + added * np.eye(d))[None], "full")
        assert len(climb(kernel, planes, one, iterations=1)[4]) == iterations


@both
def test_a_component_that_would_be_too_light_ends_it_before(kernel):
    planes, mixture = start("full")
    *found, factors, history, settled, fall, done, rescued, anew = climb(kernel, planes, mixture, least=1e3)
    assert (history, settled, fall, done, rescued, anew) == ([], False, 0, 0, 0, False)
    for value, wanted in zip(found, (mixture.weights, mixture.means, mixture.covariances), strict=True):
        np.testing.assert_array_equal(value, wanted)
    np.testing.assert_allclose(factors, mixture.factors, rtol=1e-9, atol=1e-12)


@both
def test_a_degenerate_start_is_left_alone(kernel):
    planes, mixture = start("full")
    flat = replace(mixture, covariances=mixture.covariances * np.array([1.0, 1.0, 0.0]))
    assert climb(kernel, planes, flat)[4] == []


@both
@FAMILIES
@pytest.mark.parametrize("times", [0.99, 1.01])
def test_a_fall_is_told_beyond_the_rounding_of_what_cancels(kernel, family, times):
    """Noise that is taken from the likelihood but not added to the variances makes it fall."""
    planes, mixture = start(family)
    noise = np.full(3, 0.5)

    def climbs(iterations, precision):
        components = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
        return kernel.climb(planes, None, components, np.zeros(3), noise, (0.0, precision, 1.0), iterations, 0, 1)

    after = Mixture(*climbs(1, 0.0)[:3], family)
    before, value = climbs(2, 0.0)[4]
    assert value < before
    constants = after.densities.log_constants - after.blur(noise)
    size = max(1, abs(value)) + after.weights @ np.abs(constants)
    precision = (before - value + after.weights @ after.blur(noise)) / size  # what is not in the variances is no slack
    fall = climbs(2, precision / times)[6]
    assert fall == pytest.approx(before - value if times > 1 else 0.0)


@FAMILIES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_em_is_the_same_whoever_iterates(monkeypatch, family, dtype):
    planes, mixture = start(family, dtype=dtype)
    heap = np.repeat(planes[:, :1], 40, axis=1)  # on which a component degenerates
    for samples in (planes, np.concatenate([planes, heap], axis=1)):
        fits = []
        for most in (em._MOST_FEATURES, 0):
            monkeypatch.setattr(em, "_MOST_FEATURES", most)
            fits.append(expectation_maximization(samples, mixture, Iteration(1e-6, 60, regularization=1e-6)))
        monkeypatch.undo()
        assert fits[0].converged == fits[1].converged
        assert fits[0].rescued == fits[1].rescued
        rtol = 1e-3 if dtype == np.float32 else 1e-6
        np.testing.assert_allclose(fits[0].history[-1], fits[1].history[-1], rtol=rtol)
        np.testing.assert_allclose(fits[0].mixture.means, fits[1].mixture.means, rtol=rtol, atol=rtol)


@compiled
@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("square", [False, True])
def test_twins_merge_alike(kernel, rng, square, spherical):
    weights, means = rng.dirichlet(np.ones(9)), rng.normal(size=(9, 3))
    roots = rng.normal(size=(9, 3, 3))
    second = roots @ np.swapaxes(roots, 1, 2) if square else rng.uniform(0.5, 2, (9, 3))
    second[4] = 0  # without volume
    for each in (weights, means, second):
        each.flags.writeable = False
    ours, theirs = (each.merge(weights, means, second, 4, spherical) for each in (kernel, reference))
    for found, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@compiled
@pytest.mark.parametrize(("k", "d"), [(2, 1), (8, 5), (11, 16), (20, 32), (11, 33)])
def test_many_components_merge_as_one_by_one(kernel, rng, k, d):
    """Of some features side by side, in blocks that need not be full and whose components may be gone."""
    weights, means = rng.dirichlet(np.ones(k)), rng.normal(0, 2, (k, d))
    roots = rng.normal(size=(k, d, 2 * d + 3))
    second = roots @ np.swapaxes(roots, 1, 2) / d
    ours, theirs = (each.merge(weights, means, second, k // 2, False) for each in (kernel, reference))
    assert ours[3] == theirs[3]
    assert len(set(ours[3])) == k // 2
    for found, wanted in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@both
def test_where_each_component_went_is_told(kernel):
    means = np.array([[0.0], [50.0], [9.0], [0.1], [50.1]])
    weights, merged, _, into = kernel.merge(np.full(5, 0.2), means, np.ones((5, 1)), 3, False)
    assert into == [0, 1, 2, 0, 1]
    np.testing.assert_allclose(weights, [0.4, 0.4, 0.2])
    np.testing.assert_allclose(merged[:, 0], [0.05, 50.05, 9])


@both
@pytest.mark.parametrize("d", [1, 2, 5, 13, 40])
def test_halves_lie_along_the_longest_axis_and_keep_the_moments(kernel, rng, d):
    """Axes are those of an eigendecomposition, of features in units of their spread in all."""
    weights, means = rng.dirichlet(np.ones(4)), rng.normal(size=(4, d))
    roots = rng.normal(size=(4, d, d)) * np.geomspace(1, 100, d)[:, None]
    second = roots @ np.swapaxes(roots, 1, 2)
    for each in (weights, means, second):
        each.flags.writeable = False
    halves, places, moments = kernel.split(weights, means, second, 0.8)
    offsets = means - weights @ means
    unit = np.sqrt(weights @ (np.diagonal(second, axis1=1, axis2=2) + offsets**2))
    np.testing.assert_allclose(halves, np.tile(weights / 2, 2))
    for c in range(4):
        lengths, axes = np.linalg.eigh(second[c] / np.outer(unit, unit))
        longest = axes[:, -1] * np.sign(axes[np.abs(axes[:, -1]).argmax(), -1])
        step = 0.8 * np.sqrt(lengths[-1]) * longest * unit
        np.testing.assert_allclose(
            places[[c, 4 + c]], [means[c] - step, means[c] + step], rtol=1e-5, atol=1e-5 * unit.max()
        )
        for half in (c, 4 + c):
            apart = places[half] - means[c]
            np.testing.assert_allclose(
                moments[half] + np.outer(apart, apart), second[c], rtol=1e-9, atol=1e-9 * unit.max() ** 2
            )


@both
def test_components_along_the_axes_and_without_volume_are_halved_too(kernel):
    weights, means = np.full(3, 1 / 3), np.array([[0.0, 0], [8, 0], [0, 8]])
    squares = np.array([[1.0, 4], [9, 1], [0, 0]])
    _, places, moments = kernel.split(weights, means, squares, 0.5)
    np.testing.assert_allclose(places, [[0, -1], [6.5, 0], [0, 8], [0, 1], [9.5, 0], [0, 8]])
    np.testing.assert_allclose(moments, np.tile([[1, 3], [6.75, 1], [0, 0]], (2, 1)))
    _, places, moments = kernel.split(weights, means, squares[:, :, None] * np.eye(2), 0.5)
    np.testing.assert_allclose(places, [[0, -1], [6.5, 0], [0, 8], [0, 1], [9.5, 0], [0, 8]], atol=1e-9)
    np.testing.assert_allclose(
        np.diagonal(moments, axis1=1, axis2=2), np.tile([[1, 3], [6.75, 1], [0, 0]], (2, 1)), atol=1e-9
    )


@both
def test_a_ball_is_halved_along_one_line(kernel):
    """All of its axes are as long; which one does not matter."""
    _, places, moments = kernel.split(np.ones(1), np.zeros((1, 5)), np.eye(5)[None], 0.8)
    np.testing.assert_allclose(places[0], -places[1])
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 0.8)
    np.testing.assert_allclose(np.linalg.eigvalsh(moments), np.tile([1 - 0.64, 1, 1, 1, 1], (2, 1)))


def attempt(kernel, planes, mixture, halvings, weights=None, light=0.0, enough=np.inf, tolerance=1e-5):
    components = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
    limits, bounds = (tolerance, 1e-10, 1.0), (light, 1e-3, enough)
    added = np.full(len(planes), 1e-3)
    return kernel.attempt(planes, weights, components, halvings, added, None, limits, (5, 6, 4), bounds, True, 1)


@compiled
@FAMILIES
@pytest.mark.parametrize("d", [1, 3, 12])
@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_twins_try_alike(kernel, family, d, halvings):
    planes, mixture = start(family, d)
    weights = np.random.default_rng(0).uniform(0.5, 2, planes.shape[1])
    for given in ({"weights": weights, "enough": -np.inf}, {}):
        ours, theirs = (attempt(each, planes, mixture, halvings, **given) for each in (kernel, reference))
        if not ours and not given:  # a component of the parts found too few samples
            assert ours is theirs
            continue
        assert ours[1] == theirs[1]
        for found, wanted in zip(ours[0], theirs[0], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


@both
@FAMILIES
@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_a_trial_is_its_steps_one_by_one(kernel, family, halvings):
    planes, mixture = start(family)
    parts = mixture if halvings else split_in_scale(mixture)
    for _ in range(halvings):
        parts = split_lengthwise(parts)
    found, again = attempt(kernel, planes, mixture, halvings, enough=-np.inf, tolerance=0)
    merged, into = merge_pairs(climb_alone(planes, parts, 5), 3)
    assert again == (into.reshape(-1, 3) == np.arange(3)).all()
    wanted = climb_alone(planes, merged, 6 if again else 10)
    np.testing.assert_allclose(found[0], wanted.weights, rtol=1e-6)
    np.testing.assert_allclose(found[1], wanted.means, rtol=1e-6)
    np.testing.assert_allclose(found[2], wanted.covariances, rtol=1e-6, atol=1e-9)


def climb_alone(planes, mixture, iterations):
    return expectation_maximization(planes, mixture, Iteration(0.0, iterations, 1e-3)).mixture


@both
def test_a_trial_is_over_where_a_component_is_too_light(kernel):
    planes, mixture = start("full")
    assert attempt(kernel, planes, mixture, 1, light=0.5) is None
    lost = replace(mixture, covariances=0 * mixture.covariances)
    assert attempt(kernel, planes, lost, 1) is False
