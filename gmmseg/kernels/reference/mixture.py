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


def _distances(x: Array, means: Array, factors: Array) -> Array:
    """Squared Mahalanobis distances (K, m) of one block (d, m)."""
    out = np.empty((len(means), x.shape[1]), x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, factor in enumerate(factors.astype(x.dtype)):
            y = _centred(x, means[k])
            y = factor @ y if factor.ndim == 2 else factor[:, None] * y
            out[k] = (y * y).sum(axis=0)
    return out


def _log_joint(distances: Array, d: int, log_constants: Array, log_prior: Array | None, dof: Array | None) -> Array:
    """Log of weight times density (K, m) from squared distances (K, m) in d features."""
    dtype, lowest = distances.dtype, _LOWEST[distances.dtype]
    with np.errstate(over="ignore", invalid="ignore"):
        if dof is None:
            out = log_constants.astype(dtype)[:, None] - dtype.type(0.5) * distances
        else:
            shape = dof.astype(dtype)[:, None]
            out = log_constants.astype(dtype)[:, None] - (shape + d) / 2 * np.log1p(distances / shape)
        if log_prior is not None:
            out = out + log_prior
    out[~(out > lowest)] = lowest
    return np.asarray(out)


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
    planes: Array,
    weights: Array | None,
    log_constants: Array,
    means: Array,
    factors: Array,
    threads: int,
    log_prior: Array | None = None,
    dof: Array | None = None,
) -> tuple[Array, float]:
    """See gmmseg.kernels.statistics."""
    k, d = means.shape
    lower = np.tril_indices(d)
    moments = 1 + d + (d if factors.ndim == 2 else len(lower[0]))
    sums = np.zeros((k, moments + (0 if dof is None else 2)))
    log_likelihood = 0.0
    for block in _blocks(planes):
        x = planes[:, block]
        distances = _distances(x, means, factors)
        prior = None if log_prior is None else log_prior[:, block]
        r, log_density = _responsibilities(_log_joint(distances, d, log_constants, prior, dof))
        if weights is not None:
            r *= weights[block]
            log_density = log_density * weights[block]
        log_likelihood += float(log_density.sum(dtype=np.float64))
        if dof is not None:
            shape = dof.astype(x.dtype)[:, None]
            share = (shape + d) / (shape + distances)
            sums[:, moments] += r.sum(axis=1)
            sums[:, moments + 1] += (r * (np.log(share) - share)).sum(axis=1)
            r = r * share
        sums[:, 0] += r.sum(axis=1)
        for row, mean, part in zip(r, means, sums[:, :moments], strict=True):
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
    log_prior: Array | None = None,
    dof: Array | None = None,
) -> None:
    """See gmmseg.kernels.posterior."""
    for block in _blocks(planes):
        distances = _distances(planes[:, block], means, factors)
        prior = None if log_prior is None else log_prior[:, block]
        r, density = _responsibilities(_log_joint(distances, len(planes), log_constants, prior, dof))
        if out is not None:
            out[:, block] = r
        if log_density is not None:
            log_density[block] = density


def classify(
    planes: Array,
    log_constants: Array,
    means: Array,
    factors: Array,
    out: Array,
    first: int,
    threads: int,
    log_prior: Array | None = None,
    dof: Array | None = None,
) -> None:
    """See gmmseg.kernels.classify."""
    for block in _blocks(planes):
        distances = _distances(planes[:, block], means, factors)
        prior = None if log_prior is None else log_prior[:, block]
        out[block] = _log_joint(distances, len(planes), log_constants, prior, dof).argmax(axis=0) + first
