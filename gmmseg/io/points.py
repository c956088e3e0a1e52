"""Points of known class, from a table (CSV) or a vector file (GeoJSON, GeoPackage, Shapefile, FlatGeobuf)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import GmmsegError, InputError, ParameterError, one_line
from gmmseg.io.regular import require_regular
from gmmseg.io.vector_points import SIGNATURES, read_vector

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.place import Place

__all__ = ["SUFFIXES", "Points", "read_points"]

SUFFIXES = (".csv", ".geojson", ".json", *SIGNATURES)
"""Of files that hold points."""

_CLASS = ("class", "label", "class_name", "class_id")
_PLACES = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"))
_WGS84 = "EPSG:4326"
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Points:
    """Points and their classes.

    Parameters
    ----------
    path : Path
        The file, for messages.
    x, y : ndarray of float64, shape (n,)
    classes : tuple of str
        Name or number of each point's class.
    crs : str or None
        Of the coordinates; None where they are those of the label map.
    """

    path: Path
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    crs: str | None

    def pixels(self, place: Place | None, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of the pixel that each point lies in.

        Parameters
        ----------
        place : Place or None
            Of the label map; without one, coordinates are pixels from its upper left corner.
        shape : tuple of int
            (rows, columns).

        Raises
        ------
        GmmsegError
            Coordinates have to be converted, but rasterio is not installed.
        ParameterError
            A point lies outside, or coordinates cannot be converted.
        """
        import numpy as np

        x, y = self.x, self.y
        if place is not None and place.affine is not None:
            if self.crs is not None and place.crs is not None and self.crs != place.crs:
                x, y = self._converted(place.crs)
            a, b, c, d, e, f = place.affine
            x, y = np.linalg.solve(np.array([[a, b], [d, e]]), np.stack([x - c, y - f]))
        rows, columns = np.floor(y), np.floor(x)
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        if not inside.all():
            first = int(np.flatnonzero(~inside)[0])
            raise ParameterError(
                f"{self.path}: {int((~inside).sum())} of {len(x)} points lie outside of the label map, the first at "
                f"{self.x[first]:g}, {self.y[first]:g}; remove them, or give the map that they are of"
            )
        return rows.astype(np.intp), columns.astype(np.intp)

    def _converted(self, crs: str) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        try:
            from rasterio import Env
            from rasterio.crs import CRS
            from rasterio.warp import transform
        except ImportError:
            raise GmmsegError(
                f"{self.path} is in {self.crs}, and converting its coordinates needs rasterio: "
                "pip install 'gmmseg[geo]'"
            ) from None
        try:
            with Env():  # in which GDAL does not print what it raises
                x, y = transform(CRS.from_user_input(self.crs), CRS.from_user_input(crs), self.x, self.y)
        # rasterio lets the errors of GDAL through, whose classes it keeps private.
        except Exception as error:
            raise ParameterError(
                f"{self.path}: its coordinates cannot be converted to those of the label map ({one_line(error)}); "
                "give them in the map's own system, as CSV"
            ) from error
        return np.asarray(x), np.asarray(y)

    def numbers(self, names: Sequence[str] | None) -> np.ndarray:
        """Return the number of each point's class; names are those of the label map's classes, the first of class 1.

        Raises
        ------
        ParameterError
            A class is no whole number above 0 and no name; those that are, are listed.
        """
        import numpy as np

        known = {name: number for number, name in enumerate(names or (), 1)}
        for each in dict.fromkeys(self.classes):
            if each not in known:
                if not (each.isascii() and each.isdigit() and 0 < int(each) <= 0xFFFFFFFF):
                    there = ", ".join(known) or "not named in the label map: give their names or use numbers"
                    raise ParameterError(f"{self.path} has a point of class {each!r}; the classes are {there}")
                known[each] = int(each)
        return np.array([known[each] for each in self.classes], np.int64)


def read_points(path: Path) -> Points:
    """Read points.

    Parameters
    ----------
    path : Path
        CSV with a line of names, among them x, y (in the coordinates of the label map) or lon, lat (WGS 84), and class.
        GeoJSON of points with a property "class"; in WGS 84 unless a member "crs" says something else. GeoPackage,
        Shapefile and FlatGeobuf with one layer of points and a field "class".

    Raises
    ------
    InputError
        The file cannot be read, has no points, or a point lacks its place or its class.
    """
    import numpy as np

    try:
        require_regular(path)
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} has more than {_MOST_BYTES >> 20} MiB, which is no list of points; give a sample")
        if path.suffix.lower() in SIGNATURES:
            read = _from_vector(path)
        else:
            text = path.read_text("utf-8-sig")
            read = _from_csv(path, text) if path.suffix.lower() == ".csv" else _from_geojson(path, text)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8; give points as CSV or GeoJSON") from None
    x, y, classes, crs = read
    if not classes:
        raise InputError(f"{path} has no points; give at least one")
    places = np.array([x, y], float)
    if not np.isfinite(places).all():
        raise InputError(f"{path} has a point whose place is not finite; correct it")
    return Points(path, places[0], places[1], tuple(classes), crs)


_Read = tuple[list[float], list[float], list[str], str | None]


def _from_csv(path: Path, text: str) -> _Read:
    lines = text.splitlines()
    header = lines[0] if lines else ""
    separator = max(",;\t", key=header.count)
    rows = list(csv.reader(lines, delimiter=separator))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    place = next((pair for pair in _PLACES if set(pair) <= set(names)), None)
    kind = next((name for name in _CLASS if name in names), None)
    if place is None or kind is None:
        raise InputError(
            f"{path} begins with {header[:60]!r}; its first line has to name the columns x, y (or lon, lat) and class"
        )
    columns = [names.index(name) for name in (*place, kind)]
    x, y, classes = [], [], []
    for number, row in enumerate(rows[1:], 2):
        if not any(each.strip() for each in row):
            continue
        try:
            across, down, word = (row[column].strip() for column in columns)
            x.append(float(across))
            y.append(float(down))
        except (ValueError, IndexError):
            raise InputError(f"{path}: line {number} has no two coordinates and a class; correct it") from None
        classes.append(_word(path, f"line {number}", word))
    return x, y, classes, None if place == ("x", "y") else _WGS84


def _from_vector(path: Path) -> _Read:
    x, y, fields, crs = read_vector(path)
    by_name = {name.lower(): values for name, values in fields.items()}
    kind = next((name for name in _CLASS if name in by_name), None)
    if kind is None:
        raise InputError(f"{path} has no field class (it has {', '.join(fields) or 'none'}); name it so")
    classes = [_word(path, f"feature {n}", "" if v is None else v) for n, v in enumerate(by_name[kind], 1)]
    return x.tolist(), y.tolist(), classes, crs


def _from_geojson(path: Path, text: str) -> _Read:
    try:
        data = json.loads(text)
        features = data["features"]
        crs = _crs_of(data)
        x, y, classes = [], [], []
        for number, feature in enumerate(features, 1):
            geometry, properties = feature["geometry"] or {}, feature.get("properties") or {}
            if geometry.get("type") != "Point":
                raise InputError(
                    f"{path}: feature {number} is a {geometry.get('type')}, expected points; give a sample of points"
                )
            across, down = geometry["coordinates"][:2]
            x.append(float(across))
            y.append(float(down))
            named = {name.lower(): value for name, value in properties.items() if value is not None}
            given = next((named[name] for name in _CLASS if name in named), "")
            classes.append(_word(path, f"feature {number}", given))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, GmmsegError):
            raise
        raise InputError(f"{path} is no GeoJSON of points ({one_line(error)}); save it again") from None
    return x, y, classes, crs


def _crs_of(data: dict[str, Any]) -> str:
    """Return the coordinate reference system, as GeoJSON of 2008 names it."""
    name = str(((data.get("crs") or {}).get("properties") or {}).get("name", ""))
    if not name or "CRS84" in name:
        return _WGS84
    return f"EPSG:{name.rpartition(':')[2]}" if "EPSG" in name else name


def _word(path: Path, where: str, value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    word = str(int(value)) if whole else str(value).strip()
    if not word:
        raise InputError(f'{path}: {where} has no class; give it as "class", by number or name')
    return word
