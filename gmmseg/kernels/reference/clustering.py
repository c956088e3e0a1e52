"""k-means, step by step, and the moments of labelled samples."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.reference.mixture import classify, statistics

__all__ = ["class_moments", "cluster", "plus_plus"]


def plus_plus(planes: Array, mass: Array, distances: Array, draws: Array) -> list[int]:
    """Return the indices of samples chosen as centres of k-means, one for each row of draws.

    Each is the best of as many as a row has numbers, from 0 to 1 (Arthur and Vassilvitskii 2007), fewer where no sample
    is left that lies off all centres. `mass` and `distances` `(n,)`, float64, are the samples' weights and their
    weighted squared distances from the nearest centre; the latter are brought up to date.
    """
    chosen: list[int] = []
    for row in draws:
        cumulated = np.cumsum(distances)
        if not cumulated[-1] > 0:
            break
        drawn = np.searchsorted(cumulated, row * cumulated[-1], side="right").clip(max=len(distances) - 1)
        options = np.zeros((len(drawn), len(distances)), planes.dtype)
        for plane in planes:
            options += (plane - plane[drawn, None]) ** 2
        nearer = np.minimum(options * mass.astype(planes.dtype), distances)
        winner = int(np.argmin(nearer.sum(axis=1)))
        chosen.append(int(drawn[winner]))
        distances[:] = nearer[winner]
    return chosen


def cluster(
    planes: Array, weights: Array | None, draws: Array, candidates: int, iterations: int, threads: int
) -> tuple[Array, int]:
    """Return the label of each sample `(n,)`, int64, after some iterations of k-means, and the number of centres.

    These are chosen as `plus_plus` does: the first by the first of the draws, from 0 to 1, each other one by as many of
    the rest as there are candidates. A centre that loses all samples stays.
    """
    n = planes.shape[1]
    mass = np.ones(n) if weights is None else weights.astype(np.float64)
    share = np.cumsum(mass)
    first = min(int(np.searchsorted(share, draws[0] * share[-1], side="right")), n - 1)
    distances = ((planes - planes[:, [first]]) ** 2).sum(axis=0) * mass
    chosen = [first, *plus_plus(planes, mass, distances, draws[1:].reshape(-1, candidates))]
    centres = planes[:, chosen].T.astype(np.float64)
    for _ in range(iterations):
        sums, _ = statistics(planes, weights, _balls(centres), threads)
        origins = centres.astype(planes.dtype).astype(np.float64)
        centres = origins + sums[:, 1 : 1 + len(planes)] / np.maximum(sums[:, :1], np.finfo(float).tiny)
    labels = np.empty(n, np.int64)
    classify(planes, _balls(centres), labels, 0, threads)
    return labels, len(centres)


def _balls(centres: Array) -> Densities:
    return Densities(np.zeros(len(centres)), centres, np.full(centres.shape, 1e3))


def class_moments(
    planes: Array, labels: Array, mass: Array | None, classes: int, diagonal: bool
) -> tuple[Array, Array, Array, Array]:
    """Return counts, means and second moments about the means of samples by their labels, 0 to `classes` - 1.

    `labels` `(n,)` are int64, `mass` `(n,)` float64 or None. Second moments are means of products, `(k, d, d)`, or of
    squares alone, `(k, d)`, to which that of all classes is added as if it were d samples more. Of a label without
    samples there are none. The fourth are the variances `(d,)` of all samples; with a mass, the larger of those within
    classes and those of the samples without it.
    """
    values, d, plain = planes.astype(np.float64), len(planes), mass is None
    mass = np.ones(len(labels)) if mass is None else mass
    counts = np.bincount(labels, mass, minlength=classes)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.stack([np.bincount(labels, mass * row, minlength=classes) / counts for row in values], axis=1)
        second = np.empty((classes, d) if diagonal else (classes, d, d))
        for label, mean in enumerate(means):
            centred = values[:, labels == label] - mean[:, None]
            weighted = centred * mass[labels == label]
            second[label] = (weighted * centred).sum(axis=1) if diagonal else weighted @ centred.T
            second[label] /= counts[label]
    kept = counts > 0
    share = counts[kept] / counts.sum()
    common = np.tensordot(share, second[kept], 1)
    second += common * (d / (counts + d)).reshape(-1, *[1] * common.ndim)
    variances = common if diagonal else np.diagonal(common)
    between = share @ (means[kept] - share @ means[kept]) ** 2
    return counts, means, second, variances + between if plain else np.maximum(variances, values.var(axis=1))
