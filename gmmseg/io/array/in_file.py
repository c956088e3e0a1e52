"""Arrays that are stored as they are somewhere in a file, and read window by window."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gmmseg.io.array.boxes import read_box
from gmmseg.io.array.sliced import SlicedArray
from gmmseg.records import dataclass

__all__ = ["array_in_file"]


def array_in_file(
    path: Path,
    offset: int,
    shape: tuple[int, ...],
    number: np.dtype[Any],
    channel_axis: int | None = None,
    order: Literal["C", "F"] = "C",
) -> SlicedArray:
    """Return an array stored as it is somewhere in a file, as a source of pixels.

    Parameters
    ----------
    path : Path
        The file, which is opened for each window and read into memory, never mapped.
    offset : int
        Of the first byte.
    shape : tuple of int
        Of the array.
    number : numpy.dtype
        With the order of bytes.
    channel_axis : int, optional
        The axis of channels, counted from 0.
    order : "C" or "F"
        Whether the last or the first axis is contiguous.

    Returns
    -------
    SlicedArray
        Of channels that are far apart in the file, only those that are chosen are read.
    """
    boxes = _Boxes(path, offset, shape, number, order)
    return SlicedArray(partial(nullcontext, boxes), shape, number, channel_axis=channel_axis, order=order)


@dataclass(frozen=True)
class _Boxes:
    """What lies in a file, by slices of all its axes; see `gmmseg.io.array.boxes.read_box`."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    number: np.dtype[Any]
    order: Literal["C", "F"]

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        box = tuple(slice(*each.indices(n)[:2]) for each, n in zip(index, self.shape, strict=True))
        return read_box(self.path, self.offset, self.shape, self.number, self.order, box)
