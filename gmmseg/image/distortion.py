"""How much of the ground a square of a map is: on a map in Mercator's projection less, the farther from the equator.

Snyder (1987), Map Projections: A Working Manual, chapter 7; "Web Mercator" takes latitudes of the ellipsoid for those
of a sphere, so its two scales differ a little.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gmmseg.image.image import Image

__all__ = ["ground_share"]

_WEB = re.compile(r"EPSG:(3857|3785|900913|102100|102113)|pseudo.?mercator|mercator_auxiliary_sphere", re.IGNORECASE)
_WORLD = re.compile(r"EPSG:(3395|54004)", re.IGNORECASE)
_MERCATOR = re.compile(r'(?:PROJECTION|METHOD)\["(?:Mercator_[12]SP|Mercator \(variant [AB]\)|Mercator)"')
_ELLIPSOID = re.compile(r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([\d.]+),\s*([\d.]+)')
_NUMBER = r'"\s*,\s*(-?[\d.]+(?:[eE]-?\d+)?)'
_SCALE = re.compile(r'"(?:scale_factor|Scale factor at natural origin)' + _NUMBER)
_PARALLEL = re.compile(r'"(?:standard_parallel_1|Latitude of 1st standard parallel)' + _NUMBER)
_NORTHING = re.compile(r'"(?:false_northing|False northing)' + _NUMBER)


@dataclass(frozen=True)
class _Ellipsoid:
    """Of the Earth: its larger radius in metres, and its eccentricity squared."""

    radius: float = 6_378_137.0
    e2: float = 0.00669437999014

    def across(self, latitude: float) -> float:
        """Return the radius of curvature to the east."""
        return self.radius / math.sqrt(1 - self.e2 * math.sin(latitude) ** 2)

    def along(self, latitude: float) -> float:
        """Return the radius of curvature to the north."""
        return self.across(latitude) * (1 - self.e2) / (1 - self.e2 * math.sin(latitude) ** 2)

    def latitude(self, isometric: float) -> float:
        """Return the latitude of an isometric one."""
        found, e = math.atan(math.sinh(isometric)), math.sqrt(self.e2)
        for _ in range(8):  # each gains two digits or more
            found = math.asin(math.tanh(isometric + e * math.atanh(e * math.sin(found))))
        return found


_WGS84 = _Ellipsoid()


def ground_share(image: Image) -> float:
    """Return the area on the ground of a square of an image's map, as a part of the square, in the middle of the image.

    Parameters
    ----------
    image : Image

    Returns
    -------
    float
        1 where nothing tells that the map is stretched: of other projections it is by less than a percent mostly.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmseg.image import Image
    >>> from gmmseg.image.place import Place
    >>> place = Place((10.0, 0.0, 0.0, 0.0, -10.0, 8_400_000.0), "EPSG:3857", unit="m")  # near 60 degrees north
    >>> round(ground_share(Image(np.zeros((10, 10, 1)), place=place)), 3)
    0.251
    """
    place = image.place
    if place is None or place.crs is None or place.affine is None or image.ndim != 2:
        return 1.0
    rows, columns = image.extent or image.shape
    *_, d, e, f = place.affine
    northing = (d * columns / 2 + e * rows / 2 + f) * (place.metres or 1.0)
    if _WEB.search(place.crs):
        latitude = math.atan(math.sinh(max(-50.0, min(50.0, northing / _WGS84.radius))))
        across, along = _WGS84.across(latitude), _WGS84.along(latitude)
        return across * along * (math.cos(latitude) / _WGS84.radius) ** 2
    if _WORLD.search(place.crs):
        return _of_mercator(_WGS84, 1.0, northing)
    if _MERCATOR.search(place.crs):
        return _of_wkt(place.crs, northing)
    return 1.0


def _of_wkt(wkt: str, northing: float) -> float:
    """Return the share of a map whose system is described in WKT."""
    found = _ELLIPSOID.search(wkt)
    flattening = 1 / float(found[2]) if found and float(found[2]) else 0.0
    ellipsoid = _Ellipsoid(float(found[1]), flattening * (2 - flattening)) if found else _WGS84
    scale, parallel = (pattern.search(wkt) for pattern in (_SCALE, _PARALLEL))
    factor = float(scale[1]) if scale else 1.0
    if parallel:
        latitude = math.radians(float(parallel[1]))
        factor = ellipsoid.across(latitude) * math.cos(latitude) / ellipsoid.radius
    false = _NORTHING.search(wkt)
    return _of_mercator(ellipsoid, factor, northing - (float(false[1]) if false else 0.0))


def _of_mercator(ellipsoid: _Ellipsoid, factor: float, northing: float) -> float:
    isometric = max(-50.0, min(50.0, northing / (ellipsoid.radius * factor)))
    latitude = ellipsoid.latitude(isometric)
    return (ellipsoid.across(latitude) * math.cos(latitude) / (ellipsoid.radius * factor)) ** 2
