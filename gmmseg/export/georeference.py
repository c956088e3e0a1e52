"""Where in the world a label map lies, and what its classes are called, as far as files say it."""

from __future__ import annotations

from pathlib import Path

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.formats import identify

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
    return identify(path).place(path)


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
    names = identify(path).class_names(path)
    if names is not None:
        return names
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
