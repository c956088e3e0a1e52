"""Densities, posteriors and sufficient statistics by matrix products, block by block; `threads` is left to the BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["classify", "posterior", "statistics"]

Array = NDArray[Any]

_BLOCK = 16_384
_LOWEST = {np.dtype(np.float32): -7e29, np.dtype(np.float64): -7e299}


def _centred(x: Array, mean: Array) -> Array:
    return np.asarray(x - mean.astype(x.dtype)[:, None])


def _log_joint(x: Array, log_constants: Array, means: Array, factors: Array) -> Array:
    """Log of weight times density (K, m) of one block (d, m)."""
    out = np.empty((len(means), x.shape[1]), x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, factor in enumerate(factors.astype(x.dtype)):
            y = _centred(x, means[k])
            y = factor @ y if factor.ndim == 2 else factor[:, None] * y
            out[k] = log_constants[k] - 0.5 * (y * y).sum(axis=0)
    lowest = _LOWEST[x.dtype]
    out[~(out > lowest)] = lowest
    return out


def _blocks(planes: Array) -> list[slice]:
    n = planes.shape[1]
    return [slice(i, min(i + _BLOCK, n)) for i in range(0, n, _BLOCK)]


def _responsibilities(joint: Array) -> tuple[Array, Array]:
    """Responsibilities, in place, and the log density."""
    highest = joint.max(axis=0)
    np.exp(np.subtract(joint, highest, out=joint), out=joint)
    normaliser = joint.sum(axis=0)
    joint /= normaliser
    return joint, highest + np.log(normaliser)


def statistics(
    planes: Array, weights: Array | None, log_constants: Array, means: Array, factors: Array, threads: int
) -> tuple[Array, float]:
    """See gmmseg.kernels.statistics."""
    k, d = means.shape
    lower = np.tril_indices(d)
    sums = np.zeros((k, 1 + d + (d if factors.ndim == 2 else len(lower[0]))))
    log_likelihood = 0.0
    for block in _blocks(planes):
        x = planes[:, block]
        r, log_density = _responsibilities(_log_joint(x, log_constants, means, factors))
        if weights is not None:
            r *= weights[block]
            log_density = log_density * weights[block]
        log_likelihood += float(log_density.sum(dtype=np.float64))
        sums[:, 0] += r.sum(axis=1)
        for row, mean, part in zip(r, means, sums, strict=True):
            centred = _centred(x, mean)
            weighted = centred * row
            part[1 : 1 + d] += weighted.sum(axis=1)
            part[1 + d :] += (weighted * centred).sum(axis=1) if factors.ndim == 2 else (weighted @ centred.T)[lower]
    return sums, log_likelihood


def posterior(
    planes: Array,
    log_constants: Array,
    means: Array,
    factors: Array,
    out: Array | None,
    log_density: Array | None,
    threads: int,
) -> None:
    """See gmmseg.kernels.posterior."""
    for block in _blocks(planes):
        r, density = _responsibilities(_log_joint(planes[:, block], log_constants, means, factors))
        if out is not None:
            out[:, block] = r
        if log_density is not None:
            log_density[block] = density


def classify(
    planes: Array, log_constants: Array, means: Array, factors: Array, out: Array, first: int, threads: int
) -> None:
    """See gmmseg.kernels.classify."""
    for block in _blocks(planes):
        out[block] = _log_joint(planes[:, block], log_constants, means, factors).argmax(axis=0) + first
