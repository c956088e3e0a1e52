"""NumPy's own files: .npy and .npz, never with pickled objects in them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.image.axes import made_real
from gmmseg.image.named_axes import Lettered
from gmmseg.image.windows import Window, everything
from gmmseg.io.array.boxes import make_room, write_box
from gmmseg.io.array.in_file import array_in_file
from gmmseg.io.array.preamble import ArrayHeader, filled, read_header
from gmmseg.io.array.sliced import SlicedArray, lettered_image, settled, unread_image
from gmmseg.io.classes import CLASS_NAMES, own_names
from gmmseg.io.contents import assembled, refuse_options, stored_probabilities
from gmmseg.io.damage import explained
from gmmseg.io.request import Reading, chosen, require_room

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis
    from gmmseg.io.contents import Contents

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = ["NPY", "NPZ"]

_METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # Python inflates the others without a limit, NumPy has only these
_MOST_NAMES = 1 << 20  # bytes of the names of classes, of which there are at most 255


def _explained(path: Path, name: str) -> AbstractContextManager[None]:
    """Turn what NumPy and zipfile raise into one line."""
    return explained(path, _remedy(name))


def _remedy(name: str) -> str:
    return f"save the {name} file again"


def _image_in_file(path: Path, header: ArrayHeader, reading: Reading) -> Image | None:
    """Return the image that a .npy file holds, unread; None where named axes are stored in another order."""

    def source(axis: int | None) -> SlicedArray:
        return array_in_file(path, header.offset, header.shape, header.dtype, axis, header.order)

    if reading.axes is not None:
        return lettered_image(path, header.shape, reading.axes, source)
    return unread_image(path, header.shape, header.dtype, reading.channel_axis, source)


class _Npy:
    """Files of one array."""

    def read(self, path: Path, reading: Reading) -> Image:
        """Read an image; the pixels of a file that take more than the memory stay there."""
        header = self._header(path)
        # Where there is no limit, an array is read whole.
        memory = None if reading.memory is None else reading.memory_unchosen
        if memory is not None and header.n_bytes:
            image = _image_in_file(path, header, reading)
            if image is not None and math.prod(image.pixels.shape) * image.pixels.dtype.itemsize > memory:
                return chosen(settled(image, reading), reading)
        return _image(path, self._array(path, header, reading, _channels_in(path, header, reading)), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the array."""
        return self._array(path, self._header(path), reading)

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the array."""
        return self._array(path, self._header(path), reading)

    def _header(self, path: Path) -> ArrayHeader:
        """Return what the file says of its array, of which all numbers have to be there."""
        with _explained(path, "NPY"), open(path, "rb") as file:
            header = read_header(path, file, _remedy("NPY"))
            size = file.seek(0, 2)
        _require_numbers(path, header)
        more = _behind(path, header, size)
        if more < 0:
            shape = " x ".join(map(str, header.shape))
            raise InputError(
                f"{path} is cut short: {-more} of the {header.n_bytes} bytes of {shape} numbers are missing; "
                f"{_remedy('NPY')}"
            )
        return header

    def _array(
        self, path: Path, header: ArrayHeader, reading: Reading, channel_axis: ChannelAxis = "auto"
    ) -> np.ndarray:
        """Read the numbers, into memory: a mapped file that becomes shorter would end the process."""
        _require_room(path, header, reading, channel_axis)
        with _explained(path, "NPY"), open(path, "rb") as file:
            file.seek(header.offset)
            return filled(path, file, header, _remedy("NPY"))

    def describe(self, path: Path) -> dict[str, Any]:
        """Return shape and dtype."""
        with _explained(path, "NPY"), open(path, "rb") as file:
            return _facts(read_header(path, file, _remedy("NPY")))

    def suffix_of_labels(self, path: Path, channel_axis: ChannelAxis) -> str:
        """Return that of pictures, or of what has room for volumes."""
        n_axes = len(self.describe(path)["shape"])
        return ".tif" if n_axes - (channel_axis is not None) > 2 else ".png"

    def write(self, path: Path, contents: Contents, windows: Windows) -> dict[str, bytes]:
        """Write a result, of an image that stays in its file window by window."""
        _refuse_others(contents)
        soft = contents.kind == "soft"
        with open(path, "xb") as file:
            if contents.image is None or contents.image.in_memory:
                np.save(file, _stored(contents, assembled(contents, windows)), allow_pickle=False)
                return {}
            dtype = np.dtype(contents.stored_dtype if soft else contents.dtype)
            first = (len(contents.names),) if soft else ()
            shape = (*first, *contents.shape)
            described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, described)
            offset = file.tell()
            make_room(file, offset + math.prod(shape) * dtype.itemsize)
            for window, values in windows:
                stored = stored_probabilities(values, str(dtype)) if soft else values.astype(dtype, copy=False)
                write_box(file, offset, shape, (*everything(first), *window), stored)
        return {}


class _Npz:
    """Archives of arrays; of several arrays the one that has the right name is meant."""

    def read(self, path: Path, reading: Reading) -> Image:
        """Read an image, always whole."""
        return _image(path, self._array(path, reading, "image", as_image=True), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the only array, or the one named "labels"."""
        return self._array(path, reading, "labels")

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the only array, or the one named "probabilities"."""
        return self._array(path, reading, "probabilities")

    def _array(self, path: Path, reading: Reading, key: str, *, as_image: bool = False) -> np.ndarray:
        with _explained(path, "NPZ"), zipfile.ZipFile(path) as archive:
            name = _member(path, archive, key)
            with _entry(path, archive, name) as entry:
                header = read_header(path, entry, _remedy("NPZ"))
                _require_numbers(path, header)
                _require_room(path, header, reading, _channels_in(path, header, reading) if as_image else "auto")
                _behind(path, header, archive.getinfo(name).file_size)
                return filled(path, entry, header, _remedy("NPZ"))

    def describe(self, path: Path) -> dict[str, Any]:
        """Return the shape and dtype of each array."""
        arrays = {}
        with _explained(path, "NPZ"), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with _entry(path, archive, name) as entry:
                        arrays[name[:-4]] = _facts(read_header(path, entry, _remedy("NPZ")))
        return {"arrays": arrays}

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return what an array "class_names" holds; None where there is none."""
        remedy = "save them as strings"
        with explained(f"{path}: its class names", remedy), zipfile.ZipFile(path) as archive:
            if "class_names.npy" not in archive.namelist():
                return None
            with _entry(path, archive, "class_names.npy") as entry:
                header = read_header(f"{path}: its array of class names", entry, remedy)
                if len(header.shape) != 1 or header.n_bytes > _MOST_NAMES:
                    raise InputError(
                        f"{path}: its class names are an array of shape {header.shape} and {header.n_bytes} bytes, "
                        f"which is no list of names; {remedy}"
                    )
                return tuple(map(str, filled(path, entry, header, remedy)))

    def class_colors(self, path: Path) -> np.ndarray | None:
        """Return what an array "class_colors" holds; None where there is none."""
        with _explained(path, "NPZ"), zipfile.ZipFile(path) as archive:
            if "class_colors.npy" not in archive.namelist():
                return None
            with _entry(path, archive, "class_colors.npy") as entry:
                header = read_header(f"{path}: its array of class colours", entry, _remedy("NPZ"))
                if header.dtype != np.uint8 or header.shape[1:] != (3,) or header.n_bytes > _MOST_NAMES:
                    raise InputError(f"{path}: class_colors is no array (n, 3) of uint8; {_remedy('NPZ')}")
                return filled(path, entry, header, _remedy("NPZ"))

    def write(self, path: Path, contents: Contents, windows: Windows) -> dict[str, bytes]:
        """Write a result, compressed, as "labels", "probabilities", "fractions" or by the name of a map.

        With labels go "class_names", where the classes have names of their own, and "class_colors", where these are
        given.
        """
        _refuse_others(contents)
        array = _stored(contents, assembled(contents, windows))
        key = contents.names[0] if contents.kind == "map" else contents.shares if contents.kind == "soft" else "labels"
        named: dict[str, Any] = {key: array}  # NumPy below 2.2 takes every other word for an array
        if contents.kind == "labels" and own_names(contents.names):
            named[CLASS_NAMES] = np.array(contents.names)
        if contents.kind == "labels" and "palette" in contents.options:
            named["class_colors"] = np.asarray(contents.options["palette"], np.uint8)[1:]
        with open(path, "x+b") as file:
            np.savez_compressed(file, **named)
        return {}


NPY, NPZ = _Npy(), _Npz()


def _image(path: Path, array: np.ndarray, reading: Reading) -> Image:
    image = Image.from_array(array, channel_axis=reading.channel_axis, axes=reading.axes, name=str(path))
    return chosen(image, reading)


def _channels_in(path: Path, header: ArrayHeader, reading: Reading) -> ChannelAxis:
    """Return the axis of channels that a caller says an array has."""
    if reading.axes is None:
        return reading.channel_axis
    return Lettered.of(reading.axes, header.shape, str(path)).channel


def _refuse_others(contents: Contents) -> None:
    refuse_options(contents, {"labels": "palette", "soft": "dtype"}.get(contents.kind))


def _stored(contents: Contents, values: np.ndarray) -> np.ndarray:
    """Return a whole result as it is stored."""
    if contents.kind == "soft":
        return stored_probabilities(values, contents.stored_dtype)
    return values


def _facts(header: ArrayHeader) -> dict[str, Any]:
    """Return what is said of an array to those who ask."""
    return {"shape": list(header.shape), "dtype": str(header.dtype)[:200]}


def _require_numbers(path: Path, header: ArrayHeader) -> None:
    """Refuse what is no array of real numbers, before any is read."""
    if header.dtype.kind not in "buif":
        raise InputError(
            f"{path} has dtype {str(header.dtype)[:200]}, expected real numbers; {made_real(header.dtype)}"
        )


def _behind(path: Path, header: ArrayHeader, size: int) -> int:
    """Return how many bytes a file or entry of this size has behind its array, below 0 where some are missing."""
    more = size - header.offset - header.n_bytes
    if more > 0:
        warn(f"{path}: {more} bytes behind its array are not read")
    return more


def _require_room(path: Path, header: ArrayHeader, reading: Reading, channel_axis: ChannelAxis) -> None:
    """Refuse too many pixels, or more bytes than there may be for the numbers, an image of them and its labels."""
    shape, channels = list(header.shape), 1
    if isinstance(channel_axis, int) and -len(shape) <= channel_axis < len(shape):
        channels = shape.pop(channel_axis)
    elif channel_axis == "auto" and len(shape) > 2 and shape[-1] <= 4:
        channels = shape.pop()
    # Numbers of other sizes and orders of bytes than the package reads are converted.
    size = header.dtype.itemsize
    wide = 4 if size == 2 else 8
    converted = wide if header.dtype.kind == "f" and size not in (4, 8) else 0 if header.dtype.isnative else size
    looked_at = 1 if header.dtype.kind == "f" else 0  # for NaN and infinity
    require_room(path, tuple(shape), reading, channels * (size + converted + looked_at) + 1)


def _entry(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    """Open an entry of an archive."""
    method = archive.getinfo(name).compress_type
    if method not in _METHODS:
        raise InputError(f"{path} is compressed by method {method}, which NumPy does not use; {_remedy('NPZ')}")
    return archive.open(name)


def _member(path: Path, archive: zipfile.ZipFile, key: str) -> str:
    """Choose the array of an archive: the only one, or the one of this name."""
    names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
    if len(names) == 1:
        return f"{names[0]}.npy"
    if key in names:
        return f"{key}.npy"
    others = [name for name in archive.namelist() if not name.endswith("/")]
    if not names and others:
        raise InputError(
            f"{path} is an archive of other files, not of arrays; name one, as zip://{path}!{others[0][:200]}"
        )
    listed = ", ".join(names[:8])[:200] or "no array"
    raise InputError(f"{path} holds {listed}; save one array, or name it {key}")
