"""Rasters brought to the grid of another one, window by window: a virtual raster of GDAL's around an open dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image.place import Place
from gmmseg.io.raster.gdal import library

__all__ = ["Grid", "on_grid", "require_overlap"]

_ALIKE = 1e-3  # of a pixel, by which corners of one grid may lie apart


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns).
    transform : tuple of float
        (a, b, c, d, e, f), as of `gmmseg.image.place.Place`.
    crs : str
        WKT, or what else GDAL takes for a coordinate reference system.
    """

    shape: tuple[int, int]
    transform: tuple[float, ...]
    crs: str

    @classmethod
    def of(cls, dataset: Any) -> Grid | None:
        """Return the grid of an open dataset; None where it does not say where it lies."""
        if not dataset.crs or dataset.transform.is_identity:
            return None
        return cls((dataset.height, dataset.width), tuple(map(float, dataset.transform[:6])), dataset.crs.to_wkt())

    @classmethod
    def of_place(cls, place: Place | None, shape: tuple[int, ...]) -> Grid | None:
        """Return the grid of an image; None where it does not say where it lies."""
        if place is None or place.affine is None or place.crs is None or len(shape) != 2:
            return None
        return cls((shape[0], shape[1]), place.affine, place.crs)

    @property
    def resolution(self) -> float:
        """Width of a pixel."""
        return math.hypot(self.transform[0], self.transform[3])

    def at(self, resolution: float) -> Grid:
        """Return the grid of the same upper left corner and area with pixels of another width."""
        a, b, c, d, e, f = self.transform
        ratio = resolution / self.resolution
        rows, columns = (max(1, math.ceil(n / ratio - _ALIKE)) for n in self.shape)
        return Grid((rows, columns), (a * ratio, b * ratio, c, d * ratio, e * ratio, f), self.crs)

    def is_same(self, other: Grid) -> bool:
        """Whether a pixel of one is a pixel of the other."""
        if self.shape != other.shape or not _is_same_system(self.crs, other.crs):
            return False
        apart = np.subtract(self._corners, other._corners)
        return bool(np.abs(apart).max() <= _ALIKE * self.resolution)

    @property
    def _corners(self) -> np.ndarray:
        a, b, c, d, e, f = self.transform
        rows, columns = self.shape
        return np.array([(a * x + b * y + c, d * x + e * y + f) for x in (0, columns) for y in (0, rows)])

    def bounds_in(self, crs: str) -> tuple[float, float, float, float]:
        """Return left, bottom, right and top in a coordinate system; not finite where the grid has no place there."""
        low, high = self._corners.min(axis=0), self._corners.max(axis=0)
        if _is_same_system(self.crs, crs):
            return low[0], low[1], high[0], high[1]
        left, bottom, right, top = library("rasterio.warp").transform_bounds(self.crs, crs, *low, *high)
        return left, bottom, right, top


def _is_same_system(one: str, other: str) -> bool:
    if one == other:
        return True
    read = library("rasterio.crs").CRS.from_user_input
    return bool(read(one) == read(other))


def require_overlap(path: Path, own: Grid, grid: Grid, name: str) -> None:
    """Refuse a raster that lies elsewhere than the one it is brought to; called within `environment()`.

    Raises
    ------
    InputError
        They have no pixel in common.
    """
    there, here = own.bounds_in(grid.crs), grid.bounds_in(grid.crs)
    known = all(map(math.isfinite, there))
    if not known or there[0] >= here[2] or there[2] <= here[0] or there[1] >= here[3] or there[3] <= here[1]:
        words = ", ".join(f"{each:.10g}" for each in there)
        raise InputError(
            f"{path} lies elsewhere than {name}: it spans {words} (left, bottom, right, top) in its coordinates, "
            f"not {', '.join(f'{each:.10g}' for each in here)}; give one of the same place"
        )


def on_grid(dataset: Any, grid: Grid, *, smooth: bool, nodata: float | None = None, dtype: str | None = None) -> Any:
    """Return an open dataset as it is on a grid, read window by window; the same windows give the same numbers.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        That says where it lies; it stays open, and is closed by its owner.
    grid : Grid
    smooth : bool
        Bilinear; otherwise the nearest pixel.
    nodata : float, optional
        The number that stands for no data, in the result too: outside of the dataset, and where it has none. Where it
        is None, a last band is 0 there.
    dtype : str, optional
        Of the result; the dataset's where None.

    Returns
    -------
    rasterio.vrt.WarpedVRT
    """
    resampling = library("rasterio.enums").Resampling
    rows, columns = grid.shape
    options = {"add_alpha": True} if nodata is None else {"src_nodata": nodata, "nodata": nodata}
    return library("rasterio.vrt").WarpedVRT(
        dataset,
        crs=grid.crs,
        transform=library("rasterio").Affine(*grid.transform),
        width=columns,
        height=rows,
        resampling=resampling.bilinear if smooth else resampling.nearest,
        dtype=dtype or dataset.dtypes[0],
        **options,
    )
