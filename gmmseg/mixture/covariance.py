"""The four covariance families, one class each behind one registry.

Shapes, for K components of d features:

========= =================== ========================
family    covariances         precision factors
========= =================== ========================
full      (K, d, d)           (K, d, d) lower
tied      (d, d)              (K, d, d) lower, all equal
diag      (K, d)              (K, d)
spherical (K,)                (K, d), constant rows
========= =================== ========================
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.kernels.blas import one_blas_thread, product
from gmmseg.mixture.words import COVARIANCES, known_covariance

__all__ = [
    "FAMILIES",
    "Family",
    "count_parameters",
    "factors_of_precisions",
    "factors_of_roots",
    "family",
    "inverse_of_lower",
]

_MANY = 96  # features; of more, LAPACK's factors and inverses of triangles are quicker than the kernels'


class Family(Protocol):
    """What a covariance family, such as "full", knows; no method changes anything."""

    diagonal: bool
    shared: bool

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """Shape of the covariances."""

    def estimate(self, counts: Array, second: Array, regularization: Array) -> Array:
        """Covariances from weighted counts (K,) and mean second moments about the means, (K, d, d) or (K, d)."""

    def at_least(self, covariances: Array, floor: Array) -> Array:
        """Covariances of highest likelihood that exceed these variances (d,) in every direction."""

    def factors(self, covariances: Array, k: int, d: int) -> Array:
        """Precision factors; raises numpy.linalg.LinAlgError where a covariance is not positive definite."""

    def dense(self, covariances: Array, k: int, d: int) -> Array:
        """Covariances as (K, d, d) matrices."""

    def n_parameters(self, k: int, d: int) -> int:
        """Free parameters of all covariances together."""


def _lower_factors(covariances: Array) -> Array:
    d = covariances.shape[-1]
    if d == 1:
        return _inverse_roots(covariances)
    if d <= _MANY:
        factors = kernels.precision_factors(np.ascontiguousarray(covariances, np.float64))
        if factors is None:
            raise np.linalg.LinAlgError("covariance is not positive definite")
        return np.asarray(factors)
    with one_blas_thread(d):
        lower = np.linalg.cholesky(covariances)
    if not np.isfinite(lower).all():
        raise np.linalg.LinAlgError("covariance is not finite")
    return inverse_of_lower(lower)


_upper_triangle = cache(np.triu_indices)


def _inverse_of_large(lower: Array) -> Array:
    from scipy.linalg.lapack import dtrtri  # here, because few runs have so many features

    with one_blas_thread(lower.shape[-1]):  # once its BLAS is loaded
        return np.stack([dtrtri(each.T, lower=0)[0].T for each in lower])


def inverse_of_lower(lower: Array) -> Array:
    """Return the inverses of lower triangular matrices (K, d, d)."""
    if lower.shape[-1] > _MANY:
        diagonals = np.diagonal(lower, axis1=1, axis2=2)
        if diagonals.min() > 1e-6 * np.abs(lower).max():
            return _inverse_of_large(lower)
    return np.asarray(kernels.invert_lower(np.ascontiguousarray(lower, np.float64)))


def factors_of_roots(roots: Array) -> Array:
    """Return lower precision factors (K, o, o) of covariances R R^T, from R (K, o, d): no digit is lost by squaring."""
    with one_blas_thread(roots.shape[1]):
        lower = np.swapaxes(np.linalg.qr(np.swapaxes(roots, 1, 2), mode="r"), 1, 2)
    diagonals = np.diagonal(lower, axis1=1, axis2=2)
    least = np.finfo(np.float64).eps * np.abs(lower).max(axis=2)
    lower = lower * np.where(diagonals < 0, -1, 1)[:, None, :]
    index = np.arange(lower.shape[1])
    lower[:, index, index] = np.maximum(lower[:, index, index], least)
    return inverse_of_lower(lower)


def factors_of_precisions(roots: Array) -> Array:
    """Return lower precision factors (..., d, d) of precisions P P^T, from any square P (..., d, d).

    P^T itself is one where P is upper triangular with a positive diagonal. All others are P^T times a rotation, and the
    triangular one among them is found by QR, of the features in reverse order for it to be lower.

    Raises
    ------
    ParameterError
        P is singular or holds NaN or infinity: no density has such a precision.
    """
    factors = np.swapaxes(roots, -1, -2)
    d, diagonals = factors.shape[-1], np.diagonal(factors, axis1=-2, axis2=-1)
    if np.isfinite(factors).all() and (diagonals > 0).all() and not factors[..., *_upper_triangle(d, 1)].any():
        return factors
    lower = np.asarray(np.linalg.qr(factors[..., ::-1], mode="r"))[..., ::-1, ::-1]
    diagonals = np.diagonal(lower, axis1=-2, axis2=-1)
    # Column by column, so that the features' units do not matter.
    if not (np.abs(diagonals) > d * np.finfo(np.float64).eps * np.abs(lower).max(axis=-2)).all():
        raise ParameterError(
            "precisions_cholesky_ has a matrix that is singular or holds NaN or infinity; give square P with P P^T the "
            "inverse of a covariance"
        )
    return np.asarray(lower * np.where(diagonals < 0, -1, 1)[..., None])


def _pooled(counts: Array, second: Array) -> Array:
    """Return the mean of second moments (K, ...), weighted by counts (K,)."""
    return product(second.reshape(len(second), -1).T, counts[None] / counts.sum()).reshape(second.shape[1:])


def _raised(covariances: Array, floor: Array) -> Array:
    """Return covariances (K, d, d) whose axes, where the floor is a ball of radius 1, are at least that long."""
    unit = np.sqrt(floor[:, None] * floor)
    found = covariances.copy()
    for k in np.flatnonzero(np.isfinite(covariances).all(axis=(1, 2))):
        with one_blas_thread(len(floor)):
            variances, axes = np.linalg.eigh(covariances[k] / unit)
            if variances[0] < 1:
                found[k] = (axes * np.maximum(variances, 1)) @ axes.T * unit
    return found


def _inverse_roots(variances: Array) -> Array:
    if not (np.isfinite(variances).all() and (variances > 0).all()):
        raise np.linalg.LinAlgError("variance is not positive")
    return np.asarray(1.0 / np.sqrt(variances))


class Full:
    """Each component its own matrix: tilted ellipsoids."""

    diagonal, shared = False, False

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d, d)

    def estimate(self, counts: Array, second: Array, regularization: Array) -> Array:
        return np.asarray(second + np.diag(regularization))

    def at_least(self, covariances: Array, floor: Array) -> Array:
        return _raised(covariances, floor)

    def factors(self, covariances: Array, k: int, d: int) -> Array:
        return _lower_factors(covariances)

    def dense(self, covariances: Array, k: int, d: int) -> Array:
        return covariances

    def n_parameters(self, k: int, d: int) -> int:
        return k * d * (d + 1) // 2


class Tied:
    """One matrix for all components: the same tilted ellipsoid at every mean."""

    diagonal, shared = False, True

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (d, d)

    def estimate(self, counts: Array, second: Array, regularization: Array) -> Array:
        return np.asarray(_pooled(counts, second) + np.diag(regularization))

    def at_least(self, covariances: Array, floor: Array) -> Array:
        return np.asarray(_raised(covariances[None], floor)[0])

    def factors(self, covariances: Array, k: int, d: int) -> Array:
        return np.repeat(_lower_factors(covariances[None]), k, axis=0)

    def dense(self, covariances: Array, k: int, d: int) -> Array:
        return np.repeat(covariances[None], k, axis=0)

    def n_parameters(self, k: int, d: int) -> int:
        return d * (d + 1) // 2


class Diag:
    """Each component its own variances: ellipsoids along the axes."""

    diagonal, shared = True, False

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d)

    def estimate(self, counts: Array, second: Array, regularization: Array) -> Array:
        return second + regularization

    def at_least(self, covariances: Array, floor: Array) -> Array:
        return np.asarray(np.maximum(covariances, floor))

    def factors(self, covariances: Array, k: int, d: int) -> Array:
        return _inverse_roots(covariances)

    def dense(self, covariances: Array, k: int, d: int) -> Array:
        return np.asarray(covariances[:, :, None] * np.eye(d))

    def n_parameters(self, k: int, d: int) -> int:
        return k * d


class Spherical:
    """Each component one variance: balls."""

    diagonal, shared = True, False

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k,)

    def estimate(self, counts: Array, second: Array, regularization: Array) -> Array:
        return np.asarray((second + regularization).mean(axis=1))

    def at_least(self, covariances: Array, floor: Array) -> Array:
        return np.asarray(np.maximum(covariances, floor.max()))

    def factors(self, covariances: Array, k: int, d: int) -> Array:
        return np.repeat(_inverse_roots(covariances)[:, None], d, axis=1)

    def dense(self, covariances: Array, k: int, d: int) -> Array:
        return np.asarray(covariances[:, None, None] * np.eye(d))

    def n_parameters(self, k: int, d: int) -> int:
        return k


FAMILIES: dict[str, Family] = dict(zip(COVARIANCES, (Full(), Tied(), Diag(), Spherical()), strict=True))


def count_parameters(of: Family, k: int, d: int, frozen: int = 0) -> int:
    """Return the free parameters of k components, of which so many keep all but their weights.

    Examples
    --------
    >>> count_parameters(FAMILIES["full"], 2, 3)  # a weight, two means of 3 and two covariances of 6
    19
    """
    free = k - frozen
    return k - 1 + free * d + of.n_parameters(free, d)


def family(name: str, parameter: str = "covariance") -> Family:
    """Return the covariance family of this name; ParameterError names the parameter and the choices otherwise."""
    return FAMILIES[known_covariance(name, parameter)]
