"""Triangular factors of some small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["invert_lower", "precision_factors", "spread"]

Array = NDArray[Any]


def precision_factors(covariances: Array) -> Array | None:
    """See gmmseg.kernels.precision_factors."""
    try:
        lower = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        return None
    return invert_lower(lower) if np.isfinite(lower).all() else None


def invert_lower(lower: Array) -> Array:
    """See gmmseg.kernels.invert_lower."""
    inverse = np.zeros_like(lower)
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(lower.shape[-1]):
            inverse[:, i, i] = 1 / lower[:, i, i]
            inverse[:, i, :i] = (lower[:, i, None, :i] @ inverse[:, :i, :i])[:, 0] * -inverse[:, i, i, None]
    return inverse


def spread(white: Array, ends: Array, means: Array, lower: Array) -> Array:
    """See gmmseg.kernels.spread."""
    out, first = np.empty_like(white), 0
    for mean, factor, end in zip(means, lower, ends, strict=True):
        out[:, first:end] = mean[:, None] + np.einsum("rs,sn->rn", factor, white[:, first:end])
        first = end
    return out
