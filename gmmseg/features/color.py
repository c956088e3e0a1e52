"""Colour spaces: pixels `(rows, columns, 3)` of red, green and blue (sRGB) to planes `(3, rows * columns)`, float32.

Each function has the name of its feature in `gmmseg.features.feature`; integers span the range of their dtype, floats 0
to 1. `gray` gives one plane.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.image.units import unit_range
from gmmseg.image.vision import opencv

__all__ = ["gray", "hed", "hsv", "lab", "luv"]

_STAINS = np.linalg.inv([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""From red, green and blue light that is absorbed to haematoxylin, eosin and DAB (Ruifrok and Johnston 2001)."""

_AT_ONCE = 1 << 16  # pixels, of which OpenCV makes one part

_DARKEST = 1e-6  # of white: what is darker is taken for this, whose density is 1


@cache
def _linear_light(dtype: str) -> Array:
    """Table from 8 or 16-bit sRGB, by the letter of its dtype, to linear light (IEC 61966-2-1)."""
    c = np.arange(np.iinfo(dtype).max + 1) / np.iinfo(dtype).max
    return np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92).astype(np.float32)


def lab(values: Array, out: Array) -> None:
    """CIE L*a*b* under D65: L 0 to 100, a and b about -100 to 100."""
    if values.dtype in (np.uint8, np.uint16):
        kernels.lab(values, _linear_light(values.dtype.char), out)
    else:
        kernels.lab(unit_range(values), None, out)


def _convert(values: Array, code: int) -> Array:
    """Planes (3, n) by OpenCV's conversion of this code, the same bits for a pixel whatever its place.

    In full rows of 64 pixels: what OpenCV does with the rest of a row differs in the last bit. And so many at a time
    that it takes no threads of its own.
    """
    cv2 = opencv()

    n = values.shape[0] * values.shape[1]
    rows = np.zeros((-(-n // 64) * 64 or 64, 3), np.float32)  # OpenCV refuses an array without pixels
    rows[:n] = unit_range(values).reshape(-1, 3)
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE].reshape(-1, 64, 3)
        cv2.cvtColor(part, code, part)
    return rows[:n].T


def luv(values: Array, out: Array) -> None:
    """CIE L*u*v* under D65: L 0 to 100."""
    cv2 = opencv()

    out[...] = _convert(values, cv2.COLOR_RGB2Luv)


def hsv(values: Array, out: Array) -> None:
    """The HSV cone, 0 to 1: hue is an angle, and taken as a point on the circle so that reds stay together."""
    cv2 = opencv()

    h, s, v = _convert(values, cv2.COLOR_RGB2HSV)
    angle = np.deg2rad(h)
    out[0], out[1], out[2] = s * np.cos(angle), s * np.sin(angle), v


def hed(values: Array, out: Array) -> None:
    """Haematoxylin, eosin and DAB by colour deconvolution (Ruifrok and Johnston 2001), at least 0.

    As of `skimage.color.rgb2hed`, whose unit is six of the usual optical density, the decimal logarithm.
    """
    if values.dtype in (np.uint8, np.uint16):
        red, green, blue = _densities(values.dtype.name)[values.reshape(-1, 3).T]
    else:
        red, green, blue = _density(np.ascontiguousarray(unit_range(values).reshape(-1, 3).T))
    with np.errstate(invalid="ignore"):  # of pixels that are infinite, which have no class
        for stain, (r, g, b) in zip(out, _STAINS.T.astype(np.float32), strict=True):
            stain[...] = np.maximum(r * red + g * green + b * blue, 0)


@cache
def _densities(dtype: str) -> Array:
    """Table of the optical densities of 8 or 16-bit values."""
    top = np.iinfo(dtype).max
    return _density(np.arange(top + 1) / top).astype(np.float32)


def _density(light: Array) -> Array:
    """Optical density of light, 0 for white (1) and 1 for black."""
    return np.asarray(np.log(np.maximum(light, _DARKEST)) / math.log(_DARKEST))


def gray(values: Array, out: Array) -> None:
    """Luma (ITU-R BT.601) of colour, in the file's own units."""
    red, green, blue = values.reshape(-1, 3).T.astype(np.float32)
    out[...] = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
