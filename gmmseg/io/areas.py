"""Training areas: polygons, lines and points of known class, drawn in a GIS or a viewer of slides, as strokes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import InputError, ParameterError, one_line, warn
from gmmseg.extras import require
from gmmseg.io.classes import in_words
from gmmseg.io.points import class_words
from gmmseg.io.vector_features import Features, read_features
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.image.place import Place

__all__ = ["drawn_areas"]

_KINDS = ("Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point", "MultiPoint")
_NAMES = ("class", "classification", "class_name", "mc_name", "c_name")
_NUMBERS = ("label", "class_id", "mc_id", "c_id")
_MOST = 255
_SPARSE = 2  # numbers of which more than half are missing are codes of a nomenclature
_LONG = 100  # digits, which no number of a class has


def drawn_areas(
    path: Path, image: Image, names: Sequence[str] = (), k: int | None = None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Draw areas of known class on the grid of an image.

    Parameters
    ----------
    path : Path
        GeoJSON, GeoPackage, Shapefile or FlatGeobuf; of several layers one is named, as QGIS does it:
        "land.gpkg|layername=training". Features have the name of their class in a field "class", "class_name",
        "MC_name" or "C_name", its number in "label", "class_id", "MC_id" or "C_id", or both, as exports of this
        package, the classification plugin of QGIS (SCP) and QuPath have it. A pixel is of a polygon that holds its
        centre; of several the last one in the file counts. Coordinates are brought to the system of the image; of an
        image that lies nowhere they are pixels from its upper left corner.
    image : Image
        A picture or a raster.
    names : sequence of str
        Of the classes, the first of class 1, where they are known.
    k : int, optional
        How many classes there are. Numbers above it are codes: names, in the order of the numbers; so are, where it is
        not given, numbers of which more than half are missing.

    Returns
    -------
    strokes : ndarray of uint8, shape (rows, columns)
        1, 2, ... and 0 where a pixel is free. Classes with names alone are numbered as in `names`, or by the alphabet.
    names : tuple of str
        Of the classes 1, 2, ...: those that were given, or those in the file, where it has some.

    Raises
    ------
    InputError
        The file cannot be read, says no class, or none of its areas holds a pixel of the image.
    ParameterError
        The image is no picture, a class is none of `names`, there are more than k, or coordinates cannot be converted.
    GmmsegError
        rasterio, pyogrio or Shapely is not installed.
    """
    rasterize = _geo("rasterio.features").rasterize
    if image.ndim != 2 or image.time:
        size = " x ".join(map(str, image.shape))
        raise ParameterError(f"{path} has areas of a picture, but {image.name} has {size} pixels; paint a label map")
    found = read_features(path, _KINDS, "areas")
    numbers, known = _numbered(path, _flat(found), tuple(names), k)
    place = image.place
    affine: Any = (1, 0, 0, 0, 1, 0) if place is None or place.affine is None else place.affine
    shapes = zip(_converted(path, found, place), numbers, strict=True)
    strokes = np.zeros(image.shape, np.uint8)
    try:
        transform = _geo("rasterio").Affine(*affine)
        rasterize(shapes, out=strokes, transform=transform, skip_invalid=False)
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"{path} has a damaged area ({one_line(error)}); save it again") from error
    _require_some(path, image, strokes, numbers, known)
    return strokes, known


def _geo(module: str) -> Any:
    return require(module, "geo", "training areas need")


def _flat(found: Features) -> Features:
    """Return features whose class is text: QuPath says it as a name and a colour."""
    fields = [
        {name: value.get("name") or "" if isinstance(value, dict) else value for name, value in each.items()}
        for each in found.fields
    ]
    return replace(found, fields=fields)


def _numbered(path: Path, found: Features, names: tuple[str, ...], k: int | None) -> tuple[list[int], tuple[str, ...]]:
    """Return the number of the class of each feature, and names of the classes."""
    words = class_words(path, found, [*_NAMES, *_NUMBERS])
    most = k or min(_MOST, _SPARSE * len(set(words)))
    if _are_numbers(words, most):
        return list(map(int, words)), names
    if other := next((word for word in words if names and word not in names), None):
        raise ParameterError(f"{path} has areas of class {other!r}; the classes are {', '.join(names)}")
    called = {} if names else _called(path, found, words, most)
    ordered = names or tuple(sorted(set(words), key=lambda word: (_number(word), word)))
    if not called and len(ordered) > most:
        listed = ", ".join(ordered[:12]) + ", ..." * (len(ordered) > 12)
        raise ParameterError(
            f"{path} has areas of {len(ordered)} classes ({listed}), but k={most}; use k={len(ordered)}"
        )
    if called:
        ordered = tuple(called.get(number, f"class {number}") for number in range(1, max(called) + 1))
    return [ordered.index(word) + 1 for word in words], ordered


def _called(path: Path, found: Features, words: list[str], most: int) -> dict[int, str]:
    """Return names by numbers, where each class has one of its own in another field."""
    if any(each.keys().isdisjoint(_NUMBERS) for each in found.fields):
        return {}
    numbers = class_words(path, found, _NUMBERS)
    if not _are_numbers(numbers, most):
        return {}
    pairs = {(int(number), word) for number, word in zip(numbers, words, strict=True)}
    called = dict(pairs)
    return called if len(pairs) == len(called) == len(set(words)) else {}


def _are_numbers(words: Iterable[str], most: int) -> bool:
    return all(0 < _number(word) <= most for word in words)


def _number(word: str) -> int:
    """Return the number that a word is; 0 of others, and of those too long for Python to read."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < _LONG else 0


def _converted(path: Path, found: Features, place: Place | None) -> Iterable[Any]:
    """Return geometries in the coordinates of an image."""
    if place is None or place.crs is None or found.crs is None or found.crs == place.crs:
        return found.geometries
    warp = _geo("rasterio.warp")
    crs = _geo("rasterio.crs").CRS
    with _geo("rasterio").Env():  # in which GDAL does not print what it raises
        try:
            systems = (crs.from_user_input(found.crs), crs.from_user_input(place.crs))
            return list(warp.transform_geom(*systems, found.geometries))
        # rasterio lets the errors of GDAL through, whose classes it keeps private.
        except Exception as error:
            raise ParameterError(
                f"{path}: its coordinates cannot be converted to those of the image ({one_line(error)}); save it in "
                "the image's own system, as GeoPackage"
            ) from error


def _require_some(
    path: Path, image: Image, strokes: NDArray[np.uint8], numbers: Sequence[int], names: tuple[str, ...]
) -> None:
    """Refuse areas none of which holds a pixel, and say which classes have none."""
    drawn = np.bincount(strokes.reshape(-1), minlength=_MOST + 1) > 0
    if not drawn[1:].any():
        raise InputError(
            f"{path}: none of its {len(numbers)} areas holds a pixel of {image.name}; check that both are of one "
            "place, and that each says its coordinate system rightly"
        )
    lost = [n for n in sorted(set(numbers)) if not drawn[n]]
    if lost:
        of = in_words(lost, names)
        warn(
            f"{image.name}: no pixel is in an area of {of} of {path.name}, or later areas cover them all, so nothing "
            "says what is of it; draw one there, or use a smaller k"
        )
