"""Zarr that xarray wrote: arrays whose axes have names, with coordinates beside them that place them on the map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.io.file_format import has_module
from gmmseg.io.labelled_arrays import are_one_image, bands_of_dataset, image_of_dataarray, image_of_dataset
from gmmseg.io.request import Reading

__all__ = ["Store", "written_by_xarray"]


@dataclass(frozen=True, eq=False)
class Store:
    """A group of arrays whose axes have names.

    Parameters
    ----------
    folder : Path
        Of the group.
    name : str
        Of the array in it that is meant; empty where the group is.
    arrays : tuple of zarr.Array
        All of the group.
    """

    folder: Path
    name: str
    arrays: tuple[Any, ...]

    def read(self, path: Path, reading: Reading) -> Image:
        """Return the image of the array that is meant, or of the bands of the group.

        Raises
        ------
        InputError
            The arrays of the group are no bands of one grid.
        """
        whole = self._opened()
        if self.name:
            return replace(image_of_dataarray(whole[self.name], reading), name=str(path))
        bands = bands_of_dataset(whole)
        if not are_one_image(bands):
            names = list(map(str, bands.data_vars)) or [each.basename for each in self.arrays if each.ndim > 1]
            raise InputError(
                f"{path} holds {', '.join(names[:6])}, which are no bands of one grid; name the folder of one, as in "
                f"{path}/{names[0]}"
            )
        return replace(image_of_dataset(whole, reading), name=str(path))

    def describe(self) -> dict[str, Any]:
        """Return what the metadata say of the arrays that are read."""
        whole = self._opened()
        bands = {self.name: whole[self.name]} if self.name else bands_of_dataset(whole).data_vars
        facts: dict[str, Any] = {"bands": list(map(str, bands))}
        for each in list(bands.values())[:1]:
            facts |= {"axes": ", ".join(map(str, each.dims)), "shape": list(each.shape), "dtype": str(each.dtype)}
        return facts

    def _opened(self) -> Any:
        """Return the group as xarray has it, but in the order of names and with numbers as they are stored."""
        xarray = require("xarray", "dask", f"{self.folder}, whose axes have names and coordinates, needs")
        whole = xarray.open_zarr(
            str(self.folder), chunks=None, consolidated=False, mask_and_scale=False, decode_times=False
        )
        # Folders are listed in any order; one that is named may be a coordinate, which lies on no variable.
        return whole if self.name else whole[sorted(whole.data_vars, key=str)]


def written_by_xarray(path: Path) -> Store | None:
    """Return the group that a folder is, or that is around the array that it is; None where no axes have names.

    Notes
    -----
    Of OME-Zarr, too, axes have names; that has no coordinates, which are arrays of one axis named as it is.
    """
    if not has_module("zarr"):
        return None
    zarr = require("zarr", "zarr", "Zarr files need")
    try:
        opened = zarr.open(str(path), mode="r")
        name = path.name if hasattr(opened, "shape") else ""
        folder = path.parent if name else path
        group = zarr.open_group(str(folder), mode="r") if name else opened
        arrays = dict(group.arrays())
    except Exception:  # whatever is wrong is said by who reads it otherwise
        return None
    if name and name not in arrays:
        return None
    coordinates = [key for key, each in arrays.items() if _names(each) == (key,)]
    meant = [arrays[name]] if name else [each for each in arrays.values() if each.ndim > 1]
    if not coordinates or not meant or not all(set(_names(each)) & set(coordinates) for each in meant):
        return None
    return Store(folder, name, tuple(arrays.values()))


def _names(array: Any) -> tuple[str, ...]:
    """Return those of the axes of an array: of version 3 metadata of its own, before an attribute of xarray."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return tuple(map(str, named))
