"""Rare classes: what a start on a subset leaves so far out that samples of it would not lie there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.mixture.em import Fit
from gmmseg.mixture.kmeans import from_labels, lloyd, nearest, plus_plus, standardize
from gmmseg.mixture.moves import merge_down
from gmmseg.mixture.parameters import Mixture

__all__ = ["with_rare_classes"]

Array = NDArray[Any]
Climb = Callable[[Array, Array | None, Mixture, int], Fit]  # samples, their weights, a start, iterations

_DRAWS = 2048
_BEYOND = 5.0  # nats below the least likely of so many draws: of a Gaussian mixture one sample in 1e6 lies there
_MOST_FAR, _REST = 1024, 4096  # samples of either kind that a move is tried on
_CLUSTERS = 1, 4  # among what lies far out; the largest becomes a component
_MOST_CLASSES = 3
_WORTHWHILE = 5e-4  # as of a move: least gain in nats a sample


def with_rare_classes(
    mixture: Mixture,
    planes: Array,
    weights: Array | None,
    climb: Climb,
    *,
    least: float,
) -> Mixture:
    """Return the mixture with components moved to where samples lie far out together, if that is likelier.

    Parameters
    ----------
    mixture : Mixture
        Gaussian.
    planes : ndarray, shape (d, n), float32 or float64
        No feature is missing.
    weights : ndarray, shape (n,), optional
    climb : callable
        Takes samples, their weights, a mixture and a number of iterations and returns the Fit of these.
    least : float
        Weight that a component needs.

    Notes
    -----
    Far out is what is less likely than any of some thousand samples of the mixture itself, by far. These are taken
    whole, the others at equal steps and with weights to match: a class of two samples in a thousand then has enough of
    them. The two components that merging costs least make room for the largest cluster among the far ones, as long as
    that is likelier. Where nothing lies far out the cost is one density a sample.
    """
    for _ in range(_MOST_CLASSES):
        moved = _moved(mixture, planes, weights, climb, least)
        if moved is None:
            break
        mixture = moved
    return mixture


def _moved(mixture: Mixture, planes: Array, weights: Array | None, climb: Climb, least: float) -> Mixture | None:
    """The mixture with one component moved to a cluster far out; None where that is not likelier."""
    drawn, _ = mixture.sample(_DRAWS, np.random.default_rng(0))
    limit = mixture.log_density(drawn.astype(planes.dtype)).min() - _BEYOND
    far = mixture.log_density(planes) < limit
    mass = np.ones(planes.shape[1]) if weights is None else weights.astype(np.float64)
    share = mass[far].sum() / mass.sum()
    if share < least / 3:  # of a class whose other samples a component has drawn to itself
        return None
    index, parts = [], []
    for part, most in ((np.flatnonzero(far), _MOST_FAR), (np.flatnonzero(~far), _REST)):
        steps = part[np.linspace(0, len(part), min(len(part), most), endpoint=False).astype(np.intp)]
        index.append(steps)
        parts.append(mass[steps] * (mass[part].sum() / max(mass[steps].sum(), np.finfo(float).tiny)))
    some, own = np.ascontiguousarray(planes[:, np.concatenate(index)]), np.concatenate(parts)
    own = (own / own.mean()).astype(planes.dtype)
    found = [climb(some, own, mixture, 12)]
    fewer = merge_down(mixture, mixture.n_components - 1)
    outside = np.ascontiguousarray(some[:, : len(index[0])])
    for clusters in _CLUSTERS:
        with contextlib.suppress(np.linalg.LinAlgError):  # of a cluster without volume
            found.append(climb(some, own, _with_largest(fewer, outside, clusters, share), 12))
    best = max(found, key=lambda fit: fit.history[-1]).mixture
    if best is found[0].mixture or len(best.weights) < mixture.n_components or best.weights.min() < least:
        return None
    before, after = (climb(planes, weights, each, 1).history[0] for each in (found[0].mixture, best))
    return best if after > before + _WORTHWHILE else None


def _with_largest(mixture: Mixture, planes: Array, clusters: int, share: float) -> Mixture:
    """The mixture with the largest of so many clusters of samples (d, n), which hold a share, as its last component."""
    space = standardize(planes)[0]
    centres = lloyd(space, plus_plus(space, clusters, np.random.default_rng(0)))
    found = from_labels(planes, nearest(space, centres), len(centres), mixture.covariance, None, 0.0)
    largest = found.select([int(found.weights.argmax())])
    share *= float(found.weights.max())
    covariances = mixture.covariances
    if not mixture.family.shared:
        covariances = np.concatenate([covariances, largest.covariances])
    weights = np.append(mixture.weights * (1 - share), share)
    return Mixture(weights, np.concatenate([mixture.means, largest.means]), covariances, mixture.covariance)
