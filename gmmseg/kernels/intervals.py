"""Levels: the whole numbers that an image has, the steps that they keep, and the interval that each stands for."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["LEVELS", "gaps_between", "half_widths", "in_steps", "levels_of", "rounding", "stepped", "variance_of"]

LEVELS = 8
"""Of fewer values each may be a class of its own, as in a picture of labels."""

# Levels so far apart at least, and so many, are steps that most pixels keep but for 1: by chance three in eight would.
_WIDE, _MANY, _MOSTLY = 8, 32, 0.75


def levels_of(values: Array) -> tuple[Array, Array]:
    """Distinct integers, ascending, and their numbers; counted where that is possible, which is faster than sorting."""
    if values.dtype.itemsize > 2:
        return np.unique(values, return_counts=True)
    low = int(values.min())
    counts = np.bincount(values.astype(np.intp) - low)
    found = np.flatnonzero(counts)
    return found + low, counts[found]


def in_steps(values: Array, counts: Array) -> tuple[Array, Array]:
    """Distinct integers and their numbers, rounded to the steps that most of them keep; as they are without any.

    Numbers of 8 bits times 257, some of which were changed, or all by 1 at most, still are numbers of 8 bits.
    """
    if len(values) < _MANY or values.dtype == np.uint64:
        return values, counts
    descending, total = np.sort(counts)[::-1], counts.sum()
    least = descending[descending.cumsum().searchsorted(_MOSTLY * total)]
    usual = counts >= least  # values that most pixels have
    often, numbers = values[usual].astype(np.int64), counts[usual]
    breaks = np.flatnonzero(often[1:] - often[:-1] > 2)  # between values that are the same but for 1
    if len(breaks) + 1 < LEVELS:
        return values, counts
    first = np.append(0, breaks + 1)
    sizes = np.add.reduceat(numbers, first)
    middles = np.rint(np.add.reduceat(often * numbers, first) / sizes).astype(np.int64)
    apart, times = np.unique(np.diff(middles), return_counts=True)
    step = int(apart[times.argmax()])
    off = (values.astype(np.int64) - middles[sizes.argmax()] + step // 2) % step - step // 2
    if step < _WIDE or not off.any() or counts[np.abs(off) <= 1].sum() < _MOSTLY * total:
        return values, counts
    rounded = np.clip(values.astype(np.int64) - off, int(values[0]), int(values[-1]))
    found, place = np.unique(rounded, return_inverse=True)
    if len(found) < _MANY:
        return values, counts
    return found.astype(values.dtype), np.bincount(place, counts).astype(counts.dtype)


def gaps_between(values: Array) -> Array:
    """Differences of distinct values; 1 where they are too few to be levels of anything."""
    if len(values) < LEVELS:
        return np.ones(max(0, len(values) - 1))
    return np.diff(values.astype(np.uint64)).astype(np.float64)  # unsigned, as no difference is less than 0


def half_widths(gaps: Array) -> tuple[Array, Array]:
    """How far the interval of each value reaches down and up, from the gaps between the values.

    Beyond the first and the last value the gap is taken for that of their neighbours.
    """
    down, up = np.concatenate([gaps[:2][-1:], gaps]), np.concatenate([gaps, gaps[-2:][:1]])
    return np.where(down > 2 * up, up, down) / 2, np.where(up > 2 * down, down, up) / 2


def rounding(values: Array, k: int = 1) -> Array:
    """Variance of what rounding took from integers, of each channel: a twelfth of the squared width of the intervals.

    Parameters
    ----------
    values : ndarray, shape (n, n_channels), of integers
    k : int
        Number of classes: of no more values each is a class, as in a mask of 0 and 1, and none was rounded. The
        intervals of two such values leave no gap that would tell two classes from one.

    Returns
    -------
    ndarray, shape (n_channels,)
        The mean over all samples; 0 where there are no more than k values.

    Examples
    --------
    >>> rounding(np.array([[2 * i, 3] for i in range(100)])) * 12
    array([4., 0.])

    Numbers of 8 bits that were multiplied by 257, and one of them then changed:

    >>> np.sqrt(12 * rounding(np.append(257 * np.arange(256), 4000)[:, None])).round(3)
    array([257.])
    """
    found = np.zeros(values.shape[1])
    for channel, column in enumerate(values.T):
        distinct, counts = in_steps(*levels_of(column))
        if len(distinct) > max(1, k):
            found[channel] = variance_of(gaps_between(distinct), counts)
    return found


def variance_of(gaps: Array, counts: Array) -> float:
    """Variance of what rounding took, from the gaps between values and how often there is each."""
    widths = 2 * np.minimum(*half_widths(gaps))
    return float((widths * widths * counts).sum() / counts.sum() / 12)


def stepped(values: Array, step: Array | float = 1, least: float = 0, most: float = 255) -> tuple[Array, Array]:
    """Return samples with one channel at a time a step less, and more, `(2, c, n, c)`, and how wide that is, `(c, n)`.

    No value of `(n, c)` leaves the range of `least` to `most`. Compiled, it is of uint8 and steps of 1 alone.
    """
    n, channels = values.shape
    below, above = np.maximum(values, least + step) - step, np.minimum(values, most - step) + step
    moved = np.empty((2, channels, n, channels), values.dtype)
    moved[...] = values
    for channel in range(channels):
        moved[:, channel, :, channel] = below[:, channel], above[:, channel]
    return moved, np.ascontiguousarray((above - below).T, np.float64)
