"""Grain: how many pixels along each axis hold one detail of a picture, as where it was enlarged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.records import replace
from gmmseg.spatial.enlarging import GRAIN, Levels, likeliest_kind, undone

__all__ = ["UNDONE", "Grain", "grain_of", "put_together"]

UNDONE = 24
"""Blocks around one that are felt when it is undone."""

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
# Squared differences within blocks in parts of those between them, where pixels nearly are repeated: 0 to 0.02; linear
# interpolation leaves a third.
_STEPS_IN_BLOCKS = 0.1
# Of the pixels next to the middle of a block and those one and two off, along each axis: what interpolates polynomials
# of degree 5, which nearly undoes all kinds of interpolation. With means of blocks masks of four classes of 50 enlarged
# photographs agree by .944 instead of .976.
_TAPS = (150 / 256, -25 / 256, 3 / 256)
_AROUND = 2
_LARGE = 40  # pixels along each side of a window in which the kind of interpolation is looked for
_AT_ONCE = 1 << 18  # pixels that are put together at once


class Grain(NamedTuple):
    """How a picture was enlarged to twice its size, of which each pixel became a block of 2 x 2.

    Parameters
    ----------
    begin : tuple of int
        Rows and columns, 0 or 1, by which the first blocks were cut.
    kind : str, optional
        The kind of interpolation, of `gmmseg.spatial.enlarging.KINDS`, which is undone exactly; None for any other, and
        for a picture that was changed after it.
    """

    begin: tuple[int, ...] = (0, 0)
    kind: str | None = None


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
        rows = np.split(starts[0], len(starts[0]))
        for row in rows:  # by and by: new memory takes longer than what is done with it
            looks, _ = _looks(image, [row, starts[1]], _SIDE)
            number, near, far = number + len(looks), near + _bend(looks, 1), far + _bend(looks, 2)
        if number < _ENOUGH:
            return None
        soft, origin = near < _IN_BLOCKS_NO_DETAIL * far, image.origin or (0, 0)
        order, most = (3, _IN_BLOCKS) if soft else (1, _STEPS_IN_BLOCKS)
        if not soft and None in _begins(image, [rows[len(rows) // 2], starts[1]], origin, order, most):
            return None
        found = _begins(image, starts, origin, order, most)
        if None in found and not near < _NO_DETAIL * far:
            return None
        begin = tuple(each or 0 for each in found)
        starts = [_evenly(n - 1, _LARGE, min(_WINDOWS, (n - 1) // _LARGE)) for n in image.shape]
        starts = [each + (each + o + b) % GRAIN for each, o, b in zip(starts, origin, begin, strict=True)]
        levels = Levels.of(image.array.dtype, color=image.color)
        kind = likeliest_kind(levels.scale * _looks(image, starts, _LARGE)[0], levels)
        return Grain(begin, kind) if soft or kind is not None else None


def _begins(image: Image, starts: list[Array], origin: tuple[int, ...], order: int, most: float) -> list[int | None]:
    """Where blocks begin along both axes, see `_begin`."""
    looks, taken = _looks(image, starts, _SIDE)
    return [_begin(looks, axis, origin[axis] + taken[axis], order, most) for axis in (0, 1)]


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


def _begin(looks: Array, axis: int, starts: Array, order: int, most: float) -> int | None:
    """Whether blocks begin with odd pixels of the whole along an axis (1) or with even ones (0); None without any.

    Told by squared differences of first or third order around the middle of blocks, at most so large in parts of those
    between blocks.
    """
    squares = (np.diff(looks, order, axis=1 + axis) ** 2).sum(axis=(2 - axis, 3))
    odd = (starts[:, None] + np.arange(order // 2, order // 2 + squares.shape[1])) % GRAIN == 1
    bends = [float(squares[each].sum()) for each in (~odd, odd)]
    return int(bends[1] < bends[0]) if min(bends) < most * max(bends) else None


def _bend(looks: Array, step: int) -> float:
    """Sum of the squared second differences of windows (n, side, side, n_channels) along both axes."""
    inner = slice(2, _SIDE - 2)
    back, on = slice(2 - step, _SIDE - 2 - step), slice(2 + step, _SIDE - 2 + step)
    middle = 2 * looks[:, inner, inner]
    down = looks[:, back, inner] + looks[:, on, inner] - middle
    along = looks[:, inner, back] + looks[:, inner, on] - middle
    return float((down**2).sum() + (along**2).sum())


def put_together(image: Image, grain: Grain) -> Image:
    """Return a picture in memory whose pixels are blocks: of two rows and two columns, from the first on of the whole.

    A block is the pixel that it was enlarged from, where the kind of interpolation is known. Otherwise it has what lies
    in its middle, by interpolation that leaves nearly all detail that was there before; means of its four pixels would
    blur. Where one of the 6 x 6 pixels around the middle is no data, it is the mean of those of the block that are
    known.
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
    if grain.kind is None:
        step = max(1, _AT_ONCE // max(1, pixels.shape[1] * GRAIN))
        for first in range(0, rows, step):
            last = min(first + step, rows)
            strip = slice(GRAIN * first, GRAIN * last + 2 * _AROUND)
            there = None if valid is None else valid[strip]
            out[first:last] = _middles(pixels[strip], there, image.color)
    else:
        for channel in (slice(i, i + 1) for i in range(image.n_channels)):
            out[..., channel] = _middles(pixels[..., channel], valid, image.color, grain.kind)
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


def _middles(pixels: Array, valid: Array | None, color: bool, name: str | None = None) -> Array:
    """What lies in the middle of each block of a strip (2 r + 4, 2 c + 4, n_channels), or was enlarged to it."""
    kind, dtype = pixels.dtype.kind, pixels.dtype
    values = pixels.astype(np.float32 if dtype.itemsize <= (2 if kind in "iu" else 4) else np.float64)
    known = np.isfinite(values) if kind == "f" else None
    if valid is not None:
        known = np.broadcast_to(valid[..., None], values.shape) if known is None else known & valid[..., None]
    if known is not None and known.all():
        known = None
    if known is not None:
        values = np.where(known, values, 0)
    if name is None:
        found = values
        for axis in (0, 1):
            pairs = _pairs(found, axis, np.add)
            found = np.asarray(sum(values.dtype.type(tap) * pair for tap, pair in zip(_TAPS, pairs, strict=True)))
    else:
        levels = Levels.of(dtype, color=color)
        whole = values if known is None else _filled(values, known)
        whole = whole[_AROUND:-_AROUND, _AROUND:-_AROUND, 0] * np.asarray(levels.scale, values.dtype)
        found = (undone(whole, name, levels) / np.asarray(levels.scale, values.dtype))[..., None]
    if known is not None:
        every = known
        for axis in (0, 1):
            every = np.logical_and.reduce(list(_pairs(every, axis, np.logical_and)))
        parts = known.astype(np.uint8), values
        number, total = (_pairs(_pairs(each, 0, np.add)[0], 1, np.add)[0] for each in parts)
        nothing = np.nan if kind == "f" else 0
        found = np.where(every, found, np.where(number > 0, total / np.maximum(number, 1), nothing))
    if kind == "f":
        return np.asarray(np.clip(found, 0, 1) if color else found, dtype)
    low, high = (float(each) for each in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    high = high if dtype.itemsize < 8 else np.nextafter(high, 0)  # which does not hold the last one of 64 bits
    return np.asarray(np.clip(np.rint(found), low, high).astype(dtype))


def _filled(values: Array, known: Array) -> Array:
    """Repeat what is known along rows, then along columns, where nothing is: what is undone beside it feels that."""
    for axis in (1, 0, 1, 0):
        here = np.expand_dims(np.arange(values.shape[axis]), tuple(i for i in range(values.ndim) if i != axis))
        last = np.maximum.accumulate(np.where(known, here, 0), axis=axis)
        values, known = (np.flip(np.take_along_axis(each, last, axis), axis) for each in (values, known))
    return values


def _pairs(values: Array, axis: int, join: np.ufunc) -> list[Array]:
    """Join what lies on both sides of the middles of blocks along an axis: next to them, then one and two off."""
    n = values.shape[axis] - 2 * _AROUND - 1
    sides = [values[(slice(None),) * axis + (slice(i, n + i, GRAIN),)] for i in range(2 * _AROUND + 2)]
    return [join(sides[_AROUND - i], sides[_AROUND + 1 + i]) for i in range(_AROUND + 1)]
