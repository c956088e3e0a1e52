"""Triangular factors: compiled and reference against NumPy's decompositions."""

import numpy as np
import pytest
from implementations import both


@both
@pytest.mark.parametrize("d", [1, 2, 5, 24])
def test_precision_factors_are_inverses_of_lower_ones(kernel, d, rng):
    roots = rng.normal(size=(3, d, d + 2))
    covariances = roots @ np.swapaxes(roots, 1, 2)
    covariances.flags.writeable = False
    factors = kernel.precision_factors(covariances)
    np.testing.assert_allclose(factors @ covariances @ np.swapaxes(factors, 1, 2), [np.eye(d)] * 3, atol=1e-9)
    np.testing.assert_array_equal(np.triu(factors, 1), 0)
    assert (np.diagonal(factors, axis1=1, axis2=2) > 0).all()


@both
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_there_are_none_of_what_is_not_positive_definite(kernel, bad):
    covariances = np.tile(np.eye(3), (2, 1, 1))
    covariances[1, 2, 2] = bad
    assert kernel.precision_factors(covariances) is None
    covariances[1] = [[1, 2, 0], [2, 1, 0], [0, 0, 1]]
    assert kernel.precision_factors(covariances) is None


@both
@pytest.mark.parametrize("d", [1, 3, 12])
def test_inverses_keep_tiny_diagonals(kernel, d, rng):
    lower = np.tril(rng.normal(size=(2, d, d))) + 3 * np.eye(d)
    lower[0, -1, -1] = 1e-200
    lower.flags.writeable = False
    inverse = kernel.invert_lower(lower)
    np.testing.assert_array_equal(np.triu(inverse, 1), 0)
    np.testing.assert_allclose(inverse[1] @ lower[1], np.eye(d), atol=1e-12)
    assert inverse[0, -1, -1] == pytest.approx(1e200)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ends", [[40, 40, 100], [0, 33, 100], [100, 100, 100]])
def test_samples_are_spread_as_their_component_is(kernel, ends, rng, dtype):
    white, means = rng.normal(size=(4, 100)).astype(dtype), rng.normal(size=(3, 4))
    lower = np.tril(rng.normal(size=(3, 4, 4)))
    for each in (white, means, lower):
        each.flags.writeable = False
    found = kernel.spread(white, np.array(ends), means, lower)
    own = np.searchsorted(ends, np.arange(100), side="right")
    right = means[own].T + np.einsum("nrs,sn->rn", lower[own], white)
    np.testing.assert_allclose(found, right, atol=1e-12 if dtype == np.float64 else 1e-5)
    assert found.dtype == dtype
