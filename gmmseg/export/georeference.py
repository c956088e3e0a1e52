"""Where in the world a label map lies, and what its classes are called, as far as files say it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gmmseg.errors import GmmsegError, InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.formats import identify
from gmmseg.io.ground import Ground
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Place", "colors_in", "ground_in", "image_in", "names_in", "place_in", "place_of"]


def place_of(image: Image) -> Place | None:
    """Return where on a map an image lies, or None where nothing says it.

    Parameters
    ----------
    image : Image

    Returns
    -------
    Place or None

    Examples
    --------
    >>> from gmmseg import io
    >>> round(place_of(io.read("images/L7_ETMs.tif")).affine[0], 1)
    28.5
    """
    place = image.place
    return None if place is None or place.affine is None else place


def place_in(path: Path) -> Place | None:
    """Return where the raster of a file lies, or None where it does not say it.

    Parameters
    ----------
    path : Path
        A label map or any other raster.

    Returns
    -------
    Place or None

    Raises
    ------
    InputError
        It lies by ground control points or by a camera's coefficients (RPC), so that straight lines on it are none on
        the ground.

    Notes
    -----
    GeoTIFF, through rasterio where it is installed; otherwise by its tags, which give coordinate reference systems of
    an EPSG code.

    Examples
    --------
    >>> round(place_in(Path("images/L7_ETMs.tif")).affine[0], 1)
    28.5
    """
    place = identify(path).place(path)
    image = None if place is None else image_in(path)
    known = None if image is None else image.place
    return place if place is None or known is None else replace(place, unit=known.unit)


def image_in(path: Path) -> Image | None:
    """Return a label map as an image, for what is known of it beside its numbers; None of formats that say nothing."""
    if identify(path).planar:
        return None
    with suppress(GmmsegError):  # it is a label map, whether it can be taken for an image or not
        return read_with(path, Reading(memory=0, indices=True))
    return None


def ground_in(path: Path) -> Ground | None:
    """Return what the pixels of a label map cover, or None of a file that is read as labels alone."""
    image = image_in(path)
    return None if image is None else Ground.of(image)


def names_in(path: Path) -> tuple[str, ...] | None:
    """Return the class names that come with a label map, class 1 first, or None.

    Parameters
    ----------
    path : Path
        Any label map of gmmseg whose classes have names of their own, but .npy: PNG has them in a text chunk, TIFF in
        its description or in GDAL's metadata, .npz in an array "class_names", NIfTI in an extension of the header,
        DICOM as the labels of segments. Also rasters with GDAL's category names in NAME.aux.xml beside them, which go
        before what the file itself says, and NIfTI files with a label table of ITK-SNAP.

    Returns
    -------
    tuple of str, or None

    Raises
    ------
    InputError
        The names cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(f"{folder}/labels.png", np.array([[0, 1], [2, 2]]), names=["land", "water"])
    ...     names_in(Path(f"{folder}/labels.png"))
    ('land', 'water')
    """
    beside = path.with_name(f"{path.name}.aux.xml")
    return (_categories(beside) if beside.is_file() else None) or identify(path).class_names(path)


def colors_in(path: Path) -> np.ndarray | None:
    """Return the colours that a label map has for its classes, class 1 first, (n, 3) uint8; None where it has none.

    Those of a palette or a colour map, of an array "class_colors" in a .npz file, or of a label table of ITK-SNAP.

    Parameters
    ----------
    path : Path
        A label map.

    Returns
    -------
    ndarray of uint8, shape (n_classes, 3), or None

    Raises
    ------
    InputError
        The colours cannot be read.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(f"{folder}/labels.png", np.array([[0, 1], [2, 2]]))
    ...     colors_in(Path(f"{folder}/labels.png")).tolist()
    [[0, 114, 178], [230, 159, 0]]
    """
    return identify(path).class_colors(path)


def _categories(beside: Path) -> tuple[str, ...] | None:
    """Return the category names in a side file of GDAL."""
    from xml.etree import ElementTree

    try:
        categories = ElementTree.parse(beside).findall("./PAMRasterBand[@band='1']/CategoryNames/Category")
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{beside} cannot be read ({error}); delete it or write it again") from None
    names = tuple((each.text or "").strip() for each in categories[1:])
    return names or None
