"""Components that are divided: both kernels against each other, and what halves gain."""

import numpy as np
import pytest
from implementations import both, compiled
from sklearn.mixture import GaussianMixture as Peer

from gmmseg.kernels import reference
from gmmseg.kernels.reference import dividing
from gmmseg.kernels.reference.climbing import climb, hasten
from gmmseg.kernels.reference.dividing import climb_halves, divisions

FAMILIES = pytest.mark.parametrize("family", ["full", "tied", "diag", "spherical"])


@both
@FAMILIES
@pytest.mark.parametrize(("k", "d", "ranks"), [(1, 1, 1), (3, 2, 2), (2, 5, 3), (4, 30, 6)])
@pytest.mark.parametrize("in_scale", [False, True])
def test_divisions_halve_one_component_each_and_keep_its_moments(kernel, rng, family, k, d, ranks, in_scale):
    weights, means, roots = rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), rng.normal(size=(k, d, d))
    dense = roots @ np.swapaxes(roots, 1, 2) + np.eye(d)
    variances = rng.uniform(1, 9, (k, d))
    own = {"full": dense, "tied": dense[0], "diag": variances, "spherical": variances[:, 0]}[family]
    whole = {
        "full": dense,
        "tied": np.stack([dense[0]] * k),
        "diag": variances[:, :, None] * np.eye(d),
        "spherical": variances[:, 0, None, None] * np.eye(d),
    }[family]
    for each in (weights, means, own):
        each.flags.writeable = False
    shares, places, moments = kernel.divisions(weights, means, own, family, ranks, in_scale, 0.8)
    assert len(shares) == (ranks + in_scale) * k
    for number, (way, row) in enumerate(np.ndindex(ranks + in_scale, k)):
        others = np.delete(np.arange(k), row)
        np.testing.assert_allclose(shares[number], [*weights[others], weights[row] / 2, weights[row] / 2])
        np.testing.assert_array_equal(places[number, :-2], means[others])
        apart = places[number, -1] - means[row]
        np.testing.assert_allclose(places[number, -2], means[row] - apart, atol=1e-12)
        if way < ranks:
            length = np.sort(np.linalg.eigvalsh(whole[row]))[-1 - way]
            np.testing.assert_allclose(whole[row] @ apart, length * apart, atol=1e-9 * length)
            np.testing.assert_allclose(np.linalg.norm(apart), 0.8 * np.sqrt(length))
            assert apart[np.abs(apart).argmax()] > 0
        else:
            assert not apart.any()
        if family == "tied":
            np.testing.assert_array_equal(moments[number], own)
            continue
        np.testing.assert_array_equal(moments[number, :-2], own[others])
        taken = {"full": np.outer(apart, apart), "diag": apart**2, "spherical": (apart**2).mean()}[family]
        factors = (1, 1) if way < ranks else (0.25, 1.75)
        np.testing.assert_allclose(
            moments[number, -2:], [factor * own[row] - taken for factor in factors], rtol=1e-9, atol=1e-9
        )


@both
def test_a_component_without_volume_and_one_without_a_longest_axis_are_divided_too(kernel):
    ones = np.ones(1), np.zeros((1, 3))
    _, places, _ = kernel.divisions(*ones, np.zeros((1, 3, 3)), "full", 3, False, 0.8)
    assert not places.any()
    _, places, _ = kernel.divisions(*ones, np.eye(3)[None], "full", 3, False, 0.8)
    np.testing.assert_allclose(places[:, 1], 0.8 * np.eye(3)[::-1], atol=1e-12)


def test_halves_gain_what_two_components_are_likelier_than_one(rng):
    """Of the samples that have a part in the one that is divided; the other stays as it is."""
    weights, means, covariances = (
        np.array([0.25, 0.75]),
        np.array([[90.0, 0], [0, 0]]),
        np.stack([np.eye(2), 9 * np.eye(2)]),
    )
    planes = rng.normal(size=(2, 4000))
    planes[0] += np.where(np.arange(4000) % 4 == 0, 90, np.where(np.arange(4000) % 4 == 1, 4.0, -4.0))
    shares = np.stack([np.arange(4000) % 4 == 0, np.arange(4000) % 4 > 0]).astype(float)
    halved = divisions(weights, means, covariances, "full", 1, False, 0.8)
    given = planes, shares, (*halved, "full"), (np.zeros(2), None, (0.0, 1e-10, 1.0), 1)
    shares_found, means_found, covariances_found, gains = climb_halves(*given, 0.01, 300)
    own = planes[:, shares[1] > 0]
    peer = Peer(2, tol=1e-13, max_iter=300, reg_covar=0, means_init=[[4, 0], [-4, 0]]).fit(own.T)
    one = Peer(1, reg_covar=0).fit(own.T)
    np.testing.assert_allclose(gains[1], 0.75 * (peer.score(own.T) - one.score(own.T)), atol=1e-6)
    assert gains[0] < gains[1] / 10  # a ball is hardly likelier in two
    order = np.argsort(-means_found[1, 1:, 0]) + 1
    np.testing.assert_allclose(shares_found[1, order], 0.75 * peer.weights_, atol=1e-6)
    np.testing.assert_allclose(means_found[1, order], peer.means_, atol=1e-5)
    np.testing.assert_allclose(covariances_found.reshape(2, 3, 2, 2)[1, order], peer.covariances_, atol=1e-4)
    np.testing.assert_array_equal(means_found[1, 0], means[0])


def test_halves_without_samples_stay_and_gain_nothing(rng):
    planes, shares = rng.normal(size=(2, 100)), np.stack([np.ones(100), np.full(100, 0.001)])
    two = np.full(2, 0.5), np.zeros((2, 2)), np.stack([np.eye(2)] * 2)
    halved = divisions(*two, "full", 2, False, 0.8)
    given = planes, shares, (*halved, "full"), (np.zeros(2), None, (1e-5, 1e-10, 1.0), 1)
    _, means, _, gains = climb_halves(*given, 0.01, 10)
    np.testing.assert_array_equal(np.isfinite(gains), [True, False, True, False])
    np.testing.assert_array_equal(means[1::2], halved[1][1::2])


ROUNDS = (6, 2), (14, 1)


def whole(planes, family):
    """All samples as one component."""
    d, second = len(planes), np.cov(planes.astype(float), bias=True).reshape(len(planes), -1)
    own = {"full": second[None], "diag": np.diagonal(second)[None], "spherical": [second.trace() / d]}[family]
    return np.ones(1), planes.mean(axis=1, dtype=float)[None], np.array(own), family


def divide(
    kernel, planes, k, family="full", *, noise=None, few=400, alone=10, part=0.0, ways=None, rounds=ROUNDS, threads=1
):
    d, limits = len(planes), (1e-4, 1e-10, 1.0)
    added = np.full(d, 1e-3) + (0 if noise is None else noise)
    ways, alone = ways or (min(d, 3), d < 3, 0.8), (few, 0.01, alone, 2, part)
    return kernel.divide(planes, whole(planes, family), k, ways, added, noise, limits, alone, rounds, threads)


def groups(rng, middles, n, dtype=np.float64):
    """Samples (d, n) around some middles by turns."""
    middles = np.array(middles, float)
    return np.ascontiguousarray(
        (middles[np.arange(n) % len(middles)] + rng.normal(size=(n, middles.shape[1]))).T, dtype
    )


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
@pytest.mark.parametrize(("d", "part"), [(1, 0.0), (3, 0.0), (3, 1.0), (12, 0.5)])
def test_twins_divide_alike(kernel, rng, family, d, part, dtype):
    planes = groups(rng, rng.normal(0, 6, (5, d)), 600, dtype)
    planes.flags.writeable = False
    for noise in (None, np.full(d, 0.05)):
        ours, theirs, several = (
            divide(each, planes, 4, family, noise=noise, part=part, threads=threads)
            for each, threads in ((kernel, 1), (reference, 1), (kernel, 3))
        )
        own, its = (np.argsort(each[1][:, 0]) for each in (ours, theirs))  # a ball has no axis that is the first
        for found, wanted, other in zip(ours, theirs, several, strict=True):
            np.testing.assert_array_equal(found, other)
            rtol = 2e-3 if dtype == np.float32 else 1e-7
            np.testing.assert_allclose(found[own], wanted[its], rtol=rtol, atol=rtol)


@both
def test_what_lies_apart_is_divided(kernel, rng):
    middles = [[0.0, 0], [8, 0], [40, 0], [40, 30]]
    weights, means, covariances = divide(kernel, groups(rng, middles, 2000), 4)
    order = np.lexsort(means.T.round()[::-1])
    np.testing.assert_allclose(means[order], middles, atol=0.2)
    np.testing.assert_allclose(weights, 0.25, atol=0.01)
    np.testing.assert_allclose(covariances, np.stack([np.eye(2)] * 4), atol=0.2)


@both
def test_as_many_as_there_are_already_are_the_start(kernel, rng):
    planes = groups(rng, [[0.0, 0], [8, 0]], 100)
    for found, wanted in zip(divide(kernel, planes, 1), whole(planes, "full"), strict=False):
        np.testing.assert_array_equal(found, wanted)


@both
def test_more_than_samples_support_is_none(kernel):
    planes = np.repeat([[0.0, 1, 5]], 30, axis=1)
    assert divide(kernel, planes + np.zeros((2, 1)), 60) is None


@compiled
@pytest.mark.parametrize("wrong", [{"few": 0}, {"alone": 0}, {"ways": (0, True, 0.8)}, {"ways": (3, True, 0.8)}])
def test_no_way_no_samples_and_no_iterations_are_refused(kernel, rng, wrong):
    """Halves that never climb have no objective that could be read."""
    with pytest.raises(ValueError, match="in no way"):
        divide(kernel, groups(rng, [[0.0, 0], [8, 0]], 100), 2, **wrong)


@both
def test_where_no_halves_climb_all_divisions_do_as_they_are(kernel, rng):
    """The first samples, among which halves would climb alone, are too few for any."""
    found = divide(kernel, groups(rng, [[0.0, 0], [8, 0]], 2000), 2, few=1)
    np.testing.assert_allclose(np.sort(found[1][:, 0]), [0, 8], atol=0.2)


@pytest.mark.parametrize(("part", "kept", "left"), [(0.0, 4, 2), (0.5, 1, 1)])
def test_the_divisions_whose_halves_gain_most_go_on(rng, monkeypatch, part, kept, left):
    """And after each round the likeliest of them; only the pair's division gains half as much as the best one."""
    seen = []

    def climbed(planes, weights, start, how, iterations):
        if len(start[0]) == 3:
            seen.append((iterations, start[1]))
        return hasten(planes, weights, start, how, iterations)

    monkeypatch.setattr(dividing, "hasten", climbed)
    divide(reference, groups(rng, [[0.0, 0], [8, 0], [40, 0]], 3000), 3, part=part)
    assert [iterations for iterations, _ in seen] == [6] * kept + [14] * left
    np.testing.assert_allclose(np.sort(seen[0][1][:, 0]), [0, 8, 40], atol=0.4)  # in place before all climb


@compiled
def test_twins_come_to_the_same_after_each_iteration(kernel, rng):
    """Of halves that overlap, and none of which climb alone."""
    planes = groups(rng, [[0.0, 0, 0], [1.5, 1, 0]], 600)
    for iterations in range(1, 25):
        given = {"few": 1, "rounds": ((iterations, 1),)}
        for found, wanted in zip(*(divide(each, planes, 2, **given) for each in (kernel, reference)), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-7)


@pytest.fixture(params=["full", "tied", "diag", "spherical"])
def overlapping(rng, request):
    """Samples of two classes, a mixture to start from, and runs of EM so many iterations long, and with momentum."""
    planes = groups(rng, [[0.0, 0, 0], [2.0, 1.5, 0]], 600)
    own = {"full": np.stack([np.eye(3)] * 2), "tied": np.eye(3), "diag": np.ones((2, 3)), "spherical": np.ones(2)}
    start = np.full(2, 0.5), rng.normal(0, 0.5, (2, 3)), own[request.param], request.param
    added, limits = np.zeros(3), (0.0, 1e-10, 1.0)

    def plain(iterations, begun=start):
        return climb(planes, None, begun, added, None, limits, iterations, 0, 1)[4][-1]

    def fast(iterations):
        found, reached = hasten(planes, None, start, (added, None, limits, 1), iterations)
        return reached, (*found, request.param)

    return plain, fast


def test_with_momentum_half_as_many_iterations_come_as_far(overlapping):
    plain, fast = overlapping
    assert fast(15)[0] > plain(30) - 1e-6
    assert fast(15)[0] > plain(15) + 1e-4


def test_momentum_never_leads_to_where_samples_are_less_likely(overlapping):
    """What comes back after each iteration is what EM comes to, a step above the objective."""
    plain, fast = overlapping
    before = -np.inf
    for iterations in range(1, 40):
        reached, found = fast(iterations)
        assert reached >= before
        assert plain(1, found) >= reached - 1e-12
        before = reached


def test_momentum_ends_where_a_single_component_does(rng):
    """It comes to its place in one step, and would go on from there."""
    planes = groups(rng, [[3.0, 0, 1]], 500)
    far = np.ones(1), np.zeros((1, 3)), np.eye(3)[None], "full"
    for iterations in (3, 4, 9):
        (_, means, covariances), reached = hasten(
            planes, None, far, (np.zeros(3), None, (0.0, 1e-10, 1.0), 1), iterations
        )
        np.testing.assert_allclose(means[0], planes.mean(axis=1), atol=1e-12)
        np.testing.assert_allclose(covariances[0], np.cov(planes, bias=True), atol=1e-12)
        np.testing.assert_allclose(reached, Peer(1, reg_covar=0).fit(planes.T).score(planes.T), atol=1e-9)


def test_momentum_goes_nowhere_without_volume_or_weight(rng):
    """The covariance of one start is degenerate, and a component of the other becomes too light."""
    planes = groups(rng, [[0.0, 0], [8, 0]], 200)
    how = np.zeros(2), None, (0.0, 1e-10, 1.0), 1
    flat = np.full(2, 0.5), np.array([[0.0, 0], [8, 0]]), np.zeros((2, 2, 2)), "full"
    lost = np.full(2, 0.5), np.array([[4.0, 0], [900, 0]]), np.stack([np.eye(2)] * 2), "full"
    for start in (flat, lost):
        found, reached = hasten(planes, None, start, how, 5)
        assert np.isneginf(reached)
        np.testing.assert_array_equal(found[1], start[1])


@compiled
def test_a_common_covariance_is_refused(kernel):
    start = np.ones(1), np.zeros((1, 2)), np.eye(2), "tied"
    given = np.zeros(2), None, (1e-5, 1e-10, 1.0), (9, 0.01, 10, 2, 0.5), ((6, 2),), 1
    with pytest.raises(Exception, match="common covariance"):
        kernel.divide(np.zeros((2, 9)), start, 2, (2, False, 0.8), *given)
