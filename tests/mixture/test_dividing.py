"""A start without luck: what it finds, and that nothing but the samples matters."""

import itertools

import numpy as np
import pytest

from gmmseg import kernels
from gmmseg.evaluation import evaluate
from gmmseg.mixture import dividing
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.dividing import divide, divide_and_settle, divide_widely, regroup
from gmmseg.mixture.em import Iteration, expectation_maximization, short_runs
from gmmseg.mixture.moves import Trials, split_and_merge
from gmmseg.mixture.parameters import Mixture

ITERATION = Iteration(1e-4)


def scattered(rng, k, n=6000, spread=6.0, d=2):
    means = rng.uniform(-spread * k, spread * k, (k, d))
    owner = rng.integers(0, k, n)
    return np.ascontiguousarray((means[owner] + rng.normal(0, 1, (n, d))).T, np.float32), means, owner


@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_classes_that_are_apart_are_found(covariance, seed):
    planes, means, _ = scattered(np.random.default_rng(seed), 5)
    found = divide(planes, 5, covariance, ITERATION)
    nearest = np.linalg.norm(found.means[:, None] - means, axis=2).min(axis=0)
    assert nearest.max() < 0.2


def test_one_feature_and_one_class_within_another(rng):
    planes = np.concatenate([rng.normal(0, 1, 3000), rng.normal(0, 9, 3000)])[None].astype(np.float32)
    planes = planes[:, rng.permutation(6000)]
    found = divide(planes, 2, "full", ITERATION)
    np.testing.assert_allclose(np.sort(np.sqrt(found.covariances.ravel())), [1, 9], rtol=0.1)


@pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
def test_halves_are_regrouped_to_what_is_narrow_and_what_is_wide(rng, covariance):
    wide = np.where(np.arange(8000) % 2, 6.0, 1.0)
    planes = (rng.normal(size=(4, 8000)) * wide).astype(np.float32)
    rules, shares = FAMILIES[covariance], np.full(2, 0.5)
    second = np.full((2, 4), 9.0) if rules.diagonal else np.stack([9 * np.eye(4)] * 2)
    means = np.array([[-2.0, 0, 0, 0], [2, 0, 0, 0]])
    halves = Mixture(shares, means, rules.estimate(shares, second, np.zeros(4)), covariance)
    found = regroup(planes, halves, ITERATION, gain=0.02)
    deviations = [np.sqrt(np.diagonal(each).mean()) for each in rules.dense(found.covariances, 2, 4)]
    np.testing.assert_allclose(np.sort(deviations), [1, 6], rtol=0.05)


def test_of_two_that_are_about_as_likely_the_one_that_was_given_stays(rng):
    middles = np.array([0.0, 10.0, 20.2])  # the last two are farther apart: to leave these together is less likely
    planes = (middles[np.arange(9000) % 3] + rng.normal(0, 1, (2, 9000)) * [[1], [0.1]]).astype(np.float32)
    left = Mixture(np.array([1, 2]) / 3, np.array([[0.0, 5], [15, 15]]), np.stack([np.eye(2), 26 * np.eye(2)]))
    given, other = (regroup(planes, left, ITERATION, gain=gain).means[:, 0].min() for gain in (0.1, 0.0))
    np.testing.assert_allclose([given, other], [0, 5], atol=0.1)


@pytest.mark.parametrize("feature", [1, 2])
def test_turned_and_mirrored_samples_are_divided_alike(rng, feature):
    """In the order of what is not mirrored: which half of a component comes first is not told by its shape."""
    planes, turned = scattered(rng, 4, d=3)[0], np.ones((3, 1), np.float32)
    turned[feature] = -1
    labels = []
    for samples in (planes, turned * planes):
        found = divide(samples, 4, "full", ITERATION)
        labels.append(found.select(np.argsort(found.means[:, 0])).classify(samples))
    np.testing.assert_array_equal(*labels)


def test_weights_are_copies(rng):
    planes, _, _ = scattered(rng, 3, n=500)
    copies = rng.integers(1, 4, 500)
    once = divide(planes, 3, "full", ITERATION, weights=copies.astype(np.float32))
    repeated = divide(np.repeat(planes, copies, axis=1), 3, "full", ITERATION)
    np.testing.assert_allclose(once.means, repeated.means, rtol=1e-3, atol=1e-3)


@pytest.fixture
def tried(monkeypatch):
    """The starts of each round of short runs, in order."""
    starts_of = []

    def climbed(samples, starts, *arguments, **options):
        starts_of.append(starts)
        return short_runs(samples, starts, *arguments, **options)

    monkeypatch.setattr(dividing, "short_runs", climbed)
    return starts_of


def test_divisions_that_gain_little_are_left(rng, tried):
    """The pair is told apart, the third is far away: to halve that, or the pair another way, gains little."""
    means = np.array([[0.0, 0], [8, 0], [40, 0]])
    planes = np.ascontiguousarray((means[np.arange(6000) % 3] + rng.normal(0, 1, (6000, 2))).T, np.float32)
    found = divide(planes, 3, "full", ITERATION)
    first, second = [starts for starts in tried if starts.weights.shape[1] == 3][:2]
    assert (len(first.weights), len(second.weights)) == (6, 1)
    np.testing.assert_allclose(np.sort(found.means[:, 0]), means[:, 0], atol=0.1)


@pytest.mark.parametrize("covariance", FAMILIES)
def test_classes_of_few_samples_are_found(rng, covariance):
    planes, means, _ = scattered(rng, 5, n=3000)
    found = divide(planes, 5, covariance, ITERATION)
    assert np.linalg.norm(found.means[:, None] - means, axis=2).min(axis=0).max() < 0.3


def test_missing_features(rng):
    planes, means, _ = scattered(rng, 3, n=3000)
    planes[0, ::5], planes[1, 1::5] = np.nan, np.nan
    found = expectation_maximization(planes, divide(planes, 3, "full", ITERATION), ITERATION).mixture
    assert np.linalg.norm(found.means[:, None] - means, axis=2).min(axis=0).max() < 0.3


def test_no_more_components_than_samples_support():
    planes = np.repeat(np.float32([[0, 1, 5]]), 100, axis=1)
    assert divide(planes, 9, "full", ITERATION) is None
    assert isinstance(divide(planes, 1, "full", ITERATION), Mixture)


def test_threads_do_not_matter(rng):
    planes = scattered(rng, 4)[0]
    one, three = (divide(planes, 4, "full", ITERATION._replace(threads=threads)) for threads in (1, 3))
    assert one.means.tobytes() == three.means.tobytes()


@pytest.mark.skipif(kernels.native is None, reason="without compiled kernels the calls are made one by one")
@pytest.mark.parametrize(("k", "d", "spread"), [(3, 2, 0.5), (4, 5, 0.3), (6, 3, 0.3), (3, 1, 1.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_call_divides_settles_and_gains_as_many_calls_do(k, d, spread, dtype):
    planes, *_ = scattered(np.random.default_rng(k), k + 1, 3000, spread, d)
    planes = planes.astype(dtype)
    planes.flags.writeable = False
    how, trial = Iteration(1e-4, 20, noise=np.full(d, 1e-3)), Iteration(1e-3, 4, noise=np.full(d, 1e-3))
    one, gained = divide_and_settle(planes, k, "full", how, 1024, trial)
    expected = expectation_maximization(planes, divide(planes, k, "full", how), how)
    assert len(one.history) == len(expected.history)
    np.testing.assert_allclose(one.history, expected.history, rtol=1e-5)
    for name in ("weights", "means", "covariances", "factors"):
        np.testing.assert_allclose(getattr(one.mixture, name), getattr(expected.mixture, name), rtol=1e-3, atol=1e-4)
    some = np.ascontiguousarray(planes[:, :1024])

    def climb(mixture, iterations):
        return expectation_maximization(some, mixture, trial._replace(max_iterations=iterations))

    fit = climb(expected.mixture, 4)
    moved = split_and_merge(fit, climb, 1024, Trials(patient=False))
    assert gained == pytest.approx(moved.history[-1] - fit.history[-1], abs=1e-4)


@pytest.mark.skipif(kernels.native is None, reason="without compiled kernels the calls are made one by one")
def test_moves_gain_much_where_iterations_were_too_few_for_a_class(monkeypatch, rng):
    """Divided across one axis alone, and without EM, four classes in a square are cut into stripes."""
    square = 9 * np.array([[0, 0], [0, 1], [1, 0], [1, 1.2]])
    planes = (square[rng.integers(0, 4, 4000)] + rng.normal(size=(4000, 2))).T.astype(np.float32)
    gains = [divide_and_settle(planes, 4, "full", Iteration(1e-4, 20), 1024, Iteration(1e-3, 4))[1]]
    monkeypatch.setattr(dividing, "_ways", lambda _: (1, False))
    monkeypatch.setattr(dividing, "_OF_FEW", ())
    monkeypatch.setattr(dividing, "_LONG", 1)
    gains.append(divide_and_settle(planes, 4, "full", Iteration(1e-4, 1), 1024, Iteration(1e-3, 1))[1])
    assert gains[0] < 0.02 < gains[1]


def test_missing_features_common_covariances_and_many_samples_are_left_to_the_calls(rng):
    planes = rng.normal(size=(2, 3000))
    planes[0, 1000:2000] += 9
    given = Iteration(), 1024, Iteration(max_iterations=4)
    assert (divide_and_settle(planes, 3, "full", *given) is None) == (kernels.native is None)
    assert divide_and_settle(planes, 3, "tied", *given) is None
    assert divide_and_settle(np.tile(planes, 2), 3, "full", *given) is None
    planes[0, 7] = np.nan
    assert divide_and_settle(planes, 3, "full", *given) is None


def four_in_a_square(seed):
    """Of which three can be made in several ways."""
    rng = np.random.default_rng(seed)
    square = 6 * np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1.2, 0]])
    return (square[rng.integers(0, 4, 6000)] + rng.normal(size=(6000, 3))).T.astype(np.float32)


@pytest.mark.parametrize(("seed", "missed"), [(0, 0.01), (1, 0), (3, 0.017), (27, 0.019)])
def test_dividing_several_finds_maxima_that_dividing_the_best_misses(seed, missed):
    planes = four_in_a_square(seed)
    one = expectation_maximization(planes, divide(planes, 3, "full", ITERATION), ITERATION)
    several = divide_widely(planes, 3, "full", ITERATION)
    each = [expectation_maximization(planes, several.mixture(row), ITERATION) for row in range(len(several.weights))]
    reached = [fit.history[-1] for fit in each]
    assert reached[0] > one.history[-1] + missed - 1e-4
    assert reached == sorted(reached, reverse=True)


def test_several_divisions_are_other_maxima_of_the_likelihood():
    planes = four_in_a_square(27)
    several = divide_widely(planes, 3, "full", ITERATION)
    assert 2 <= len(several.weights) <= 8
    labels = [several.mixture(row).classify(planes) for row in range(len(several.weights))]
    for one, two in itertools.combinations(labels, 2):
        assert evaluate(one + 1, two + 1).adjusted_rand_index < 0.9


def test_several_divisions_with_gaps_and_of_too_few_distinct_samples(rng):
    planes, means, _ = scattered(rng, 3, d=3)
    planes[0, ::9] = np.nan
    found = divide_widely(planes, 3, "full", ITERATION).mixture(0)
    assert np.linalg.norm(found.means[:, None] - means, axis=2).min(axis=0).max() < 0.2
    assert not len(divide_widely(np.ones((3, 6000), np.float32), 3, "full", ITERATION).weights)
