"""NumPy's own files: .npy and .npz, never with pickled objects in them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from gmmseg.errors import InputError, one_line
from gmmseg.image import Image
from gmmseg.image.channels import evenly
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window
from gmmseg.io.formats import Format, require_room
from gmmseg.io.meaning import Meaning, Samples, settle_color

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis
    from gmmseg.io.contents import Layers

__all__ = ["MappedArray", "describe_array", "read_array", "read_image", "write", "write_array"]


@dataclass(frozen=True)
class MappedArray(WindowSource):
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
    order : {"C", "F"}
        Whether the last or the first axis is contiguous.
    channels : tuple of int, optional
        Positions of those that are read; None for all.

    Notes
    -----
    The file is mapped anew for each window and let go, so that what was read does not stay in memory.
    """

    path: Path
    offset: int
    stored: tuple[int, ...]
    number: np.dtype[Any]
    channel_axis: int | None = None
    order: Literal["C", "F"] = "C"
    channels: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        if self.channel_axis is None:
            return (*self.stored, 1)
        axis = self.channel_axis % len(self.stored)
        n_channels = self.stored[axis] if self.channels is None else len(self.channels)
        return (*self.stored[:axis], *self.stored[axis + 1 :], n_channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels: in the machine's order of bytes."""
        return self.number.newbyteorder("=")

    @property
    def blocks(self) -> tuple[int, ...]:
        """Rows; columns where the first axis is contiguous."""
        spatial = self.shape[:-1]
        ones = [1] * (len(spatial) - 1)
        return (*ones, spatial[-1]) if self.order == "C" else (spatial[0], *ones)

    @property
    def sweep(self) -> int:
        """The axis along which numbers lie farthest apart."""
        return 0 if self.order == "C" else len(self.shape) - 2

    def select(self, channels: tuple[int, ...]) -> MappedArray:
        """Return a source of the channels at these positions."""
        at = range(self.shape[-1]) if self.channels is None else self.channels
        return replace(self, channels=tuple(at[c] for c in channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels."""
        mapped = np.memmap(self.path, self.number, "r", self.offset, self.stored, self.order)
        pixels = mapped[..., None] if self.channel_axis is None else np.moveaxis(mapped, self.channel_axis, -1)
        wanted = slice(None) if self.channels is None else evenly(self.channels)
        return np.array(pixels[window][..., wanted], self.dtype), None


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
        reason = one_line(error)
        if "pickle" in reason or "Object arrays" in reason:
            raise InputError(
                f"{path} holds Python objects, which are never loaded; save a plain array of numbers"
            ) from error
        raise InputError(f"{path} is damaged or cut short ({reason}); save the {known.name} file again") from error


def read_image(path: Path, known: Format, max_pixels: int, *, channel_axis: ChannelAxis, memory: int | None) -> Image:
    """Read an image from a .npy or .npz file.

    Parameters
    ----------
    path, known, max_pixels
        As of `read_array`.
    channel_axis : int, None or "auto"
        As of `Image.from_array`, whose rules decide what is colour and where there is data.
    memory : int, optional
        Bytes: the pixels of a .npy file that take more stay there. An .npz file is always read whole.
    """
    if known.name == "NPY" and memory is not None:
        image = _image_in_file(path, known, channel_axis)
        if image is not None and math.prod(image.pixels.shape) * image.pixels.dtype.itemsize > memory:
            settled = settle_color(image)
            if channel_axis == "auto" and image.color and not settled.color:
                # Raises what is said of such an array in memory.
                Image.from_array(np.full((1, 1, 3), 2.0), name=str(path))
            return settled
    array = read_array(path, known, max_pixels, keys=("image",))
    return Image.from_array(array, channel_axis=channel_axis, name=str(path))


def _image_in_file(path: Path, known: Format, channel_axis: ChannelAxis) -> Image | None:
    """Return the image that a .npy file holds, unread; None where reading it whole says what is wrong with it."""
    with _explained(path, known), open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        offset = file.tell()
    if dtype.kind not in "buif" or not 0 < math.prod(shape) * dtype.itemsize <= path.stat().st_size - offset:
        return None
    guessed = channel_axis == "auto" and len(shape) == 3 and shape[-1] in (3, 4)
    alpha = guessed and shape[-1] == 4
    # One number in the shape of the array, so that the rules are those of arrays in memory.
    model = np.broadcast_to(np.uint8(0), (*shape[:-1], 3) if alpha else shape)
    like = Image.from_array(model, channel_axis=channel_axis, name=str(path))
    axis = 2 if guessed else None if not isinstance(channel_axis, int) else channel_axis % len(shape)
    raw = MappedArray(path, offset, shape, dtype, axis, "F" if fortran else "C")
    return replace(like, pixels=Samples(raw, Meaning(color=like.color, alpha=alpha)), valid=None)


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
