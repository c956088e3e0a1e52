"""GeoTIFF tags: which are kept, what they say of the pixels, and which go back into a written file."""

from __future__ import annotations

import html
import math
import re
from typing import Any

import numpy as np

__all__ = ["channel_names", "data_mask", "pixel_spacing", "tags_to_keep", "tags_to_write"]

_PIXEL_SCALE, _TIEPOINT, _TRANSFORMATION = 33550, 33922, 34264
_KEY_DIRECTORY, _KEY_DOUBLES, _KEY_ASCII = 34735, 34736, 34737
_GDAL_METADATA, _GDAL_NODATA = 42112, 42113
_LOCATION = (_PIXEL_SCALE, _TIEPOINT, _TRANSFORMATION, _KEY_DIRECTORY, _KEY_DOUBLES, _KEY_ASCII)

# Code -> (TIFF data type, number of values, values), as tifffile takes them.
Tags = dict[int, tuple[int, int, Any]]


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
        (code, *tags[code], True) for code in _LOCATION if code in tags
    ]
    if nodata is not None and written:
        written.append((_GDAL_NODATA, "s", 0, nodata, True))
    return written


def data_mask(tags: Tags, pixels: np.ndarray) -> np.ndarray | None:
    """Return where a raster has data by its nodata value, or None where it has none.

    Parameters
    ----------
    tags : dict
        As kept from the source.
    pixels : ndarray, shape (*spatial, n_channels)
        The samples.

    Returns
    -------
    ndarray of bool, shape (*spatial), optional
        Unsigned integers have no data where every band has the value (a single dark band is an ordinary colour);
        others where any band has it, because then it is a number far outside the data.
    """
    if _GDAL_NODATA not in tags:
        return None
    try:
        value = float(str(tags[_GDAL_NODATA][2]).strip("\0 "))
    except ValueError:
        return None
    if np.isnan(value):
        return None
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        if not value.is_integer() or not limits.min <= value <= limits.max:
            return None
    missing: np.ndarray | None = None
    merge = np.logical_and if pixels.dtype.kind == "u" else np.logical_or
    for channel in range(pixels.shape[-1]):
        here = pixels[..., channel] == pixels.dtype.type(value)
        missing = here if missing is None else merge(missing, here, out=missing)
    return None if missing is None else ~missing


def pixel_spacing(tags: Tags, ndim: int) -> tuple[float, ...] | None:
    """Return (height, width) of a pixel in the units of the coordinate system, where the file says it."""
    scale = tags.get(_PIXEL_SCALE, (0, 0, ()))[2]
    if ndim != 2 or len(scale) < 2:
        return None
    height, width = abs(float(scale[1])), abs(float(scale[0]))
    return (height, width) if 0 < height < math.inf and 0 < width < math.inf else None


def channel_names(tags: Tags, n_channels: int) -> tuple[str, ...]:
    """Return the band names that GDAL wrote, or nothing where not every band has one."""
    text = str(tags.get(_GDAL_METADATA, (0, 0, ""))[2])
    found = {}
    for attributes, name in re.findall(r"<Item\s([^>]*)>([^<]*)</Item>", text):
        sample = re.search(r'sample="(\d+)"', attributes)
        if sample and re.search(r'role="description"', attributes):
            # GDAL escapes names twice.
            found[int(sample.group(1))] = html.unescape(html.unescape(name)).strip()
    return tuple(found[index] for index in range(n_channels)) if set(found) >= set(range(n_channels)) else ()
