"""Bands of a raster that GDAL reads: what they mean, and reading them window by window."""

from __future__ import annotations

import copy
import itertools
import math
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image.sources import WindowSource
from gmmseg.image.validity import combine
from gmmseg.image.windows import Window
from gmmseg.io.nodata import Scaling, can_be, dtype_without_nodata, separate_nodata, to_measured
from gmmseg.io.raster.gdal import dtype_of, environment, explained, library
from gmmseg.io.request import complex_numbers

__all__ = ["RasterBands", "RasterSource", "bands_of"]

_STRIPE_BYTES = 64 << 20  # of stored numbers that are looked through for missing ones at a time
_PALETTES = (np.uint8, np.uint16)  # of more bits a table of all numbers would be larger than any image
_PLACES, _LOOK = 4, 64  # along each axis, and pixels along a side of a place
_LEAST_MEASURED = 0.5  # of them between 0 and 255
_WHOLE_BLOCKS = 512  # columns; results are written in blocks of this side


@dataclass(frozen=True)
class RasterBands:
    """What the bands of a dataset mean.

    Parameters
    ----------
    indexes : tuple of int
        Numbers of the bands to read, from 1: red, green and blue in this order where they are colour.
    stored : numpy.dtype
        That holds the numbers of all of them.
    nodata : tuple of (float or None)
        Of each band.
    color : bool
    palette : ndarray of uint8, shape (n, 4), optional
        Red, green, blue and alpha of the numbers of a single band.
    alpha : int, optional
        Number of the band that is 0 where there is no data.
    masks : {"none", "dataset", "bands"}
        Whether there is a mask for all bands, or one for each.
    columns : tuple of int
        Of the palette that are read.
    scalings : tuple of (float, float)
        Scale and offset of each band: what was measured is stored * scale + offset. Empty where that is what is stored.
    """

    indexes: tuple[int, ...]
    stored: np.dtype[Any]
    nodata: tuple[float | None, ...]
    color: bool
    palette: np.ndarray | None
    alpha: int | None
    masks: str
    columns: tuple[int, ...] = (0, 1, 2)
    scalings: tuple[Scaling, ...] = ()

    @property
    def n_channels(self) -> int:
        """Of the pixels: a palette makes three of one band."""
        return len(self.indexes) if self.palette is None else len(self.columns)

    def select(self, channels: tuple[int, ...]) -> RasterBands:
        """Return some of them, as if the file had no others."""
        if self.palette is not None:
            return replace(self, columns=tuple(self.columns[c] for c in channels))
        indexes = tuple(self.indexes[c] for c in channels)
        scalings = tuple(self.scalings[c] for c in channels) if self.scalings else ()
        nodata = tuple(self.nodata[c] for c in channels)
        return replace(self, indexes=indexes, nodata=nodata, color=False, scalings=scalings)

    @property
    def some_missing(self) -> bool:
        """Whether single bands of a pixel can be without data."""
        return self.masks == "bands" or any(can_be(value, self.stored) for value in self.nodata)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the pixels."""
        if self.palette is not None:
            return np.dtype(np.uint8)
        if self.stored.kind == "c":
            return np.dtype(f"f{self.stored.itemsize // 2}")
        if self.scalings and self.stored.kind != "f":
            return np.dtype(np.float32)
        if self.color or not self.some_missing:
            return self.stored
        return dtype_without_nodata(self.stored, len(self.indexes))


def bands_of(path: Path, dataset: Any, *, indices: bool = False, magnitude: bool = False) -> RasterBands:
    """Look at colour interpretation, dtypes, nodata values and masks.

    With `indices` colour tables do not count; complex numbers are taken by their `magnitude`, and refused otherwise.
    """
    if dataset.count == 0:
        parts = ", ".join(name.rsplit(":", 1)[-1] for name in dataset.subdatasets[:6])
        if not parts:
            raise InputError(f"{path} holds no band; export one as GeoTIFF")
        first = parts.partition(", ")[0]
        raise InputError(f"{path} holds several rasters ({parts}); name one, as in NETCDF:{path}:{first}")
    meaning = [each.name for each in dataset.colorinterp]
    alpha = meaning.index("alpha") + 1 if "alpha" in meaning and dataset.count > 1 else None
    if alpha is not None and ((indices and dataset.count == 4) or _is_measured(dataset, alpha)):
        alpha = None
    indexes = tuple(index for index in dataset.indexes if index != alpha)
    names = {meaning[index - 1]: index for index in indexes}
    dtypes = dataset.dtypes
    stored = _common_dtype(path, list(dict.fromkeys(dtypes[index - 1] for index in indexes)), magnitude=magnitude)
    # Floating-point and signed numbers are measurements, whatever a file calls its bands. GDAL calls any three or four
    # bands of 8 bits red, green, blue and alpha, also where each is a mask of its own.
    color = not indices and len(indexes) == 3 and {"red", "green", "blue"} == set(names) and stored.kind == "u"
    if color:
        indexes = (names["red"], names["green"], names["blue"])
    has_palette = not indices and len(indexes) == 1 and "palette" in names and stored in _PALETTES
    palette = _palette(dataset, indexes[0]) if has_palette else None
    every, nodatas = dataset.mask_flag_enums, dataset.nodatavals  # rasterio asks all bands each time
    flags = [{each.name for each in every[index - 1]} for index in indexes]
    masks = "none"
    if any("per_dataset" in each and "alpha" not in each for each in flags):
        masks = "dataset"
    elif not all(flags):  # no flag: a mask of the band's own
        masks = "bands"
    nodata = tuple(nodatas[index - 1] for index in indexes)
    known = RasterBands(indexes, stored, nodata, color or palette is not None, palette, alpha, masks)
    return known if known.color else replace(known, scalings=_scalings(dataset, indexes))


def _is_measured(dataset: Any, alpha: int) -> bool:
    """Whether a band of a map that is called alpha is none: what is seen through is rare, and no measurement.

    GDAL calls the fourth band of 8 bits so, unless its writer says what it is: near infrared, most often.
    """
    if dataset.crs is None or dataset.count != 4 or dataset.dtypes[alpha - 1] != "uint8":
        return False
    place = library("rasterio.windows").Window
    rows, columns = map(_looked_at, dataset.shape, dataset.block_shapes[alpha - 1])
    # At most 16 blocks are decoded: of a JPEG of 16 384 x 16 384, 256 of them took a fifth of the time of reading it.
    sample = np.concatenate(
        [dataset.read(alpha, window=place.from_slices(*both)).reshape(-1) for both in itertools.product(rows, columns)]
    )
    return bool(((sample > 0) & (sample < 255)).mean() > _LEAST_MEASURED)


def _looked_at(n: int, block: int) -> list[slice]:
    """Return places along an axis of n pixels, evenly spaced, each within one block."""
    middles = [(2 * i + 1) * n // (2 * _PLACES) for i in range(_PLACES)]
    starts = [middle // block * block for middle in middles]
    return [
        slice(max(start, middle - _LOOK // 2), min(start + block, middle + _LOOK // 2, n))
        for start, middle in zip(starts, middles, strict=True)
    ]


def _scalings(dataset: Any, indexes: tuple[int, ...]) -> tuple[Scaling, ...]:
    """Return scale and offset of bands; nothing where all are 1 and 0, which a scale of 0 or no number stands for."""
    scales, offsets = dataset.scales, dataset.offsets  # rasterio asks all bands each time
    each = [(scales[index - 1], offsets[index - 1]) for index in indexes]
    usable = tuple(pair if pair[0] and all(map(math.isfinite, pair)) else (1.0, 0.0) for pair in each)
    return usable if set(usable) != {(1.0, 0.0)} else ()


def _common_dtype(path: Path, names: list[str], *, magnitude: bool) -> np.dtype[Any]:
    found = next((name for name in names if name.startswith("complex")), None)
    if found is not None and not magnitude:
        raise complex_numbers(path, found)
    return np.result_type(*map(dtype_of, names))


def _palette(dataset: Any, index: int) -> np.ndarray:
    """Return a colour for every number that the band can hold: black without alpha where the table has none."""
    table = dataset.colormap(index)
    colors = np.zeros((np.iinfo(dataset.dtypes[index - 1]).max + 1, 4), np.uint8)
    for number, color in table.items():
        if number < len(colors):
            colors[number] = color
    return colors


class RasterSource(WindowSource):
    """Bands of a raster that stay in their file: a source of pixels.

    Parameters
    ----------
    path : Path
        For messages.
    dataset : rasterio.DatasetReader
        Closed by `close`, at the latest with this object.
    bands : RasterBands
        What to read of it.
    owned : bool
        Whether the dataset is this source's own: otherwise it stays open, and is read by its owner's options of GDAL.

    Notes
    -----
    One thread may read at a time, not always the same. GDAL decodes on all cores and keeps at most 64 MB of blocks.
    """

    sweep = 0
    _whole: RasterSource | None = None

    def __init__(self, path: Path, dataset: Any, bands: RasterBands, *, owned: bool = True) -> None:
        self.path, self.bands = path, bands
        self.shape: tuple[int, ...] = (dataset.height, dataset.width, bands.n_channels)
        self.dtype: np.dtype[Any] = bands.dtype
        rows, columns = dataset.block_shapes[bands.indexes[0] - 1]
        if columns < _WHOLE_BLOCKS < dataset.width and _WHOLE_BLOCKS % columns == 0:
            columns = _WHOLE_BLOCKS
        self.blocks: tuple[int, ...] = (rows, columns)
        self._dataset, self._options = dataset, environment if owned else nullcontext
        self.close: Callable[[], Any] = weakref.finalize(self, dataset.close) if owned else nullcontext

    def select(self, channels: tuple[int, ...]) -> RasterSource:
        """Return a source of some channels, which reads through this one's dataset."""
        picked = copy.copy(self)
        picked.bands = self.bands.select(channels)
        picked.shape, picked.dtype = (*self.shape[:-1], len(channels)), picked.bands.dtype
        picked._whole = self  # whose end closes the dataset
        return picked

    @property
    def pixel_bytes(self) -> int:
        """Of a decoded pixel, all channels together, and of whether it is valid."""
        return self.shape[-1] * self.dtype.itemsize + 1

    @property
    def nbytes(self) -> int:
        """Of all pixels, decoded."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window's pixels (rows, columns, n_channels), and where they are valid; None where all are.

        Raises
        ------
        InputError
            The file is damaged there.
        """
        rows, columns = window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        place = library("rasterio.windows").Window
        where = f" in rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
        pixels, valid = self._empty(self.dtype, (height, width), self.shape[-1]), None
        with explained(self.path, where), self._options():
            for stripe in self._stripes(height, width):
                n_rows = stripe.stop - stripe.start
                there = self._read(place(columns.start, rows.start + stripe.start, width, n_rows), pixels[stripe])
                if there is not None:
                    valid = np.ones((height, width), bool) if valid is None else valid
                    valid[stripe] = there
        return pixels, valid

    def thinned(self, window: Window, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a window at fewer pixels (*shape, n_channels), as `read` does: from overviews where there are any.

        Raises
        ------
        InputError
            The file is damaged there.
        """
        rows, columns = window
        place = library("rasterio.windows").Window.from_slices(rows, columns)
        pixels = self._empty(self.dtype, shape, self.shape[-1])
        with explained(self.path), self._options():
            return pixels, self._read(place, pixels)

    def _stripes(self, height: int, width: int) -> Iterator[slice]:
        """Yield rows of blocks that are read together."""
        block = self.blocks[0]
        row_bytes = max(1, width * len(self.bands.indexes) * self.bands.stored.itemsize)
        step = max(1, _STRIPE_BYTES // (row_bytes * block)) * block
        for start in range(0, height, step):
            yield slice(start, min(start + step, height))

    def _empty(self, dtype: np.dtype[Any], shape: tuple[int, int], n: int) -> np.ndarray:
        """Make room for pixels: features of colour take all channels of a pixel together, others a band at a time."""
        return np.empty((*shape, n), dtype) if self.bands.color else np.moveaxis(np.empty((n, *shape), dtype), 0, -1)

    def _read(self, place: Any, pixels: np.ndarray) -> np.ndarray | None:
        """Fill in pixels, and return where they are valid; None where all are."""
        bands, dataset, shape = self.bands, self._dataset, pixels.shape[:2]
        alike = bands.palette is None and bands.stored == self.dtype
        samples = pixels if alike else self._empty(bands.stored, shape, len(bands.indexes))
        stored = np.moveaxis(samples, -1, 0)
        if len(set(dataset.dtypes)) == 1:
            dataset.read(list(bands.indexes), window=place, out=stored)
        else:  # rasterio reads bands together only where they are of one dtype
            for index, band in zip(bands.indexes, stored, strict=True):
                dataset.read(index, window=place, out=band)
        masks = None
        if bands.masks == "bands":
            indexes = list(bands.indexes)
            masks = np.moveaxis(dataset.read_masks(indexes, window=place, out_shape=(len(indexes), *shape)), 0, -1)
        if bands.stored.kind == "c":
            samples = np.abs(samples)
        measured, valid = separate_nodata(samples, bands.nodata, masks=masks, color=bands.color)
        if bands.palette is not None:
            colors = bands.palette[measured[..., 0]]
            pixels[...] = colors[..., list(bands.columns)]
            valid = combine(valid, colors[..., 3] != 0)
        elif not alike:
            pixels[...] = measured
        to_measured(pixels, bands.scalings)
        if bands.masks == "dataset":
            valid = combine(valid, dataset.read_masks(bands.indexes[0], window=place, out_shape=shape) != 0)
        if bands.alpha is not None:
            valid = combine(valid, dataset.read(bands.alpha, window=place, out_shape=shape) != 0)
        return valid
