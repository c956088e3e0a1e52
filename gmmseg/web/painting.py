"""Strokes become pixels: a label map in which each stroke has the number of its class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gmmseg.image.vision import opencv
from gmmseg.web.steps import Step

__all__ = ["painted"]

_FRACTION = 4  # bits of a pixel that ends of lines are given in


def painted(strokes: Iterable[Step], shape: tuple[int, int], whole: tuple[int, int] | None = None) -> np.ndarray:
    """Return the strokes as a label map.

    Parameters
    ----------
    strokes : iterable of Step
        Later ones lie above; those of class 0 erase.
    shape : tuple of int
        Rows and columns of the map.
    whole : tuple of int, optional
        Rows and columns of the image that the strokes were made on, where the map is of a smaller copy of it.

    Returns
    -------
    ndarray of uint8, shape `shape`
        0 where there is no stroke.

    Examples
    --------
    >>> painted([{"class": 2, "size": 1, "points": [[1, 0.5], [3, 0.5]]}], (2, 5)).tolist()
    [[0, 2, 2, 2, 0], [0, 0, 0, 0, 0]]
    """
    cv2 = opencv()

    labels = np.zeros(shape, np.uint8)
    rows, columns = whole or shape
    scale = np.array([shape[1] / columns, shape[0] / rows])
    for stroke in strokes:
        # The centre of the first pixel is at 0.5 of the page, and at 0 of OpenCV.
        points = np.array(stroke["points"]) * scale - 0.5
        thickness = max(1, round(stroke["size"] * float(scale.mean())))
        fixed = np.rint(points * (1 << _FRACTION)).astype(np.int32)
        if len(fixed) == 1:
            fixed = np.repeat(fixed, 2, axis=0)
        cv2.polylines(labels, [fixed], False, stroke["class"], thickness, cv2.LINE_8, _FRACTION)
    return labels
