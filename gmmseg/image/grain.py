"""Grain: how many pixels along each axis hold one detail of a picture, as where it was enlarged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmseg.image.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import Window
from gmmseg.records import replace
from gmmseg.threads import mapped

__all__ = ["GRAIN", "Grain", "enlarge", "grain_of", "put_together", "within_blocks"]

Array = NDArray[Any]

GRAIN = 2
"""How many pixels along each axis hold one detail of a picture that was enlarged; no other number is told."""

_LEAST = 128  # pixels along each axis of a picture whose halves are large enough to tell classes from
_WINDOWS, _SIDE = 8, 20  # along each axis, in which detail is looked for; pixels along each side of one
_ENOUGH = 16  # windows without a pixel of no data
# Squared second differences between pixels next to each other in parts of those two apart. White noise has 1, 62
# photographs have 0.17 to 0.56; enlarged twice by linear, cubic and Lanczos interpolation 0.09 to 0.143.
_NO_DETAIL = 0.155
# Squared third differences around the middle of blocks in parts of those between blocks. Linear interpolation leaves
# none, cubic and Lanczos 0.1 to 0.57, saved as JPEG after that 0.11 to 0.67. Photographs, saved again and again, and
# nuclei have 0.85 to 1, enlarged by other than 2 0.77 to 1.
_IN_BLOCKS = 0.7
_IN_BLOCKS_NO_DETAIL = 0.2  # where blocks are there along both axes: JPEG adds some that is none of the picture
# Of the pixels next to the middle of a block and those one and two off, along each axis: what undoes linear
# interpolation, and what interpolates polynomials of degree 5, which nearly undoes all other kinds. With means of
# blocks masks of four classes of 50 enlarged photographs agree by .944 instead of .976.
_LINEAR, _OTHER = (0.75, -0.25, 0.0), (150 / 256, -25 / 256, 3 / 256)
_AROUND = 2
_LARGE = 40  # pixels along each side of a window in which the kind of interpolation is looked for
# Third differences in blocks, as above but without what rounding adds, that linear interpolation leaves at most: 0 to
# 0.03. Cubic interpolation with the derivative -0.5 leaves as little: it is the linear one of a sharper picture.
_STRAIGHT = 0.05
# Of numbers that are 1 where they are whole, on average 0 and -1 halfway: means over what undoing it gives. Pictures of
# 8 bits enlarged by linear interpolation have 1, and 0.04 to 0.054 where they were rounded after it; by other kinds
# -0.02 to 0.1, and -0.01 to 0.02 in the second case.
_WHOLE, _ROUNDED = 0.5, 0.025
# The same of half the differences between blocks, where both axes were rounded in turn: -0.45 to -0.35 for linear
# interpolation, -0.12 and more for all other kinds.
_ODD = -0.25
_AT_ONCE = 1 << 18  # pixels that are enlarged, or put together, at once


class Grain(NamedTuple):
    """How a picture was enlarged to twice its size, of which each pixel became a block of 2 x 2.

    Parameters
    ----------
    begin : tuple of int
        Rows and columns, 0 or 1, by which the first blocks were cut.
    linear : bool
        Whether by linear interpolation, which is undone exactly; not known of a picture that was changed after it.
    """

    begin: tuple[int, ...] = (0, 0)
    linear: bool = False


def grain_of(image: Image) -> Grain | None:
    """Return how a picture without detail of single pixels was enlarged; None for all others.

    Parameters
    ----------
    image : Image
        Only pictures in memory are looked at.
    """
    if image.ndim != 2 or image.time or not image.in_memory or min(image.shape) < _LEAST:
        return None
    starts = [_evenly(n, _SIDE, _WINDOWS) for n in image.shape]
    with np.errstate(invalid="ignore", over="ignore"):  # of pixels without data, which are not looked at
        number, near, far = 0, 0.0, 0.0
        for row in np.split(starts[0], len(starts[0])):  # by and by: new memory takes longer than what is done with it
            looks, _ = _looks(image, [row, starts[1]], _SIDE)
            number, near, far = number + len(looks), near + _bend(looks, 1), far + _bend(looks, 2)
        if number < _ENOUGH or not near < _IN_BLOCKS_NO_DETAIL * far:
            return None
        looks, taken = _looks(image, starts, _SIDE)
        origin = image.origin or (0, 0)
        found = [_begin(looks, axis, origin[axis] + taken[axis]) for axis in (0, 1)]
        if None in found and not near < _NO_DETAIL * far:
            return None
        begin = tuple(each or 0 for each in found)
        starts = [_evenly(n - 1, _LARGE, min(_WINDOWS, (n - 1) // _LARGE)) for n in image.shape]
        starts = [each + (each + o + b) % GRAIN for each, o, b in zip(starts, origin, begin, strict=True)]
        looks = _looks(image, starts, _LARGE)[0]
        return Grain(begin, _is_linear(looks * 255 if image.color and image.pixels.dtype.kind == "f" else looks))


def _evenly(n: int, side: int, count: int) -> Array:
    """Where windows begin along an axis: as far from one end as from the other, so that a mirrored picture is alike."""
    first = np.linspace(0, n - side, count)[: -(-count // 2)].astype(np.intp)
    return np.concatenate([first, n - side - first[: count // 2][::-1]])


def _looks(image: Image, starts: list[Array], side: int) -> tuple[Array, Array]:
    """Windows (n, side, side, n_channels) without a pixel of no data, and where they begin along both axes (2, n)."""
    rows, columns = (each[:, None] + np.arange(side) for each in starts)
    place = rows[:, None, :, None], columns[None, :, None, :]
    looks = image.array[place].astype(np.float64).reshape(-1, side, side, image.n_channels)
    begin = np.stack([each.ravel() for each in np.meshgrid(*starts, indexing="ij")])
    if image.valid is None:
        return looks, begin
    known = image.valid[place].all(axis=(2, 3)).reshape(-1)
    return looks[known], begin[:, known]


def _begin(looks: Array, axis: int, starts: Array) -> int | None:
    """Whether blocks begin with odd pixels of the whole along an axis (1) or with even ones (0); None without any."""
    squares = (_third(looks, axis) ** 2).sum(axis=(2, 3))
    odd = (starts[:, None] + np.arange(1, 1 + squares.shape[1])) % GRAIN == 1
    bends = [float(squares[each].sum()) for each in (~odd, odd)]
    return int(bends[1] < bends[0]) if min(bends) < _IN_BLOCKS * max(bends) else None


def _third(looks: Array, axis: int) -> Array:
    """Third differences (n, side - 3, side, n_channels) of windows along an axis."""
    lines = np.moveaxis(looks, 1 + axis, 1)
    return np.asarray(lines[:, 3:] - lines[:, :-3] - 3 * (lines[:, 2:-1] - lines[:, 1:-2]))


def _is_linear(looks: Array) -> bool:
    """Whether windows that begin with a block were enlarged by linear interpolation, from whole numbers.

    What undoes it then gives whole numbers again. Where both axes were rounded in turn, the two pixels between a and b
    along the last one differ by an odd number for three of four values of b - a.
    """
    rounded = bool((np.abs(looks - np.rint(looks)) < 1e-3).all())
    noise = 20 / 12 if rounded else 0.0  # the squared taps of third differences, times the variance of rounding
    for axis in (0, 1):
        squares = _third(looks, axis) ** 2
        if squares[:, 1::2].mean() - noise > _STRAIGHT * (squares[:, ::2].mean() - noise):
            return False
    undone, between = looks, looks
    for axis in (1, 2):
        undone, between = _undone(undone, axis, _LINEAR), _pairs(between, axis, np.add)[0] / 2
    if _wholeness(undone[np.abs(undone - between) > 1]) > (_ROUNDED if rounded else _WHOLE):
        return True
    steps = (looks[:, 2:-1:2] - looks[:, 1:-2:2], looks[:, :, 2:-1:2] - looks[:, :, 1:-2:2])
    return rounded and any(_wholeness(each[np.abs(each) > 1] / 2) < _ODD for each in steps)


def _wholeness(values: Array) -> float:
    """The mean over numbers of 1 for whole ones and -1 for those halfway between; those of even parts left out."""
    return float(np.cos(2 * np.pi * values).sum()) / max(1, values.size)


def _bend(looks: Array, step: int) -> float:
    """Sum of the squared second differences of windows (n, side, side, n_channels) along both axes."""
    inner = slice(2, _SIDE - 2)
    back, on = slice(2 - step, _SIDE - 2 - step), slice(2 + step, _SIDE - 2 + step)
    middle = 2 * looks[:, inner, inner]
    down = looks[:, back, inner] + looks[:, on, inner] - middle
    along = looks[:, inner, back] + looks[:, inner, on] - middle
    return float((down**2).sum() + (along**2).sum())


def within_blocks(window: Window, known: Window) -> Window:
    """Return the blocks from which a window of pixels is enlarged, of those that are known; both of the whole image."""
    return tuple(
        slice(max(s.start // GRAIN - 1, b.start), min((s.stop - 1) // GRAIN + 2, b.stop))
        for s, b in zip(window, known, strict=True)
    )


def put_together(image: Image, grain: Grain) -> Image:
    """Return a picture in memory whose pixels are blocks: of two rows and two columns, from the first on of the whole.

    A block has what lies in its middle, by interpolation that leaves nearly all detail that was there before a picture
    was enlarged; means of its four pixels would blur. Where one of the 6 x 6 pixels around the middle is no data, it is
    the mean of those of the block that are known.
    """
    extent = image.extent or image.shape
    origin = tuple(o + b for o, b in zip(image.origin or (0,) * image.ndim, grain.begin, strict=True))
    before = [_AROUND + start % GRAIN for start in origin]
    after = [_AROUND + (start + n) % GRAIN for start, n in zip(origin, image.shape, strict=True)]
    around = list(zip(before, after, strict=True))
    pixels = np.pad(image.array, [*around, (0, 0)], mode="edge")
    valid: Array | None = None if image.valid is None else np.pad(image.valid, around, mode="edge")
    rows, columns = ((n - 2 * _AROUND) // GRAIN for n in pixels.shape[:2])
    out = np.empty((rows, columns, image.n_channels), pixels.dtype)
    step = max(1, _AT_ONCE // max(1, pixels.shape[1] * GRAIN))
    for first in range(0, rows, step):
        last = min(first + step, rows)
        strip = slice(GRAIN * first, GRAIN * last + 2 * _AROUND)
        there = None if valid is None else valid[strip]
        out[first:last] = _middles(pixels[strip], there, image.color, _LINEAR if grain.linear else _OTHER)
    if valid is not None:
        inner = valid[_AROUND:-_AROUND, _AROUND:-_AROUND]
        valid = np.asarray(inner.reshape(rows, GRAIN, columns, GRAIN).any(axis=(1, 3)))
    return replace(
        image,
        pixels=ArraySource(out),
        valid=valid,
        spacing=None if image.spacing is None else tuple(GRAIN * step for step in image.spacing),
        origin=None if image.origin is None else tuple(o // GRAIN for o in origin),
        extent=None
        if image.extent is None
        else tuple(-(-(n + b) // GRAIN) for n, b in zip(extent, grain.begin, strict=True)),
        place=None,
    )


def _middles(pixels: Array, valid: Array | None, color: bool, taps: tuple[float, ...]) -> Array:
    """What lies in the middle of each block of a strip (2 r + 4, 2 c + 4, n_channels), in its dtype."""
    kind, dtype = pixels.dtype.kind, pixels.dtype
    values = pixels.astype(np.float32 if dtype.itemsize <= (2 if kind in "iu" else 4) else np.float64)
    known = np.isfinite(values) if kind == "f" else None
    if valid is not None:
        known = np.broadcast_to(valid[..., None], values.shape) if known is None else known & valid[..., None]
    if known is not None and known.all():
        known = None
    if known is not None:
        values = np.where(known, values, 0)
    found = values
    for axis in (0, 1):
        found = _undone(found, axis, taps)
    if known is not None:
        every = known
        for axis in (0, 1):
            every = np.logical_and.reduce(list(_pairs(every, axis, np.logical_and)))
        number, total = (_pairs(_pairs(each, 0, np.add)[0], 1, np.add)[0] for each in (known.astype(np.uint8), values))
        nothing = np.nan if kind == "f" else 0
        found = np.where(every, found, np.where(number > 0, total / np.maximum(number, 1), nothing))
    if kind == "f":
        return np.asarray(np.clip(found, 0, 1) if color else found, dtype)
    low, high = (float(each) for each in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    high = high if dtype.itemsize < 8 else np.nextafter(high, 0)  # which does not hold the last one of 64 bits
    return np.asarray(np.clip(np.rint(found), low, high).astype(dtype))


def _undone(values: Array, axis: int, taps: tuple[float, ...]) -> Array:
    """What lies in the middles of blocks along an axis."""
    pairs = _pairs(values, axis, np.add)
    return np.asarray(sum(values.dtype.type(tap) * pair for tap, pair in zip(taps, pairs, strict=True)))


def _pairs(values: Array, axis: int, join: np.ufunc) -> list[Array]:
    """Join what lies on both sides of the middles of blocks along an axis: next to them, then one and two off."""
    n = values.shape[axis] - 2 * _AROUND - 1
    sides = [values[(slice(None),) * axis + (slice(i, n + i, GRAIN),)] for i in range(2 * _AROUND + 2)]
    return [join(sides[_AROUND - i], sides[_AROUND + 1 + i]) for i in range(_AROUND + 1)]


def enlarge(
    blocks: Array, within: Window, window: Window, write: Callable[[Window, Array], None], *, threads: int = 1
) -> None:
    """Go from blocks to pixels by linear interpolation, strip by strip.

    Parameters
    ----------
    blocks : ndarray, shape (K, *within), float32
    within : tuple of slice
        Where the blocks lie among those of the whole image; what is beyond is like the last ones.
    window : tuple of slice
        The pixels that are wanted, of the whole image.
    write : callable
        Takes a part of the window, counted from where it begins, and its numbers (K, *part), in any order.
    threads : int
    """
    rows, columns = window
    width = columns.stop - columns.start
    step = max(1, _AT_ONCE // max(1, width * len(blocks)))
    own, other = _beside(columns, within[1])

    def strip(first: int) -> None:
        last = min(first + step, rows.stop)
        here, there = _beside(slice(first, last), within[0])
        tall = blocks[:, here] * np.float32(0.75) + blocks[:, there] * np.float32(0.25)
        found = tall[:, :, own] * np.float32(0.75) + tall[:, :, other] * np.float32(0.25)
        write((slice(first - rows.start, last - rows.start), slice(0, width)), found)

    for _ in mapped(strip, range(rows.start, rows.stop, step), threads):
        pass


def _beside(along: slice, blocks: slice) -> tuple[Array, Array]:
    """For pixels along an axis the block that each is in and the nearer one beside it, counted from the first block."""
    place = np.arange(along.start, along.stop)
    own = place // GRAIN
    other = np.clip(own + 2 * (place % GRAIN) - 1, blocks.start, blocks.stop - 1)
    return own - blocks.start, other - blocks.start
