"""GeoTIFF tags: which are kept, what they say of the pixels, and which go back into a written file."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import Any, Literal

from gmmseg.image.place import Place
from gmmseg.records import dataclass, field

__all__ = [
    "TiffPlace",
    "channel_names",
    "nodata_value",
    "pixel_spacing",
    "place_of_tags",
    "tags_to_keep",
    "tags_to_write",
]

_PIXEL_SCALE, _TIEPOINT, _TRANSFORMATION = 33550, 33922, 34264
_KEY_DIRECTORY, _KEY_DOUBLES, _KEY_ASCII = 34735, 34736, 34737
_GDAL_METADATA, _GDAL_NODATA = 42112, 42113
_RASTER_TYPE = 1025
_GEOGRAPHIC, _PROJECTED, _LINEAR_UNIT = 2048, 3072, 3076
"""GeoTIFF keys: of the system of degrees, of that of lengths, and of their unit, by EPSG code."""

_UNITS = {9001: "m", 9002: "foot", 9003: "US survey foot", 9036: "km"}  # by EPSG code

_PIXEL_IS_POINT, _USER_DEFINED = 2, 32767
_RATIONAL_POLYNOMIALS = 50844
_LOCATION = (
    _PIXEL_SCALE,
    _TIEPOINT,
    _TRANSFORMATION,
    _KEY_DIRECTORY,
    _KEY_DOUBLES,
    _KEY_ASCII,
    _RATIONAL_POLYNOMIALS,
)

# Code -> (TIFF data type, number of values, values), as tifffile takes them.
Tags = dict[int, tuple[int, int, Any]]


@dataclass(frozen=True, eq=False)
class TiffPlace:
    """What TIFF writers put back of a file that was read.

    Parameters
    ----------
    tags : dict
        As `tags_to_keep` returns them.
    ome : dict
        Physical sizes as attributes of an OME Pixels element.
    imagej : dict
        Unit, depth of a plane, interval of frames and resolution, as ImageJ has them.
    family : {"", "ome", "imagej"}
        Whose file it was: results are files of the same family.
    n_levels : int
        Of a pyramid: the image and reduced ones of it.
    """

    tags: Tags = field(default_factory=dict)
    ome: dict[str, Any] = field(default_factory=dict)
    imagej: dict[str, Any] = field(default_factory=dict)
    family: Literal["", "ome", "imagej"] = ""
    n_levels: int = 1


def place_of_tags(native: TiffPlace) -> Place:
    """Return where the pixels of a TIFF file lie, as far as its tags or its OME-XML say it."""
    affine, crs = _transform_and_crs(native.tags) or (None, None)
    codes = _geo_keys(native.tags)
    unit = _UNITS.get(codes.get(_LINEAR_UNIT, 0))
    if unit is None and _GEOGRAPHIC in codes and _PROJECTED not in codes:
        unit = "degree"
    elif unit is None and native.ome and not codes:
        unit = "um"
    return Place(affine, crs, unit=unit, native=native)


def tags_to_keep(page: Any) -> Tags:
    """Return the georeferencing, metadata and nodata tags of a tifffile page."""
    tags: Tags = {}
    for code in (*_LOCATION, _GDAL_METADATA, _GDAL_NODATA):
        tag = page.tags.get(code)
        if tag is not None:
            tags[code] = (int(tag.dtype), int(tag.count), tag.value)
    return tags


def tags_to_write(tags: Tags, *, nodata: str | None) -> list[tuple[int, int | str, int, Any, bool]]:
    """Return the tags of a result, in tifffile's form for `extratags`.

    Parameters
    ----------
    tags : dict
        As kept from the source.
    nodata : str, optional
        The nodata value of the result; the source's describes other pixels.

    Returns
    -------
    list of tuple
        The source's GDAL metadata (scales, statistics and names of its bands) is left out: it describes other pixels.
    """
    written: list[tuple[int, int | str, int, Any, bool]] = [
        (code, *_in_ascii(tags[code]), True) for code in _LOCATION if code in tags
    ]
    if nodata is not None and written:
        written.append((_GDAL_NODATA, "s", 0, nodata, True))
    return written


def _in_ascii(tag: tuple[int, int, Any]) -> tuple[int, int, Any]:
    """Return a tag as it may be written: names of coordinate systems in other letters are read, but not allowed."""
    kind, count, value = tag
    return kind, count, value.encode("ascii", "replace").decode() if isinstance(value, str) else value


def nodata_value(tags: Tags) -> float | None:
    """Return the nodata value that GDAL wrote; None where it wrote no number."""
    try:
        return float(str(tags[_GDAL_NODATA][2]).strip("\0 ")) if _GDAL_NODATA in tags else None
    except ValueError:
        return None


def pixel_spacing(tags: Tags, ndim: int) -> tuple[float, ...] | None:
    """Return (height, width) of a pixel in the units of the coordinate system, where the file says it."""
    scale = tags.get(_PIXEL_SCALE, (0, 0, ()))[2]
    if ndim != 2 or len(scale) < 2:
        return None
    height, width = abs(float(scale[1])), abs(float(scale[0]))
    return (height, width) if 0 < height < math.inf and 0 < width < math.inf else None


def _geo_keys(tags: Tags) -> dict[int, int]:
    """Return the GeoTIFF keys that are codes, by their numbers."""
    keys = tags.get(_KEY_DIRECTORY, (0, 0, ()))[2]
    return {int(keys[i]): int(keys[i + 3]) for i in range(4, len(keys) - 3, 4) if int(keys[i + 1]) == 0}


def _transform_and_crs(tags: Tags) -> tuple[tuple[float, float, float, float, float, float], str | None] | None:
    """Return the affine transform (a, b, c, d, e, f) of pixel corners, and the EPSG code; None where no tag says it.

    Notes
    -----
    OGC GeoTIFF 1.1, chapters 7 and 8.
    """
    values: dict[int, Sequence[Any]] = {code: tag[2] for code, tag in tags.items()}
    scale, tie, matrix = (values.get(code, ()) for code in (_PIXEL_SCALE, _TIEPOINT, _TRANSFORMATION))
    if len(matrix) == 16:
        a, b, c, d, e, f = (float(matrix[i]) for i in (0, 1, 3, 4, 5, 7))
    elif len(scale) >= 2 and len(tie) >= 6:
        a, b, d, e = float(scale[0]), 0.0, 0.0, -float(scale[1])
        c, f = tie[3] - a * tie[0], tie[4] - e * tie[1]
    else:
        return None
    codes = _geo_keys(tags)
    if codes.get(_RASTER_TYPE) == _PIXEL_IS_POINT:
        c, f = c - (a + b) / 2, f - (d + e) / 2
    code = codes.get(_PROJECTED, codes.get(_GEOGRAPHIC, _USER_DEFINED))
    return (a, b, c, d, e, f), None if code == _USER_DEFINED else f"EPSG:{code}"


def channel_names(tags: Tags, n_channels: int) -> tuple[str, ...]:
    """Return the band names that GDAL wrote, or nothing where not every band has one."""
    text = str(tags.get(_GDAL_METADATA, (0, 0, ""))[2])
    found = {}
    for attributes, name in re.findall(r"<Item\s([^>]*)>([^<]*)</Item>", text):
        sample = re.search(r'sample="(\d+)"', attributes)
        if sample and re.search(r'role="description"', attributes):
            # GDAL escapes names twice.
            found[int(sample.group(1))] = html.unescape(html.unescape(name)).strip()
    if len(found) < n_channels or not all(index in found for index in range(n_channels)):
        return ()
    return tuple(found[index] for index in range(n_channels))
