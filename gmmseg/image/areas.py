"""How large pixels are: on the ground, under a microscope, in a patient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gmmseg.image.place import METRES, Place

if TYPE_CHECKING:
    import numpy as np

__all__ = ["meridian_strip", "pixel_areas", "voxel_volume"]

_AXIS, _FLATTENING = 6_378_137.0, 1 / 298.257223563  # of the ellipsoid of WGS 84, in metres
_HECTARE = 1e4  # square metres
_MILLILITRES = 1e-3  # in a cubic millimetre
_LEAST_ON_GROUND = METRES["m"] * 0.1  # units from which areas are told in hectares: feet and metres, not millimetres


def pixel_areas(
    place: Place | None, rows: int, *, spacing: tuple[float, ...] | None = None
) -> tuple[float | np.ndarray, str]:
    """Return the area of a pixel, and its unit.

    Parameters
    ----------
    place : Place or None
        Of a picture.
    rows : int
        How many it has.
    spacing : tuple of float, optional
        Height and width of a pixel in the unit of the place, where this says no more than the unit.

    Returns
    -------
    float or ndarray of float64, shape (rows,)
        Of each pixel, or of the pixels of each row.
    str
        "ha", a square unit of the place such as "um2", or "pixels" where nothing says how large one is.

    Notes
    -----
    On a map in degrees the area of a pixel is that between its meridians and parallels on the ellipsoid of WGS 84.
    Projections are taken to keep areas.

    Examples
    --------
    >>> pixel_areas(Place((30.0, 0.0, 0.0, 0.0, -30.0, 0.0), "EPSG:32633", unit="m"), 5)
    (0.09, 'ha')
    >>> pixel_areas(None, 5)
    (1.0, 'pixels')
    """
    if place is None or (place.affine is None and (spacing is None or len(spacing) != 2)):
        return 1.0, "pixels"
    if place.affine is None:
        height, width = spacing or (1.0, 1.0)
        return _in_unit(place, height * width)
    a, b, _, d, e, f = place.affine
    if place.unit == "degree" and b == d == 0:
        return _between_parallels(a, e, f, rows), "ha"
    return _in_unit(place, abs(a * e - b * d))


def _in_unit(place: Place, size: float) -> tuple[float, str]:
    """Return an area in square units of a place as it is shown."""
    if place.metres is None:
        return 1.0, "pixels"
    if place.metres >= _LEAST_ON_GROUND:
        return size * place.metres**2 / _HECTARE, "ha"
    return size, f"{place.unit}2"


def voxel_volume(place: Place | None, spacing: tuple[float, ...] | None) -> tuple[float, str]:
    """Return the volume of a voxel, and its unit: "ml", a cubic unit of the place, or "voxels" where it is not known.

    Examples
    --------
    >>> voxel_volume(Place(unit="mm"), (2.0, 1.0, 1.0))
    (0.002, 'ml')
    """
    if place is None or place.metres is None or spacing is None or len(spacing) != 3:
        return 1.0, "voxels"
    size = math.prod(spacing)
    return (size * _MILLILITRES, "ml") if place.unit == "mm" else (size, f"{place.unit}3")


def meridian_strip(latitude: np.ndarray) -> np.ndarray:
    """Return the area in square metres between the equator and latitudes in radians, of one radian of longitude."""
    import numpy as np

    square = _FLATTENING * (2 - _FLATTENING)
    root, sine = math.sqrt(square), np.sin(latitude)
    strip: np.ndarray = _AXIS**2 * (1 - square) / 2 * (sine / (1 - square * sine**2) + np.arctanh(root * sine) / root)
    return strip


def _between_parallels(step: float, down: float, top: float, rows: int) -> np.ndarray:
    """Area of the pixels of each row in hectares."""
    import numpy as np

    edges = np.radians(np.clip(top + down * np.arange(rows + 1), -90, 90))
    areas: np.ndarray = np.abs(np.diff(meridian_strip(edges))) * math.radians(abs(step)) / _HECTARE
    return areas
