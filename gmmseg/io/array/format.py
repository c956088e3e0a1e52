"""NumPy's own files: .npy and .npz, never with pickled objects in them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.array.mapped import MappedArray
from gmmseg.io.contents import assembled, narrowed, refuse_options, stored_probabilities
from gmmseg.io.damage import explained
from gmmseg.io.meaning import InterpretedSource, Meaning, settle_color
from gmmseg.io.request import Reading, chosen, require_room

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis
    from gmmseg.io.contents import Contents

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = ["NPY", "NPZ"]

_OBJECTS = "holds Python objects, which are never loaded; save a plain array of numbers"
_KEYS = {"labels": "labels", "soft": "probabilities"}


def _explained(path: Path, name: str) -> AbstractContextManager[None]:
    """Turn what NumPy and zipfile raise into one line."""
    return explained(path, f"save the {name} file again", known=_known)


def _known(reason: str) -> str | None:
    """Say what is wrong with a file that NumPy loads only by running what is in it."""
    return _OBJECTS if "pickle" in reason or "Object arrays" in reason else None


def _image_in_file(path: Path, channel_axis: ChannelAxis) -> Image | None:
    """Return the image that a .npy file holds, unread; None where reading it whole says what is wrong with it."""
    with _explained(path, "NPY"), open(path, "rb") as file:
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
    return replace(like, pixels=InterpretedSource(raw, Meaning(color=like.color, alpha=alpha)), valid=None)


class _Npy:
    """Files of one array."""

    def read(self, path: Path, reading: Reading) -> Image:
        """Read an image; the pixels of a file that take more than the memory stay there."""
        # Where there is no limit, an array is mapped whole.
        memory = None if reading.memory is None else reading.memory_unchosen
        if memory is not None:
            image = _image_in_file(path, reading.channel_axis)
            if image is not None and math.prod(image.pixels.shape) * image.pixels.dtype.itemsize > memory:
                settled = settle_color(image)
                if reading.channel_axis == "auto" and image.color and not settled.color:
                    # Raises what is said of such an array in memory.
                    Image.from_array(np.full((1, 1, 3), 2.0), name=str(path))
                return chosen(settled, reading)
        return _image(path, self._array(path, reading), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the array."""
        return self._array(path, reading)

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the array."""
        return self._array(path, reading)

    def _array(self, path: Path, reading: Reading) -> np.ndarray:
        """Return a read-only view of the file on disk."""
        with _explained(path, "NPY"):
            with open(path, "rb") as file:
                shape, dtype = _array_header(file)
            _check(path, shape, dtype, reading)
            return np.asarray(np.load(path, mmap_mode="r" if math.prod(shape) else None, allow_pickle=False))

    def describe(self, path: Path) -> dict[str, Any]:
        """Return shape and dtype."""
        with _explained(path, "NPY"), open(path, "rb") as file:
            shape, dtype = _array_header(file)
        return {"shape": list(shape), "dtype": str(dtype)}

    def suffix_of_labels(self, path: Path, channel_axis: ChannelAxis) -> str:
        """Return that of pictures, or of what has room for volumes."""
        n_axes = len(self.describe(path)["shape"])
        return ".tif" if n_axes - (channel_axis is not None) > 2 else ".png"

    def write(self, path: Path, contents: Contents, windows: Windows) -> dict[str, bytes]:
        """Write a result, of an image that stays in its file window by window."""
        _refuse_others(contents)
        if contents.image is None or contents.image.in_memory:
            array = _stored(contents, assembled(contents, windows))
            with open(path, "xb") as file:
                np.save(file, array, allow_pickle=False)
            return {}
        dtype = contents.stored_dtype if contents.kind == "soft" else contents.dtype
        shape = (len(contents.names), *contents.shape) if contents.kind == "soft" else contents.shape
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        for window, values in windows:
            where: tuple[Any, ...] = (..., *window)
            mapped[where] = stored_probabilities(values, dtype) if contents.kind == "soft" else values
        mapped.flush()
        return {}


class _Npz:
    """Archives of arrays; of several arrays the one that has the right name is meant."""

    def read(self, path: Path, reading: Reading) -> Image:
        """Read an image, always whole."""
        return _image(path, self._array(path, reading, "image"), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the only array, or the one named "labels"."""
        return self._array(path, reading, "labels")

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read the only array, or the one named "probabilities"."""
        return self._array(path, reading, "probabilities")

    def _array(self, path: Path, reading: Reading, key: str) -> np.ndarray:
        with _explained(path, "NPZ"), zipfile.ZipFile(path) as archive:
            name = _member(path, archive, key)
            with archive.open(name) as entry:
                shape, dtype = _array_header(entry)
            _check(path, shape, dtype, reading)
            with archive.open(name) as entry:
                return np.asarray(np.lib.format.read_array(entry, allow_pickle=False))

    def describe(self, path: Path) -> dict[str, Any]:
        """Return the shape and dtype of each array."""
        arrays = {}
        with _explained(path, "NPZ"), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as entry:
                        shape, dtype = _array_header(entry)
                    arrays[name[:-4]] = {"shape": list(shape), "dtype": str(dtype)}
        return {"arrays": arrays}

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return what an array "class_names" holds; None where there is none."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                return tuple(str(name) for name in archive["class_names"]) if "class_names" in archive else None
        except (ValueError, OSError) as error:
            raise InputError(f"{path}: its class names cannot be read ({error}); save them as strings") from None

    def write(self, path: Path, contents: Contents, windows: Windows) -> dict[str, bytes]:
        """Write a result, compressed, as "labels", "probabilities" or by the name of a map."""
        _refuse_others(contents)
        array = _stored(contents, assembled(contents, windows))
        key = contents.names[0] if contents.kind == "map" else _KEYS[contents.kind]
        with open(path, "x+b") as file:
            np.savez_compressed(file, allow_pickle=False, **{key: array})
        return {}


NPY, NPZ = _Npy(), _Npz()


def _image(path: Path, array: np.ndarray, reading: Reading) -> Image:
    return chosen(Image.from_array(array, channel_axis=reading.channel_axis, name=str(path)), reading)


def _refuse_others(contents: Contents) -> None:
    refuse_options(contents, {"labels": "palette", "soft": "dtype"}.get(contents.kind))


def _stored(contents: Contents, values: np.ndarray) -> np.ndarray:
    """Return a whole result as it is stored."""
    if contents.kind == "soft":
        return stored_probabilities(values, contents.stored_dtype)
    return narrowed(values) if contents.kind == "labels" else values


def _array_header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the shape and dtype in front of an array's bytes."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _check(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], reading: Reading) -> None:
    """Refuse objects and too many pixels before any is read."""
    if dtype.hasobject:
        raise InputError(f"{path} {_OBJECTS}")
    require_room(path, shape[:-1] if len(shape) > 2 and shape[-1] <= 4 else shape, reading, dtype.itemsize)


def _member(path: Path, archive: zipfile.ZipFile, key: str) -> str:
    """Choose the array of an archive: the only one, or the one of this name."""
    names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
    if len(names) == 1:
        return f"{names[0]}.npy"
    if key in names:
        return f"{key}.npy"
    listed = ", ".join(names[:8]) or "no array"
    raise InputError(f"{path} holds {listed}; save one array, or name it {key}")
