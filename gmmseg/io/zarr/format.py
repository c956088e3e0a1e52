"""Zarr: a folder that is an array, a group of one, of xarray, or an image of OME-Zarr 0.4 or 0.5, read by windows."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, ParameterError
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.array.sliced import SlicedArray, read_array
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.meaning import InterpretedSource, Meaning, settle_color
from gmmseg.io.request import Reading, kept, require_axis, require_bytes
from gmmseg.io.zarr.metadata import Multiscale, multiscale_of
from gmmseg.io.zarr.of_xarray import written_by_xarray
from gmmseg.io.zarr.write import packing, write

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis

__all__ = ["describe", "packing", "read", "read_labels", "read_probabilities", "suffix_of_labels", "write"]

# Codecs that turn bytes into numbers and do nothing else; one that unpickles would run what is written in the file.
_CODECS = frozenset(
    {"blosc", "zlib", "gzip", "zstd", "lz4", "bytes", "transpose", "sharding_indexed", "crc32c", "crc32", "adler32"}
    | {"delta", "shuffle", "bitround", "fixedscaleoffset", "quantize", "packbits", "fletcher32", "astype"}
)
_NAMED = ("id", "name")


def read(path: Path, reading: Reading) -> Image:
    """Read the finest resolution of an image of OME-Zarr, or an array.

    Parameters
    ----------
    path : Path
        A folder.
    reading : Reading
        What takes more than `memory` stays in the folder.

    Returns
    -------
    Image
        Of OME-Zarr with the axes (z, y, x) that are there, channel names and the sides of a pixel, and of several
        points in time a time-lapse; what xarray wrote as xarray has it; other arrays by the rules of arrays, see
        `Image.from_array`.

    Raises
    ------
    InputError
        It is damaged, holds several images, or is encoded in a way that is not read.
    """
    if (image := _of_xarray(path, reading)) is not None:
        return image
    array, found = _array(path, reading)
    sliced = SlicedArray(lambda: _opened(path, array), tuple(array.shape), np.dtype(array.dtype), _chunks(array))
    if found is None:
        return read_array(path, sliced, reading)
    if reading.axes is not None:
        raise ParameterError(
            f"axes={reading.axes!r} does not fit {path}: OME-Zarr says which axes it has; leave it out"
        )
    lapse = _is_lapse(array, found)
    single = () if lapse else tuple((axis, 0) for axis, kind in enumerate(found.kinds) if kind == "time")
    raw = replace(sliced, channel_axis=found.channel_axis, fixed=single)
    n_channels = raw.shape[-1]
    interval = found.interval if lapse else None
    image = Image(
        InterpretedSource(raw, Meaning()),
        name=str(path),
        spacing=found.spacing,
        channel_names=found.channel_names if len(found.channel_names) == n_channels else (),
        place=None if found.spacing is None and interval is None else Place(unit=found.unit, interval=interval),
        time=lapse,
    )
    require_axis(image, reading, "OME-Zarr")
    image = settle_color(image)
    return kept(image if reading.channels is None else image.select(reading.channels), reading)


def _of_xarray(path: Path, reading: Reading) -> Image | None:
    """Return the image of what xarray wrote; None of anything else, and where axes are named to read it otherwise."""
    if reading.axes is not None or (found := written_by_xarray(path)) is None:
        return None
    with _explained(path):
        for array in found.arrays:
            _require_codecs(path, array)
            require_bytes(path, math.prod(_chunks(array)) * array.dtype.itemsize, reading, "its blocks")
        return kept(found.read(path, reading), reading)


def _is_lapse(array: Any, found: Multiscale) -> bool:
    """Whether there are several points in time; they are the first axis, as the metadata make sure."""
    return found.kinds[0] == "time" and array.shape[0] > 1


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read the numbers of a label map."""
    image = read(path, replace(reading, memory=None, channels=None, channel_axis=_all_spatial(path)))
    if image.n_channels != 1:
        raise InputError(f"{path} has {image.n_channels} channels, so it is not a label map; give one of integers")
    return image.array[..., 0]


def _all_spatial(path: Path) -> ChannelAxis:
    """Return what is asked of arrays, which say nothing of their axes."""
    return "auto" if written_by_xarray(path) is not None or _array(path, Reading())[1] is not None else None


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Refuse: probabilities are written in other formats."""
    raise not_probabilities(path, "Zarr")


def describe(path: Path) -> dict[str, Any]:
    """Return what the metadata say."""
    if (store := written_by_xarray(path)) is not None:
        return store.describe()
    array, found = _array(path, Reading())
    facts: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype), "block": list(_chunks(array))}
    if found is None:
        return facts
    facts |= {"axes": "".join(found.axes).upper()}
    if found.channel_names:
        facts["bands"] = list(found.channel_names)
    if found.spacing is not None:
        facts["pixel_size"] = list(found.spacing)
    if _is_lapse(array, found) and found.interval is not None:
        facts["interval_s"] = Place(interval=found.interval).seconds
    return facts if found.unit is None else facts | {"units": found.unit}


def suffix_of_labels(path: Path, channel_axis: ChannelAxis) -> str:
    """Return OME-TIFF's of OME-Zarr, TIFF's of what xarray wrote; of others that of pictures or of volumes."""
    if written_by_xarray(path) is not None:
        return ".tif"
    array, found = _array(path, Reading())
    if found is not None:
        return ".ome.tif"
    return ".tif" if array.ndim - (channel_axis is not None) > 2 else ".png"


def _explained(path: Path) -> AbstractContextManager[None]:
    return explained(path, "write or copy it again", finding="damaged, or encoded in a way that is not read")


def _opened(path: Path, array: Any) -> AbstractContextManager[Any]:
    return nullcontext(_Explaining(path, array))


class _Explaining:
    """An array whose errors are one line."""

    def __init__(self, path: Path, array: Any) -> None:
        self.path, self.array = path, array

    def __getitem__(self, index: Any) -> Any:
        with _explained(self.path):
            return self.array[index]


def _array(path: Path, reading: Reading) -> tuple[Any, Multiscale | None]:
    """Open the array that is meant, and what is said of it where it is one of OME-Zarr."""
    zarr = require("zarr", "zarr", "Zarr files need")
    with _explained(path):
        opened = zarr.open(str(path), mode="r")
        if hasattr(opened, "shape"):
            array, found = opened, None
        else:
            found = multiscale_of(dict(opened.attrs), str(path))
            array = _finest(path, opened, found) if found is not None else _only(path, opened)
        _require_codecs(path, array)
    if array.dtype.kind not in "buif" or not math.prod(array.shape):
        raise InputError(f"{path} holds an array of {array.dtype} and shape {array.shape}, which is no image")
    require_bytes(path, math.prod(_chunks(array)) * array.dtype.itemsize, reading, "its blocks")
    return array, found


def _finest(path: Path, group: Any, found: Multiscale) -> Any:
    """Return the array of the finest resolution, which lies in the group."""
    if ".." in Path(found.path).parts or found.path not in group:
        raise InputError(f"{path} has no array {found.path}, which its multiscales name; copy all of the folder")
    array = group[found.path]
    if array.ndim != len(found.axes):
        raise InputError(f"{path} has {array.ndim} axes, but names {len(found.axes)} ({', '.join(found.axes)})")
    return array


def _only(path: Path, group: Any) -> Any:
    arrays = [name for name, _ in group.arrays()]
    if len(arrays) != 1:
        listed = ", ".join(sorted([*arrays, *(name for name, _ in group.groups())])[:6]) or "no array"
        raise InputError(f"{path} holds {listed}; name the folder of one array or image, as in {path}/NAME")
    return group[arrays[0]]


def _chunks(array: Any) -> tuple[int, ...]:
    """Return the sides of what is decoded together."""
    return tuple(getattr(array, "chunks", None) or array.shape)


def _require_codecs(path: Path, array: Any) -> None:
    """Refuse an array that is decoded by anything that is not known to do only that."""
    strange = sorted(set(_codecs(array.metadata.to_dict())) - _CODECS)
    if strange:
        raise InputError(f"{path} is encoded with {', '.join(strange)}, which is not read; write it with zstd or blosc")


def _codecs(facts: dict[str, Any]) -> list[str]:
    """Return the names of all codecs in the metadata of an array, of either version, also of those within others."""
    found: list[str] = []
    waiting: list[Any] = [facts.get(name) for name in ("codecs", "filters", "compressor")]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found += [str(each[key]).removeprefix("numcodecs.").lower() for key in _NAMED if key in each][:1]
            inner = each.get("configuration")
            waiting += [value for key, value in (inner or {}).items() if key.endswith("codecs")]
        elif isinstance(each, list | tuple):
            waiting += each
        elif each is not None:
            found.append(type(each).__name__.lower())
    return found
