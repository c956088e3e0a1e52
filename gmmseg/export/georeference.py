"""Where in the world a label map lies, and what its classes are called, as far as files say it."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.formats import identify
from gmmseg.io.geotiff import TiffPlace, place_of_tags, tags_to_keep

__all__ = ["Place", "names_in", "place_in", "place_of"]


def place_of(image: Image) -> Place | None:
    """Return where on a map an image lies, or None where nothing says it."""
    place = image.place
    return None if place is None or place.affine is None else place


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
        place = place_of_tags(TiffPlace(tags_to_keep(tiff.pages[0])))
    return None if place.affine is None else place


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
