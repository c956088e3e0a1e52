"""Masks with a place of their own, brought to the grid of the image that they are of."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.channels import positions
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window, shape_of
from gmmseg.io.mask_rule import naming_a_band
from gmmseg.io.raster.drivers import driver_of
from gmmseg.io.raster.gdal import environment, explained, library, open_dataset, require_blocks
from gmmseg.io.raster.warped import Grid, on_grid, require_overlap
from gmmseg.io.request import Reading

__all__ = ["MaskOnGrid", "mask_on_grid"]

_BLOCK = 512


class MaskOnGrid(WindowSource):
    """Numbers of a mask at the pixels of an image: those of the nearest pixel.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : rasterio.vrt.WarpedVRT
        Of the mask's bands, and alpha: 0 where the mask is not, or has no data.
    closing : callable
        Closes its file; called at the latest with this object.
    band : int
        From 1.
    """

    sweep = 0

    def __init__(self, path: Path, dataset: Any, closing: Any, band: int) -> None:
        self.path, self._dataset, self._band = path, dataset, band
        self.shape: tuple[int, ...] = (dataset.height, dataset.width, 1)
        self.dtype: np.dtype[Any] = np.dtype(dataset.dtypes[0])
        self.blocks: tuple[int, ...] = (min(_BLOCK, dataset.height), min(_BLOCK, dataset.width))
        self.close = weakref.finalize(self, closing)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return numbers of a window (rows, columns, 1), and where the mask has any.

        Raises
        ------
        InputError
            The file is damaged there.
        """
        rows, columns = window
        height, width = shape_of(window)
        place = library("rasterio.windows").Window(columns.start, rows.start, width, height)
        with explained(self.path), environment():
            numbers = self._dataset.read(self._band, window=place)
            there = self._dataset.read(self._dataset.count, window=place) != 0
        return numbers[..., None], None if there.all() else there


def mask_on_grid(image: Image, path: Path, reading: Reading) -> MaskOnGrid | None:
    """Return the mask in a file at the pixels of an image.

    Parameters
    ----------
    image : Image
    path : Path
    reading : Reading
        Whose `channels` say which band it is, of several.

    Returns
    -------
    MaskOnGrid or None
        None where not both say where they lie, or where they have one grid: then pixels belong to pixels.

    Raises
    ------
    InputError
        The mask lies elsewhere, is damaged, or is no single band of whole numbers.
    """
    if image.place is None or image.place.crs is None or driver_of(path) is None:
        return None
    with ExitStack() as files, environment():
        grid = Grid.of_place(image.place, image.shape)
        with explained(path):
            dataset = files.enter_context(open_dataset(path, reading))
        own = Grid.of(dataset)
        if grid is None or own is None or own.is_same(grid):
            return None
        band = _band_of(path, dataset, reading)
        require_blocks(path, dataset, reading)
        require_overlap(path, own, grid, image.name)
        warped = on_grid(dataset, grid, smooth=False)
        return MaskOnGrid(path, files.enter_context(warped), files.pop_all().close, band)


def _band_of(path: Path, dataset: Any, reading: Reading) -> int:
    """Return the number of the band that is the mask, from 1."""
    names = [each or "" for each in dataset.descriptions]
    found = (0,) if reading.channels is None else positions(reading.channels, dataset.count, names, image=str(path))
    if len(found) != 1 or (reading.channels is None and dataset.count != 1):
        listed = f" ({', '.join(names[:8])})" if all(names) else ""
        n_bands = dataset.count if reading.channels is None else len(found)
        raise InputError(f"{path} is no mask: it has {n_bands} bands{listed}; {naming_a_band(path, names)}")
    if np.dtype(dataset.dtypes[found[0]]).kind not in "ui":
        raise InputError(f"{path} is no mask: it is of {dataset.dtypes[found[0]]}; give one of whole numbers")
    return found[0] + 1
