"""Heights of objects and of the pixels that they are of, by whole-array shifts."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["half_counts"]

_THIN = 8  # pixels of a run that is rim for the most part; one of twice as many is not


def half_counts(heights: Array, valid: Array, border: float, steps: int, depth: int) -> tuple[Array, float]:
    """Count the pixels of objects by their height, those above half the height of their object apart.

    Returns counts `(2, steps + 2)`, int64, of pixels up to that half and of those above it, and the highest half, 0
    where there is no object. Of so many even `steps` from `border` to there the first counts what is below the border,
    the last what is at the top. Nothing is counted where no half is above the border.

    `heights` and `valid` are `(pictures, rows, columns)`, float32 and bool, and contiguous. Pixels are of objects where
    they are `valid` and the mean of 3 x 3 pixels is above `border`, 0 or more. The height of a run of them along
    a row or column is the mean of these means, each counted by itself, or by its square where the run has 8 pixels or
    fewer, and is between both up to 16. The higher one of a pixel's two runs is its object's. So many pictures as
    `depth` says are planes of a volume, along which there is a third run.
    """
    border = float(np.float32(border))
    smooth = _smoothed(heights)
    within = valid & (smooth > border)
    counts = np.zeros((2, steps + 2), np.int64)
    if not within.any():
        return counts, 0.0
    down = _halves(smooth.transpose(0, 2, 1), within.transpose(0, 2, 1)).transpose(0, 2, 1)
    halves = np.maximum(_halves(smooth, within), down)
    if depth > 1:
        deep = [np.moveaxis(each.reshape(-1, depth, *each.shape[1:]), 1, 3) for each in (smooth, within)]
        halves = np.maximum(halves, np.moveaxis(_halves(*deep), 3, 1).reshape(halves.shape))
    highest = float(halves.max())
    if highest > border:
        place = (heights[within] - np.float32(border)) * np.float32(steps / (highest - border))
        place = (np.clip(place, -1, steps) + 1).astype(np.intp)
        above = (smooth > halves)[within]
        for row, own in zip(counts, (~above, above), strict=True):
            row += np.bincount(place[own], minlength=steps + 2)
    return counts, highest


def _halves(heights: Array, within: Array) -> Array:
    """Half the height of the run along the last axis that each pixel is of, of those that are within."""
    width = heights.shape[-1]
    chosen = np.zeros((heights.size // max(1, width), width + 1), bool)  # the last column keeps lines apart
    chosen[:, :width] = within.reshape(-1, width)
    begins = chosen.copy()
    begins[:, 1:] &= ~chosen[:, :-1]
    starts = np.flatnonzero(begins[chosen])
    found = np.zeros(heights.shape, heights.dtype)
    values = heights[within].astype(np.float64)
    sums, squares, cubes = (
        np.add.reduceat(each, starts) for each in (values, values * values, values * values * values)
    )
    lengths = np.diff(np.append(starts, len(values)))
    wide, thin = squares / sums, cubes / squares
    tops = wide + np.clip(2 - lengths / _THIN, 0, 1) * (thin - wide)
    found[within] = np.repeat(tops / 2, lengths)
    return found


def _smoothed(values: Array) -> Array:
    """Means of 3 x 3 pixels; at the edge the last ones are counted twice."""
    for axis in (1, 2):
        found = values.copy()
        into, of = np.moveaxis(found, axis, 0), np.moveaxis(values, axis, 0)
        into[1:] += of[:-1]
        into[:-1] += of[1:]
        into[0] += of[0]
        into[-1] += of[-1]
        found /= 3
        values = found
    return values
