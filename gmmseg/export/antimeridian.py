"""Polygons in longitude and latitude that cross the antimeridian: cut there, as RFC 7946 asks (section 3.1.9)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import GmmsegError
from gmmseg.export.rings import Rings

__all__ = ["crossing_instances", "cut_at_antimeridian"]

Polygon = list[list[list[float]]]

_DECIMALS = 9  # of a degree, as of all coordinates


def crossing_instances(rings: Rings) -> frozenset[int]:
    """Return the instances that cross the antimeridian, or go beyond 180 degrees: the first is 0.

    No edge of a polygon in degrees is longer than half of the Earth: where one seems to be, it goes the other way.
    """
    lon = rings.points[:, 0]
    jumps = np.abs(np.diff(lon, append=lon[-1:])) > 180
    jumps[rings.rings[1:] - 1] = False  # from one ring to the next
    odd = np.flatnonzero(jumps | (np.abs(lon) > 180))
    ring = np.searchsorted(rings.rings, odd, side="right") - 1
    part = np.searchsorted(rings.polygons, ring, side="right") - 1
    return frozenset((np.searchsorted(rings.instances, part, side="right") - 1).tolist())


def cut_at_antimeridian(polygons: list[Polygon]) -> list[Polygon]:
    """Return polygons from -180 to 180 degrees that together cover the same part of the Earth.

    Parameters
    ----------
    polygons : list
        Coordinates of a MultiPolygon, exteriors counter-clockwise.

    Raises
    ------
    GmmsegError
        Shapely is not installed.

    Examples
    --------
    >>> cut = cut_at_antimeridian([[[[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]]])
    >>> sorted((min(p)[0], max(p)[0]) for (p,) in cut)
    [(-180.0, -179.0), (179.0, 180.0)]
    """
    try:
        import shapely
    except ImportError:
        raise GmmsegError(
            "GeoJSON is cut at the antimeridian, which needs Shapely; pip install 'gmmseg[geo]', or write GeoPackage"
        ) from None
    found: list[Polygon] = []
    for rings in polygons:
        exterior, *holes = (_unwrapped(np.asarray(ring, float)) for ring in rings)
        left, right = exterior[:, 0].min(), exterior[:, 0].max()
        whole = shapely.Polygon(exterior)
        for hole in holes:
            # It lies in the same turn around the Earth as what is around it; one around a pole may be in two.
            first = math.ceil((left - hole[:, 0].min()) / 360 - 1e-9)
            for turn in (first - 1, first):
                whole = whole.difference(shapely.Polygon(hole + np.array([360 * turn, 0])))
        for turn in range(math.floor((left + 180) / 360), math.floor((right + 180) / 360) + 1):
            band = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
            for piece in shapely.get_parts(whole.intersection(band)):
                if piece.geom_type == "Polygon" and piece.area > 0:
                    found.append(_coordinates(shapely.orient_polygons(piece), 360 * turn))
    return found


def _unwrapped(ring: Array) -> Array:
    """Return a ring whose longitudes do not jump; one around a pole is closed along it."""
    lon = np.unwrap(ring[:, 0], period=360)
    path = np.stack([lon, ring[:, 1]], axis=1)
    if abs(lon[-1] - lon[0]) < 180:
        return path
    pole = math.copysign(90, ring[:, 1].mean())
    return np.concatenate([path, [[lon[-1], pole], [lon[0], pole]], path[:1]])


def _coordinates(polygon: Any, turned: float) -> Polygon:
    rings = (polygon.exterior, *polygon.interiors)
    return [np.round(np.asarray(ring.coords) - (turned, 0), _DECIMALS).tolist() for ring in rings]
