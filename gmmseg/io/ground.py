"""What a pixel covers: in square and cubic units, on a map what lies under it on the ellipsoid."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import GmmsegError, warn
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import Window
from gmmseg.records import dataclass, field

__all__ = ["Ground", "pixels_of"]

_AXIS, _FLATTENING = 6_378_137.0, 1 / 298.257223563  # of the ellipsoid of WGS 84, in metres
_NODES = (1024, 128)  # rows and columns of cells in which the scale of a map is one: it changes little within one
# Unit of length of the image: name of the unit of area and of volume, and how many of them a cubic metre has.
_METRIC = {"nm": ("um2", 1e12, "um3", 1e18), "um": ("um2", 1e12, "um3", 1e18)}
_SCAN = ("mm2", 1e6, "ml", 1e6)
_MAP = ("ha", 1e-4, "m3", 1.0)
_SMALL = ("mm", "cm")
_AT_ONCE = 1 << 20  # pixels that are counted


@dataclass(frozen=True, eq=False)
class Ground:
    """What the pixels of an image cover.

    Parameters
    ----------
    name : str
        "pixels" where nothing tells how large they are, else what is measured and its unit: "area_mm2", "area_ha",
        "volume_ml".
    each : float
        What a pixel covers, in that unit; where there are `cells`, what one of their parts does.
    shape : tuple of int
        The image's.
    cells : ndarray of int64, shape (m, n), optional
        On a map: how many such parts a pixel covers in each of the cells into which the image is divided. They are
        whole numbers, so that a sum is the same in whatever order windows are added.
    sides : tuple of int
        Pixels of a cell along each axis.
    """

    name: str
    each: float
    shape: tuple[int, ...]
    cells: Array | None = field(default=None, repr=False)
    sides: tuple[int, ...] = ()

    @classmethod
    def of(cls, image: Image) -> Ground:
        """Measure the pixels of an image by its place and spacing."""
        return cls.at(image.place, image.shape, spacing=image.spacing, name=image.name)

    @classmethod
    def at(
        cls,
        place: Place | None,
        shape: tuple[int, ...],
        *,
        spacing: tuple[float, ...] | None = None,
        name: str = "the map",
    ) -> Ground:
        """Measure pixels by where they lie.

        Parameters
        ----------
        place : Place or None
        shape : tuple of int
            Pixels along each axis.
        spacing : tuple of float, optional
            Size of a pixel along each axis in the unit of the place, where this says no more than the unit.
        name : str
            What warnings call it.

        Notes
        -----
        On a map with a coordinate reference system every pixel counts for its area on the ellipsoid WGS 84: degrees
        become areas, and what a projection stretches (Mercator's by 4 at 60 degrees) is taken back. Other systems than
        degrees need rasterio; without, or where the system is not known, areas are those of the map's own plane.
        """
        matrix = None if place is None or place.affine is None or len(shape) != 2 else place.matrix(2)
        if matrix is not None and not np.isfinite(matrix).all():
            matrix = spacing = None
        if place is not None and place.crs is not None and matrix is not None:
            found = _cells(place, shape, matrix, name)
            if found is not None:
                cells, sides = found
                parts, each = _whole(cells, shape, sides)
                return cls("area_ha", 1e-4 * each, shape, parts, sides)
        if spacing is None and matrix is not None:  # sides of a rectangle as large as the pixel, which may be skewed
            height = float(np.hypot(*matrix[:, 0]))
            spacing = height, abs(float(np.linalg.det(matrix[:, :2]))) / height
        metres = None if place is None else place.metres
        if spacing is None or metres is None or place is None or len(spacing) == 1:
            return cls("pixels", 1.0, shape)
        area, per_area, volume, per_volume = _units(str(place.unit), scan=place.affine3d is not None)
        size = math.prod(step * metres for step in spacing)
        if not math.isfinite(size):
            return cls("pixels", 1.0, shape)
        if len(spacing) == 2:
            return cls(f"area_{area}", size * per_area, shape)
        return cls(f"volume_{volume}", size * per_volume, shape)

    @property
    def unit(self) -> str:
        """The unit alone: "ha", "ml", "pixels"."""
        return self.name.rpartition("_")[2]

    @property
    def known(self) -> bool:
        """Whether anything tells how large a pixel is."""
        return self.name != "pixels"

    def counts(self, window: Window, numbers: Array, n: int) -> Array:
        """Return how often `each` is covered by the pixels of each number 0 to n - 1, within a window.

        Parameters
        ----------
        window : tuple of slice
        numbers : ndarray of int, of the window's shape
        n : int

        Returns
        -------
        ndarray of int64, shape (n,)
            Those of windows are added exactly.
        """
        if self.cells is None:
            return pixels_of(numbers, n)
        rows, columns = self._index(window)
        found, starts = np.zeros(n, np.int64), np.flatnonzero(np.diff(rows, prepend=-1))
        for part, row in zip(np.split(numbers, starts[1:]), rows[starts], strict=False):
            each = np.broadcast_to(self.cells[row, columns], part.shape)
            # Floats hold these sums exactly, see `_whole`.
            found += np.bincount(part.reshape(-1), each.reshape(-1), minlength=n).astype(np.int64)
        return found

    def sums(self, window: Window, numbers: Array, n: int) -> Array:
        """Return what the pixels of each number 0 to n - 1 cover together, within a window, see `counts`."""
        return self.counts(window, numbers, n) * self.each

    def within(self, window: Window) -> Array:
        """Return how often each pixel of a window covers `each`, of the window's shape."""
        if self.cells is None:
            return np.ones([s.stop - s.start for s in window])
        return np.asarray(self.cells[np.ix_(*self._index(window))])

    def _index(self, window: Window) -> list[Array]:
        """Cells of the rows and the columns of a window."""
        return [np.arange(s.start, s.stop) // side for s, side in zip(window, self.sides, strict=True)]


def pixels_of(numbers: Array, n: int) -> Array:
    """Return how many pixels each number 0 to n - 1 has, int64; a strip at a time, as counting takes 8 bytes a pixel.

    Examples
    --------
    >>> pixels_of(np.uint8([[0, 2], [2, 2]]), 4).tolist()
    [1, 0, 3, 0]
    """
    flat, found = numbers.reshape(-1), np.zeros(n, np.int64)
    step = max(_AT_ONCE, n)  # no strip is shorter than its counts
    for start in range(0, flat.size, step):
        found += np.bincount(flat[start : start + step], minlength=n)
    return found


def _units(unit: str, *, scan: bool) -> tuple[str, float, str, float]:
    if unit in _METRIC:
        return _METRIC[unit]
    return _SCAN if scan or unit in _SMALL else _MAP


def _cells(place: Place, shape: tuple[int, ...], matrix: Array, name: str) -> tuple[Array, tuple[int, int]] | None:
    """Areas in square metres of a pixel in each cell; None where the map's plane has to do."""
    rows, columns = shape
    sides = -(-rows // _NODES[0]), -(-columns // _NODES[1])
    edges = [np.unique(np.append(np.arange(0, n, side), n)) for n, side in zip((rows, columns), sides, strict=True)]
    if place.unit != "degree" and place.metres is None:
        return None
    i, j = np.meshgrid(*edges, indexing="ij")
    with np.errstate(over="ignore", invalid="ignore"):  # of a map that says it lies nowhere, or at 1e308
        x, y = np.tensordot(matrix, np.stack([i, j, np.ones_like(i)]), axes=1)
        degrees = _degrees(place, name, x, y)
        if degrees is None:
            return None
        longitude, latitude = degrees
        farthest = float(np.abs(latitude).max())
        if place.unit == "degree" and farthest > 90 + np.abs(matrix[1, :2]).sum():  # a row may be centred on a pole
            message = (
                f"{name}: how large its pixels are is not known: its system is of degrees, but its latitudes reach "
                f"{farthest:.6g}; give it the system that its numbers are in"
            )
            warn(message)
            return None
        longitude = np.unwrap(np.unwrap(np.radians(longitude), axis=1), axis=0)
        height = _meridian_strip(np.radians(np.clip(latitude, -90, 90)))
        areas = np.abs(_quadrangles(longitude, height))
    counts = np.diff(edges[0])[:, None] * np.diff(edges[1])
    if not np.isfinite(areas).all():
        message = f"{name}: areas are those of the map's plane, parts of it lie beyond its system"
        warn(message)
        return None
    return areas / counts, sides


def _whole(areas: Array, shape: tuple[int, ...], sides: tuple[int, ...]) -> tuple[Array, float]:
    """Areas as whole numbers of a part, and that part: as small as sums of all pixels allow, at most 31 bits.

    An area is right to half a part, of 100 gigapixels to 1 in 30 million. Floats hold the sums of a row of cells.
    """
    bits = min(31, 62 - math.prod(shape).bit_length(), 53 - (sides[0] * shape[1]).bit_length())
    each = float(areas.max()) / (1 << bits)
    return np.rint(areas / each).astype(np.int64), each


def _degrees(place: Place, name: str, x: Array, y: Array) -> tuple[Array, Array] | None:
    """Longitude and latitude of points of the map, in degrees."""
    if place.unit == "degree":
        return x, y
    try:
        warp = require("rasterio.warp", "geo", "areas on the ground need")
    except GmmsegError as error:
        warn(f"{name}: areas are those of the map's plane: {error}")
        return None
    crs = str(place.crs)
    from gmmseg.io.raster.systems import require_no_files  # here, because most pictures lie on no map

    require_no_files(crs, Path(name), "its place")
    try:
        longitude, latitude = warp.transform(crs, "EPSG:4326", x.ravel(), y.ravel())
    except Exception as error:  # GDAL has one class for each fault, none of them public
        message = f"{name}: areas are those of the map's plane, its system does not tell others: {error}"
        warn(message)
        return None
    return np.reshape(longitude, x.shape), np.reshape(latitude, x.shape)


def _meridian_strip(latitude: Array) -> Array:
    """Area in square metres between the equator and latitudes in radians, of one radian of longitude."""
    square = _FLATTENING * (2 - _FLATTENING)
    root, sine = math.sqrt(square), np.sin(latitude)
    return np.asarray(_AXIS**2 * (1 - square) / 2 * (sine / (1 - square * sine**2) + np.arctanh(root * sine) / root))


def _quadrangles(x: Array, y: Array) -> Array:
    """Signed areas of the cells of a grid of corners, by their diagonals."""
    one = (x[1:, 1:] - x[:-1, :-1]) * (y[1:, :-1] - y[:-1, 1:])
    two = (x[1:, :-1] - x[:-1, 1:]) * (y[1:, 1:] - y[:-1, :-1])
    return np.asarray((one - two) / 2)
