"""Centre and scale of planes of features, by which all of them count alike in a mixture."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["location_and_scale"]


def location_and_scale(planes: Array, groups: tuple[int, ...], weights: Array | None = None) -> tuple[Array, Array]:
    """Centre and scale of each plane: its median, and the standard deviation that its quartiles stand for.

    Parameters
    ----------
    planes : ndarray, shape (d, n)
        NaN where a number is missing.
    groups : tuple of int
        For each plane the group that has one scale, the largest of its planes'; -1 for position, whose scale is that of
        the whole image whatever the sample.
    weights : ndarray, shape (n,), optional
        How often each sample counts.

    Returns
    -------
    center, scale : ndarray, shape (d,)
        Where half of the values are equal the scale is the standard deviation itself, and 1 where all are.
    """
    d, n = planes.shape
    center, scale = np.zeros(d), np.ones(d)
    for group in set(groups):
        rows = [row for row, g in enumerate(groups) if g == group]
        if group < 0:
            scale[rows] = 1 / np.sqrt(12)  # a position spread evenly over a side of length 1, at weight 1
        elif n:
            spread = deviation = 0.0
            for row in rows:
                known = ~np.isnan(planes[row])
                values, mass = planes[row][known], None if weights is None else weights[known]
                if values.size:
                    low, center[row], high = _quarters(values, mass)
                    spread = max(spread, float(high - low) / 1.349)
                    if spread == 0:
                        mean = np.average(values.astype(np.float64), weights=mass)
                        deviation = max(deviation, float(np.sqrt(np.average((values - mean) ** 2, weights=mass))))
            spread = spread if spread > 0 else deviation
            scale[rows] = spread if spread > 0 else 1.0
    return center, scale


def _quarters(values: Array, weights: Array | None) -> Array:
    """The quartiles of values (n,), three numbers; each value counts as often as its weight says."""
    if weights is None:
        n = len(values)
        return np.asarray(np.sort(values)[[n // 4, n // 2, 3 * n // 4]])  # a partition takes seven times as long
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    places = np.searchsorted(cumulated, cumulated[-1] * np.array([0.25, 0.5, 0.75]), side="right")
    return np.asarray(values[order[places.clip(max=len(values) - 1)]])
