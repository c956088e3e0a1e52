"""Nodata values: measured numbers told from missing ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.channels import SCALINGS
from gmmseg.image.sources import ArraySource, Source, WindowSource
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window, everything
from gmmseg.records import replace

__all__ = [
    "Scaling",
    "as_read",
    "can_be",
    "dtype_without_nodata",
    "measured",
    "separate_nodata",
    "to_measured",
    "with_nodata",
]

Scaling = tuple[float, float]
"""Scale and offset: what was measured is stored * scale + offset."""


def can_be(value: float | None, stored: np.dtype[Any]) -> bool:
    """Whether a nodata value is one that stored numbers can have: -9999 is none of unsigned ones."""
    if value is None or stored.kind not in "ui":
        return value is not None
    return value.is_integer() and np.iinfo(stored).min <= value <= np.iinfo(stored).max


def dtype_without_nodata(stored: np.dtype[Any], n_bands: int) -> np.dtype[Any]:
    """Return the dtype in which bands with nodata values are kept: floats where a single one can be missing."""
    return np.dtype(np.float32) if stored.kind in "iu" and n_bands > 1 else stored


def separate_nodata(
    pixels: np.ndarray,
    nodata: Sequence[float | None],
    *,
    masks: np.ndarray | None = None,
    color: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Tell measured numbers from missing ones.

    Parameters
    ----------
    pixels : ndarray, shape (*spatial, n_channels)
        The samples; floats are changed in place.
    nodata : sequence of (float or None)
        The nodata value of each band, where it has one.
    masks : ndarray, shape (*spatial, n_channels), optional
        Zero where a single band is missing.
    color : bool
        Whether the channels are a colour, which is missing as a whole.

    Returns
    -------
    pixels : ndarray, shape (*spatial, n_channels)
        Integers of several bands that can be missing become float32.
    valid : ndarray of bool, shape (*spatial), optional
        False where every band is missing; None where that is nowhere.

    Notes
    -----
    Where only some bands of a pixel are missing, they become NaN and the others are used, as they are where each band
    is a file of its own. A colour is missing only as a whole: 0 is an ordinary amount of red.
    """
    kind, n = pixels.dtype.kind, pixels.shape[-1]
    by_band = n > 1 and not color
    some = masks is not None or any(can_be(value, pixels.dtype) for value in nodata)
    out = pixels.astype(dtype_without_nodata(pixels.dtype, n), copy=False) if by_band and some else pixels
    empty: np.ndarray | None = None
    certain = False
    for channel, value in enumerate(nodata):
        band = pixels[..., channel]
        missing = _missing(band, value, None if masks is None else masks[..., channel])
        if by_band and missing is not None:
            out[..., channel][missing] = np.nan
        if kind == "f":
            known = np.isfinite(band) if band.dtype.itemsize <= 4 else np.abs(band) <= np.finfo(np.float32).max
            missing = ~known if missing is None else missing | ~known
        certain = certain or missing is None
        if not certain:
            empty = missing if empty is None else empty & missing
    return out, None if certain or empty is None or not empty.any() else ~empty


def _missing(band: np.ndarray, value: float | None, mask: np.ndarray | None) -> np.ndarray | None:
    """Return where a band has its nodata value or its mask is 0; None where it can have neither, and for NaN."""
    missing: np.ndarray | None = None if mask is None else mask == 0
    if value is None or math.isnan(value) or not can_be(value, band.dtype):
        return missing
    if band.dtype.kind in "ui":
        here: np.ndarray = band == band.dtype.type(int(value))
    else:
        with np.errstate(over="ignore"):  # the lowest number of 64 bits, declared for bands of 32, is infinite there
            here = band == band.dtype.type(value)
    return here if missing is None else missing | here


def to_measured(numbers: np.ndarray, scalings: Sequence[Scaling]) -> None:
    """Turn stored numbers (..., n_channels), as floats, into what they mean, in place: one number always into one."""
    for channel, scaling in enumerate(scalings):
        scale, offset = (numbers.dtype.type(number) for number in scaling)
        numbers[..., channel] *= scale
        numbers[..., channel] += offset


def measured(image: Image, scalings: tuple[Scaling, ...]) -> Image:
    """Return an image of what its stored numbers mean, one scale and offset a channel."""
    source = _Measured(image.pixels, scalings)
    pixels = ArraySource(source.read(everything(image.shape))[0]) if image.in_memory else source
    return replace(image, pixels=pixels, metadata={**image.metadata, SCALINGS: scalings})


def as_read(image: Image, stored: float) -> np.ndarray:
    """Return what a number as stored is in each channel of an image, shape (n_channels,)."""
    scalings, dtype = image.metadata.get(SCALINGS), image.pixels.dtype
    computed = dtype if dtype.kind == "f" else np.dtype(np.float32)  # whole numbers may stand for floats since
    numbers = np.full(image.n_channels, stored, computed if scalings else np.float64)
    to_measured(numbers, scalings or ())
    return numbers


def with_nodata(image: Image, nodata: float | Sequence[float | None]) -> Image:
    """Return an image in which numbers stand for no data that its file does not declare.

    Parameters
    ----------
    image : Image
    nodata : float or sequence of (float or None)
        Of every channel, or one a channel; as stored, where the file says what stored numbers mean.

    Raises
    ------
    ParameterError
        There are more or fewer numbers than channels, or one is no number.
    """
    each: Any = nodata if isinstance(nodata, Sequence | np.ndarray) else [nodata]
    try:
        values = [None if value is None else float(value) for value in each]
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(
            f"nodata={nodata!r} is not usable; use a number, or a list of one a channel, None where it has none"
        ) from None
    if len(values) == 1:
        values *= image.n_channels
    if len(values) != image.n_channels:
        raise ParameterError(
            f"{image.name} has {image.n_channels} channels, but nodata has {len(values)} numbers; give one of all, or "
            "one a channel"
        )
    values = [None if value is None else float(as_read(image, value)[c]) for c, value in enumerate(values)]
    source = _Declared(image.pixels, tuple(values), color=image.color)
    if not image.in_memory:
        return replace(image, pixels=source)
    pixels, valid = source.read(everything(image.shape))
    return replace(image, pixels=ArraySource(pixels), valid=combine(image.valid, valid))


class _Declared(WindowSource):
    """A source of which some numbers stand for no data."""

    def __init__(self, whole: Source, nodata: tuple[float | None, ...], *, color: bool) -> None:
        self.whole, self.nodata, self.color = whole, nodata, color
        self.shape, self.blocks, self.sweep = tuple(whole.shape), tuple(whole.blocks), whole.sweep
        some = not color and any(can_be(value, whole.dtype) for value in nodata)
        self.dtype: np.dtype[Any] = dtype_without_nodata(whole.dtype, self.shape[-1]) if some else whole.dtype

    def select(self, channels: tuple[int, ...]) -> _Declared:
        """Return some channels; the others are not read."""
        return _Declared(self.whole.select(channels), tuple(self.nodata[c] for c in channels), color=False)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and where they are valid."""
        pixels, valid = self.whole.read(window)
        measured, there = separate_nodata(np.array(pixels), self.nodata, color=self.color)
        return measured, combine(combine(valid, there), finite(measured, every=self.color))


class _Measured(WindowSource):
    """A source of what stored numbers mean."""

    def __init__(self, whole: Source, scalings: tuple[Scaling, ...]) -> None:
        self.whole, self.scalings = whole, scalings
        self.shape, self.blocks, self.sweep = tuple(whole.shape), tuple(whole.blocks), whole.sweep
        self.dtype: np.dtype[Any] = np.dtype(np.float64 if whole.dtype == np.float64 else np.float32)

    def select(self, channels: tuple[int, ...]) -> _Measured:
        """Return some channels; the others are not read."""
        return _Measured(self.whole.select(channels), tuple(self.scalings[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and where they are valid."""
        stored, valid = self.whole.read(window)
        numbers = np.array(stored, self.dtype)
        to_measured(numbers, self.scalings)
        return numbers, valid
