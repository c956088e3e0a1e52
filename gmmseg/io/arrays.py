"""NumPy's own files: .npy and .npz, never with pickled objects in them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.formats import Format, require_room
from gmmseg.windows import Window

if TYPE_CHECKING:
    from gmmseg.io.windowed import Layers

__all__ = ["MappedArray", "describe_array", "read_array", "write", "write_array"]


@dataclass(frozen=True)
class MappedArray:
    """An array stored as it is somewhere in a file: a source of pixels.

    Parameters
    ----------
    path : Path
    offset : int
        Of its first byte.
    stored : tuple of int
        Shape as stored, in C order.
    number : numpy.dtype
        Of the numbers as stored.
    channel_axis : int or None
        Of the stored shape; None for a single channel.

    Notes
    -----
    The file is mapped anew for each window and let go, so that what was read does not stay in memory.
    """

    path: Path
    offset: int
    stored: tuple[int, ...]
    number: np.dtype[Any]
    channel_axis: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        if self.channel_axis is None:
            return (*self.stored, 1)
        axis = self.channel_axis % len(self.stored)
        return (*self.stored[:axis], *self.stored[axis + 1 :], self.stored[axis])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels: in the machine's order of bytes."""
        return self.number.newbyteorder("=")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Rows."""
        spatial = self.shape[:-1]
        return (*[1] * (len(spatial) - 1), spatial[-1])

    sweep = 0

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels."""
        mapped = np.memmap(self.path, self.number, "r", self.offset, self.stored)
        pixels = mapped[..., None] if self.channel_axis is None else np.moveaxis(mapped, self.channel_axis, -1)
        return np.array(pixels[window], self.dtype), None


@contextmanager
def _explained(path: Path, known: Format) -> Iterator[None]:
    """Turn what NumPy and zipfile raise into one line."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory; reduce it or cut it into tiles") from error
    # On damaged headers NumPy's parser raises almost anything (tokenize, zlib, struct, ...).
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        if "pickle" in reason or "Object arrays" in reason:
            raise InputError(
                f"{path} holds Python objects, which are never loaded; save a plain array of numbers"
            ) from error
        raise InputError(f"{path} is damaged or cut short ({reason}); save the {known.name} file again") from error


def read_array(path: Path, known: Format, max_pixels: int, *, keys: tuple[str, ...]) -> np.ndarray:
    """Read the array of a .npy or .npz file.

    Parameters
    ----------
    path : Path
        The file.
    known : Format
        NPY or NPZ, as identified.
    max_pixels : int
        The limit; the shape's elements are counted, the last axis aside where it has at most 4 (colour).
    keys : tuple of str
        Names to look for in a .npz file of several arrays.

    Returns
    -------
    ndarray
        Of a .npy file a read-only view of the file on disk.

    Raises
    ------
    InputError
        The file is damaged, too large, holds objects, or has several arrays and none of the names.
    """
    with _explained(path, known):
        if known.name == "NPY":
            with open(path, "rb") as file:
                shape, dtype = _array_header(file)
            _check(path, shape, dtype, max_pixels)
            return np.asarray(np.load(path, mmap_mode="r" if math.prod(shape) else None, allow_pickle=False))
        with zipfile.ZipFile(path) as archive:
            with archive.open(_member(path, archive, keys)) as entry:
                shape, dtype = _array_header(entry)
            _check(path, shape, dtype, max_pixels)
            with archive.open(_member(path, archive, keys)) as entry:
                return np.asarray(np.lib.format.read_array(entry, allow_pickle=False))


def _array_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and dtype in front of an array's bytes."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _check(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], max_pixels: int) -> None:
    """Refuse objects and too many pixels before any is read."""
    if dtype.hasobject:
        raise InputError(f"{path} holds Python objects, which are never loaded; save a plain array of numbers")
    require_room(path, shape[:-1] if len(shape) > 2 and shape[-1] <= 4 else shape, max_pixels)


def _member(path: Path, archive: zipfile.ZipFile, keys: tuple[str, ...]) -> str:
    """Choose the array of an archive: the only one, or the first of the names."""
    names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
    if len(names) == 1:
        return f"{names[0]}.npy"
    for key in keys:
        if key in names:
            return f"{key}.npy"
    listed = ", ".join(names[:8]) or "no array"
    raise InputError(f"{path} holds {listed}; save one array, or name it {' or '.join(keys)}")


def describe_array(path: Path, known: Format) -> dict[str, Any]:
    """Return shape and dtype of what a file holds, without reading the array."""
    with _explained(path, known):
        if known.name == "NPY":
            with open(path, "rb") as file:
                shape, dtype = _array_header(file)
            return {"shape": list(shape), "dtype": str(dtype)}
        arrays = {}
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as entry:
                        shape, dtype = _array_header(entry)
                    arrays[name[:-4]] = {"shape": list(shape), "dtype": str(dtype)}
        return {"arrays": arrays}


def write_array(file: BinaryIO, known: Format, array: np.ndarray, *, key: str) -> None:
    """Write an array as .npy, or as .npz under this key, compressed."""
    if known.name == "NPY":
        np.save(file, array, allow_pickle=False)
    else:
        np.savez_compressed(file, allow_pickle=False, **{key: array})


def write(path: Path, layers: Layers, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write a .npy file window by window."""
    shape = (len(layers.names), *layers.shape) if layers.kind == "soft" else layers.shape
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=layers.dtype, shape=shape)
    for window, values in windows:
        where: tuple[Any, ...] = (..., *window)
        mapped[where] = values
    mapped.flush()
    return {}
