"""HDF5: one array of a file, in the axes in which it is stored. Files of netCDF are GDAL's, which knows places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.array.sliced import SlicedArray, read_array
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.raster.beside import open_hdf5, require_alone
from gmmseg.io.request import Reading, require_room
from gmmseg.io.variables import variable_of

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis

__all__ = ["describe", "read", "read_labels", "read_probabilities", "suffix_of_labels"]

_STEPS = "element_size_um"
"""Attribute in which programs of microscopy say the sides of a voxel, in µm."""

_NODATA = ("_FillValue", "missing_value", "Data_Ignore_Value")
"""Attributes that declare what stands for no data: two of the conventions of netCDF, one of NEON's flights."""

_REMEDY = "write it again"


def read(path: Path, reading: Reading) -> Image:
    """Read the only array of a file, or the one that the path names, as in HDF5:run.h5://images/first.

    Parameters
    ----------
    path : Path
    reading : Reading
        An array that takes more than `memory` stays in the file.

    Returns
    -------
    Image
        By the rules of arrays, see `Image.from_array`; without the number that an attribute declares as no data.

    Raises
    ------
    InputError
        There is no such array, or there are several and none is named; the file is damaged, or leads to others.
    """
    with _opened(path, reading) as found:
        steps = _sides(found)
        array, nodata = _unread(path, found), _nodata(found.attrs)
    image = read_array(path, array, reading)
    if nodata is not None:
        from gmmseg.io.nodata import with_nodata  # here, because most arrays say of no number that it is none

        image = with_nodata(image, nodata)
    if len(steps) == image.ndim - image.time:
        return replace(image, spacing=tuple(steps), place=Place(unit="um"))
    return image


def _nodata(attributes: Mapping[str, Any]) -> float | None:
    """Return the number that attributes of an array declare as no data; None where they declare no single one."""
    for name in _NODATA:
        values = np.ravel(attributes.get(name, ()))
        if len(values) == 1 and values.dtype.kind in "iuf" and np.isfinite(values[0]):
            return float(values[0])
    return None


def _sides(found: Any) -> list[float]:
    """Return the sides of a pixel in µm; none where they are not known."""
    steps = np.ravel(found.attrs.get(_STEPS, ())).astype(float)
    return steps.tolist() if np.isfinite(steps).all() and (steps > 0).all() else []


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read the numbers as they are stored."""
    with _opened(path, reading) as found:
        require_room(path, found.shape, reading, found.dtype.itemsize)
        return np.asarray(found[()])


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Refuse: probabilities are written in other formats."""
    raise not_probabilities(path, "HDF5")


def describe(path: Path) -> dict[str, Any]:
    """Return what is known of the array, or of all where there are several."""
    variable = variable_of(path)
    with _file(path, Reading()) as file:
        arrays = {name: _facts(each) for name, each in _arrays(file).items()}
    named = variable.name if variable is not None else next(iter(arrays)) if len(arrays) == 1 else None
    return arrays.get(named, {"arrays": arrays}) if named is not None else {"arrays": arrays}


def _facts(found: Any) -> dict[str, Any]:
    facts = {"shape": list(found.shape), "dtype": str(found.dtype)}
    steps = _sides(found)
    return facts | {"pixel_size_um": steps} if steps else facts


def suffix_of_labels(path: Path, channel_axis: ChannelAxis) -> str:
    """Return that of pictures, or of what has room for volumes."""
    n_axes = len(describe(path).get("shape", ()))
    return ".tif" if n_axes - (channel_axis is not None) > 2 else ".png"


@contextmanager
def _file(path: Path, reading: Reading) -> Iterator[Any]:
    variable = variable_of(path)
    file = path if variable is None else variable.file
    with explained(path, _REMEDY):
        require_alone(file, path, reading)
        with open_hdf5(file) as opened:
            yield opened


@contextmanager
def _opened(path: Path, reading: Reading) -> Iterator[Any]:
    """Open the array that is meant."""
    variable = variable_of(path)
    with _file(path, reading) as file:
        arrays = _arrays(file)
        listed = ", ".join(f"{name} {' x '.join(map(str, each.shape))}" for name, each in list(arrays.items())[:6])
        if variable is not None and variable.name not in arrays:
            raise InputError(f"{variable.file} has no array {variable.name}, but {listed or 'none'}; name one of these")
        if variable is None and len(arrays) != 1:
            some = f"holds {len(arrays)} arrays ({listed}); name one, as in HDF5:{path}://{next(iter(arrays), '')}"
            raise InputError(
                f"{path} {some}" if arrays else f"{path} holds no array of real numbers with two axes or more"
            )
        yield arrays[variable.name] if variable is not None else next(iter(arrays.values()))


def _arrays(file: Any) -> dict[str, Any]:
    """Return the arrays of real numbers with at least two axes, by their names."""
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if hasattr(item, "dtype") and item.dtype.kind in "buif" and len(item.shape or ()) > 1 and 0 not in item.shape:
            found[name] = item

    file.visititems(note)
    return found


def _unread(path: Path, found: Any) -> SlicedArray:
    name = found.name.lstrip("/")
    file = Path(found.file.filename)

    @contextmanager
    def opened() -> Iterator[Any]:
        with explained(path, _REMEDY), open_hdf5(file) as again:
            yield again[name]

    return SlicedArray(opened, tuple(found.shape), np.dtype(found.dtype), found.chunks)
