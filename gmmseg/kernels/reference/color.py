"""sRGB to CIE L*a*b* under D65 (IEC 61966-2-1; CIE 15)."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["lab"]

_WHITE = np.array([0.95047, 1.0, 1.08883])
_MATRIX = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])


def lab(pixels: Array, linear: Array | None, out: Array) -> None:
    """Write CIE L*, a*, b* of sRGB pixels `(rows, columns, 3)` into `out` `(3, rows * columns)`, float32.

    `linear` maps uint8 or uint16 pixels to linear light; None for float32 pixels in 0..1.
    """
    if linear is not None:
        light = linear[pixels].astype(np.float64)
    else:
        c = np.clip(pixels, 0, 1).astype(np.float64)
        light = np.where(c > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92)
    t = np.einsum("nj,ij->ni", light.reshape(-1, 3), _MATRIX / _WHITE[:, None])
    f = np.where(t > 0.008856452, np.cbrt(t), t * 7.787037 + 4 / 29).T
    out[0] = 116 * f[1] - 16
    out[1] = 500 * (f[0] - f[1])
    out[2] = 200 * (f[1] - f[2])
