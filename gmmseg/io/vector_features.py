"""Shapes with attributes from the vector files of GIS programs: GeoJSON, and GeoPackage and others by GDAL."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError, one_line
from gmmseg.extras import require
from gmmseg.io.regular import require_regular
from gmmseg.records import dataclass

__all__ = ["SUFFIXES", "Features", "file_and_layer", "is_vector_file", "read_features", "read_text"]

_SIGNATURES = {
    ".gpkg": (b"SQLite format 3\0", "GeoPackage"),
    ".shp": (b"\0\0\x27\x0a", "Shapefile"),
    ".fgb": (b"fgb", "FlatGeobuf"),
}
"""By suffix, with what such a file begins and what it is: GDAL opens anything, also what names other files."""

SUFFIXES = (".geojson", ".json", *_SIGNATURES)
"""Of files that hold shapes."""

_LAYER = "|layername="  # between a file and its layer in the paths that QGIS shows and copies
_MOST_BYTES = 1 << 28
_WGS84 = "EPSG:4326"


@dataclass(frozen=True, eq=False)
class Features:
    """Shapes of a file, with their attributes.

    Parameters
    ----------
    geometries : list of (dict or None)
        As in GeoJSON: "type" and "coordinates"; None for a feature without a place.
    fields : list of dict of str to object
        Attributes of each by name, in lower case; those without a value are left out.
    names : tuple of str
        Of the attributes, as the file has them.
    crs : str or None
        Of the coordinates, where the file says it.
    """

    geometries: list[dict[str, Any] | None]
    fields: list[dict[str, Any]]
    names: tuple[str, ...]
    crs: str | None


def file_and_layer(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return the file of a path and the name of the layer in it that the path asks for, "" for the only one.

    Examples
    --------
    >>> file, layer = file_and_layer("land.gpkg|layername=training")
    >>> str(file), layer
    ('land.gpkg', 'training')
    """
    file, _, layer = os.fspath(path).partition(_LAYER)
    return Path(file), layer


def is_vector_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file is named as one of shapes."""
    return file_and_layer(path)[0].suffix.lower() in SUFFIXES


def read_features(path: Path, kinds: tuple[str, ...], what: str) -> Features:
    """Read shapes of some kinds.

    Parameters
    ----------
    path : Path
        .geojson or .json, in WGS 84 unless a member "crs" says something else; .gpkg, .shp or .fgb. One layer of
        several is named as QGIS does: "land.gpkg|layername=training".
    kinds : tuple of str
        Types of geometry, such as "Point", of which there has to be one layer.
    what : str
        What these are called, such as "points".

    Raises
    ------
    InputError
        It cannot be read, is damaged, or not what it is named; it has no layer of such shapes or of that name, several
        of which none is named, or no feature; a feature is of another kind.
    GmmsegError
        pyogrio or Shapely is not installed.
    """
    file, layer = file_and_layer(path)
    _require_size(file, what)
    in_layers = file.suffix.lower() in _SIGNATURES
    found = _from_gdal(file, layer, kinds, what) if in_layers else _from_geojson(file, what)
    if not found.geometries:
        raise InputError(f"{path} has no {what}; give at least one")
    for number, geometry in enumerate(found.geometries, 1):
        if geometry is None or geometry["type"] not in kinds:
            is_what = "without a place" if geometry is None else f"a {geometry['type']}"
            raise InputError(f"{path}: feature {number} is {is_what}, expected {what}; leave it out")
    return found


def read_text(path: Path, what: str) -> str:
    """Return what a file of text holds.

    Raises
    ------
    InputError
        It cannot be read, is too large, or no text.
    """
    _require_size(path, what)
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8; give {what} as CSV or GeoJSON") from None


def _require_size(path: Path, what: str) -> None:
    try:
        require_regular(path)
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} has more than {_MOST_BYTES >> 20} MiB, which is no list of {what}; give a sample")
        open(path, "rb").close()
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the path") from None


def _from_gdal(path: Path, layer: str, kinds: tuple[str, ...], what: str) -> Features:
    signature, kind = _SIGNATURES[path.suffix.lower()]
    with open(path, "rb") as file:
        if not file.read(len(signature)).startswith(signature):
            raise InputError(f"{path} is no {kind}, as its name says; save it again")
    pyogrio = require("pyogrio", "geo", f"{what} in a {kind} need")
    shapely = require("shapely", "geo", f"{what} in a {kind} need")
    raw = require("pyogrio.raw", "geo", f"{what} in a {kind} need")
    try:
        layer = _layer_of(path, layer, pyogrio.list_layers(path), kinds, what)
        meta, _, geometry, values = raw.read(path, layer=layer)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read as a {kind} ({one_line(error)}); save it again") from error
    names = tuple(map(str, meta["fields"]))
    shapes = shapely.force_2d(shapely.from_wkb(geometry))
    geometries = [None if each is None or each.is_empty else json.loads(shapely.to_geojson(each)) for each in shapes]
    rows = zip(*(column.tolist() for column in values), strict=True) if names else ([] for _ in geometries)
    return Features(geometries, [_known(dict(zip(names, row, strict=True))) for row in rows], names, meta["crs"])


def _layer_of(path: Path, asked: str, layers: Any, kinds: tuple[str, ...], what: str) -> str:
    """Return the name of the layer that is asked for, or of the only one of these kinds."""
    words = {str(name): str(kind).split() for name, kind in layers}
    found = [name for name, each in words.items() if any(word.endswith((*kinds, "Unknown")) for word in each)]
    if asked in found or (not asked and len(found) == 1):
        return asked or found[0]
    if not found:
        listed = ", ".join(f"{name} ({kind})" for name, kind in layers[:6]) or "none"
        raise InputError(f"{path} has no layer of {what} ({listed}); save the {what} that count in a file of their own")
    listed = ", ".join(found)
    if asked:
        raise InputError(f"{path} has no layer of {what} named {asked!r} ({listed}); name one of these")
    raise InputError(
        f"{path} has {len(found)} layers of {what} ({listed}); name one, as in '{path.name}{_LAYER}{found[0]}'"
    )


def _from_geojson(path: Path, what: str) -> Features:
    text = read_text(path, what)
    try:
        data = json.loads(text)
        features = data["features"]
        geometries = [_geometry(each["geometry"]) for each in features]
        fields = [dict(each.get("properties") or {}) for each in features]
        crs = _crs_of(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is no GeoJSON of {what} ({one_line(error)}); save it again") from None
    names = tuple(dict.fromkeys(name for each in fields for name in each))
    return Features(geometries, [_known(each) for each in fields], names, crs)


def _geometry(given: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if not given else {"type": str(given["type"]), "coordinates": given.get("coordinates")}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """Attributes in lower case, without those that have no value: NaN stands for none among whole numbers."""
    return {name.lower(): value for name, value in fields.items() if value is not None and value == value}


def _crs_of(data: dict[str, Any]) -> str:
    """Return the coordinate reference system, as GeoJSON of 2008 names it."""
    name = str(((data.get("crs") or {}).get("properties") or {}).get("name", ""))
    if not name or "CRS84" in name:
        return _WGS84
    return f"EPSG:{name.rpartition(':')[2]}" if "EPSG" in name else name
