"""k-means, step by step, and the moments of labelled samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.densities import Densities
from gmmseg.kernels.reference.mixture import statistics

__all__ = ["class_moments", "lloyd", "plus_plus"]

Array = NDArray[Any]


def plus_plus(planes: Array, mass: Array, distances: Array, draws: Array) -> list[int]:
    """See gmmseg.kernels.plus_plus."""
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


def lloyd(planes: Array, centres: Array, weights: Array | None, iterations: int, threads: int) -> Array:
    """See gmmseg.kernels.lloyd."""
    for _ in range(iterations):
        balls = Densities(np.zeros(len(centres)), centres, np.full(centres.shape, 1e3))
        sums, _ = statistics(planes, weights, balls, threads)
        origins = centres.astype(planes.dtype).astype(np.float64)
        centres = origins + sums[:, 1 : 1 + len(planes)] / np.maximum(sums[:, :1], np.finfo(float).tiny)
    return centres


def class_moments(
    planes: Array, labels: Array, mass: Array | None, classes: int, diagonal: bool
) -> tuple[Array, Array, Array]:
    """See gmmseg.kernels.class_moments."""
    values, d = planes.astype(np.float64), len(planes)
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
    return counts, means, second
