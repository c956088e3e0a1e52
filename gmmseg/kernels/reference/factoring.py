"""Triangular factors of some small matrices, and how well they tell components apart."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.blas import one_blas_thread

__all__ = ["expected_error", "invert_lower", "precision_factors"]


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


def expected_error(
    white: Array, weights: Array, means: Array, factors: Array, memberships: Array | None, threads: int
) -> float:
    """Return the share of samples, made of white noise `(d, n)`, whose likeliest component is not theirs.

    Components, of lower precision factors `(K, d, d)` or their diagonals `(K, d)`, have as many samples as weights say.
    With `memberships` `(k, K)` the error is that of the likeliest class.
    """
    d, n = white.shape
    ends = np.rint(np.cumsum(weights) / weights.sum() * n).astype(np.int64)
    dense = factors if factors.ndim == 3 else factors[:, :, None] * np.eye(d)
    samples = np.empty_like(white)
    for mean, root, first, end in zip(means, invert_lower(dense), [0, *ends[:-1]], ends, strict=True):
        samples[:, first:end] = mean[:, None] + np.einsum("rs,sn->rn", root, white[:, first:end])
    with np.errstate(divide="ignore"):
        constants = np.log(weights) + np.log(np.diagonal(dense, axis1=1, axis2=2)).sum(axis=1)
    apart = np.einsum("krs,ksn->krn", dense, samples - means[:, :, None])
    logarithms = constants[:, None] - 0.5 * (apart**2).sum(axis=1)
    shares = np.exp(logarithms - logarithms.max(axis=0))
    classes = shares if memberships is None else memberships @ shares
    return 1 - float((classes.max(axis=0) / classes.sum(axis=0)).mean())
