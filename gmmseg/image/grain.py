"""Grain: how many pixels along each axis hold one detail of a picture, as where it was enlarged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import Window
from gmmseg.records import replace
from gmmseg.threads import mapped

__all__ = ["GRAIN", "enlarge", "grain_of", "put_together", "within_blocks"]

Array = NDArray[Any]

GRAIN = 2
"""The only grain but 1 that is told and handled: blocks are of so many pixels along each axis."""

_LEAST = 128  # pixels along each axis of a picture whose halves are large enough to tell classes from
_WINDOWS, _SIDE = 8, 20  # along each axis, in which detail is looked for; pixels along each side of one
_ENOUGH = 16  # windows without a pixel of no data
# Squared second differences between pixels next to each other in parts of those two apart. White noise has 1, 62
# photographs have 0.17 to 0.56; enlarged twice by linear, cubic and Lanczos interpolation 0.09 to 0.143.
_NO_DETAIL = 0.155
_AT_ONCE = 1 << 18  # pixels that are enlarged together


def grain_of(image: Image) -> int:
    """Return 2 for a picture without detail of single pixels, such as one that was enlarged twice; 1 for all others.

    Parameters
    ----------
    image : Image
        Only pictures in memory are looked at.
    """
    if image.ndim != 2 or image.time or not image.in_memory or min(image.shape) < _LEAST:
        return 1
    rows, columns = (_evenly(n)[:, None] + np.arange(_SIDE) for n in image.shape)
    place = rows[:, None, :, None], columns[None, :, None, :]
    with np.errstate(invalid="ignore", over="ignore"):  # of pixels without data, which are not looked at
        looks = image.array[place].astype(np.float64).reshape(-1, _SIDE, _SIDE, image.n_channels)
        if image.valid is not None:
            looks = looks[image.valid[place].all(axis=(2, 3)).reshape(-1)]
        near, far = (_bend(looks, step) for step in (1, 2))
        return GRAIN if len(looks) >= _ENOUGH and near < _NO_DETAIL * far else 1


def _evenly(n: int) -> Array:
    """Where windows begin along an axis: as far from one end as from the other, so that a mirrored picture is alike."""
    first = np.linspace(0, n - _SIDE, _WINDOWS)[: _WINDOWS // 2].astype(np.intp)
    return np.concatenate([first, n - _SIDE - first[::-1]])


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


def put_together(image: Image) -> Image:
    """Return a picture in memory whose pixels are the means of blocks: of two rows and two columns from the first on.

    Blocks are those of the whole that a window is of; what of a block is no data, or not in the window, does not count.
    """
    origin, extent = image.origin or (0,) * image.ndim, image.extent or image.shape
    odd = tuple(o % GRAIN for o in origin)
    around = [(before, (before + n) % GRAIN) for before, n in zip(odd, image.shape, strict=True)]
    pixels, valid = image.array, image.valid
    if any(map(any, around)):
        pixels = np.pad(pixels, [*around, (0, 0)], mode="edge")
        valid = None if valid is None else np.pad(valid, around, mode="edge")
    known = None
    if valid is None and pixels.dtype.kind in "iu":
        means = _pairs(_pairs(pixels, 0, up=False), 1, up=True)
    else:
        means, known = _known_means(pixels, valid)
    return replace(
        image,
        pixels=ArraySource(np.ascontiguousarray(means)),
        valid=None if valid is None or known is None else known,
        spacing=None if image.spacing is None else tuple(GRAIN * step for step in image.spacing),
        origin=None if image.origin is None else tuple(o // GRAIN for o in origin),
        extent=None if image.extent is None else tuple(-(-n // GRAIN) for n in extent),
        place=None,
    )


def _pairs(pixels: Array, axis: int, *, up: bool) -> Array:
    """Means of integers next to each other along an axis, rounded up or down, without leaving their dtype."""
    a, b = (pixels[(slice(None),) * axis + (slice(i, None, 2),)] for i in (0, 1))
    half = (a ^ b) >> 1
    return (a | b) - half if up else (a & b) + half


def _known_means(pixels: Array, valid: Array | None) -> tuple[Array, Array]:
    """Means of what is known in each block, and which blocks hold a valid pixel."""
    rows, columns = (n // GRAIN for n in pixels.shape[:2])
    known: Array = np.ones(pixels.shape[:2], bool) if valid is None else valid
    counted = np.isfinite(pixels) & known[..., None]
    split = rows, GRAIN, columns, GRAIN, pixels.shape[2]
    number = counted.reshape(split).sum(axis=(1, 3))
    total = np.where(counted, pixels, 0).reshape(split).sum(axis=(1, 3), dtype=np.float64)
    nothing = np.nan if pixels.dtype.kind == "f" else 0
    means = np.where(number > 0, total / np.maximum(number, 1), nothing)
    means = means if pixels.dtype.kind == "f" else np.rint(means)
    return means.astype(pixels.dtype), np.asarray(known.reshape(split[:4]).any(axis=(1, 3)))


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
