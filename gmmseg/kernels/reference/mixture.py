"""Densities, posteriors and sufficient statistics by matrix products, in one thread whatever `threads` is.

Blocks are of so few samples that the BLAS starts no threads either.
"""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.blas import ALONE
from gmmseg.kernels.densities import Densities

__all__ = ["classify", "posterior", "statistics"]

_BLOCK, _LEAST = 8192, 16  # samples
_LOWEST = {np.dtype(np.float32): -7e29, np.dtype(np.float64): -7e299}


def _centred(x: Array, mean: Array) -> Array:
    return np.asarray(x - mean.astype(x.dtype)[:, None])


def _distances(x: Array, densities: Densities) -> Array:
    """Squared Mahalanobis distances (K, m) of one block (d, m)."""
    means, factors = densities.means, densities.factors
    out = np.empty((len(means), x.shape[1]), x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for k, factor in enumerate(factors.astype(x.dtype)):
            y = _centred(x, means[k])
            y = factor @ y if factor.ndim == 2 else factor[:, None] * y
            out[k] = (y * y).sum(axis=0)
    return out


def _log_joint(distances: Array, densities: Densities, log_prior: Array | None) -> Array:
    """Log of weight times density (K, m), and of the prior (K, m), from squared distances (K, m)."""
    dtype, lowest, d = distances.dtype, _LOWEST[distances.dtype], densities.means.shape[1]
    constants = densities.log_constants.astype(dtype)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        if densities.dof is None:
            out = constants - dtype.type(0.5) * distances
        else:
            shape = densities.dof.astype(dtype)[:, None]
            out = constants - (shape + d) / 2 * np.log1p(distances / shape)
        if log_prior is not None:
            out = out + log_prior
    out[~(out > lowest)] = lowest
    return np.asarray(out)


def _blocks(planes: Array) -> list[slice]:
    d, n = planes.shape
    step = max(_LEAST, min(_BLOCK, ALONE // d**2))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def _responsibilities(joint: Array) -> tuple[Array, Array]:
    """Turn logs of weight times density (K, m) into responsibilities, in place; return them and log densities."""
    highest = joint.max(axis=0)
    np.exp(np.subtract(joint, highest, out=joint), out=joint)
    normaliser = joint.sum(axis=0)
    joint /= normaliser
    return joint, highest + np.log(normaliser)


def statistics(
    planes: Array, weights: Array | None, densities: Densities, threads: int, log_prior: Array | None = None
) -> tuple[Array, float]:
    """Return sums over samples that an M step needs, `(K, 1 + d + second moments)`, and the log-likelihood of all.

    The sums are of responsibilities, and of responsibilities times first and second powers of the samples less the
    means (rounded to the planes' dtype). Second moments are the rows of the lower triangle, or the d squares when the
    factors are diagonal. With `dof` the sums are of responsibility r times u, the sample's share in the scale (Peel and
    McLachlan 2000), and two columns follow: the sums of r and of r (ln u - u).
    """
    _, means, factors, dof, *_ = densities
    k, d = means.shape
    lower = np.tril_indices(d)
    moments = 1 + d + (d if factors.ndim == 2 else len(lower[0]))
    sums = np.zeros((k, moments + (0 if dof is None else 2)))
    log_likelihood = 0.0
    for block in _blocks(planes):
        x = planes[:, block]
        distances = _distances(x, densities)
        prior = None if log_prior is None else log_prior[:, block]
        r, log_density = _responsibilities(_log_joint(distances, densities, prior))
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
    densities: Densities,
    out: Array | None,
    log_density: Array | None,
    threads: int,
    log_prior: Array | None = None,
) -> bool:
    """Write responsibilities into `out` `(K, n)` and log densities into `log_density` `(n,)`; either may be None.

    Where classes are of several components, `out` is `(k, n)`, of the classes.
    Returns whether all features of all samples certainly are finite numbers; False does not say that one is not. A
    sample of which one is not has the same responsibility of each component.
    """
    for block in _blocks(planes):
        prior = None if log_prior is None else log_prior[:, block]
        joint = _log_joint(_distances(planes[:, block], densities), densities, prior)
        r, density = _responsibilities(joint)
        if out is not None:
            out[:, block] = densities.of_classes(r)
        if log_density is not None:
            log_density[block] = density
    return bool(np.isfinite(planes).all())


def classify(
    planes: Array, densities: Densities, out: Array, first: int, threads: int, log_prior: Array | None = None
) -> bool:
    """Write `first` plus the index of the likeliest component or class into `out` `(n,)`, uint8 or int64.

    Returns what `posterior` does.
    """
    for block in _blocks(planes):
        prior = None if log_prior is None else log_prior[:, block]
        joint = _log_joint(_distances(planes[:, block], densities), densities, prior)
        if densities.per_class is not None:
            joint = densities.of_classes(_responsibilities(joint)[0])
        out[block] = joint.argmax(axis=0) + first
    return bool(np.isfinite(planes).all())
