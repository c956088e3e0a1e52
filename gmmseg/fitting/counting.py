"""Integer values: how many pixels have each, and the interval that each stands for.

Of integers a density has no upper bound: a component that shrinks onto one grey level gains more and more. What a value
says is that the quantity lies in the interval around it, half-way to its neighbours, and of an interval there is a
probability, which is at most 1. So values of one channel are spread over their intervals, and of all integers the
variance of rounding, a twelfth of the squared step, is part of the likelihood (`gmmseg.mixture.em.Iteration.noise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.fitting.one_pass import each_window
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.kernels.intervals import LEVELS, gaps_between, half_widths, in_steps, levels_of, variance_of
from gmmseg.records import dataclass

__all__ = [
    "LUMA_CHROMA",
    "Counts",
    "anywhere_within",
    "counted_anyway",
    "counts_of",
    "distinct_values",
    "is_luma_chroma",
    "merged",
    "rounding_of_floats",
    "spread_over_intervals",
]

Counts = tuple[Array, Array]
"""Distinct values, the bits of all channels as one number each, ascending, and how many pixels have them."""

_SHORT = 16  # bits of all channels together: as many values can be counted in a table

LUMA_CHROMA = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
"""Red, green and blue (rows) of lightness and two differences of colour (columns), as JFIF has them."""

_FROM_COLORS = np.linalg.inv(LUMA_CHROMA)
_ALIGNED = 0.1  # mean cosine of the phase on a lattice: 0 beside it, on it about .5, and .1 to .4 after enlargement
_FEW_COLORS = 256  # pixels, of which fewer may lie on any lattice by chance
_FEW = 0.3  # a sample with more distinct values a pixel than this stands for too many values to count them all
_CLEARLY = 10.0  # pixels that a value should have, of which by chance there are none once in 20 000 times
_MOST_STEPS = 1 << 22  # from the least to the largest value: more would take memory, and tell nothing
_AT_ONCE = 1 << 20  # pixels whose values are counted together


def counted_anyway(image: Image) -> bool:
    """Whether all values are counted, however many there are: integers of 16 bits together."""
    return _may_be_counted(image) and _bits(image) <= _SHORT


def distinct_values(image: Image, sample: Array, counted: Counts | None = None) -> tuple[Array, Array] | None:
    """Distinct values of all valid pixels, (n, channels), and their numbers (n,); None where they are many.

    Parameters
    ----------
    image : Image
    sample : ndarray, shape (m, channels)
        The values of some pixels, which tell whether it is worth the while.
    counted : tuple, optional
        What `counts_of` has returned of all windows, where somebody has looked at them, as `merged`.
    """
    dtype = image.pixels.dtype
    if not _may_be_counted(image) or _bits(image) > 64:
        return None
    if _bits(image) > _SHORT and len(np.unique(_codes(sample))) > _FEW * len(sample):
        return None
    if counted is None:
        counted = merged(each_window(image, _CountsIn(image), image.windows()))
    found, numbers = counted
    depth = dtype.itemsize * 8
    shifts = np.arange(image.n_channels, dtype=np.uint64) * np.uint64(depth)
    values = ((found[:, None] >> shifts) & np.uint64((1 << depth) - 1)).astype(f"u{dtype.itemsize}")
    return (values if dtype.kind == "u" else _from_least(values).view(f"i{dtype.itemsize}")).astype(dtype), numbers


def counts_of(part: Image) -> Counts:
    """Return what is counted in a window that is in memory."""
    codes = map(_codes, _valid_pixels(part))
    if _bits(part) > _SHORT:
        return merged(np.unique(some, return_counts=True) for some in codes)
    numbers = np.zeros(1 << _bits(part), np.int64)
    for some in codes:
        numbers += np.bincount(some, minlength=len(numbers))
    found = np.flatnonzero(numbers)
    return found.astype(np.uint64), numbers[found]


def merged(parts: Iterable[Counts]) -> Counts:
    """Return what was counted in several windows as one."""
    found, numbers = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for fresh, number in parts:
        found, place = np.unique(np.concatenate([found, fresh.astype(np.uint64)]), return_inverse=True)
        numbers = np.bincount(place, np.concatenate([numbers, number]), len(found)).astype(np.int64)
    return found, numbers


@dataclass(frozen=True, eq=False)
class _CountsIn:
    """`counts_of` the windows of an image."""

    image: Image

    def __call__(self, window: Window) -> Counts:
        return counts_of(self.image.crop(window))


def _may_be_counted(image: Image) -> bool:
    """Whether an image is of integers; but scans, which mostly are of signed ones, are sampled, or taken whole."""
    return image.pixels.dtype.kind in ("iu" if image.ndim == 2 else "u")


def _bits(image: Image) -> int:
    """Return how many bits all channels have together."""
    return image.pixels.dtype.itemsize * 8 * image.n_channels


def _from_least(values: Array) -> Array:
    """Integers as unsigned ones, 0 for the least of their type; and back as the bits of signed ones."""
    unsigned = np.dtype(values.dtype.str.replace("i", "u"))  # in the same order of bytes
    return np.asarray(values.view(unsigned) ^ unsigned.type(1 << (8 * unsigned.itemsize - 1)))


def _codes(pixels: Array) -> Array:
    """Return one number for the values (n, channels) of each pixel, ascending as the values of the last channel do."""
    if pixels.dtype.kind == "i":
        pixels = _from_least(pixels)
    depth, n_channels = pixels.dtype.itemsize * 8, pixels.shape[1]
    if n_channels == 1:
        return np.asarray(pixels[:, 0])
    whole: Array = np.zeros(len(pixels), np.uint32 if depth * n_channels <= 32 else np.uint64)
    for channel, values in enumerate(pixels.T):
        whole |= values.astype(whole.dtype) << whole.dtype.type(channel * depth)
    return whole


def spread_over_intervals(values: Array, counts: Array) -> tuple[Array, Array]:
    """Spread pixels evenly over the intervals that their values stand for.

    Parameters
    ----------
    values : ndarray, shape (n,), of integers
        Distinct, ascending.
    counts : ndarray, shape (n,)
        Pixels with each value.

    Returns
    -------
    values, counts
        Of steps as wide as the closest two values; the counts add up to the same. As they are where all steps are
        alike, or where there would be millions of them.

    Notes
    -----
    An interval reaches half-way to the next value, as stretched contrast leaves gaps of two or three levels; but
    not where the gap is more than twice that on the other side: a background far below all else stands for itself. What
    would reach beyond the first and the last value counts there. Values off the steps that most pixels keep are counted
    to the nearest ones.

    Examples
    --------
    >>> values, counts = spread_over_intervals(np.array([0, 2, 4, 6, 8, 10, 12, 13]), np.full(8, 6))
    >>> values.tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    >>> counts.tolist()
    [4.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.5, 4.0, 6.0]
    """
    values, counts = in_steps(values, counts)
    gaps = gaps_between(values)
    if (gaps == gaps[:1]).all() or int(values[-1]) - int(values[0]) > _MOST_STEPS * int(gaps.min()):
        return values, counts
    below, above = half_widths(gaps)
    step = int(gaps.min())
    edges = np.stack([values - below, values + above], axis=1).reshape(-1)
    until = np.cumsum(np.stack([np.zeros(len(counts)), counts], axis=1).reshape(-1))
    grid = np.arange(int(values[0]), int(values[-1]) + 1, step)
    borders = np.append(grid - step / 2, grid[-1] + step / 2)
    borders[0], borders[-1] = min(borders[0], edges[0]), max(borders[-1], edges[-1])
    shares = np.diff(np.interp(borders, edges, until))
    return grid[shares > 0].astype(values.dtype), shares[shares > 0]


def anywhere_within(values: Array, chance: Array, parts: Array | None = None) -> Array:
    """Numbers (n,) in the intervals that integers (n,) stand for, at these parts (n,), 0 to 1, of their widths.

    Where these are of several `parts` (n,) of an image, numbered from 0, intervals reach over those values too that a
    part clearly lacks: levels of stretched contrast, under a gain, lie elsewhere in each.

    Examples
    --------
    >>> anywhere_within(np.arange(2, 20, 2), np.full(9, 0.75))
    array([ 2.5,  4.5,  6.5,  8.5, 10.5, 12.5, 14.5, 16.5, 18.5])
    """
    distinct, _ = levels_of(values)
    if len(distinct) < 2:
        return values.astype(np.float64)
    place = np.searchsorted(distinct, values)
    if parts is None:
        return _moved(values, chance, place, distinct)
    found = np.empty(len(values))
    order = np.argsort(parts, kind="stable")
    for own in np.split(order, np.cumsum(np.bincount(parts))[:-1]):
        here = ~_lacking(np.bincount(place[own], minlength=len(distinct)))
        found[own] = _moved(values[own], chance[own], (np.cumsum(here) - 1)[place[own]], distinct[here])
    return found


def _moved(values: Array, chance: Array, place: Array, levels: Array) -> Array:
    """Integers (n,), which are these of the levels, moved to some place in their intervals."""
    below, above = half_widths(gaps_between(levels))
    return np.asarray(values - below[place] + chance * (below + above)[place])


def _lacking(counts: Array) -> Array:
    """Which of neighbouring values are missing where chance would leave none out.

    Between two values there are at least as many pixels with a third one as the geometric mean of their numbers, where
    the logarithm of the histogram is concave.
    """
    seen = np.flatnonzero(counts)
    between = np.sqrt(counts[seen[:-1]].astype(np.float64) * counts[seen[1:]]) >= _CLEARLY
    gap = np.searchsorted(seen, np.arange(len(counts)))
    inside = (counts == 0) & (gap > 0) & (gap < len(seen))
    inside[inside] = between[gap[inside] - 1]
    return np.asarray(inside)


def rounding_of_floats(values: Array, k: int = 1) -> Array:
    """Variance of rounding, as `rounding` tells it, of floats that repeat, as those of a copy of an image of 8 bits do.

    Parameters
    ----------
    values : ndarray, shape (n, n_channels), of floats
        NaN where a value is missing.
    k : int
        Number of classes: no more values are rounded, see `rounding`.

    Returns
    -------
    ndarray, shape (n_channels,)
        0 where few values repeat, or there are fewer of them than grey levels of anything: then each may be a class.

    Examples
    --------
    >>> (rounding_of_floats(np.arange(100)[:, None] % 10 * 0.5) * 12).round(6)
    array([0.25])
    """
    found = np.zeros(values.shape[1])
    for channel, column in enumerate(values.T):
        distinct, counts = np.unique(column[np.isfinite(column)], return_counts=True)
        if max(LEVELS, k + 1) <= len(distinct) <= _FEW * counts.sum():
            found[channel] = variance_of(np.diff(distinct.astype(np.float64)), counts)
    return found


def is_luma_chroma(values: Array) -> bool:
    """Whether colours were whole numbers of lightness and two differences of colour, as JPEG and films store them.

    Then what rounding took is up to three times what 8 bits of red, green and blue take, and a picture of little colour
    has so few different ones that each might seem to be a class.

    Parameters
    ----------
    values : ndarray, shape (n, 3), uint8
        Red, green, blue.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stored = np.rint(rng.normal((120, 5, -3), (30, 4, 4), (1000, 3)))
    >>> is_luma_chroma(np.rint(stored @ LUMA_CHROMA.T).astype(np.uint8))
    True
    >>> is_luma_chroma(rng.integers(0, 255, (1000, 3), np.uint8))
    False
    """
    if len(values) < _FEW_COLORS:
        return False
    return all(kernels.mean_cosine(values, row) > _ALIGNED for row in _FROM_COLORS)  # the first one mostly tells


def _valid_pixels(part: Image) -> Iterator[Array]:
    """All valid pixels of a window in memory, (n, n_channels) at a time."""
    pixels = part.array.reshape(-1, part.n_channels)
    valid = None if part.valid is None else part.valid.reshape(-1)
    for start in range(0, len(pixels), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        yield pixels[some] if valid is None else pixels[some][valid[some]]
