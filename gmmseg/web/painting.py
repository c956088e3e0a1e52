"""Strokes become pixels: a label map in which each stroke has the number of its class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gmmseg.errors import ParameterError
from gmmseg.image.cuts import Cuts
from gmmseg.image.vision import opencv
from gmmseg.web.steps import Step

__all__ = ["painted"]

_FRACTION = 4  # bits of a pixel that ends of lines are given in
_FINE = 5  # parts of a pixel of a cut: OpenCV's thin lines are wider than they should be by one or two


def painted(strokes: Iterable[Step], shape: tuple[int, ...], on: tuple[int, int] | Cuts | None = None) -> np.ndarray:
    """Return the strokes as a label map.

    Parameters
    ----------
    strokes : iterable of Step
        Later ones lie above; those of class 0 erase.
    shape : tuple of int
        Rows and columns of the map, or the voxels along each axis of a volume.
    on : tuple of int or Cuts, optional
        What the strokes were made on: rows and columns of the image, where the map is of a smaller copy of it, or the
        cuts through a volume.

    Returns
    -------
    ndarray of uint8, shape `shape`
        0 where there is no stroke.

    Raises
    ------
    ParameterError
        A stroke is not of such an image.

    Examples
    --------
    >>> painted([{"class": 2, "size": 1, "points": [[1, 0.5], [3, 0.5]]}], (2, 5)).tolist()
    [[0, 2, 2, 2, 0], [0, 0, 0, 0, 0]]
    """
    labels = np.zeros(shape, np.uint8)
    rows, columns = on.page if isinstance(on, Cuts) else on or shape
    for stroke in strokes:
        if ("at" in stroke) != isinstance(on, Cuts):
            raise ParameterError(
                f"at={stroke.get('at')} of a stroke is not usable; on volumes it is a voxel, else none"
            )
        points = np.array(stroke["points"])
        if isinstance(on, Cuts):
            drawn = _drawn(points, stroke["size"], (rows, columns))
            on.mark(labels, stroke["at"], stroke["points"][0], drawn, stroke["class"])
        else:
            scale = np.array([shape[1] / columns, shape[0] / rows])
            _draw(labels, points * scale, max(1, round(stroke["size"] * float(scale.mean()))), stroke["class"])
    return labels


def _drawn(points: np.ndarray, size: float, page: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return pages on which the area of a stroke is 1, to a fraction of a pixel, and the line in its middle."""
    area, line = np.zeros(page, np.uint8), np.zeros(page, np.uint8)
    _draw(line, points, 1, 1)
    ends = np.array(page[::-1])
    first = np.clip(np.floor(points.min(axis=0) - size), 0, ends - 1).astype(int)
    last = np.clip(np.ceil(points.max(axis=0) + size), first + 1, ends).astype(int)
    columns, rows = (last - first).tolist()
    fine = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    _draw(fine, (points - first) * _FINE, 2 * max(1, round((size * _FINE - 1) / 2)), 1)  # of 2 n OpenCV draws 2 n + 1
    area[first[1] : last[1], first[0] : last[0]] = fine[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE]
    return area, line


def _draw(page: np.ndarray, points: np.ndarray, thickness: int, value: int) -> None:
    cv2 = opencv()

    # The centre of the first pixel is at 0.5 of the page, and at 0 of OpenCV.
    fixed = np.rint((points - 0.5) * (1 << _FRACTION)).astype(np.int32)
    if len(fixed) == 1:
        fixed = np.repeat(fixed, 2, axis=0)
    cv2.polylines(page, [fixed], False, value, thickness, cv2.LINE_8, _FRACTION)
