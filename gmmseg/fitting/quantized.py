"""Floats that are copies of integers: grey levels of 8 or 16 bits that were divided, multiplied, shifted, or just cast.

What is known of integers, that values are few and were rounded, is known of their copies too, once they are integers
again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.pixels import one_in_each_run
from gmmseg.image.sources import ArraySource
from gmmseg.kernels.chance import default_rng
from gmmseg.kernels.intervals import LEVELS
from gmmseg.records import replace

__all__ = ["Quantized", "quantized"]

_TELLING = 1024  # pixels that tell nearly all other floats: the closest two of them are far less than a step apart
_LEVELS = 1 << 16
_USUAL = 1.0, 1 / 255, 1 / 65535  # steps, also of numbers that happen to be multiples of another
_ROUNDING = 2 * float(np.finfo(np.float32).eps)  # of the largest number; what is float64 often was float32 before
_CLEARLY = 16  # roundings that a step has at least
_RANGE = 1e15  # steps, and their inverses, beyond which numbers may be too large to be computed with
_FEW_STEPS = 8  # after which what is not known of a step is not yet much
_WIDE = 8  # steps between the closest values, which then have a step of their own
_AT_ONCE = 1 << 16  # numbers that are looked at together


class Quantized(NamedTuple):
    """An image of integers, and what its numbers are: `offset + step * integer`.

    Parameters
    ----------
    image : Image
    offset, step : float
        0 and 1 / 255 or 1 / 65535 of colours.
    """

    image: Image
    offset: float
    step: float


class _Lattice(NamedTuple):
    """Numbers `offset + step * integer`, but for so much of rounding."""

    offset: float
    step: float
    rounding: float

    def levels(self, values: Array) -> Array:
        """Return the integers, as float64, next to some numbers."""
        found = values.astype(np.float64)
        found -= self.offset
        found /= self.step
        return np.asarray(np.rint(found, out=found))

    def holds(self, values: Array, levels: Array) -> bool:
        """Whether numbers are of these levels."""
        return bool((np.abs(self.offset + self.step * levels - values) <= self.rounding).all())


def quantized(image: Image) -> Quantized | None:
    """Return the integers that an image in memory is a copy of; None of all other images.

    Parameters
    ----------
    image : Image
        Colours have to be of 8 or 16 bits; other numbers may have any step of 8 to 65 536 levels.

    Notes
    -----
    Where steps are neither 1 nor those of white at 1.0 they are found by Euclid's algorithm. Some 1 000 pixels tell
    floats of other kinds; all are looked at once where these are of integers. Volumes of scanners, which mostly are of
    signed integers, become such.

    Examples
    --------
    >>> grey = np.arange(100, dtype=np.float32).reshape(10, 10) / 255
    >>> found = quantized(Image(grey))
    >>> found.image.array.max(), round(1 / found.step)
    (np.uint8(99), 255)
    >>> quantized(Image(np.sqrt(grey))) is None
    True
    """
    if not image.in_memory or image.pixels.dtype.kind != "f":
        return None
    places = None if image.valid is None else np.flatnonzero(image.valid)
    some = one_in_each_run(image.n_pixels if places is None else len(places), _TELLING, default_rng(0))
    values, _ = image.take(some if places is None else places[some])
    if not values.size or not np.isfinite(values).all():
        return None  # a number may be missing in single channels, which no integer is
    usual = _USUAL[1:] if image.color else _USUAL
    lattice = _lattice(np.unique(values.astype(np.float64)), usual, any_step=not image.color)
    return None if lattice is None else _as_integers(image, lattice)


def _lattice(values: Array, usual: tuple[float, ...], *, any_step: bool) -> _Lattice | None:
    """Return the lattice that distinct values, ascending, lie on: one of usual steps, or of any."""
    rounding = _ROUNDING * float(np.abs(values[[0, -1]]).max())
    gaps = np.diff(values)
    apart, spread = float(gaps.min(initial=np.inf)), float(values[-1] - values[0])
    if apart < _CLEARLY * rounding or spread > 2 * _LEVELS * apart:  # what rounds may make it smaller
        return None
    for step in usual:
        lattice = _Lattice(0.0, step, rounding)
        close = apart < _WIDE * step or step == 1
        if close and apart > step / 2 and spread < _LEVELS * step and lattice.holds(values, lattice.levels(values)):
            return lattice
    return _lattice_of_any_step(values, gaps, rounding) if any_step and 1 / _RANGE < apart < _RANGE else None


def _lattice_of_any_step(values: Array, gaps: Array, rounding: float) -> _Lattice | None:
    """Return the lattice of distinct values by the gaps between them."""
    step = _common(gaps, rounding)
    if step is None or values[-1] - values[0] < (LEVELS - 1.5) * step:
        return None  # of few values each may be a class
    levels = np.append(0, np.cumsum(np.rint(gaps / step)))
    from_middle = levels - levels.mean()
    step = float((from_middle * values).sum() / np.square(from_middle).sum())
    offset = float(values.mean() - levels.mean() * step)
    whole = np.rint(offset / step)
    if abs(offset - whole * step) <= rounding:  # from 0 on, as they mostly are
        levels += whole
        step, offset = float((levels * values).sum() / np.square(levels).sum()), 0.0
    lattice = _Lattice(offset, step, rounding)
    return lattice if lattice.holds(values, levels) else None


def _common(gaps: Array, rounding: float) -> float | None:
    """Return the largest number that gaps (n,) are multiples of: Euclid's algorithm, on ever more of them.

    The mean of those of few steps says what a step is so much better that those of more steps tell.
    """
    step, reach = float(gaps.min()), _FEW_STEPS
    total = float(gaps.sum())
    while step >= _CLEARLY * rounding and total < 2 * _LEVELS * step:
        times = np.rint(gaps / step)
        near = times <= reach
        left = np.abs(gaps - times * step)[near]
        off = left > _FEW_STEPS * rounding
        if off.any():
            step, reach = float(left[off].min()), _FEW_STEPS
            continue
        if near.any():
            step = float(gaps[near].sum() / times[near].sum())
        if near.all():
            return step
        reach *= _FEW_STEPS
    return None


def _as_integers(image: Image, lattice: _Lattice) -> Quantized | None:
    """Return the integers of a lattice; None where a valid pixel is off it, or they are too many."""
    array, valid = image.array, image.valid
    used: Any = True if valid is None else valid[..., None]
    ends = array.min(where=used, initial=np.inf), array.max(where=used, initial=-np.inf)
    low, high = lattice.levels(np.array(ends)).tolist()
    if not high - low < _LEVELS:  # NaN neither
        return None
    if lattice.offset:
        lattice = lattice._replace(offset=lattice.offset + low * lattice.step)
        low, high = 0, high - low
    lattice = lattice._replace(rounding=_ROUNDING * float(np.abs(ends).max()))
    dtype = _type_for(image, lattice, low, high)
    if dtype is None:
        return None
    # Part by part along the axis of the longest steps, so that no second array of floats is made.
    axis = int(np.argmax(np.abs(array.strides[:-1])))
    out = np.empty_like(array, dtype)
    parts, into = np.moveaxis(array, axis, 0), np.moveaxis(out, axis, 0)
    known = None if valid is None else np.moveaxis(valid, axis, 0)[..., None]
    count = max(1, _AT_ONCE * len(parts) // array.size)
    for start in range(0, len(parts), count):
        some = slice(start, start + count)
        part = parts[some] if known is None else np.where(known[some], parts[some], ends[0])
        levels = lattice.levels(part)
        if not lattice.holds(part, levels):
            return None
        into[some] = levels
    return Quantized(replace(image, pixels=ArraySource(out)), lattice.offset, lattice.step)


def _type_for(image: Image, lattice: _Lattice, low: float, high: float) -> np.dtype[Any] | None:
    """Return the smallest type that holds integers from low to high; of colours the one whose largest is white."""
    if image.color:
        top = round(1 / lattice.step)
        return np.dtype(np.uint8 if top == 255 else np.uint16) if low >= 0 and high <= top else None
    signed = image.is_scan and image.ndim == 3
    kinds = (np.int16, np.int32) if signed or low < 0 else (np.uint8, np.uint16, np.int32)
    return next((np.dtype(kind) for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), None)
