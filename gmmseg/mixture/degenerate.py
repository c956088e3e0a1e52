"""Components without samples of their own, or without volume: set up anew, dropped, or given a least variance."""

from __future__ import annotations

import contextlib

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import DataWarning, GmmsegWarning
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import Samples, Statistics, measure
from gmmseg.records import replace

__all__ = ["above", "as_before", "degenerate", "raised", "spread_of", "without"]

_MOST_PRECISE = 1e15  # inverse standard deviations above it would overflow when squared in float32
# Part of a variance, a feature, that is rounding: without others a component of no more samples than features has no
# volume, and a likelihood that goes up and down with what rounding left of it.
_FLAT = 1e-14
_LEAST_SPREAD = 1e-20  # variances below it are rounding of what is constant: a millionth of one is just not too precise


def spread_of(samples: Samples | SortedSamples, mixture: Mixture, statistics: Statistics, threads: int) -> Array:
    """Return the mean variances (d,) about the components' means; 1 of features that are constant there.

    The second moments of Student-t components are weighted by what shrinks with their scales: others are taken.
    """
    if mixture.dof is not None:
        statistics = measure(samples, replace(mixture, dof=None), threads=threads)
    second = statistics.second if statistics.second.ndim == 2 else np.diagonal(statistics.second, axis1=1, axis2=2)
    spread = second.sum(axis=0) / max(statistics.counts.sum(), np.finfo(float).tiny)
    return np.where((spread > _LEAST_SPREAD) & np.isfinite(spread), spread, 1.0)


def above(mixture: Mixture, floor: Array | None) -> Mixture:
    """Return the likeliest mixture with no direction of less variance than the floor (d,), None for none."""
    if floor is None:
        return mixture
    return replace(mixture, covariances=mixture.family.at_least(mixture.covariances, floor))


def raised(
    free: Mixture, statistics: Statistics, unit: Array, least: float, previous: Mixture
) -> tuple[Mixture, Array]:
    """Return a mixture above a higher and higher floor, in steps of ten, until a component is usable.

    Floors are parts of the unit (d,). Those components that are not become balls of it where they were: sums over
    samples too far apart for their dtype may have lost all digits. The floor (d,) is to be kept to from here on.
    """
    for power in range(-6, 3):
        floor = 10.0**power * unit
        mixture = above(free, floor)
        bad = degenerate(mixture, statistics, least)
        if not bad.all():
            break
    if bad.any():
        floor = np.minimum(floor, unit)
        balls = mixture.family.estimate(np.ones(len(bad)), np.zeros_like(statistics.second), unit)
        balls = mixture.family.at_least(balls, floor)
        mixture = as_before(mixture, replace(previous, covariances=balls), bad)
    return mixture, floor


def as_before(mixture: Mixture, previous: Mixture, bad: Array) -> Mixture:
    """Return the mixture with the bad components as they were in the previous one, but for their weights."""
    if bad.all():
        return replace(mixture, means=previous.means, covariances=previous.covariances)
    means, covariances = mixture.means.copy(), mixture.covariances.copy()
    means[bad] = previous.means[bad]
    if not mixture.family.shared:
        covariances[bad] = previous.covariances[bad]
    return replace(mixture, means=means, covariances=covariances)


def degenerate(mixture: Mixture, statistics: Statistics, least: float) -> Array:
    """Return which components (K,) hold less than the lightest sample or have no usable covariance."""
    bad = statistics.counts < 0.999 * least
    with contextlib.suppress(np.linalg.LinAlgError):
        if _usable(mixture):
            return bad
    if mixture.family.shared:
        return np.ones_like(bad)
    for k in range(mixture.n_components):
        usable = False
        with contextlib.suppress(np.linalg.LinAlgError):
            usable = _usable(mixture.select([k]))
        bad[k] |= not usable
    return bad


def _usable(mixture: Mixture) -> bool:
    """Whether no component is too precise, or has no volume but what rounding left."""
    factors = mixture.factors
    if not np.isfinite(mixture.means).all() or not np.abs(factors).max() < _MOST_PRECISE:
        return False
    if factors.ndim == 2:
        return True
    variances = np.diagonal(mixture.covariances, axis1=-2, axis2=-1)
    return bool((factors**2 * variances[..., None, :] < 1 / (_FLAT * mixture.n_features)).all())


def without(mixture: Mixture, bad: Array, again: bool) -> tuple[Mixture, list[GmmsegWarning]]:
    """Set the bad components up anew, or drop them where that was done often enough, and say so."""
    if again:
        return _split_widest(mixture, np.flatnonzero(~bad), np.flatnonzero(bad)), []
    none = f"{bad.sum()} of {len(bad)} components found no samples of their own and were dropped"
    return mixture.select(np.flatnonzero(~bad)), [DataWarning(none)]


def _split_widest(mixture: Mixture, good: Array, bad: Array) -> Mixture:
    """Put each bad component on one half of the good component with the most spread samples."""
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    weights, means, covariances = mixture.weights.copy(), mixture.means.copy(), mixture.covariances.copy()
    total = weights.sum()
    with one_blas_thread(mixture.n_features):
        spread, axes = np.linalg.eigh(dense[good])
    for k in bad:
        widest = int(np.argmax(weights[good] * spread[:, -1]))
        donor, step = good[widest], np.sqrt(max(spread[widest, -1], 0.0)) * axes[widest, :, -1]
        weights[k] = weights[donor] = weights[donor] / 2
        means[k] = means[donor] + step
        means[donor] = means[donor] - step
        if not mixture.family.shared:
            covariances[k] = covariances[donor]
    return replace(mixture, weights=weights * (total / weights.sum()), means=means, covariances=covariances)
