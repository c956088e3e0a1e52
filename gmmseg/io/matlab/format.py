"""MATLAB: one array of a .mat file, its axes as MATLAB has them; files of version 7.3 are HDF5."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.array.sliced import SlicedArray, read_array
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.raster.beside import open_hdf5, require_alone
from gmmseg.io.request import Reading, complex_numbers, require_bytes, require_room
from gmmseg.io.variables import file_of, variable_of

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis

__all__ = ["describe", "read", "read_labels", "read_probabilities", "suffix_of_labels"]

_REMEDY = "save it again"
_OF_HDF5 = b"MATLAB 7.3"
_NUMBERS = {"double": "f8", "single": "f4", "logical": "u1"}
_NUMBERS |= {f"{sign}int{8 * size}": f"{kind}{size}" for sign, kind in (("", "i"), ("u", "u")) for size in (1, 2, 4, 8)}
_HEADER, _BIG_ENDIAN = 128, b"MI"
_COMPRESSED = 15
_CHUNK = 1 << 20

_Kinds = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


def read(path: Path, reading: Reading) -> Image:
    """Read the only array of a file, or the one that the path names, as in MATLAB:cubes.mat:paviaU.

    Parameters
    ----------
    path : Path
    reading : Reading
        An array of a file of version 7.3 that takes more than `memory` stays in the file.

    Returns
    -------
    Image
        By the rules of arrays, see `Image.from_array`.

    Raises
    ------
    InputError
        There is no such array, or there are several and none is named; the file is damaged.
    """
    return read_array(path, _array(path, reading), reading)


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read the numbers as they are stored."""
    array = _array(path, reading)
    require_room(path, array.stored, reading, array.number.itemsize)
    with array.opened() as numbers:
        return np.asarray(numbers[(slice(None),) * len(array.stored)])


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Refuse: probabilities are written in other formats."""
    raise not_probabilities(path, "MATLAB")


def describe(path: Path) -> dict[str, Any]:
    """Return what is known of the array, or of all where there are several."""
    variable = variable_of(path)
    kinds = _kinds(path, Reading())
    arrays = {name: {"shape": list(shape), "dtype": str(number)} for name, (shape, number) in kinds.items()}
    named = variable.name if variable is not None else next(iter(arrays)) if len(arrays) == 1 else None
    return arrays.get(named, {"arrays": arrays}) if named is not None else {"arrays": arrays}


def suffix_of_labels(path: Path, channel_axis: ChannelAxis) -> str:
    """Return that of pictures, or of what has room for volumes."""
    n_axes = len(describe(path).get("shape", ()))
    return ".tif" if n_axes - (channel_axis is not None) > 2 else ".png"


def _array(path: Path, reading: Reading) -> SlicedArray:
    """Return the array that is meant: of version 7.3 unread, of others in memory."""
    kinds, variable = _kinds(path, reading), variable_of(path)
    listed = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, (shape, _) in list(kinds.items())[:6])
    if variable is None and len(kinds) != 1:
        some = f"holds {len(kinds)} arrays ({listed}); name one, as in MATLAB:{path}:{next(iter(kinds), '')}"
        raise InputError(f"{path} {some}" if kinds else f"{path} holds no array of real numbers with rows and columns")
    name = next(iter(kinds)) if variable is None else variable.name
    if name not in kinds:
        raise InputError(f"{file_of(path)} has no array {name}, but {listed or 'none'}; name one of these")
    shape, number = kinds[name]
    if _is_hdf5(path):
        return SlicedArray(lambda: _as_in_matlab(path, name), shape, number)
    require_bytes(path, int(np.prod(shape, dtype=np.int64)) * number.itemsize, reading, f"the numbers of {name}")
    from scipy.io import loadmat  # here, because most images are no files of MATLAB

    with explained(path, _REMEDY):
        values = loadmat(file_of(path), variable_names=[name], mat_dtype=False)[name]
    if values.dtype.kind == "c":
        if not reading.magnitude:
            raise complex_numbers(path, str(values.dtype))
        values = np.abs(values)
    return SlicedArray(lambda: nullcontext(values), values.shape, values.dtype)


def _is_hdf5(path: Path) -> bool:
    with open(file_of(path), "rb") as file:
        return file.read(len(_OF_HDF5)) == _OF_HDF5


def _kinds(path: Path, reading: Reading) -> _Kinds:
    """Return shape and dtype of the arrays of real numbers with rows and columns, by their names; none are read."""
    found: _Kinds = {}
    with explained(path, _REMEDY):
        if _is_hdf5(path):
            require_alone(file_of(path), path, reading)
            with open_hdf5(file_of(path)) as opened:
                for name, each in opened.items():
                    if getattr(each, "dtype", np.dtype(object)).kind in "iuf" and each.ndim > 1:
                        found[name] = each.shape[::-1], each.dtype
        else:
            _require_inflated(file_of(path), path, reading)
            from scipy.io import whosmat  # here, because most images are no files of MATLAB

            for name, shape, kind in whosmat(file_of(path)):
                if kind in _NUMBERS:
                    found[name] = shape, np.dtype(_NUMBERS[kind])
    return {name: each for name, each in found.items() if sum(length > 1 for length in each[0]) > 1}


def _require_inflated(file: Path, path: Path, reading: Reading) -> None:
    """Refuse a file of which one array takes more than a reader may take when it is inflated, or that is cut short."""
    with open(file, "rb") as stored:
        end = stored.seek(0, 2)
        stored.seek(_HEADER - 2)
        order = ">" if stored.read(2) == _BIG_ENDIAN else "<"
        while (start := stored.tell()) + 8 <= end:
            kind, length = struct.unpack(f"{order}II", stored.read(8))
            if start + 8 + length > end:
                raise EOFError
            if kind == _COMPRESSED:
                require_bytes(path, _inflated(stored, length, reading.budget), reading, "its numbers, inflated,")
            stored.seek(start + 8 + length)


def _inflated(stored: Any, length: int, most: int) -> int:
    """Return how many bytes the next ones inflate to; something above the most where they are more."""
    inflating, total = zlib.decompressobj(), 0
    while length and total <= most:
        packed = stored.read(min(_CHUNK, length))
        length -= len(packed)
        while packed and total <= most:
            total += len(inflating.decompress(packed, _CHUNK))
            packed = inflating.unconsumed_tail
    return total


@contextmanager
def _as_in_matlab(path: Path, name: str) -> Iterator[Any]:
    with explained(path, _REMEDY), open_hdf5(file_of(path)) as opened:
        yield _Reversed(opened[name])


class _Reversed:
    """An array of HDF5 with its axes in the order of MATLAB, which stores columns first."""

    def __init__(self, stored: Any) -> None:
        self.stored = stored

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(self.stored[index[::-1]]).T
