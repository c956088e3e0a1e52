"""Compiled kernels of the mixture against the reference in double precision, and what both promise."""

import itertools

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg import kernels
from gmmseg.kernels import Densities, reference

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
shapes = pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])

BLOCK, CHUNK = 512, 8192  # sizes at which the compiled kernels change their stride


def problem(d, n, k=4, dtype=np.float64, *, diagonal=False, seed=0):
    """Samples near k components, and the mixture as the kernels take it, its means without rounding in `dtype`."""
    rng = np.random.default_rng([seed, d, n, k])
    means = rng.normal(0, 2, (k, d)).astype(np.float32).astype(np.float64)
    if diagonal:
        factors = rng.uniform(0.5, 2, (k, d))
        log_det = np.log(factors).sum(axis=1)
    else:
        factors = np.tril(rng.normal(0, 0.3, (k, d, d)), -1) + rng.uniform(0.5, 2, (k, d))[:, :, None] * np.eye(d)
        log_det = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constants = np.log(rng.dirichlet(np.full(k, 5.0))) + log_det - d / 2 * np.log(2 * np.pi)
    planes = (means[rng.integers(k, size=n)].T + rng.normal(0, 1, (d, n))).astype(dtype)
    return planes, (constants, means, factors)


def statistics(kernel, planes, mixture, weights=None, threads=1):
    return kernel.statistics(planes, weights, Densities(*mixture), threads)


def posterior(kernel, planes, mixture, threads=1):
    """Responsibilities and log density, in arrays that were never read before."""
    n = planes.shape[1]
    out, density = np.full((len(mixture[0]), n), np.nan, planes.dtype), np.full(n, np.nan, planes.dtype)
    kernel.posterior(planes, Densities(*mixture), out, density, threads)
    return out, density


def classify(kernel, planes, mixture, dtype=np.int64, first=0, threads=1):
    out = np.full(planes.shape[1], 99, dtype)
    kernel.classify(planes, Densities(*mixture), out, first, threads)
    return out


def log_joint_error(planes, mixture):
    """Largest error that rounding may leave in a log density: d + 4 roundings of its largest term."""
    constants, means, factors = mixture
    x = planes.astype(np.float64)
    largest = 1.0
    for constant, mean, factor in zip(constants, means, factors, strict=True):
        y = np.abs(factor) @ np.abs(x - mean[:, None]) if factor.ndim == 2 else factor[:, None] * (x - mean[:, None])
        largest = max(largest, float((abs(constant) + 0.5 * (y * y).sum(axis=0)).max(initial=0)))
    return float((len(planes) + 4) * np.finfo(planes.dtype).eps * largest)


def assert_equal_statistics(found, expected, planes, mixture, weights=None):
    """Sums agree relative to what they are sums of: n, n times spread, n times spread squared."""
    (sums, log_likelihood), (exact, exact_likelihood) = found, expected
    d, total = len(planes), float(planes.shape[1] if weights is None else weights.sum(dtype=np.float64))
    spread = max(1.0, float(np.abs(planes[:, None, :].astype(np.float64) - mixture[1].T[:, :, None]).max(initial=0)))
    # A sum in lanes of at most BLOCK / 4 terms, and an error of the responsibilities, r (1 - r) times that of the log.
    tolerance = float(8 * np.finfo(planes.dtype).eps) + log_joint_error(planes, mixture) / 4
    scale = np.concatenate([[1.0], np.full(d, spread), np.full(exact.shape[1] - 1 - d, spread**2)])
    assert sums.dtype == np.float64
    assert sums.shape == exact.shape
    assert (np.abs(sums - exact) <= tolerance * total * scale).all()
    assert log_likelihood == pytest.approx(exact_likelihood, abs=4 * tolerance * total)


@pytest.mark.slow
@compiled
@shapes
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("d", [*range(1, 13), 16, 17, 24, 31, 32, 47, 64])
def test_statistics_equal_the_reference_for_every_number_of_features(kernel, d, weighted, dtype, diagonal):
    planes, mixture = problem(d, 1300, dtype=dtype, diagonal=diagonal)
    weights = np.random.default_rng(1).uniform(0, 3, 1300).astype(dtype) if weighted else None
    exact = statistics(
        reference, planes.astype(np.float64), mixture, None if weights is None else weights.astype(float)
    )
    assert_equal_statistics(statistics(kernel, planes, mixture, weights), exact, planes, mixture, weights)


@compiled
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(("d", "n"), [(9, 1300), (12, 520), (33, 2048)])
def test_statistics_of_components_far_apart_equal_the_reference(kernel, d, n, weighted, dtype):
    """Moments are then of the few samples of a block that have a part in a component."""
    planes, (constants, means, factors) = problem(d, n, k=9, dtype=dtype)
    shift = 40 * np.eye(9, d)
    component = np.linalg.norm(planes.T[:, None] - means, axis=2).argmin(axis=1)
    planes, mixture = (planes + shift[component].T).astype(dtype), (constants, means + shift, factors)
    weights = np.random.default_rng(1).uniform(0, 3, n).astype(dtype) if weighted else None
    exact = statistics(
        reference, planes.astype(np.float64), mixture, None if weights is None else weights.astype(float)
    )
    assert_equal_statistics(statistics(kernel, planes, mixture, weights), exact, planes, mixture, weights)


@compiled
@shapes
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("every", [1, 2, 300], ids=["all", "half", "few"])
def test_samples_far_below_the_peak_of_a_dense_component_count_as_the_others_do(
    kernel, every, weighted, dtype, diagonal
):
    """The dense component's peak is some 2^170 (2^1800) times as high as any density of theirs."""
    n, power = 1700, 45.0 if dtype == np.float32 else 450.0
    planes, (constants, means, factors) = problem(4, n, k=3, dtype=dtype, diagonal=diagonal)
    means[0], factors[0] = 8, 2.0**power * np.eye(4) if not diagonal else 2.0**power
    constants[0] = 4 * power * np.log(2) - 7
    is_far = np.arange(n) % every == 0
    planes[:, ~is_far] = 8
    mass = np.random.default_rng(1).uniform(0.5, 3, n).astype(dtype) if weighted else None
    part = np.ones(n) if mass is None else mass.astype(float)
    sums, log_likelihood = statistics(kernel, planes, (constants, means, factors), mass)
    others = planes[:, is_far].astype(float), (constants[1:], means[1:], factors[1:]), part[is_far]
    exact, likelihood = statistics(reference, *others)
    eps = float(np.finfo(dtype).eps)
    assert sums[0, 0] == pytest.approx(part[~is_far].sum(), rel=8 * eps)
    assert (sums[0, 1:] == 0).all()
    np.testing.assert_allclose(sums[1:], exact, rtol=40 * eps, atol=200 * eps * len(others[2]))
    expected = likelihood + constants[0] * part[~is_far].sum()
    assert log_likelihood == pytest.approx(expected, rel=32 * eps)


@compiled
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("apart", [0.3, 1.0, 2.0, 8.0])
@pytest.mark.parametrize(("d", "k"), [(9, 12), (16, 6), (25, 20), (40, 5)])
def test_statistics_leave_out_only_what_is_nothing(kernel, d, k, apart, weighted, dtype):
    """Whether a few directions tell that components are out of reach, as of pairs far apart, or do not."""
    rng = np.random.default_rng([d, k])
    n = 64 * (d + k) + 200  # from fewer on nothing is left out
    _, (constants, means, factors) = problem(d, 1, k)
    means = means * apart / 2
    means[1::2] = means[: k // 2 * 2 : 2] + rng.normal(0, 0.3, (k // 2, d))  # two and two near each other
    chosen = rng.integers(k, size=n)
    planes = means[chosen].T + np.linalg.solve(factors[chosen], rng.normal(size=(n, d, 1)))[:, :, 0].T
    planes = planes.astype(dtype)
    mixture = constants, means.astype(dtype).astype(np.float64), factors
    weights = rng.uniform(0, 3, n).astype(dtype) if weighted else None
    double = None if weights is None else weights.astype(float)
    exact, exact_likelihood = statistics(reference, planes.astype(np.float64), mixture, double)
    found, likelihood = statistics(kernel, planes, mixture, weights)
    tolerance = 2e-4 if dtype == np.float32 else 1e-11
    variance = np.maximum(1, np.abs(exact).max(axis=1, keepdims=True) / np.maximum(exact[:, :1], 1e-30))
    scale = np.maximum(exact[:, :1], 1) * variance
    assert (np.abs(found - exact) <= tolerance * scale).all()
    assert likelihood == pytest.approx(exact_likelihood, rel=tolerance / 10)
    again, same = statistics(kernel, planes, mixture, weights, threads=3)
    np.testing.assert_array_equal(again, found)
    assert same == likelihood


@compiled
@dtypes
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("between", [0.0, 0.02, 0.5])
@pytest.mark.parametrize(("d", "n"), [(9, 1300), (16, 6000), (37, 3000)])
def test_samples_that_surely_belong_to_one_component_need_no_density(kernel, d, n, between, weighted, dtype):
    """Correlated classes 50 spreads apart and features in other units; some samples lie half way between two classes.

    Without the products of features a distance from there would seem half of what it is.
    """
    rng = np.random.default_rng([d, n])
    units, k = 10.0 ** rng.integers(-2, 3, d), 4
    pairs = np.arange(1, d, 2)
    covariance = np.eye(d)
    covariance[pairs, pairs - 1] = covariance[pairs - 1, pairs] = 0.8
    roots = np.stack([np.linalg.cholesky(covariance)] * k)
    means = np.zeros((k, d))
    means[[1, 3], :2] = means[[2, 3], 2:4] = 16, -16
    chosen = rng.integers(k, size=n)
    planes = means[chosen].T + np.einsum("nij,jn->in", roots[chosen], rng.normal(size=(d, n)))
    half = rng.random(n) < between
    planes[:, half] = (means[chosen] + means[(chosen + 1) % k]).T[:, half] / 2 + rng.normal(0, 0.01, (d, half.sum()))
    planes, means = (planes * units[:, None]).astype(dtype), (means * units).astype(dtype).astype(np.float64)
    factors = np.linalg.inv(roots) / units
    constants = np.log(0.25) + np.log(np.abs(np.diagonal(factors, axis1=1, axis2=2))).sum(1) - d / 2 * np.log(2 * np.pi)
    mixture, weights = (constants, means, factors), rng.uniform(0, 3, n).astype(dtype) if weighted else None
    double = None if weights is None else weights.astype(float)
    exact, exact_likelihood = statistics(reference, planes.astype(np.float64), mixture, double)
    found, likelihood = statistics(kernel, planes, mixture, weights)
    rows, columns = np.tril_indices(d)
    units = np.concatenate([[1], units, units[rows] * units[columns]])
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    assert (np.abs(found - exact) <= tolerance * exact[:, :1] * units * (400 if between else 10)).all()
    assert likelihood == pytest.approx(exact_likelihood, rel=tolerance / 10)
    again, same = statistics(kernel, planes, mixture, weights, threads=3)
    np.testing.assert_array_equal(again, found)
    assert same == likelihood


@compiled
def test_a_small_component_far_from_the_middle_keeps_its_samples(kernel):
    """In single precision a sample a thousand spreads of the small one off the middle is projected with an error."""
    rng = np.random.default_rng(0)
    d, k, n = 12, 4, 4000
    means = rng.normal(0, 300, (k, d)).astype(np.float32).astype(np.float64)
    means[3] = means[2] + np.eye(d)[0] * 40  # two small ones, as near to each other as 4 spreads
    spreads = np.array([30.0, 30.0, 10.0, 10.0])
    chosen = rng.integers(k, size=n)
    planes = (means[chosen].T + spreads[chosen] * rng.normal(size=(d, n))).astype(np.float32)
    constants = np.log(0.25) - d * np.log(spreads) - d / 2 * np.log(2 * np.pi)
    mixture = constants, means.astype(np.float32).astype(np.float64), np.eye(d) / spreads[:, None, None]
    exact, exact_likelihood = statistics(reference, planes.astype(np.float64), mixture)
    found, likelihood = statistics(kernel, planes, mixture)
    np.testing.assert_allclose(found[:, 0], exact[:, 0], rtol=1e-5)
    assert (np.abs(found - exact) <= 1e-4 * exact[:, :1] * spreads[:, None] ** 2).all()
    assert likelihood == pytest.approx(exact_likelihood, rel=1e-6)


@compiled
@dtypes
def test_a_light_component_keeps_what_little_it_has_of_the_samples_of_others(kernel, dtype):
    """All that it has are parts below a billionth in samples that lie 5 spreads off."""
    rng = np.random.default_rng(0)
    d, k, n = 12, 5, 6000
    means = np.eye(k, d) * 40
    means[4] = means[0] + np.eye(d)[5] * 5
    planes = (means[rng.integers(4, size=n)] + rng.normal(size=(n, d))).T.astype(dtype)
    constants = np.log([0.25, 0.25, 0.25, 0.25, 1e-7]) - d / 2 * np.log(2 * np.pi)
    mixture = constants, means, np.stack([np.eye(d)] * k)
    exact, _ = statistics(reference, planes.astype(np.float64), mixture)
    found, _ = statistics(kernel, planes, mixture)
    assert exact[4, 0] < 0.01
    np.testing.assert_allclose(found[4, 0], exact[4, 0], rtol=1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.slow
@compiled
@shapes
@dtypes
@pytest.mark.parametrize("n", [0, 1, 2, 15, 17, BLOCK - 1, BLOCK, BLOCK + 1, CHUNK - 1, CHUNK, CHUNK + 1, 20_000])
def test_ragged_sizes_equal_the_reference(kernel, n, dtype, diagonal):
    for d in (3, 9):
        planes, mixture = problem(d, n, dtype=dtype, diagonal=diagonal)
        double = planes.astype(np.float64)
        assert_equal_statistics(
            statistics(kernel, planes, mixture), statistics(reference, double, mixture), planes, mixture
        )
        error = log_joint_error(planes, mixture)
        (found, density), (exact, exact_density) = (
            posterior(kernel, planes, mixture),
            posterior(reference, double, mixture),
        )
        assert np.abs(found - exact).max(initial=0) <= error
        assert np.abs(density - exact_density).max(initial=0) <= 2 * error
        labels = classify(kernel, planes, mixture)
        chosen = np.take_along_axis(exact, labels[None], axis=0)[0] if n else np.zeros(0)
        assert (chosen >= exact.max(axis=0, initial=0) - 2 * error).all()


@pytest.mark.slow
@compiled
@shapes
@dtypes
@pytest.mark.parametrize("d", [*range(1, 13), 16, 17, 24, 31, 32, 47, 64])
def test_posteriors_and_labels_equal_the_reference_for_every_number_of_features(kernel, d, dtype, diagonal):
    planes, mixture = problem(d, 1100, k=5, dtype=dtype, diagonal=diagonal)
    error = log_joint_error(planes, mixture)
    found, density = posterior(kernel, planes, mixture)
    exact, exact_density = posterior(reference, planes.astype(np.float64), mixture)
    assert np.abs(found - exact).max() <= error
    assert np.abs(density - exact_density).max() <= 2 * error
    settled = np.sort(exact, axis=0)[-2] < 0.5 - error
    labels = classify(kernel, planes, mixture)
    assert settled.mean() > 0.95
    np.testing.assert_array_equal(labels[settled], exact.argmax(axis=0)[settled])
    np.testing.assert_array_equal(classify(kernel, planes, mixture, np.uint8, 1), labels + 1)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2, 7, 16, 63, 255])
@both
@dtypes
def test_any_number_of_components(kernel, k, dtype):
    planes, mixture = problem(2, 700, k=k, dtype=dtype)
    found, _ = posterior(kernel, planes, mixture)
    exact, _ = posterior(reference, planes.astype(np.float64), mixture)
    assert np.abs(found - exact).max() <= log_joint_error(planes, mixture)
    assert_equal_statistics(
        statistics(kernel, planes, mixture),
        statistics(reference, planes.astype(np.float64), mixture),
        planes,
        mixture,
    )
    assert set(classify(kernel, planes, mixture, np.uint8, 1).tolist()) <= set(range(1, k + 1))


LAYOUTS = {
    "row-major": lambda x: np.ascontiguousarray(x.T).T,
    "every second": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "samples reversed": lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    "features reversed": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "part of a larger array": lambda x: np.pad(x, ((1, 2), (3, 5)))[1:-2, 3:-5],
    "one plane repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@both
@dtypes
@shapes
def test_strides_do_not_matter(kernel, layout, dtype, diagonal):
    planes, mixture = problem(5, 1200, dtype=dtype, diagonal=diagonal)
    view = LAYOUTS[layout](planes)
    copy = np.array(view, order="C")
    assert not view.flags.c_contiguous
    error = log_joint_error(copy, mixture)
    assert_equal_statistics(statistics(kernel, view, mixture), statistics(kernel, copy, mixture), copy, mixture)
    for a, b in zip(posterior(kernel, view, mixture), posterior(kernel, copy, mixture), strict=True):
        assert np.abs(a - b).max() <= error
    assert (classify(kernel, view, mixture) == classify(kernel, copy, mixture)).mean() > 0.999


@compiled
@dtypes
@shapes
@pytest.mark.parametrize("d", range(1, 11))
def test_samples_in_rows_give_the_same_bytes_as_in_planes(kernel, d, dtype, diagonal):
    planes, mixture = problem(d, 2 * BLOCK + 77, dtype=dtype, diagonal=diagonal)
    rows = np.array(planes.T, order="C")
    for first in (rows, np.pad(rows, ((3, 0), (0, 0)))[3:]):
        for a, b in zip(posterior(kernel, first.T, mixture), posterior(kernel, planes, mixture), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(classify(kernel, first.T, mixture), classify(kernel, planes, mixture))
        for a, b in zip(statistics(kernel, first.T, mixture), statistics(kernel, planes, mixture), strict=True):
            np.testing.assert_array_equal(a, b)


@both
@dtypes
@shapes
def test_inputs_may_be_read_only_and_are_not_changed(kernel, dtype, diagonal):
    planes, mixture = problem(4, 1111, dtype=dtype, diagonal=diagonal)
    weights = np.random.default_rng(0).uniform(0, 2, 1111).astype(dtype)
    inputs = (planes, weights, *mixture)
    before = [a.copy() for a in inputs]
    for array in inputs:
        array.flags.writeable = False
    statistics(kernel, planes, mixture, weights)
    posterior(kernel, planes, mixture)
    classify(kernel, planes, mixture)
    for now, then in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.slow
@both
@dtypes
@shapes
@pytest.mark.parametrize("d", [3, 5, 9, 32])
def test_the_same_bytes_for_any_number_of_threads(kernel, d, dtype, diagonal):
    planes, mixture = problem(d, 20_001, dtype=dtype, diagonal=diagonal)
    weights = np.random.default_rng(0).uniform(0, 2, planes.shape[1]).astype(dtype)
    results = []
    for threads in (1, 2, 7):
        sums, likelihood = statistics(kernel, planes, mixture, threads=threads)
        weighted, weighted_likelihood = statistics(kernel, planes, mixture, weights, threads)
        parts = (sums, weighted, *posterior(kernel, planes, mixture, threads), classify(kernel, planes, mixture))
        results.append((likelihood, weighted_likelihood, *(a.tobytes() for a in parts)))
    assert results[0] == results[1] == results[2]


@both
@dtypes
def test_posteriors_sum_to_one(kernel, dtype):
    planes, mixture = problem(5, 3000, k=20, dtype=dtype)
    found, _ = posterior(kernel, planes, mixture)
    assert (found >= 0).all()
    assert np.abs(found.sum(axis=0, dtype=np.float64) - 1).max() <= 4 * np.finfo(dtype).eps


@pytest.mark.slow
@compiled
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-13)])
def test_the_exponential_is_exact_to_rounding(kernel, dtype, tolerance):
    # A sample at the means of two components has their weights' ratio: a power of two that float32 holds exactly.
    powers = np.concatenate([-np.arange(0, 96 * 1024, 97) / 1024, -np.arange(1, 96.0)])
    at_mean, means, factors = np.zeros((1, 3), dtype), np.zeros((2, 1)), np.ones((2, 1))
    for power in powers:
        ratio = 2.0**power
        found, density = posterior(kernel, at_mean, (np.array([0.0, power * np.log(2)]), means, factors))
        assert found[1] == pytest.approx(ratio / (1 + ratio), rel=tolerance)
        assert found[0] == pytest.approx(1 / (1 + ratio), rel=tolerance)
        assert density == pytest.approx(np.log1p(ratio), abs=tolerance)


@both
@dtypes
@pytest.mark.parametrize("log_ratio", [-69.0, -75.0, -80.0, -200.0, -5000.0])
def test_a_hopeless_component_has_almost_nothing(kernel, log_ratio, dtype):
    constants = np.array([log_ratio, 0.0])
    found, density = posterior(kernel, np.zeros((1, 1), dtype), (constants, np.zeros((2, 1)), np.ones((2, 1))))
    assert 0 <= found[0, 0] <= 1.1e-30
    assert found[1, 0] == 1
    assert density[0] == pytest.approx(0, abs=1e-30)


@pytest.mark.slow
@both
@dtypes
@shapes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("d", [1, 5, 9, 32])
def test_samples_without_a_number_are_uniform_and_disturb_nobody(kernel, d, bad, dtype, diagonal):
    planes, mixture = problem(d, 777, dtype=dtype, diagonal=diagonal)
    clean, clean_density = posterior(kernel, planes, mixture)
    clean_labels = classify(kernel, planes, mixture)
    planes[0, ::50] = bad
    planes[:, 25::50] = bad
    found, density = posterior(kernel, planes, mixture)
    labels = classify(kernel, planes, mixture)
    hit = np.zeros(777, bool)
    hit[::25] = True
    np.testing.assert_allclose(found[:, hit], 1 / len(found), rtol=1e-6)
    assert np.isfinite(density).all()
    assert ((labels >= 0) & (labels < len(found))).all()
    np.testing.assert_array_equal(found[:, ~hit], clean[:, ~hit])
    np.testing.assert_array_equal(density[~hit], clean_density[~hit])
    np.testing.assert_array_equal(labels[~hit], clean_labels[~hit])


@both
@dtypes
@shapes
@pytest.mark.parametrize("far", [1e6, 1e15, 3e37])
def test_samples_far_out_are_finite(kernel, far, dtype, diagonal):
    planes, mixture = problem(3, 600, dtype=dtype, diagonal=diagonal)
    planes[:, ::3] = far
    planes[1, 1::3] = -far
    found, density = posterior(kernel, planes, mixture)
    assert np.isfinite(found).all()
    assert np.isfinite(density).all()
    assert (density[::3] < -1e10).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-6)


@both
@dtypes
def test_a_component_of_weight_zero_gets_nothing(kernel, dtype):
    planes, (constants, means, factors) = problem(2, 600, dtype=dtype)
    constants[1] = -np.inf
    found, density = posterior(kernel, planes, (constants, means, factors))
    others = [0, 2, 3]
    left, left_density = posterior(kernel, planes, (constants[others], means[others], factors[others]))
    assert (found[1] == 0).all()
    np.testing.assert_allclose(found[others], left, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(density, left_density, rtol=4 * np.finfo(dtype).eps)
    sums, _ = statistics(kernel, planes, (constants, means, factors))
    assert (sums[1] == 0).all()


@both
@dtypes
def test_each_output_may_be_left_out(kernel, dtype):
    planes, mixture = problem(3, 900, dtype=dtype)
    responsibilities, density = posterior(kernel, planes, mixture)
    out, only_density = np.empty_like(responsibilities), np.empty_like(density)
    kernel.posterior(planes, Densities(*mixture), out, None, 1)
    kernel.posterior(planes, Densities(*mixture), None, only_density, 1)
    np.testing.assert_array_equal(out, responsibilities)
    np.testing.assert_array_equal(only_density, density)


@both
def test_posteriors_go_into_a_part_of_a_larger_array(kernel):
    planes, mixture = problem(3, 700)
    whole = np.full((4, 1000), -1.0)
    kernel.posterior(planes, Densities(*mixture), whole[:, 100:800], None, 2)
    np.testing.assert_array_equal(whole[:, 100:800], posterior(kernel, planes, mixture)[0])
    assert (whole[:, :100] == -1).all()
    assert (whole[:, 800:] == -1).all()


@both
@dtypes
@shapes
@pytest.mark.parametrize("d", [1, 5, 12])
def test_samples_are_known_to_be_finite_unless_one_is_not(kernel, dtype, diagonal, d):
    planes, mixture = problem(d, 5001, dtype=dtype, diagonal=diagonal)
    densities = Densities(*mixture)
    out, labels = np.empty((4, 5001), dtype), np.empty(5001, np.int64)
    assert kernel.posterior(planes, densities, out, None, 2)
    assert kernel.classify(planes, densities, labels, 0, 2)
    for at, number in itertools.product((0, 4999, 5000), (np.nan, np.inf, -np.inf)):
        broken = planes.copy()
        broken[-1, at] = number
        with np.errstate(invalid="ignore"):
            assert not kernel.posterior(broken, densities, out, None, 2)
            assert not kernel.classify(broken, densities, labels, 0, 2)


@dtypes
@shapes
def test_the_public_functions_take_many_features(dtype, diagonal):
    planes, mixture = problem(33, 900, dtype=dtype, diagonal=diagonal)
    double = planes.astype(np.float64)
    assert_equal_statistics(
        statistics(kernels, planes, mixture), statistics(reference, double, mixture), planes, mixture
    )
    found, exact = posterior(kernels, planes, mixture)[0], posterior(reference, double, mixture)[0]
    assert np.abs(found - exact).max() <= log_joint_error(planes, mixture)
    np.testing.assert_array_equal(classify(kernels, planes, mixture), found.argmax(axis=0))


@both
def test_statistics_are_those_of_a_plain_formula(kernel):
    """The oracle's oracle: sums written out for one component, where every responsibility is 1."""
    planes, mixture = problem(3, 1000, k=1)
    weights = np.random.default_rng(0).uniform(0, 2, 1000)
    sums, likelihood = statistics(kernel, planes, mixture, weights)
    x = planes - mixture[1][0][:, None]
    moments = (weights * x) @ x.T
    expected = [weights.sum(), *(x @ weights), *moments[np.tril_indices(3)]]
    np.testing.assert_allclose(sums[0], expected, rtol=1e-12, atol=1e-10)
    density = mixture[0][0] - 0.5 * ((mixture[2][0] @ x) ** 2).sum(axis=0)
    assert likelihood == pytest.approx(density @ weights, rel=1e-12)


def extended(planes, k, *, seed=3):
    """Prior probabilities of the components sample by sample, some of them ruled out, and degrees of freedom."""
    rng = np.random.default_rng([seed, k, planes.shape[1]])
    log_prior = np.log(rng.dirichlet(np.ones(k), planes.shape[1]).T).clip(-30)
    log_prior[0, ::5] = -1e6
    return log_prior.astype(planes.dtype, order="C"), rng.uniform(1, 30, k)


@pytest.mark.slow
@compiled
@shapes
@dtypes
@pytest.mark.parametrize("further", ["prior", "tails", "both"])
@pytest.mark.parametrize(("d", "n"), [(1, 1300), (3, 1300), (5, 20_000), (9, 1300), (3, 0), (3, BLOCK + 1), (32, 1300)])
def test_priors_and_student_tails_equal_the_reference(kernel, d, n, further, dtype, diagonal):
    planes, mixture = problem(d, n, dtype=dtype, diagonal=diagonal)
    log_prior, dof = extended(planes, len(mixture[0]))
    log_prior, dof = None if further == "tails" else log_prior, None if further == "prior" else dof
    exact_prior = None if log_prior is None else log_prior.astype(np.float64)
    weights = np.random.default_rng(1).uniform(0, 3, n).astype(dtype)
    double = planes.astype(np.float64)
    found = kernel.statistics(planes, weights, Densities(*mixture, dof), 1, log_prior)
    exact = reference.statistics(double, weights.astype(np.float64), Densities(*mixture, dof), 1, exact_prior)
    assert_equal_statistics(found, exact, planes, mixture, weights)
    error = 4 * log_joint_error(planes, mixture)
    soft, density = np.full((len(mixture[0]), n), np.nan, dtype), np.full(n, np.nan, dtype)
    kernel.posterior(planes, Densities(*mixture, dof), soft, density, 1, log_prior)
    exact_soft, exact_density = np.empty(soft.shape), np.empty(n)
    reference.posterior(double, Densities(*mixture, dof), exact_soft, exact_density, 1, exact_prior)
    assert np.abs(soft - exact_soft).max(initial=0) <= error
    assert np.abs(density - exact_density).max(initial=0) <= error
    labels = np.empty(n, np.int64)
    kernel.classify(planes, Densities(*mixture, dof), labels, 0, 1, log_prior)
    chosen = np.take_along_axis(exact_soft, labels[None], axis=0)[0] if n else np.zeros(0)
    assert (chosen >= exact_soft.max(axis=0, initial=0) - 2 * error).all()
    if log_prior is not None:
        assert (soft[0, ::5] == 0).all()


@both
def test_a_student_density_is_that_of_scipy(kernel):
    from scipy.stats import multivariate_t

    rng = np.random.default_rng(0)
    factor, dof = np.array([[1.5, 0.0], [-0.4, 0.8]]), 3.5
    scale = np.linalg.inv(factor.T @ factor)
    constant = multivariate_t(np.zeros(2), scale, dof).logpdf(np.zeros(2))
    planes, density = rng.normal(0, 4, (2, 500)), np.empty(500)
    kernel.posterior(
        planes, Densities(np.array([constant]), np.zeros((1, 2)), factor[None], np.array([dof])), None, density, 1
    )
    np.testing.assert_allclose(density, multivariate_t(np.zeros(2), scale, dof).logpdf(planes.T), rtol=1e-12)


per_classes = pytest.mark.parametrize("per_class", [[2, 1], [1, 2, 3, 1], [0, 3, 0, 4], [30, 1, 9], [3]], ids=str)


@both
@dtypes
@shapes
@per_classes
@pytest.mark.parametrize("d", [1, 3, 8, 11])
def test_posteriors_of_classes_are_sums_of_those_of_their_components(kernel, d, per_class, diagonal, dtype):
    planes, mixture = problem(d, 1500, sum(per_class), dtype, diagonal=diagonal)
    components, density = posterior(kernel, planes, mixture)
    found, same = np.full((len(per_class), 1500), np.nan, dtype), np.empty(1500, dtype)
    assert kernel.posterior(planes, Densities(*mixture, None, np.array(per_class)), found, same, 2)
    of = np.repeat(np.arange(len(per_class)), per_class)
    expected = np.stack([components[of == c].sum(axis=0, dtype=np.float64) for c in range(len(per_class))])
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-13, atol=1e-30)
    np.testing.assert_array_equal(same, density)


@both
@dtypes
@shapes
@per_classes
@pytest.mark.parametrize("d", [1, 3, 11])
@pytest.mark.parametrize("apart", [0.0, 0.1, 1.0, 10.0])
def test_the_class_named_is_the_one_of_highest_posterior(kernel, d, per_class, apart, diagonal, dtype):
    planes, (constants, means, factors) = problem(d, 2000, sum(per_class), dtype, diagonal=diagonal)
    densities = Densities(constants, apart * means, factors, None, np.array(per_class))
    soft, labels = np.empty((len(per_class), 2000), dtype), np.empty(2000, np.uint8)
    assert kernel.posterior(planes, densities, soft, None, 1)
    assert kernel.classify(planes, densities, labels, 1, 2)
    np.testing.assert_array_equal(labels, soft.argmax(axis=0) + 1)
    # Nothing depends on which samples are worked on together.
    some, few = np.empty(700, np.uint8), np.empty((len(per_class), 700), dtype)
    kernel.classify(planes[:, 333:1033], densities, some, 1, 1)
    kernel.posterior(planes[:, 333:1033], densities, few, None, 1)
    np.testing.assert_array_equal(some, labels[333:1033])
    if kernel is not reference:
        np.testing.assert_array_equal(few, soft[:, 333:1033])


@both
def test_a_class_may_be_likeliest_whose_components_are_not(kernel):
    densities = Densities(np.log([0.4, 0.3, 0.3]), np.zeros((3, 1)), np.ones((3, 1, 1)), None, np.array([1, 2]))
    planes, labels = np.linspace(-3, 3, 100)[None], np.empty(100, np.int64)
    assert kernel.classify(planes, densities, labels, 0, 1)
    assert (labels == 1).all()
    assert kernel.classify(planes, densities._replace(per_class=None), labels, 0, 1)
    assert (labels == 0).all()


@compiled
@pytest.mark.parametrize("per_class", [[1, 1], [2, 2], [4, -1], [], [2**40]], ids=str)
def test_classes_have_all_components_and_no_others(kernel, per_class):
    planes, mixture = problem(2, 9, 3)
    with pytest.raises(ValueError, match="classes have not the components that there are"):
        kernel.classify(planes, Densities(*mixture, None, np.array(per_class, np.int64)), np.empty(9, np.int64), 0, 1)
