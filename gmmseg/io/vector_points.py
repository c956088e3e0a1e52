"""Points of known class from the vector files of GIS programs: GeoPackage, Shapefile and FlatGeobuf, read by GDAL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError, one_line
from gmmseg.extras import require

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SIGNATURES", "read_vector"]

SIGNATURES = {
    ".gpkg": (b"SQLite format 3\0", "GeoPackage"),
    ".shp": (b"\0\0\x27\x0a", "Shapefile"),
    ".fgb": (b"fgb", "FlatGeobuf"),
}
"""By suffix, with what such a file begins and what it is: GDAL opens anything, also what names other files."""


def read_vector(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[Any]], str | None]:
    """Read the points of a file.

    Returns
    -------
    x, y : ndarray of float64, shape (n,)
    fields : dict of str to list
        Their attributes, by name.
    crs : str or None

    Raises
    ------
    InputError
        It is damaged, or not what it is named; it has no layer of points, or several; a feature is no single point.
    GmmsegError
        pyogrio or Shapely is not installed.
    """
    signature, kind = SIGNATURES[path.suffix.lower()]
    with open(path, "rb") as file:
        if not file.read(len(signature)).startswith(signature):
            raise InputError(f"{path} is no {kind}, as its name says; save it again")
    pyogrio = require("pyogrio", "geo", f"points in a {kind} need")
    shapely = require("shapely", "geo", f"points in a {kind} need")
    raw = require("pyogrio.raw", "geo", f"points in a {kind} need")
    try:
        layer = _layer_of_points(path, pyogrio.list_layers(path))
        meta, _, geometry, values = raw.read(path, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read as a {kind} ({one_line(error)}); save it again") from error
    shapes = shapely.from_wkb(geometry)
    other = next(
        (n for n, each in enumerate(shapes) if each is None or each.geom_type != "Point" or each.is_empty), None
    )
    if other is not None:
        what = "without a place" if shapes[other] is None or shapes[other].is_empty else f"a {shapes[other].geom_type}"
        raise InputError(f"{path}: feature {other + 1} is {what}, expected points; give a sample of points")
    fields = {name: column.tolist() for name, column in zip(meta["fields"], values, strict=True)}
    return shapely.get_x(shapes), shapely.get_y(shapes), fields, meta["crs"]


def _layer_of_points(path: Path, layers: Any) -> str:
    """Return the name of the only layer of points."""
    found = [str(name) for name, kind in layers if str(kind).split(" ")[0].removesuffix("Z").endswith("Point")]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found or [f"{name} ({kind})" for name, kind in layers][:6]) or "none"
    what = f"{len(found)} layers of points" if found else "no layer of points"
    raise InputError(f"{path} has {what} ({listed}); save the points that count in a file of their own")
