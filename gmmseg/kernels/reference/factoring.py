"""Triangular factors of some small matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["invert_lower", "precision_factors"]

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
