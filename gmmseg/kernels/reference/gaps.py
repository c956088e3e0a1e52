"""Samples each of which lacks features of its own, pattern by pattern."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.blas import one_blas_thread

__all__ = ["conditional_sums", "expected", "known_distances"]


def _filled_in(planes: Array, means: Array, precisions: Array) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Yield the samples of each pattern: index, offsets (K, d, m) from the means, filled in; the missing; their roots.

    The roots (K, o, o) are of the missing features' part of the precisions.
    """
    lacks, pattern = np.unique(np.isnan(planes), axis=1, return_inverse=True)
    for row, missing in enumerate(lacks.T):
        index = np.flatnonzero(pattern == row)
        offsets = np.where(missing[:, None], 0, planes[:, index] - means[:, :, None])
        part = precisions[:, missing][:, :, missing]
        roots = np.linalg.cholesky(part)
        offsets[:, missing] = -np.linalg.solve(part, precisions[:, missing] @ offsets)
        yield index, offsets, missing, roots


def known_distances(
    planes: Array, means: Array, factors: Array, precisions: Array, distances: Array, log_roots: Array, threads: int
) -> None:
    """Write squared Mahalanobis distances `(K, n)` of samples each of which lacks features of its own, NaN in planes.

    `planes`, the mixture's means, lower factors and precisions, and the outputs are float64 and contiguous. In
    `log_roots` `(K, n)` stands half the logarithm of the determinant of the missing features' part of the precision:
    less it, the logarithm of a normaliser becomes that of the known features. Samples that lack about as many features
    should lie side by side. Time O(n K (d**2 + m**3)) for m missing features.
    """
    with one_blas_thread(len(planes)):
        for index, offsets, _, roots in _filled_in(planes, means, precisions):
            distances[:, index] = ((factors @ offsets) ** 2).sum(axis=1)
            log_roots[:, index] = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)[:, None]


def conditional_sums(
    planes: Array, means: Array, factors: Array, precisions: Array, shares: Array, mass: Array, threads: int
) -> Array:
    """Return sums `(K, 1 + d + d (d + 1) / 2)` of such samples, filled in with what is expected of missing features.

    They are of `shares` `(K, n)` times powers of the samples less the means; to the second moments is added `mass`
    `(K, n)` times the covariance that the known features leave to those missing.
    """
    k, d = means.shape
    first, second = np.zeros((k, d)), np.zeros((k, d, d))
    with one_blas_thread(d):
        for index, offsets, missing, _ in _filled_in(planes, means, precisions):
            weighted = offsets * shares[:, None, index]
            first += weighted.sum(axis=2)
            second += weighted @ np.swapaxes(offsets, 1, 2)
            left = np.linalg.inv(precisions[:, missing][:, :, missing])
            second[:, np.flatnonzero(missing)[:, None], missing] += mass[:, index].sum(axis=1)[:, None, None] * left
    return np.concatenate([shares.sum(axis=1)[:, None], first, second[:, *np.tril_indices(d)]], axis=1)


def expected(
    planes: Array, means: Array, factors: Array, precisions: Array, shares: Array, out: Array, threads: int
) -> None:
    """Write such samples into `out` `(d, n)`, missing features as they are expected, averaged by `shares` `(K, n)`."""
    with one_blas_thread(len(planes)):
        for index, offsets, _, _ in _filled_in(planes, means, precisions):
            out[:, index] = (shares[:, None, index] * (offsets + means[:, :, None])).sum(axis=0)
