"""Boxes of an array that lies in a file as it is: read and written without mapping the file into memory.

Where a mapped file is cut short by another program, or a mapped file is written to a full disk, the system kills the
process. What is read and written here fails with an error instead, and takes no longer.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image.windows import Window, shape_of

__all__ = ["make_room", "read_box", "write_box"]

Order = Literal["C", "F"]


def read_box(
    path: Path, offset: int, shape: tuple[int, ...], number: np.dtype[Any], order: Order, box: Window
) -> np.ndarray:
    """Read a part of an array.

    Parameters
    ----------
    path : Path
    offset : int
        Of the array's first byte in the file.
    shape : tuple of int
        Of the whole array.
    number : numpy.dtype
        Of the numbers as stored.
    order : {"C", "F"}
        Whether the last or the first axis is contiguous.
    box : tuple of slice
        With start and stop along each axis.

    Returns
    -------
    ndarray
        Of the box's shape, contiguous in the same order.

    Raises
    ------
    InputError
        The file ends before it.
    """
    values = np.empty(shape_of(box), number, order)
    with open(path, "rb") as file:
        for start, part in _runs(values, shape, order, box):
            file.seek(offset + start)
            if file.readinto(part.data) < part.size:
                raise InputError(f"{path} is cut short: its numbers end early; copy or download it again")
    return values


def write_box(file: IO[bytes], offset: int, shape: tuple[int, ...], box: Window, values: np.ndarray) -> None:
    """Write a part of an array in C order, whose first byte is at an offset of an open file; see `read_box`."""
    for start, part in _runs(np.ascontiguousarray(values), shape, "C", box):
        file.seek(offset + start)
        file.write(part.data)


def _runs(values: np.ndarray, shape: tuple[int, ...], order: Order, box: Window) -> Iterator[tuple[int, np.ndarray]]:
    """Go through the bytes of a box that lie together in the file: where they begin there, and those of the values."""
    if order == "F":
        values, shape, box = values.T, shape[::-1], box[::-1]
    size = values.dtype.itemsize
    steps = [size * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    last = len(shape) - 1  # of the axes behind it, the box has all
    while last > 0 and (box[last].start, box[last].stop) == (0, shape[last]):
        last -= 1
    content = values.reshape(-1).view(np.uint8)
    length = math.prod(shape_of(box)[last:]) * size
    for run, index in enumerate(itertools.product(*(range(s.start, s.stop) for s in box[:last]))):
        first = sum(i * step for i, step in zip(index, steps, strict=False))
        yield first + box[last].start * steps[last], content[run * length : (run + 1) * length]


def make_room(file: IO[bytes], size: int) -> None:
    """Give an open file its size, and where the system can take the room on the disk now, before anything is computed.

    Raises
    ------
    OSError
        There is not the room.
    """
    file.truncate(size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # what file systems say that cannot do it
                raise
