"""EM: the likelihood never falls, order does not matter, and hopeless data still give a usable mixture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import Mixture
from gmmseg.errors import ConvergenceWarning, DataWarning
from gmmseg.mixture.em import Iteration, Starts, _unexplained, expectation_maximization, short_runs
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.seeding import Seeding, seed_mixture

FAMILIES = ["full", "tied", "diag", "spherical"]
families = pytest.mark.parametrize("covariance", FAMILIES)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def iterate(planes, start, *, weights=None, **options):
    return expectation_maximization(planes, start, Iteration(**options), weights=weights)


def fit_from_scratch(planes, k, covariance, **options):
    start = seed_mixture(planes, k, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    return iterate(planes, start, **options)


def assert_usable(mixture, planes):
    assert mixture.n_components >= 1
    assert mixture.weights.sum() == pytest.approx(1)
    for array in (mixture.weights, mixture.means, mixture.covariances, mixture.factors):
        assert np.isfinite(array).all()
    assert (mixture.weights >= 0).all()
    assert np.isfinite(mixture.posterior(planes)).all()
    assert np.isfinite(mixture.log_density(planes)).all()


@pytest.mark.slow
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(40, 600),
    d=st.integers(1, 6),
    k=st.integers(1, 5),
    apart=st.sampled_from([0.0, 1.0, 8.0]),
    covariance=st.sampled_from(FAMILIES),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_the_likelihood_never_falls(seed, n, d, k, apart, covariance, dtype):
    rng = np.random.default_rng(seed)
    planes = (rng.normal(0, apart, (k, d))[rng.integers(k, size=n)].T + rng.normal(size=(d, n))).astype(dtype)
    start = seed_mixture(planes, k, rng, Seeding(covariance=covariance, moves=False))
    fit = iterate(planes, start, regularization=0.0, tolerance=0.0, max_iterations=40)
    if fit.rescued == 0:
        # Rounding of the mean of n log densities, each of size about d.
        assert np.diff(fit.history).min(initial=0) >= -(2e-6 if dtype == np.float32 else 1e-12) * (d + 4)
    assert_usable(fit.mixture, planes)


@pytest.mark.parametrize("seed", [69, 71, 93, 117])
def test_constants_and_distances_that_cancel_are_rounded_all_the_same(seed):
    """Objectives near 0 are of constants of some 4 nats and distances as large, each of which is rounded."""
    planes = np.random.default_rng(seed).normal(0, np.exp(-1.419), (8, 320)).astype(np.float32).repeat(2, axis=1)
    planes[0, :320] += np.float32(0.6)
    start = from_labels(planes, np.arange(640) >= 320, 2, "full", None, 1e-6)
    fit = iterate(planes, start, tolerance=0.0, max_iterations=60)
    assert -0.4 < fit.history[-1] < 0
    assert -3e-6 < np.diff(fit.history).min() < 0
    assert not fit.remarks


@families
def test_a_fall_is_told_beyond_the_rounding_of_what_cancels(covariance):
    """A component of deviation exp(-4) in two features: its constant is 8 - log(2 pi), less a half for the noise."""
    narrow = np.exp(-8.0) * np.ones({"spherical": 1, "diag": (1, 2)}.get(covariance, (1, 1)))
    if covariance in ("full", "tied"):
        narrow = np.eye(2) * narrow if covariance == "tied" else np.eye(2)[None] * narrow
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), narrow, covariance)
    noise, none = np.exp(-8.0) * np.array([0.5, 0.5]), np.zeros(2)
    bound = 2e-6 * (1 + 8 - np.log(2 * np.pi) - 0.5)
    for times, told in ((0.99, 0.0), (1.01, 1.01 * bound)):
        assert _unexplained(-times * bound, -0.08, mixture, 2e-6, (none, noise)) == told
    assert _unexplained(1e-3, -0.08, mixture, 2e-6, (none, noise)) == 0


def test_a_component_of_no_weight_explains_no_fall():
    mixture = Mixture(np.array([1.0, 0.0]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    assert _unexplained(-1e-3, -0.08, mixture, 2e-6, (np.zeros(1), None)) == 1e-3


@families
@dtypes
def test_the_history_is_the_likelihood_before_each_step(blobs, covariance, dtype):
    planes = np.ascontiguousarray(blobs(500)[0].T, dtype)
    start = seed_mixture(planes, 4, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    fit = iterate(planes, start, max_iterations=3, tolerance=0.0)
    shorter = iterate(planes, start, max_iterations=2, tolerance=0.0)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert len(fit.history) == 3
    assert fit.history[0] == pytest.approx(start.log_density(planes).mean(dtype=float), rel=tolerance)
    assert fit.history[2] == pytest.approx(shorter.mixture.log_density(planes).mean(dtype=float), rel=tolerance)


@families
def test_the_order_of_components_does_not_matter(blobs, covariance):
    planes, order = np.ascontiguousarray(blobs(500)[0].T), [2, 0, 3, 1]
    start = seed_mixture(planes, 4, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    plain = iterate(planes, start, max_iterations=10, tolerance=0.0)
    other = iterate(planes, start.select(order), max_iterations=10, tolerance=0.0)
    np.testing.assert_allclose(other.mixture.means, plain.mixture.means[order], rtol=1e-9)
    np.testing.assert_allclose(other.mixture.weights, plain.mixture.weights[order], rtol=1e-9)
    np.testing.assert_allclose(other.history, plain.history, rtol=1e-11)


@families
def test_the_order_of_features_does_not_matter(blobs, covariance):
    planes, order = np.ascontiguousarray(blobs(500)[0].T), [2, 0, 1]
    start = seed_mixture(planes, 4, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    covariances = start.covariances
    if covariance in ("full", "tied"):
        covariances = covariances[..., order, :][..., order]
    elif covariance == "diag":
        covariances = covariances[:, order]
    turned = Mixture(start.weights, start.means[:, order], covariances, covariance)
    plain = iterate(planes, start, max_iterations=10, tolerance=0.0)
    other = iterate(np.ascontiguousarray(planes[order]), turned, max_iterations=10, tolerance=0.0)
    np.testing.assert_allclose(other.mixture.means, plain.mixture.means[:, order], rtol=1e-9)
    np.testing.assert_allclose(other.history, plain.history, rtol=1e-11)


@families
@dtypes
def test_whole_weights_are_repeated_samples(blobs, covariance, dtype, rng):
    planes = np.ascontiguousarray(blobs(400)[0].T, dtype)
    times = rng.integers(1, 4, 400)
    start = seed_mixture(planes, 4, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    weighted = iterate(planes, start, weights=times.astype(dtype), max_iterations=8, tolerance=0.0)
    repeated = iterate(np.repeat(planes, times, axis=1), start, max_iterations=8, tolerance=0.0)
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(weighted.mixture.means, repeated.mixture.means, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(weighted.history, repeated.history, rtol=tolerance)


@families
@dtypes
@pytest.mark.parametrize("threads", [2, 7])
def test_threads_do_not_change_a_bit(covariance, dtype, threads, rng):
    planes = rng.normal(size=(3, 20_000)).astype(dtype)
    start = seed_mixture(planes, 3, np.random.default_rng(0), Seeding(covariance=covariance, moves=False))
    one = iterate(planes, start, max_iterations=3, tolerance=0.0, threads=1)
    many = iterate(planes, start, max_iterations=3, tolerance=0.0, threads=threads)
    assert one.history == many.history
    assert one.mixture.covariances.tobytes() == many.mixture.covariances.tobytes()


HARD = {
    "constant": lambda rng: np.full((3, 200), 2.5),
    "one sample": lambda rng: np.array([[1.0], [2.0], [3.0]]),
    "two distinct samples": lambda rng: np.repeat([[0.0, 5.0], [1.0, 1.0], [2.0, 3.0]], 50, axis=1),
    "few distinct samples": lambda rng: rng.integers(0, 2, (3, 300)).astype(float),
    "one feature constant": lambda rng: np.concatenate([rng.normal(size=(2, 300)), np.full((1, 300), 7.0)]),
    "collinear features": lambda rng: np.outer([1.0, 2.0, -1.0], rng.normal(size=300)),
    "many duplicates": lambda rng: np.concatenate([np.zeros((3, 290)), rng.normal(size=(3, 10))], axis=1),
    "one far outlier": lambda rng: np.concatenate([rng.normal(size=(3, 300)), np.full((3, 1), 1e5)], axis=1),
}


@pytest.mark.slow
@families
@dtypes
@pytest.mark.parametrize("regularization", [0.0, 1e-6])
@pytest.mark.parametrize("data", HARD)
def test_hard_data_give_a_usable_mixture(data, regularization, dtype, covariance, rng):
    planes = HARD[data](rng).astype(dtype)
    k = min(5, planes.shape[1])
    fit = fit_from_scratch(planes, k, covariance, regularization=regularization)
    assert_usable(fit.mixture, planes)
    assert all(isinstance(remark, DataWarning | ConvergenceWarning) for remark in fit.remarks)
    assert all("\n" not in str(remark) for remark in fit.remarks)


@pytest.mark.slow
@families
def test_an_empty_component_is_rescued(blobs, covariance):
    x, _ = blobs(600, 2, 3, apart=8.0)
    planes = np.ascontiguousarray(x.T)
    good = seed_mixture(planes, 3, np.random.default_rng(0), Seeding(covariance=covariance))
    means = good.means.copy()
    means[1] = 1e4
    fit = iterate(planes, Mixture(good.weights, means, good.covariances, covariance), max_iterations=200)
    assert fit.rescued >= 1
    assert fit.mixture.n_components == 3
    assert np.abs(fit.mixture.means).max() < 100
    assert fit.mixture.weights.min() > 1e-3


def test_components_that_cannot_be_rescued_are_dropped_with_a_remark():
    planes = np.array([[0.0, 0.0, 0.0, 1e3]])
    start = Mixture(np.full(6, 1 / 6), 1e3 * np.arange(6.0)[:, None], np.ones((6, 1, 1)))
    fit = expectation_maximization(planes, start, Iteration(0, regularization=1e-9))
    assert_usable(fit.mixture, planes)
    with pytest.warns(DataWarning, match="^5 of 6 components found no samples of their own and were dropped$"):
        assert fit.warned(DataWarning) is fit


def test_variances_that_leave_no_component_usable_are_raised_with_a_remark():
    planes = np.repeat([[0.0, 1.0]], 50, axis=1)
    start = Mixture(np.full(4, 0.25), np.array([[0.0], [1.0], [50.0], [60.0]]), np.full((4, 1, 1), 1e-4))
    fit = expectation_maximization(planes, start, Iteration(regularization=0.0))
    assert_usable(fit.mixture, planes)
    with pytest.warns(DataWarning, match="^every component was degenerate; their variances were raised$"):
        fit.warned()


def test_stopping_early_is_said():
    planes = np.random.default_rng(0).normal(size=(2, 500))
    start = seed_mixture(planes, 3, np.random.default_rng(0), Seeding(moves=False))
    fit = expectation_maximization(planes, start, Iteration(max_iterations=2, tolerance=1e-9))
    assert not fit.converged
    with pytest.warns(ConvergenceWarning, match="2 iterations") as caught:
        fit.warned()
    assert [str(each.message) for each in caught] == [str(remark) for remark in fit.remarks]
    fit.warned(DataWarning)  # of which there is none


def test_the_result_holds_no_samples(blobs):
    planes = np.ascontiguousarray(blobs(5000)[0].T)
    fit = fit_from_scratch(planes, 3, "full")
    arrays = [v for v in (*vars(fit).values(), *vars(fit.mixture).values()) if isinstance(v, np.ndarray)]
    assert all(a.size < 100 for a in arrays)


def test_inputs_are_not_changed(blobs):
    planes = np.ascontiguousarray(blobs(500)[0].T)
    before = planes.copy()
    planes.flags.writeable = False
    start = seed_mixture(planes, 3, np.random.default_rng(0))
    means = start.means.copy()
    iterate(planes, start)
    np.testing.assert_array_equal(planes, before)
    np.testing.assert_array_equal(start.means, means)


@pytest.mark.parametrize("lacking", [False, True])
def test_short_runs_come_to_what_each_comes_to_alone(blobs, lacking, rng):
    planes = np.ascontiguousarray(blobs(500)[0].T)
    first = seed_mixture(planes, 3, rng, Seeding(moves=False))
    if lacking:
        planes[0, ::7] = np.nan
    mixtures = [first, Mixture(first.weights[::-1], first.means + 0.3, first.covariances)]
    mixtures.append(Mixture(first.weights, first.means, 0 * first.covariances))
    starts = Starts(*map(np.stack, zip(*((m.weights, m.means, m.covariances) for m in mixtures), strict=True)), "full")
    few = Iteration(max_iterations=5, noise=1e-3)
    found, reached = short_runs(planes, starts, few)
    assert np.isneginf(reached).tolist() == [False, False, True]
    for row in (0, 1):
        alone = expectation_maximization(planes, mixtures[row], few)
        assert reached[row] == alone.history[-1]
        np.testing.assert_array_equal(found.mixture(row).means, alone.mixture.means)
    best = found.select(np.array([1]))
    np.testing.assert_array_equal(best.mixture(0).covariances, found.covariances[1])


@pytest.mark.parametrize("seed", range(6))
def test_a_component_of_as_many_samples_as_features_has_no_volume(seed):
    """Six far away from two hundred: rounding may leave some volume, which likelihoods rise and fall with."""
    rng = np.random.default_rng(seed)
    planes = np.concatenate([rng.normal(size=(6, 200)), 50 + rng.normal(size=(6, 6))], axis=1)
    start = Mixture(np.array([0.9, 0.1]), np.array([[0.0] * 6, [50.0] * 6]), np.stack([np.eye(6)] * 2))
    fit = expectation_maximization(planes, start, Iteration(1e-8))
    assert fit.rescued > 0
    assert np.diff(fit.history).min() > -1e-9
    lengths = np.linalg.eigvalsh(fit.mixture.covariances)
    assert (lengths[:, 0] > 1e-10 * lengths[:, -1]).all()
