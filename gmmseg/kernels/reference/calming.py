"""The calmest pixel near each of some, by whole-array shifts."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["calmest"]

_NEAR = (0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)


def calmest(pixels: Array, valid: Array | None, flat: Array, scale: Array) -> Array:
    """Return of each pixel and the four at its corners the one whose neighbours differ least, as flat indices `(n,)`.

    They are taken from `pixels` `(rows, columns, channels)`, contiguous, of 8 or 16 unsigned bits or floats, at the
    indices `flat` `(n,)`, int64. Neighbours are the four beside a pixel; how they differ is the sum of the
    differences of the two that lie opposite, of each channel in units of its `scale`, float64. None of the five pixels
    is the neighbour of another, so that of white noise they are no selection. Only pixels count that are `valid`
    `(rows, columns)`, bool, or None where all are, and have four such neighbours; where none of the five has, and where
    the pixel is not valid itself, it stays. Of equally calm ones it is the first, and the pixel itself before.
    """
    rows, columns, _channels = pixels.shape
    change, known = np.full((rows, columns), np.inf), np.ones((rows, columns), bool) if valid is None else valid
    values = pixels.astype(np.float64 if pixels.dtype.itemsize > 2 else np.float32)
    if min(rows, columns) > 2:
        inner = known[1:-1, 1:-1] & known[2:, 1:-1] & known[:-2, 1:-1] & known[1:-1, 2:] & known[1:-1, :-2]
        total = np.zeros(inner.shape, values.dtype)
        with np.errstate(all="ignore"):  # what is missing or beyond float32 is not calm
            for channel, unit in zip(np.moveaxis(values, -1, 0), (1 / scale).astype(values.dtype), strict=True):
                across = (channel[1:-1, 2:] - channel[1:-1, :-2]) * unit
                down = (channel[2:, 1:-1] - channel[:-2, 1:-1]) * unit
                total += np.abs(across) + np.abs(down)
        change[1:-1, 1:-1] = np.where(inner & (total < np.inf), total, np.inf)
    place = np.stack(np.unravel_index(flat, (rows, columns)))
    found, least = flat.copy(), np.full(len(flat), np.inf)
    for step in _NEAR:
        near = place + np.array(step)[:, None]
        inside = ((near >= 0) & (near < [[rows], [columns]])).all(axis=0) & known[tuple(place)]
        y, x = np.where(inside, near, 0)
        better = inside & (change[y, x] < least)
        found[better], least[better] = (y * columns + x)[better], change[y, x][better]
    return found
