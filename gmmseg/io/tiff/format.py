"""TIFF: files that are georeferenced by GDAL, where that is installed, all others by tifffile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.classes import own_names
from gmmseg.io.contents import assembled, refuse_options
from gmmseg.io.formats import has_rasterio
from gmmseg.io.geotiff import TiffPlace, place_of_tags
from gmmseg.io.raster import format as raster
from gmmseg.io.raster.location import place_in
from gmmseg.io.raster.write import colors_of, side_file
from gmmseg.io.request import Reading
from gmmseg.io.tiff.class_tags import colors_in_tiff, names_in_tiff
from gmmseg.io.tiff.decoding import describe_tiff, read_tiff, read_tiff_labels, read_tiff_probabilities, tags_of
from gmmseg.io.tiff.imagej import write_imagej
from gmmseg.io.tiff.stacks import family_of, native_of
from gmmseg.io.tiff.tiled import wants_levels, write_ome, write_slide
from gmmseg.io.tiff.write import write_labels_tiff, write_map_of_volume, write_probabilities_tiff, write_rgb_tiff

if TYPE_CHECKING:
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.image.place import Place
    from gmmseg.io.contents import Contents

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = [
    "class_colors",
    "class_names",
    "describe",
    "place",
    "read",
    "read_labels",
    "read_probabilities",
    "suffix_of_labels",
    "write",
]


def read(path: Path, reading: Reading) -> Image:
    """Read a picture, bands, a stack or a raster; where a caller names axes, what tifffile finds of them."""
    if reading.axes is None and (_is_raster(path) or (reading.magnitude and has_rasterio())):
        return raster.read(path, reading)
    return read_tiff(path, reading)


def _is_raster(path: Path) -> bool:
    """Whether GDAL reads a file: georeferenced, or with nodata or masks that only it tells."""
    return has_rasterio() and raster.owns(path)


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read label values, or palette indices, as they are stored."""
    return read_tiff_labels(path, reading)


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Read one page or one band a class, of volumes one page a plane of each."""
    return read_tiff_probabilities(path, reading)


def describe(path: Path) -> dict[str, Any]:
    """Return what the header says."""
    if _is_raster(path):
        return raster.describe(path)
    return describe_tiff(path)


def place(path: Path) -> Place | None:
    """Return where on a map a file lies: without rasterio by its tags, which give systems of an EPSG code only."""
    if has_rasterio():
        return place_in(path)
    found = place_of_tags(TiffPlace(tags_of(path)))
    return None if found.affine is None else found


def class_names(path: Path) -> tuple[str, ...] | None:
    """Return the names of classes in the description or in GDAL's metadata."""
    return names_in_tiff(path)


def class_colors(path: Path) -> np.ndarray | None:
    """Return the colour map without its colour of 0."""
    return colors_in_tiff(path)


def write(path: Path, contents: Contents, windows: Windows) -> dict[str, bytes]:
    """Write results window by window: of rasters as GeoTIFF, of microscopes and slides as these have them.

    Those of other pictures and volumes are written whole.
    """
    family, image = family_of(contents), contents.image
    slide = not family and contents.kind in ("labels", "map") and _is_slide(contents)
    if not slide and _becomes_raster(contents):
        return raster.write(path, contents, windows)
    refuse_options(contents, {"labels": "palette", "soft": "dtype"}.get(contents.kind))
    if family or slide:
        {"ome": write_ome, "imagej": write_imagej, "": write_slide}[family](path, contents, windows)
        named = slide and contents.kind == "labels"
        beside = side_file(contents.names, colors_of(contents), None) if named else None
        return {} if beside is None else {".aux.xml": beside}
    values = assembled(contents, windows)
    if contents.kind == "picture" and values.ndim == 2:
        raise ParameterError(
            f"the picture has shape {values.shape} and dtype {values.dtype}, expected (rows, columns, 3) uint8"
        )
    with open(path, "x+b") as file:
        if contents.kind == "labels":
            names = contents.names if own_names(contents.names) else ()
            write_labels_tiff(file, values, image, names=names, palette=contents.options.get("palette"))
        elif contents.kind == "picture":
            write_rgb_tiff(file, values, image)
        elif contents.kind == "map" and values.ndim == 3:
            write_map_of_volume(file, values, image, contents.names[0])
        else:
            maps = values if contents.kind == "soft" else values[None]
            fractions = contents.kind == "soft" and contents.shares == "fractions"
            dtype, names = contents.stored_dtype, contents.names
            write_probabilities_tiff(file, maps, image, dtype, names=names, fractions=fractions)
    return {}


def packing(contents: Contents) -> Any | None:
    """Return what packs windows of a raster; other images have pages that no window is a whole part of."""
    slide = not family_of(contents) and contents.kind in ("labels", "map") and _is_slide(contents)
    return raster.plan_of(contents) if not slide and _becomes_raster(contents) else None


def _becomes_raster(contents: Contents) -> bool:
    """Whether GDAL says where a result lies, or it is too large to be written whole."""
    image = contents.image
    if image is None or image.ndim != 2 or contents.kind == "picture" or family_of(contents) or not has_rasterio():
        return False
    return not image.in_memory or raster.places(image)


def _is_slide(contents: Contents) -> bool:
    """Whether a picture of no family and on no map is one of which viewers want reduced pages."""
    image = contents.image
    if image is None or image.ndim != 2 or raster.places(image) or native_of(image).tags:
        return False
    return wants_levels(contents)


def suffix_of_labels(path: Path, channel_axis: ChannelAxis) -> str:
    """Return the suffix of a label map: OME-TIFF files are named as such."""
    return ".ome.tif" if path.name.lower().endswith((".ome.tif", ".ome.tiff")) else ".tif"
