"""Partial volumes: pixels that hold something of two classes, as components on the way from one class to the other.

Pixels on a border are mixtures of its two sides. Their density is the integral over the fraction of the Gaussians
between those of the pure classes (Santago and Gage 1995), here a sum over even steps of the fraction; means and
covariances lie between in proportion. All start from the least spread that a class has, so that what spreads farther is
told as mixed first. Classes mix with those that are next to them in the first feature (Tohka, Zijdenbos and Evans
2004).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.statistics import measure

__all__ = ["fit_mixed", "steps_between"]

_STEPS = 12  # of the fraction, between two classes
_ITERATIONS, _SETTLED = 300, 1e-5  # change of the means, in scaled units
_POINTS = 4096  # that values of one feature are brought to
_LEAST_NOISE = 1e-6
_KEPT = 0.01  # of all samples: what of the common covariance holds that of a class
_HELD = 1e-6  # samples: what a class without any is held by


def steps_between(order: Array) -> Array:
    """Return fractions (k, K) of the components: the classes themselves, then even steps between those that follow.

    Parameters
    ----------
    order : ndarray of int, shape (k,)
        Classes in the order in which they are neighbours.

    Examples
    --------
    >>> steps_between(np.array([0, 1]))[:, 1:4].round(2).tolist()
    [[0.0, 0.96, 0.88], [1.0, 0.04, 0.12]]
    """
    pure = np.eye(len(order))
    share = (np.arange(_STEPS) + 0.5) / _STEPS
    between = [pure[:, [a]] * (1 - share) + pure[:, [b]] * share for a, b in pairwise(order)]
    return np.concatenate([pure, *between], axis=1)


def fit_mixed(
    mixture: Mixture, planes: Array, weights: Array | None, *, noise: Array, threads: int = 1
) -> tuple[Mixture, Array]:
    """Fit pure classes and mixtures of two by EM, from a mixture whose classes have taken the mixed samples.

    Parameters
    ----------
    mixture : Mixture
        Of k classes.
    planes : ndarray, shape (d, n)
    weights : ndarray, shape (n,), optional
    noise : ndarray, shape (d,)
        Least variance of each feature.
    threads : int
        They do not change the result.

    Returns
    -------
    mixture : Mixture
        Of K components, see `steps_between`.
    fractions : ndarray, shape (k, K)
        Of the classes in each component, summing to 1.

    Notes
    -----
    Within a pair of classes all fractions are equally frequent. Means of the classes are the solution of weighted
    least squares, for the mean of every component is linear in them.
    """
    k, d = mixture.n_components, mixture.n_features
    fractions = steps_between(np.argsort(mixture.means[:, 0], kind="stable"))
    pairs = np.concatenate([np.arange(k), k + np.arange((k - 1) * _STEPS) // _STEPS])
    members = np.bincount(pairs)
    if d == 1:
        planes, weights = _brought_together(planes, weights)
    dense = mixture.family.dense(mixture.covariances, k, d)
    spread = np.repeat(dense[[np.argmin(np.linalg.det(dense))]], k, axis=0)
    means, kinds = mixture.means, np.full(len(members), (1 - mixture.outlier_weight) / len(members))

    def assembled(outliers: float) -> Mixture:
        step = _steps(fractions, means, k)
        return replace(
            mixture,
            weights=(kinds / members)[pairs],
            means=fractions.T @ means,
            covariances=np.einsum("kj,kab->jab", fractions, spread) + step[:, :, None] * step[:, None] / 12,
            covariance="full",
            dof=None,
            outlier_weight=outliers,
        )

    found = assembled(mixture.outlier_weight)
    for _ in range(_ITERATIONS):
        sums = measure(planes, found, weights, threads=threads)
        counts, before = sums.counts, means
        own = sums.origins + sums.first / np.maximum(counts, 1e-12)[:, None]
        normal = (fractions * counts) @ fractions.T + _HELD * np.eye(k)
        means = np.linalg.solve(normal, (fractions * counts) @ own + _HELD * before)
        away, step = fractions.T @ means - sums.origins, _steps(fractions, means, k)
        cross = sums.first[:, :, None] * away[:, None]
        square = sums.second - cross - cross.transpose(0, 2, 1)
        square += counts[:, None, None] * (away[:, :, None] * away[:, None] - step[:, :, None] * step[:, None] / 12)
        common = square.sum(axis=0) / max(counts.sum(), 1e-12)
        held = _KEPT * counts.sum()
        own_spread = (square[:k] + held * common) / (counts[:k] + held)[:, None, None]
        spread = np.stack([_at_least(each, np.asarray(noise)) for each in own_spread])
        kinds = np.bincount(pairs, counts) / max(sums.weight, 1e-12)
        found = assembled(sums.outliers / max(sums.weight, 1e-12))
        if np.abs(means - before).max() < _SETTLED:
            break
    return found, fractions


def _steps(fractions: Array, means: Array, k: int) -> Array:
    """How far (K, d) the next component lies: 0 of pure classes."""
    middle = fractions.T @ means
    step = np.zeros_like(middle)
    for first in range(k, len(middle), _STEPS):
        step[first : first + _STEPS] = middle[first + 1] - middle[first]
    return step


def _at_least(covariance: Array, noise: Array) -> Array:
    """Return a covariance none of whose directions has less variance than the noise."""
    least = np.maximum(noise, _LEAST_NOISE)
    values, vectors = np.linalg.eigh(covariance / np.sqrt(least[:, None] * least))
    return np.asarray((vectors * np.maximum(values, 1)) @ vectors.T * np.sqrt(least[:, None] * least))


def _brought_together(planes: Array, weights: Array | None) -> tuple[Array, Array]:
    """Samples of one feature as few points and their weights, whatever the order of the samples."""
    known = ~np.isnan(planes[0])
    values, mass = planes[0, known], np.ones(0) if weights is None else weights[known]
    order = np.argsort(values, kind="stable") if weights is not None else None
    values = np.sort(values) if order is None else values[order]
    starts = np.unique(np.arange(_POINTS) * len(values) // _POINTS)
    mass = np.ones(len(values)) if order is None else mass[order].astype(np.float64)
    total = np.add.reduceat(mass, starts)
    middle = np.add.reduceat(values * mass, starts) / np.maximum(total, 1e-30)
    return middle[None].astype(planes.dtype), total.astype(planes.dtype)
