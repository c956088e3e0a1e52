"""Where in the world a label map lies, and what its classes are called, as far as files say it."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.formats import identify
from gmmseg.io.geotiff import Tags, tags_to_keep, transform_and_crs

__all__ = ["Place", "names_in", "place_in", "place_of"]


@dataclass(frozen=True)
class Place:
    """Georeferencing of a picture.

    Parameters
    ----------
    transform : tuple of float
        (a, b, c, d, e, f): the upper left corner of pixel (row, column) lies at x = a column + b row + c,
        y = d column + e row + f, as in the package affine.
    crs : str or None
        Coordinate reference system, "EPSG:32633" or WKT; None where unknown.
    """

    transform: tuple[float, float, float, float, float, float]
    crs: str | None = None


def place_of(image: Image) -> Place | None:
    """Return where an image lies, or None where nothing says it.

    Parameters
    ----------
    image : Image
        `metadata["geo"]` (a dict of "transform" and "crs") counts, or else the GeoTIFF tags.
    """
    geo = image.metadata.get("geo") or {}
    if geo.get("transform") is not None:
        a, b, c, d, e, f = (float(value) for value in tuple(geo["transform"])[:6])
        return Place((a, b, c, d, e, f), geo.get("crs"))
    return _by_tags(image.metadata.get("tiff_tags", {}))


def place_in(path: Path) -> Place | None:
    """Return where the raster of a file lies, or None where it does not say it.

    Notes
    -----
    GeoTIFF, through rasterio where it is installed; otherwise by its tags, which give coordinate reference systems of
    an EPSG code.
    """
    if identify(path).name != "TIFF":
        return None
    with suppress(ImportError):
        return _by_rasterio(path)
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        return _by_tags(tags_to_keep(tiff.pages[0]))


def _by_rasterio(path: Path) -> Place | None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as raster:
                transform, crs = raster.transform, raster.crs
        except RasterioError as error:
            raise InputError(f"{path}: its georeferencing cannot be read ({error}); export the file again") from None
    if transform.is_identity and not crs:
        return None
    a, b, c, d, e, f = tuple(transform)[:6]
    # What GDAL makes up for a raster without one is "local": of no place on Earth.
    known = crs is not None and (crs.is_geographic or crs.is_projected)
    return Place((a, b, c, d, e, f), crs.to_wkt() if known else None)


def _by_tags(tags: Tags) -> Place | None:
    found = transform_and_crs(tags)
    return None if found is None else Place(*found)


def names_in(path: Path) -> tuple[str, ...] | None:
    """Return the class names that come with a label map, class 1 first, or None.

    Parameters
    ----------
    path : Path
        A .npz file with an array "class_names", or a raster with GDAL's category names in NAME.aux.xml beside it.

    Raises
    ------
    InputError
        The names cannot be read.
    """
    if identify(path).name == "NPZ":
        return _npz_names(path)
    beside = path.with_name(f"{path.name}.aux.xml")
    if not beside.is_file():
        return None
    from xml.etree import ElementTree

    try:
        categories = ElementTree.parse(beside).findall("./PAMRasterBand[@band='1']/CategoryNames/Category")
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{beside} cannot be read ({error}); delete it or write it again") from None
    names = tuple((each.text or "").strip() for each in categories[1:])
    return names or None


def _npz_names(path: Path) -> tuple[str, ...] | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return tuple(str(name) for name in archive["class_names"]) if "class_names" in archive else None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: its class names cannot be read ({error}); save them as strings") from None
