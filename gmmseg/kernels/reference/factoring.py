"""Triangular factors of some small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.blas import one_blas_thread

__all__ = ["invert_lower", "precision_factors", "spread"]

Array = NDArray[Any]


def precision_factors(covariances: Array) -> Array | None:
    """Return lower precision factors `(K, d, d)` of covariances `(K, d, d)`; None where one is not positive definite.

    They are the inverses of the lower factors of Cholesky.
    """
    try:
        with one_blas_thread(covariances.shape[-1]):
            lower = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        return None
    return invert_lower(lower) if np.isfinite(lower).all() else None


def invert_lower(lower: Array) -> Array:
    """Return the inverses of lower triangular matrices `(K, d, d)`, row by row, which keeps tiny diagonals."""
    inverse = np.zeros_like(lower)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(lower.shape[-1]):
            inverse[:, i, i] = 1 / lower[:, i, i]
            inverse[:, i, :i] = (lower[:, i, None, :i] @ inverse[:, :i, :i])[:, 0] * -inverse[:, i, i, None]
    return inverse


def spread(white: Array, ends: Array, means: Array, lower: Array) -> Array:
    """Return samples `(d, n)` of components, made from white noise, float32 or float64: the first up to the first end.

    `ends` `(K,)` are int64 and ascending, the last one n; `lower` `(K, d, d)` times its transpose is the covariance.
    """
    out, first = np.empty_like(white), 0
    for mean, factor, end in zip(means, lower, ends, strict=True):
        out[:, first:end] = mean[:, None] + np.einsum("rs,sn->rn", factor, white[:, first:end])
        first = end
    return out
