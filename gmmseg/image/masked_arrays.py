"""Masked arrays: which numbers NumPy's masks hide, and what becomes of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from gmmseg.image.validity import combine

if TYPE_CHECKING:
    import numpy as np

__all__ = ["channels_like", "hidden_numbers", "marked", "without"]


def hidden_numbers(array: Any) -> np.ndarray | None:
    """Return where the mask of a masked array hides numbers, in its shape; None of any other, or where it hides none.

    Examples
    --------
    >>> import numpy as np
    >>> hidden_numbers(np.ma.masked_equal([[1, 2], [3, 2]], 2)).tolist()
    [[False, True], [False, True]]
    """
    masked = sys.modules.get("numpy.ma")  # which is loaded where such an array has been made
    if masked is None or not isinstance(array, masked.MaskedArray):
        return None
    hidden: np.ndarray = masked.getmaskarray(array)
    return hidden if hidden.dtype.kind == "b" and hidden.any() else None


def without(numbers: np.ndarray, hidden: np.ndarray | None) -> np.ndarray:
    """Return numbers that are 0 where they are hidden: what is there must not decide anything, such as their range."""
    import numpy as np

    if hidden is None:
        return numbers
    shown: np.ndarray = np.where(hidden, numbers.dtype.type(0), numbers)
    return shown


def channels_like(hidden: np.ndarray, pixels: np.ndarray, channel_axis: Any) -> np.ndarray:
    """Return what is hidden of pixels (*spatial, n_channels), of which the axes were those of the array."""
    import numpy as np

    if hidden.ndim < pixels.ndim:
        return hidden[..., None]
    return hidden[..., :3] if isinstance(channel_axis, str) else np.moveaxis(hidden, channel_axis, -1)


def marked(pixels: np.ndarray, hidden: np.ndarray, *, color: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Return pixels with NaN for single channels that are hidden, and where they are valid; None where all are.

    A colour is missing as a whole. Integers become floats where some channels of a pixel are hidden and others are not.
    """
    import numpy as np

    every: np.ndarray = np.all(hidden, axis=-1)
    some: np.ndarray = np.any(hidden, axis=-1)
    if color:
        return pixels, combine(None, ~some)
    if (some & ~every).any():
        pixels = np.where(hidden, np.float32(np.nan), pixels)
    return pixels, combine(None, ~every)
