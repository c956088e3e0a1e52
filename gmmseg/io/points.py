"""Points of known class, from a table (CSV) or a vector file (GeoJSON, GeoPackage, Shapefile, FlatGeobuf)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import GmmsegError, InputError, ParameterError, one_line
from gmmseg.io import vector_features
from gmmseg.io.vector_features import Features, read_features, read_text

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.place import Place

__all__ = ["SUFFIXES", "Points", "class_words", "read_points"]

SUFFIXES = (".csv", *vector_features.SUFFIXES)
"""Of files that hold points."""

_CLASS_FIELDS = ("class", "label", "class_name", "class_id")  # in which a feature has its class, by number or name
_PLACES = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"))
_WGS84 = "EPSG:4326"


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

    x, y, classes, crs = _from_csv(path) if path.suffix.lower() == ".csv" else _from_features(path)
    if not classes:
        raise InputError(f"{path} has no points; give at least one")
    places = np.array([x, y], float)
    if not np.isfinite(places).all():
        raise InputError(f"{path} has a point whose place is not finite; correct it")
    return Points(path, places[0], places[1], tuple(classes), crs)


_Read = tuple[list[float], list[float], list[str], str | None]


def _from_csv(path: Path) -> _Read:
    lines = read_text(path, "points").splitlines()
    header = lines[0] if lines else ""
    separator = max(",;\t", key=header.count)
    rows = list(csv.reader(lines, delimiter=separator))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    place = next((pair for pair in _PLACES if set(pair) <= set(names)), None)
    kind = next((name for name in _CLASS_FIELDS if name in names), None)
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
        classes.append(_class_word(path, f"line {number}", word))
    return x, y, classes, None if place == ("x", "y") else _WGS84


def _from_features(path: Path) -> _Read:
    found = read_features(path, ("Point",), "points")
    classes = class_words(path, found, _CLASS_FIELDS)
    try:
        places = [(float(x), float(y)) for x, y, *_ in (each["coordinates"] for each in found.geometries if each)]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no GeoJSON of points ({one_line(error)}); save it again") from None
    return [x for x, _ in places], [y for _, y in places], classes, found.crs


def class_words(path: Path, found: Features, names: Sequence[str]) -> list[str]:
    """Return number or name of the class of each feature: what it has in the first of these fields that there is.

    Raises
    ------
    InputError
        There is no such field, or a feature has nothing in it.
    """
    there = {name.lower() for name in found.names}
    known = [name for name in names if name in there]
    if not known:
        raise InputError(f"{path} has no field class (it has {', '.join(found.names) or 'none'}); name it so")
    given = (next((fields[name] for name in known if name in fields), "") for fields in found.fields)
    return [_class_word(path, f"feature {number}", value) for number, value in enumerate(given, 1)]


def _class_word(path: Path, where: str, value: Any) -> str:
    """Return number or name of a class as text: 3.0 is 3."""
    whole = isinstance(value, float) and value.is_integer()
    word = str(int(value)) if whole else str(value).strip()
    if not word:
        raise InputError(f'{path}: {where} has no class; give it as "class", by number or name')
    return word
