"""Triangular factors: compiled and reference against NumPy's decompositions."""

import numpy as np
import pytest
from implementations import both
from scipy.stats import multivariate_normal


@both
@pytest.mark.parametrize("d", [1, 2, 5, 8, 9, 24])
def test_precision_factors_are_inverses_of_lower_ones(kernel, d, rng):
    roots = rng.normal(size=(3, d, d + 2))
    covariances = roots @ np.swapaxes(roots, 1, 2)
    covariances.flags.writeable = False
    factors = kernel.precision_factors(covariances)
    np.testing.assert_allclose(factors @ covariances @ np.swapaxes(factors, 1, 2), [np.eye(d)] * 3, atol=1e-9)
    np.testing.assert_array_equal(np.triu(factors, 1), 0)
    assert (np.diagonal(factors, axis1=1, axis2=2) > 0).all()


@both
@pytest.mark.parametrize("d", [3, 12])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_there_are_none_of_what_is_not_positive_definite(kernel, bad, d):
    covariances = np.tile(np.eye(d), (2, 1, 1))
    covariances[1, -1, -1] = bad
    assert kernel.precision_factors(covariances) is None
    covariances[1] = np.eye(d)
    covariances[1, 0, 1] = covariances[1, 1, 0] = 2
    assert kernel.precision_factors(covariances) is None


@both
@pytest.mark.parametrize("d", [1, 3, 8, 9, 12])
def test_inverses_keep_tiny_diagonals(kernel, d, rng):
    lower = np.tril(rng.normal(size=(2, d, d))) + 3 * np.eye(d)
    lower[0, -1, -1] = 1e-200
    lower.flags.writeable = False
    inverse = kernel.invert_lower(lower)
    np.testing.assert_array_equal(np.triu(inverse, 1), 0)
    np.testing.assert_allclose(inverse[1] @ lower[1], np.eye(d), atol=1e-12)
    assert inverse[0, -1, -1] == pytest.approx(1e200)


@both
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_expected_error_is_that_of_samples_spread_as_their_component_is(kernel, diagonal, rng):
    white, weights = rng.normal(size=(3, 4000)).astype(np.float32), np.array([0.5, 0.2, 0.3])
    means, roots = 2 * rng.normal(size=(3, 3)), np.tril(rng.normal(size=(3, 3, 3))) + 2 * np.eye(3)
    roots = roots * np.eye(3) if diagonal else roots
    factors = np.linalg.inv(roots)
    for each in (white, weights, means, factors):
        each.flags.writeable = False
    own = np.repeat([0, 1, 2], [2000, 800, 1200])
    samples = means[own] + np.einsum("nrs,sn->nr", roots[own], white)
    densities = np.stack(
        [w * multivariate_normal(m, r @ r.T).pdf(samples) for w, m, r in zip(weights, means, roots, strict=True)]
    )
    given = factors.diagonal(axis1=1, axis2=2).copy() if diagonal else factors
    found = kernel.expected_error(white, weights, means, given, None, 1)
    right = (densities.max(axis=0) / densities.sum(axis=0)).mean()
    assert found == pytest.approx(1 - right, abs=1e-5)
    assert 0.01 < found < 0.5
    two = np.array([[1, 0.25, 0], [0, 0.75, 1]])
    classes = two @ densities
    right = (classes.max(axis=0) / classes.sum(axis=0)).mean()
    for memberships in (two, np.asfortranarray(two)):
        found = kernel.expected_error(white, weights, means, given, memberships, 1)
        assert found == pytest.approx(1 - right, abs=1e-5)
    assert kernel.expected_error(white, weights, means, given, np.ones((1, 3)), 1) == 0
