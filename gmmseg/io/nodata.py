"""Nodata values: measured numbers told from missing ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["can_be", "dtype_without_nodata", "separate_nodata"]


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
