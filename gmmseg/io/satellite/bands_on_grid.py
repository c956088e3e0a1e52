"""Bands of a scene on one grid, as what they measure: a source that reads them window by window."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image.sources import WindowSource
from gmmseg.image.validity import finite
from gmmseg.image.windows import Window, shape_of
from gmmseg.io.raster.gdal import environment, explained, library, open_dataset, require_blocks
from gmmseg.io.raster.warped import Grid, on_grid, require_overlap
from gmmseg.io.request import Reading
from gmmseg.io.satellite.product import Band

__all__ = ["BandsOnGrid", "OpenBand", "open_bands"]

_NO_DATA = 0
_BLOCK = 512
_DEEP, _PARTS = "JP2OpenJPEG", 4


@dataclass(frozen=True, eq=False)
class OpenBand:
    """A band that is read on the grid of its scene.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : rasterio.DatasetReader or rasterio.vrt.WarpedVRT
    scale, offset : float
        What is measured is `scale * stored + offset`.
    warped : bool
        Whether it had another grid.
    deep : int
        Rows of blocks that are decoded as a whole, however few of them are asked for, as those of JPEG 2000 are: what
        was decoded last is kept, because windows go down the rows. 0 where nothing is kept.
    """

    path: Path
    dataset: Any
    scale: float
    offset: float
    warped: bool
    deep: int = 0
    _kept: dict[int, tuple[slice, np.ndarray]] = field(default_factory=dict)

    def read(self, window: Window, out: np.ndarray) -> None:
        """Fill in what is measured in a window (rows, columns), NaN where there is no data."""
        rows, columns = window
        step = self.deep or rows.stop - rows.start
        first = rows.start // self.deep * self.deep if self.deep else rows.start
        for top in range(first, rows.stop, step):
            here = slice(max(top, rows.start), min(top + step, rows.stop))
            stored = self._stored(top, here, columns)
            part = out[here.start - rows.start : here.stop - rows.start]
            np.multiply(stored, np.float32(self.scale), out=part, dtype=np.float32, casting="unsafe")
            part += np.float32(self.offset)
            part[stored == _NO_DATA] = np.nan

    def _stored(self, top: int, rows: slice, columns: slice) -> np.ndarray:
        """Return what is stored in some rows, which lie in one row of blocks that begins at `top`."""
        if not self.deep:
            return self._decoded(rows, columns)
        across, block = self._kept.get(top, (slice(0, 0), None))
        if block is None or not across.start <= columns.start < columns.stop <= across.stop:
            self._kept.clear()
            across, block = columns, self._decoded(slice(top, min(top + self.deep, self.dataset.height)), columns)
            self._kept[top] = across, block
        left = columns.start - across.start
        return block[rows.start - top : rows.stop - top, left : left + columns.stop - columns.start]

    def _decoded(self, rows: slice, columns: slice) -> np.ndarray:
        height, width = shape_of((rows, columns))
        place = library("rasterio.windows").Window(columns.start, rows.start, width, height)
        where = f" in rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
        with explained(self.path, where):
            stored: np.ndarray = self.dataset.read(1, window=place)
        return stored


class BandsOnGrid(WindowSource):
    """Bands of a scene that stay in their files: a source of float32, NaN where a band has no data.

    Parameters
    ----------
    bands : sequence of OpenBand
    grid : Grid
    closing : callable
        Closes their files; called at the latest with this object.

    Notes
    -----
    One thread may read at a time, not always the same.
    """

    sweep = 0
    dtype: np.dtype[Any] = np.dtype(np.float32)
    _whole: BandsOnGrid | None = None

    def __init__(self, bands: Sequence[OpenBand], grid: Grid, closing: Any) -> None:
        self.bands = tuple(bands)
        self.shape: tuple[int, ...] = (*grid.shape, len(self.bands))
        self.blocks: tuple[int, ...] = _blocks(self.bands, grid)
        self.close = weakref.finalize(self, closing)

    @property
    def nbytes(self) -> int:
        """Of all pixels."""
        return math.prod(self.shape) * self.dtype.itemsize

    def select(self, channels: tuple[int, ...]) -> BandsOnGrid:
        """Return a source of some bands, which reads through this one's files."""
        picked = copy.copy(self)
        picked.bands = tuple(self.bands[c] for c in channels)
        picked.shape = (*self.shape[:-1], len(channels))
        picked._whole = self  # whose end closes the files
        return picked

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels (rows, columns, n_bands), and where any band has data; None where that is all.

        Raises
        ------
        InputError
            A file is damaged there.
        """
        planes = np.empty((len(self.bands), *shape_of(window)), np.float32)
        with environment():
            for band, plane in zip(self.bands, planes, strict=True):
                band.read(window, plane)
        pixels = np.moveaxis(planes, 0, -1)
        return pixels, finite(pixels, every=False)


def _blocks(bands: Sequence[OpenBand], grid: Grid) -> tuple[int, int]:
    """Return the sides of what is read at least cost: blocks of the first band that has the grid itself."""
    own = next((band.dataset for band in bands if not band.warped), None)
    if own is None:
        return min(_BLOCK, grid.shape[0]), min(_BLOCK, grid.shape[1])
    rows, columns = own.block_shapes[0]
    if _is_deep(own):  # so that windows are wide, and hardly any block is decoded again for what lies beside them
        rows //= _PARTS
    if columns < _BLOCK < grid.shape[1] and _BLOCK % columns == 0:
        columns = _BLOCK
    return rows, columns


def _is_deep(dataset: Any) -> bool:
    """Whether whole blocks of many rows have to be decoded for any of them."""
    return bool(dataset.driver == _DEEP and dataset.block_shapes[0][0] >= _BLOCK)


def open_bands(bands: Sequence[Band], reading: Reading, name: str) -> tuple[BandsOnGrid, Grid]:
    """Open bands on the grid that is asked for, or on that of the finest.

    Parameters
    ----------
    bands : sequence of Band
    reading : Reading
        With the resolution that is asked for.
    name : str
        Of the scene, for messages.

    Raises
    ------
    InputError
        A file is damaged, does not say where it lies, or lies elsewhere than the others.
    """
    with ExitStack() as files, environment():
        opened = []
        for band in bands:
            each = _fitting(band, reading.resolution)
            with explained(each):
                dataset = files.enter_context(open_dataset(each, reading))
            own = Grid.of(dataset)
            if dataset.count != 1 or own is None or np.dtype(dataset.dtypes[0]).kind not in "uif":
                raise InputError(
                    f"{each} is no single band that says where it lies ({dataset.count} bands, "
                    f"{'a place' if own else 'no place'}), as one of a scene does; download the scene again"
                )
            require_blocks(each, dataset, reading)
            opened.append((band, each, dataset, own))
        finest = min((own for *_, own in opened), key=lambda grid: grid.resolution)
        grid = _grid(finest, reading.resolution)
        readers = []
        deep = max((own.block_shapes[0][0] for *_, own, at in opened if _is_deep(own) and at.is_same(grid)), default=0)
        for band, path, dataset, own in opened:
            warped = not own.is_same(grid)
            if warped:
                require_overlap(path, own, grid, name)
                dataset = files.enter_context(on_grid(dataset, grid, smooth=True, nodata=_NO_DATA, dtype="float32"))
            readers.append(OpenBand(path, dataset, band.scale, band.offset, warped, deep))
        return BandsOnGrid(readers, grid, files.pop_all().close), grid


def _fitting(band: Band, resolution: float | None) -> Path:
    """Return the file of a band that has the resolution asked for, or its finest."""
    exact = next((each.path for each in band.files if each.metres == resolution), None)
    return band.files[0].path if exact is None else exact


def _grid(finest: Grid, resolution: float | None) -> Grid:
    return finest if resolution is None or math.isclose(resolution, finest.resolution) else finest.at(resolution)
