"""How much features change with the channels of pixels, for what rounding took from these."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["squared_slopes"]

Array = NDArray[Any]


def squared_slopes(planes: Array, widths: Array, mixing: Array) -> Array:
    """Return the mean squared slopes of features by each channel, and by mixtures of channels, `(c + m, d)`.

    `planes` `(d, 2, c, n)`, float32, are features of samples with one channel at a time below and above what it is, by
    `widths` `(c, n)` together; `mixing` `(m, c)` says by how much each mixture changes the channels. Slopes that are
    NaN are left out; the mean of none is 0.
    """
    slopes = ((planes[:, 1] - planes[:, 0]) / widths).swapaxes(0, 1)
    slopes = np.concatenate([slopes, np.einsum("mc,cdn->mdn", mixing, slopes)])
    known = ~np.isnan(slopes)
    return np.asarray((np.where(known, slopes, 0.0) ** 2).sum(axis=2) / np.maximum(known.sum(axis=2), 1))
