"""Samples each of which lacks features of its own: both kernels against textbook formulas of the known features."""

import numpy as np
import pytest
from implementations import both, compiled

from gmmseg.kernels import reference


def problem(n, d, k, share, seed=0):
    """Samples (d, n) with NaN, those that lack least first, and means, factors and precisions of K components."""
    rng = np.random.default_rng([seed, n, d, k])
    means = rng.normal(0, 2, (k, d))
    factors = np.tril(rng.normal(0, 0.3, (k, d, d)), -1) + rng.uniform(0.5, 2, (k, d))[:, :, None] * np.eye(d)
    planes = rng.normal(0, 2, (d, n))
    planes[rng.random(planes.shape) < share] = np.nan
    planes = np.ascontiguousarray(planes[:, np.argsort(np.isnan(planes).sum(axis=0), kind="stable")])
    return planes, (means, factors, np.swapaxes(factors, 1, 2) @ factors)


def distances(kernel, planes, mixture, threads=1):
    out = np.full((2, len(mixture[0]), planes.shape[1]), np.nan)
    kernel.known_distances(planes, *mixture, *out, threads)
    return out


def expected(kernel, planes, mixture, shares, threads=1):
    out = np.full(planes.shape, np.nan)
    kernel.expected(planes, *mixture, shares, out, threads)
    return out


sizes = pytest.mark.parametrize(
    ("n", "d", "k", "share"), [(300, 3, 3, 0.4), (41, 20, 4, 0.3), (7, 1, 2, 0.5), (30, 33, 2, 0.9), (20, 4, 2, 0.0)]
)


@sizes
@both
def test_all_is_that_of_the_covariances_of_known_features(kernel, n, d, k, share):
    planes, mixture = problem(n, d, k, share)
    rng = np.random.default_rng(1)
    shares, mass = rng.random((2, k, n))
    found, log_roots = distances(kernel, planes, mixture)
    sums, filled = kernel.conditional_sums(planes, *mixture, shares, mass, 1), expected(kernel, planes, mixture, shares)
    first, second, wanted = np.zeros((k, d)), np.zeros((k, d, d)), np.zeros((d, n))
    for j, (mean, precision) in enumerate(zip(mixture[0], mixture[2], strict=True)):
        covariance = np.linalg.inv(precision)
        for i, x in enumerate(planes.T):
            o, m = np.flatnonzero(~np.isnan(x)), np.flatnonzero(np.isnan(x))
            inner = np.linalg.inv(covariance[np.ix_(o, o)])
            offset, left = np.zeros(d), np.zeros((d, d))
            offset[o] = x[o] - mean[o]
            slope = covariance[np.ix_(m, o)] @ inner
            offset[m] = slope @ offset[o]
            left[np.ix_(m, m)] = covariance[np.ix_(m, m)] - slope @ covariance[np.ix_(o, m)]
            assert found[j, i] == pytest.approx(offset[o] @ inner @ offset[o], rel=1e-8, abs=1e-12)
            half = 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(inner)[1])
            assert log_roots[j, i] == pytest.approx(half, rel=1e-8, abs=1e-9)
            first[j] += shares[j, i] * offset
            second[j] += shares[j, i] * np.outer(offset, offset) + mass[j, i] * left
            wanted[:, i] += shares[j, i] * (mean + offset)
    np.testing.assert_allclose(sums[:, 0], shares.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(sums[:, 1 : 1 + d], first, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(sums[:, 1 + d :], second[:, *np.tril_indices(d)], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(filled, wanted, rtol=1e-8, atol=1e-8)


@compiled
def test_the_compiled_kernel_is_its_twin_and_the_same_bytes_for_any_number_of_threads(kernel):
    planes, mixture = problem(3001, 9, 3, 0.3)
    shares, mass = np.random.default_rng(1).random((2, 3, 3001))
    results = []
    for threads in (1, 2, 5):
        sums = kernel.conditional_sums(planes, *mixture, shares, mass, threads)
        results.append([distances(kernel, planes, mixture, threads), sums])
        results[-1].append(expected(kernel, planes, mixture, shares, threads))
    assert len({tuple(each.tobytes() for each in result) for result in results}) == 1
    exact = distances(reference, planes, mixture), reference.conditional_sums(planes, *mixture, shares, mass, 1)
    for found, wanted in zip(results[0], (*exact, expected(reference, planes, mixture, shares)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@both
def test_inputs_may_be_read_only_and_are_not_changed(kernel):
    planes, mixture = problem(30, 4, 2, 0.3)
    shares = np.random.default_rng(1).random((2, 30))
    inputs = planes, *mixture, shares
    before = [each.copy() for each in inputs]
    for each in inputs:
        each.flags.writeable = False
    distances(kernel, planes, mixture)
    expected(kernel, planes, mixture, shares)
    kernel.conditional_sums(planes, *mixture, shares, shares, 1)
    for now, then in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(now, then)


@both
def test_features_that_nearly_agree_tell_each_other(kernel):
    """Two features that nearly agree: the precision's part of both has a root all the same."""
    root = np.array([[[1.0, 0.0, 0.0], [1.0, 1e-4, 0.0], [0.5, 0.0, 0.75**0.5]]])
    factors = np.linalg.inv(root) * np.tri(3)
    mixture = np.zeros((1, 3)), factors, np.swapaxes(factors, 1, 2) @ factors
    planes = np.array([[0.7, np.nan], [np.nan, np.nan], [0.2, 0.2]])
    np.testing.assert_allclose(expected(kernel, planes, mixture, np.ones((1, 2)))[1, 0], 0.7, rtol=1e-6)
    sums = kernel.conditional_sums(planes[:, 1:].copy(), *mixture, np.ones((1, 1)), np.ones((1, 1)), 1)
    np.testing.assert_allclose(sums[0, 4:7] - 0.1**2, 0.75, rtol=1e-6)  # of both, less the squares of what is expected


@pytest.mark.parametrize(("n", "d", "k"), [(1500, 9, 5), (2100, 21, 3)])
@compiled
def test_components_take_only_the_samples_that_have_a_part_in_them(kernel, n, d, k):
    planes, mixture = problem(n, d, k, 0.3)
    rng = np.random.default_rng(4)
    mass = np.exp2(-rng.choice([0, 1, 40, 200, 1000], (k, n)).astype(float))
    mass[0], mass[1], mass[2, ::7] = 2.0**-58, 1, np.nextafter(0, 1)  # the first has no other part in any sample
    mass *= rng.uniform(0.5, 2, n) * np.exp2(rng.choice([-300, 0], n))  # of samples of any weight
    shares = mass * rng.uniform(0.5, 1.5, (k, n))
    light = mass.sum(axis=0) < 1e-30
    for some in (np.ones(n, bool), light):
        given = [np.ascontiguousarray(each[:, some]) for each in (planes, shares, mass)]
        exact, found = (each.conditional_sums(given[0], *mixture, *given[1:], 1) for each in (reference, kernel))
        scale = np.abs(exact).max(axis=1, keepdims=True)
        np.testing.assert_allclose(found / scale, exact / scale, rtol=1e-9, atol=1e-9)
    shares /= shares.sum(axis=0)
    np.testing.assert_allclose(
        expected(kernel, planes, mixture, shares), expected(reference, planes, mixture, shares), rtol=1e-9, atol=1e-9
    )
    one, many = (kernel.conditional_sums(planes, *mixture, shares, mass, threads) for threads in (1, 5))
    np.testing.assert_array_equal(one, many)
