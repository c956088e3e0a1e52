"""Samples each of which lacks features of its own: sample by sample, where patterns would have hardly one each.

With the precision P of a component and M the features that a sample lacks, these are expected where the distance is
least, and the inverse of the part P[M, M] is the covariance that the known features leave to them. No covariance of
known features is inverted, and where little is missing little is to be done. All is computed in float64, whose digits
are too few only where features depend on each other but for one part in 1e10 (`workable`).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.kernels import Densities
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.mixture.covariance import inverse_of_lower

__all__ = [
    "Outliers",
    "Sums",
    "distances_of_incomplete",
    "expected_log_share",
    "imputed",
    "posterior_of_incomplete",
    "sums_of_incomplete",
    "symmetric",
    "workable",
]

_CHUNK = 8192  # samples whose responsibilities are held at a time
_MOST_INFLATED = 1e10  # variance of a feature by what the others leave of it; its rounding is lost in P[M, M]
_LOWEST = -7e299  # densities below it are taken as it, so that every sample has finite posteriors


@cache
def _places(d: int) -> Array:
    """Where the numbers of symmetric matrices (d, d) stand among those of their lower triangles, row by row."""
    rows, columns = np.tril_indices(d)
    places = np.empty((d, d), np.intp)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return places


def symmetric(triangles: Array, d: int) -> Array:
    """Return symmetric matrices (..., d, d) from the numbers of their lower triangles, row by row."""
    return triangles.take(_places(d), axis=-1)  # half of the time of two assignments (d = 16 to 64)


class Outliers(NamedTuple):
    """A uniform component: the logarithm of its weight, and those of the sides (d,) of its box."""

    log_weight: float
    log_sides: Array


class Sums(NamedTuple):
    """Sums over samples, for each of K components, about their means; `Statistics` says what they are."""

    counts: Array
    mass: Array
    tails: Array
    first: Array
    second: Array
    outliers: float
    log_likelihood: float


def expected_log_share(dof: Array, d: Any) -> Array:
    """Return the expected logarithm of a share less the logarithm of the expected one (Peel and McLachlan 2000)."""
    from scipy.special import digamma  # here, because Gaussian mixtures do without

    half = (dof + d) / 2
    return np.asarray(digamma(half) - np.log(half))


def workable(densities: Densities) -> bool:
    """Whether samples can be worked on one by one: no component is without extent or nearly flat in some direction."""
    factors = densities.factors
    if factors.ndim == 2 or not factors.any(axis=-1).all():
        return bool(factors.all())
    left = (factors**2).sum(axis=1)
    return bool(((inverse_of_lower(factors) ** 2).sum(axis=2) * left).max() < _MOST_INFLATED)


def posterior_of_incomplete(
    planes: Array, densities: Densities, log_prior: Array | None, threads: int
) -> tuple[Array, Array]:
    """Return responsibilities (K, n) and log densities (n,) of samples (d, n) with NaN in some features, float64."""
    soft, log_density = np.empty((len(densities.means), planes.shape[1])), np.empty(planes.shape[1])
    precisions = _precisions(densities.factors)
    fewest_first = np.argsort(np.isnan(planes).sum(axis=0), kind="stable")
    for index in _chunks(fewest_first):
        some = np.ascontiguousarray(planes[:, index], np.float64)
        joint = _log_joint(some, *_distances(some, densities, precisions, threads), densities)
        soft[:, index], log_density[index] = _shares(joint if log_prior is None else joint + log_prior[:, index])
    return soft, log_density


def sums_of_incomplete(
    planes: Array,
    weights: Array | None,
    log_prior: Array | None,
    densities: Densities,
    outliers: Outliers | None,
    threads: int,
    noise: Array | None = None,
) -> Sums:
    """Return the sums of an E step over samples (d, n), each with NaN in features of its own.

    Samples that lack about as many features should lie side by side. `log_prior` has a row for the outliers too;
    `noise` (d,) is as of `measure`.
    """
    precisions = _precisions(densities.factors)
    parts = []
    for start in range(0, planes.shape[1], _CHUNK):
        index = slice(start, start + _CHUNK)
        some = np.ascontiguousarray(planes[:, index], np.float64)
        distances, log_roots = _distances(some, densities, precisions, threads)
        joint = _log_joint(some, distances, log_roots, densities)
        if noise is not None:
            joint -= _blurs(some, densities.factors, precisions, noise)
        if outliers is not None:
            box = np.where(np.isnan(some), 0, outliers.log_sides[:, None]).sum(axis=0)
            joint = np.append(joint, outliers.log_weight - box[None], axis=0)
        q, log_density = _shares(joint if log_prior is None else joint + log_prior[:, index])
        if weights is not None:
            mass = weights[index].astype(np.float64)
            q, log_density = q * mass, log_density * mass
        parts.append(_sums(some, q, float(log_density.sum()), distances, densities, precisions, threads))
    return Sums(*(sum(values[1:], values[0]) for values in zip(*parts, strict=True)))


def distances_of_incomplete(planes: Array, densities: Densities) -> Array:
    """Return squared Mahalanobis distances (K, n) of samples (d, n) in the features that are not NaN."""
    planes = np.ascontiguousarray(planes, np.float64)
    return _distances(planes, densities, _precisions(densities.factors), 1)[0]


def imputed(planes: Array, densities: Densities, soft: Array, threads: int) -> Array:
    """Return samples (d, n) with what is NaN as it is expected from the rest, given their responsibilities (K, n)."""
    out = planes.astype(np.float64)
    missing, precisions = np.isnan(planes), _precisions(densities.factors)
    fewest_first = np.argsort(missing.sum(axis=0), kind="stable")
    for index in _chunks(fewest_first):
        shares, some = np.ascontiguousarray(soft[:, index], np.float64), np.ascontiguousarray(out[:, index])
        if precisions is None:
            found = densities.means.T @ shares
        else:
            found = np.empty_like(some)
            kernels.expected(some, densities.means, densities.factors, precisions, shares, found, threads)
        out[:, index] = np.where(missing[:, index], found, some)
    return out.astype(planes.dtype)


def _chunks(index: Array) -> list[Array]:
    return [index[start : start + _CHUNK] for start in range(0, len(index), _CHUNK)]


def _precisions(factors: Array) -> Array | None:
    """Precisions (K, d, d) of lower factors; None for diagonal ones."""
    if factors.ndim == 2:
        return None
    with one_blas_thread(factors.shape[1]):
        return np.ascontiguousarray(np.swapaxes(factors, 1, 2) @ factors)


def _distances(planes: Array, densities: Densities, precisions: Array | None, threads: int) -> tuple[Array, Array]:
    """See `gmmseg.kernels.reference.gaps.known_distances`."""
    means, factors = densities.means, densities.factors
    distances, log_roots = np.empty((2, len(means), planes.shape[1]))
    if precisions is not None:
        kernels.known_distances(planes, means, factors, precisions, distances, log_roots, threads)
        return distances, log_roots
    missing = np.isnan(planes)
    for k, (mean, factor) in enumerate(zip(means, factors, strict=True)):
        distances[k] = np.where(missing, 0, (factor[:, None] * (planes - mean[:, None])) ** 2).sum(axis=0)
        log_roots[k] = np.where(missing, np.log(factor)[:, None], 0).sum(axis=0)
    return distances, log_roots


def _blurs(planes: Array, factors: Array, precisions: Array | None, noise: Array) -> Array:
    """Return the loss (K, n) of expected log densities of the known features to noise of variance (d,) in them.

    That is half the trace of noise times the precision of what is known. With the precision P of all, N the diagonal of
    the noise and M what is missing, the trace is tr(N P) less the trace of inverse(P[M, M]) (P N P)[M, M].
    """
    missing = np.isnan(planes)
    if precisions is None:
        return np.asarray(0.5 * factors**2 @ np.where(missing, 0, noise[:, None]))
    found = np.empty((len(precisions), planes.shape[1]))
    numbers = missing.sum(axis=0)
    for k, precision in enumerate(precisions):
        with one_blas_thread(len(precision)):
            spread = (precision * noise) @ precision
        found[k] = np.diagonal(precision) @ noise
        for m in np.unique(numbers[numbers > 0]):
            some = np.flatnonzero(numbers == m)
            places = np.nonzero(missing[:, some].T)[1].reshape(-1, m)
            block = places[:, :, None], places[:, None, :]
            found[k, some] -= np.trace(np.linalg.solve(precision[block], spread[block]), axis1=1, axis2=2)
    return 0.5 * found


def _log_joint(planes: Array, distances: Array, log_roots: Array, densities: Densities) -> Array:
    """Logarithm of weight times density of the known features (K, n)."""
    d, dof = len(planes), densities.dof
    known = d - np.isnan(planes).sum(axis=0)
    constants = densities.log_constants[:, None] - log_roots + (d - known) * (0.5 * math.log(2 * math.pi))
    if dof is None:
        return np.asarray(constants - 0.5 * distances)
    # The normaliser of all features gives way to that of the known ones.
    ratios = [[math.lgamma((shape + o) / 2) - o / 2 * math.log(shape / 2) for o in range(d + 1)] for shape in dof]
    constants += (np.array(ratios) - np.array(ratios)[:, -1:])[:, known]
    return np.asarray(constants - (dof[:, None] + known) / 2 * np.log1p(distances / dof[:, None]))


def _shares(joint: Array) -> tuple[Array, Array]:
    """Responsibilities (K, n) and log densities (n,) of logarithms of weight times density."""
    joint = np.where(joint > _LOWEST, joint, _LOWEST)
    highest = joint.max(axis=0)
    q = np.exp(joint - highest)
    total = q.sum(axis=0)
    return q / total, highest + np.log(total)


def _sums(
    planes: Array,
    q: Array,
    log_likelihood: float,
    distances: Array,
    densities: Densities,
    precisions: Array | None,
    threads: int,
) -> Sums:
    means, factors, dof = densities.means, densities.factors, densities.dof
    k, d = means.shape
    counts = shares = np.ascontiguousarray(q[:k])
    tails = np.zeros(k)
    if dof is not None:
        known = d - np.isnan(planes).sum(axis=0)
        scale = (dof[:, None] + known) / (dof[:, None] + distances)
        shares = counts * scale
        expected = expected_log_share(dof[:, None], np.arange(d + 1))[:, known]
        tails = (counts * (np.log(scale) - scale + expected)).sum(axis=1)
    if precisions is not None:
        found = kernels.conditional_sums(planes, means, factors, precisions, shares, counts, threads)
        first, second = found[:, 1 : 1 + d], symmetric(found[:, 1 + d :], d)
    else:
        missing = np.isnan(planes)
        first, second = np.empty((k, d)), np.empty((k, d))
        for row, (mean, factor) in enumerate(zip(means, factors, strict=True)):
            offsets = np.where(missing, 0, planes - mean[:, None])
            first[row] = (shares[row] * offsets).sum(axis=1)
            second[row] = (shares[row] * offsets**2 + counts[row] * missing / factor[:, None] ** 2).sum(axis=1)
    return Sums(counts.sum(axis=1), shares.sum(axis=1), tails, first, second, float(q[k:].sum()), log_likelihood)
