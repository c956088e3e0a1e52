"""What stands in front of the numbers of a .npy file or an entry of a .npz archive, and the numbers themselves."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gmmseg.errors import InputError

__all__ = ["ArrayHeader", "filled", "read_header"]

_MOST = 10_000  # bytes of a header: what NumPy itself takes; its length is read from the file
_LARGEST = 1 << 62  # a length or a number of bytes that no file has
_AT_ONCE = 1 << 24  # bytes that are read at a time, so that a stream holds no second copy
_OBJECTS = "holds Python objects, which are never loaded; save a plain array of numbers"


@dataclass(frozen=True)
class ArrayHeader:
    """What stands in front of an array's bytes.

    Parameters
    ----------
    shape : tuple of int
        Each length from 0 on.
    dtype : numpy.dtype
    order : {"C", "F"}
        Whether the last or the first axis is contiguous.
    offset : int
        Of the first number, in the file or entry.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    offset: int

    @property
    def n_bytes(self) -> int:
        """Bytes of all numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(path: Path | str, file: Any, remedy: str) -> ArrayHeader:
    """Read what stands in front of an array's bytes, and refuse what no array of numbers could be.

    Parameters
    ----------
    path : path or str
        For messages.
    file : binary file
        At its beginning; afterwards at the first number.
    remedy : str
        What to do about a damaged file.

    Raises
    ------
    InputError
        It makes no sense, holds objects, or has lengths below 0 or beyond what files can hold.
    """
    version = np.lib.format.read_magic(file)
    if not (1, 0) <= version <= (3, 0):
        raise ValueError(f"version {version[0]}.{version[1]}")
    width = 2 if version == (1, 0) else 4
    size = file.read(width)
    length = int.from_bytes(size, "little")
    if length > _MOST:
        raise InputError(f"{path} is damaged: its header promises to be {length} bytes long; {remedy}")
    text = file.read(length)
    if len(size) < width or len(text) < length:
        raise EOFError
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        # Python 2 wrote 10L; NumPy warns of it.
        shape, fortran, dtype = read(io.BytesIO(size + re.sub(rb"(?<=\d)L(?=[,)])", b" ", text)))
    except (MemoryError, RecursionError):
        raise InputError(f"{path} is damaged: its header is nested too deep; {remedy}") from None
    if dtype.hasobject:
        raise InputError(f"{path} {_OBJECTS}")
    header = ArrayHeader(tuple(map(int, shape)), dtype, "F" if fortran else "C", 8 + width + length)
    if any(not 0 <= n < _LARGEST for n in header.shape) or header.n_bytes >= _LARGEST or len(shape) > 32:
        words = " x ".join(map(_short, header.shape[:8])) + (" x ..." if len(shape) > 8 else "")
        raise InputError(f"{path} is damaged: its shape is {words}, which no array has; {remedy}")
    return header


def filled(path: Path | str, file: Any, header: ArrayHeader, remedy: str) -> np.ndarray:
    """Return the array of which a file stands at the first number, in memory.

    Raises
    ------
    InputError
        The file ends before all numbers are there.
    """
    flat = np.empty(math.prod(header.shape), header.dtype)
    content, done = flat.view(np.uint8) if flat.dtype.itemsize else np.empty(0, np.uint8), 0
    while done < content.size:
        got = file.readinto(content[done : done + _AT_ONCE].data)
        if not got:
            raise InputError(
                f"{path} is cut short: {content.size - done} of {content.size} bytes are missing; {remedy}"
            )
        done += got
    return flat.reshape(header.shape, order=header.order)


def _short(number: int) -> str:
    """Return a number, or only its sign and that it is large where Python would not print it."""
    return str(number) if abs(number) < 10**20 else f"{'-' if number < 0 else ''}10^20 or more"
