"""Densities: a mixture as the kernels take it."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

__all__ = ["Densities"]

Array = NDArray[Any]


class Densities(NamedTuple):
    """The weighted densities of a mixture's K components in d features: four arrays, float64 and contiguous.

    Parameters
    ----------
    log_constants : ndarray, shape (K,)
        Logarithm of the weight plus that of the density's normaliser.
    means : ndarray, shape (K, d)
    factors : ndarray, shape (K, d, d) or (K, d)
        Lower triangular factors P with P (x - mean) white; (K, d) for diagonal covariances.
    dof : ndarray, shape (K,), optional
        Degrees of freedom: the components are Student-t distributions, whose normaliser is in `log_constants`.
    """

    log_constants: Array
    means: Array
    factors: Array
    dof: Array | None = None
