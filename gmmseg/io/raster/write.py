"""Writing GeoTIFF window by window, and cloud-optimised GeoTIFF.

GDAL says in a header of one pixel which tags place an image, tifffile writes these and the blocks. So a block is
encoded as soon as its pixels are there and written once, in the order of the file, whatever the windows and threads;
and a full disk is an error at once, where GDAL would close a file that is cut short without a word. Overviews come of
the same blocks: the most frequent of four labels, or the mean of four numbers.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from xml.etree import ElementTree

import numpy as np

from gmmseg.image.windows import Window
from gmmseg.io.blocks import Key, Plan, StoredPart, blocks_of
from gmmseg.io.geotiff import Tags, tags_to_keep
from gmmseg.io.raster.cloud import write_cloud_optimised
from gmmseg.io.raster.gdal import environment, library, opener
from gmmseg.io.raster.location import NOWHERE, GeoReference
from gmmseg.io.tiff.segments import encoded, in_order
from gmmseg.io.tiff.write import color_map, resolution_of

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.io.contents import Contents

__all__ = ["SIDE", "colors_of", "location_tags", "plan_of", "side_file", "write"]

SIDE = 512
"""Of a tile, in pixels."""

_CLASSIC_BYTES = 4_000_000_000  # offsets of a classic TIFF file end at 4 GiB
_SPOOL_BYTES = 16 << 20
_MOST_TILE_BYTES = 16 << 20  # of all bands: of many classes tiles are smaller
_NO_DATA = "no data"


_PIXEL = Plan((1, 1), np.dtype(np.uint8), (SIDE, SIDE))


def write(
    path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray | StoredPart]]
) -> dict[str, bytes]:
    """Write labels, probabilities or a map as GeoTIFF, while its windows come.

    Parameters
    ----------
    path : Path
        A temporary file.
    contents : Contents
        Of two spatial axes. Options: "cog" (bool), a cloud-optimised GeoTIFF with overviews; "palette", the colours of
        labels, 0 first, (n, 3) uint8, by default those of `gmmseg.io.palette.palette`; "dtype" of probabilities:
        "float32", or "uint8" or "uint16", which are stored as round(p * largest number) with the scale in the band.
    windows : iterable of (tuple of slice, ndarray or StoredPart)
        Together all of the shape, each pixel once.

    Returns
    -------
    dict of str to bytes
        For labels whose classes have names, and for coordinate systems that GeoTIFF has no keys for: the side file
        ".aux.xml" in which GDAL and QGIS read them.

    Raises
    ------
    OSError
        The disk is full, or the file cannot be written for another reason.

    Notes
    -----
    Besides the windows at most a row of blocks as wide as the windows is in memory. What comes before its turn waits
    compressed in a temporary file: where windows are narrower than the image, and all of a cloud-optimised file.

    Labels have nodata 0, the place of the source and, up to 255 classes, colours. Probabilities are bands of one page,
    0 where there is no data; maps have nodata NaN.
    """
    plan = plan_of(contents)
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=os.fspath(path.parent)) as spool:
        _write(path, plan, contents, encoded(blocks_of(plan, windows), plan.encode), cast(BinaryIO, spool))
    geo = _reference(contents.image)
    labels = contents.kind == "labels"
    content = side_file(contents.names if labels else (), colors_of(contents) if labels else None, _crs_beside(geo))
    return {} if content is None else {".aux.xml": content}


def plan_of(contents: Contents) -> Plan:
    """Return how a result is stored: in tiles, small ones where there are many classes, of one resolution or more."""
    rows, columns = contents.shape
    dtype: np.dtype[Any] = np.dtype(np.float32)
    n_bands, scale = 1, 1.0
    nodata: float | None = None
    if contents.kind == "labels":
        dtype, nodata = np.dtype(contents.dtype), 0
    elif contents.kind == "map":
        nodata = np.nan
    else:
        dtype, n_bands = np.dtype(contents.stored_dtype), len(contents.names)
        scale = 1.0 if dtype.kind == "f" else 1 / np.iinfo(dtype).max
    side, n_levels = SIDE, 1
    while side > 64 and side * side * n_bands * dtype.itemsize > _MOST_TILE_BYTES:
        side //= 2
    while contents.options.get("cog") and max(rows, columns) > side << (n_levels - 1):
        n_levels += 1
    return Plan((rows, columns), dtype, (side, side), n_levels, n_bands, scale, nodata, contents.kind == "labels")


def _write(path: Path, plan: Plan, contents: Contents, blocks: Iterator[tuple[Key, bytes]], spool: BinaryIO) -> None:
    options: dict[str, Any] = {"photometric": "minisblack"}
    if contents.kind == "labels" and plan.dtype == np.uint8 and not contents.options.get("plain"):
        options = {"photometric": "palette", "colormap": color_map(colors_of(contents))}
    elif plan.n_bands > 1:
        options |= {"planarconfig": "contig", "extrasamples": [0] * (plan.n_bands - 1)}
    if contents.options.get("occupancy"):
        options["description"] = f"gmmseg: {contents.shares}"
    tags = sorted(_header_tags(plan, contents).items())
    options |= {"extratags": [(code, *tag, True) for code, tag in tags], **resolution_of(contents.image)}
    if contents.options.get("cog"):
        write_cloud_optimised(path, plan, _described(plan, options), blocks, spool)
        return
    columns = plan.grid()[1]
    numbered = ((row * columns + column, data) for (_, row, column), data in blocks)
    _write_tiles(path, plan, in_order(numbered, columns * plan.grid()[0], spool), options)


def _write_tiles(target: Path | BinaryIO, plan: Plan, tiles: Iterator[bytes], options: Mapping[str, Any]) -> None:
    """Let tifffile write a plain file."""
    import tifffile

    with tifffile.TiffWriter(target, bigtiff=plan.nbytes > _CLASSIC_BYTES) as tiff:
        tiff.write(
            tiles,
            shape=(*plan.shape, plan.n_bands) if plan.n_bands > 1 else plan.shape,
            dtype=plan.dtype,
            tile=plan.sides,
            compression="zlib",
            metadata=None,
            software="gmmseg",
            **options,
        )


def _described(plan: Plan, options: Mapping[str, Any]) -> Tags:
    """Return all tags of a plain file but those that say how large it is, by one of a single tile."""
    import tifffile

    one, file = replace(plan, shape=plan.sides), io.BytesIO()
    _write_tiles(file, one, iter([one.encode(one.empty())]), options)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        return {tag.code: (int(tag.dtype), int(tag.count), tag.value) for tag in tiff.pages.first.tags}


def colors_of(contents: Contents) -> np.ndarray:
    """Return the colours of labels, 0 first, (256, 3): those given, and further ones of the palette."""
    from gmmseg.io.palette import palette  # here, because only labels have colours

    colors, given = palette(255), contents.options.get("palette")
    if given is not None:
        colors[: len(given)] = given[:256]
    return colors


def location_tags(geo: GeoReference) -> Tags:
    """Return the TIFF tags that place an image, as `gmmseg.io.geotiff.tags_to_keep` does."""
    return _tags(_header(geo, _PIXEL, _nothing))


def _header_tags(plan: Plan, contents: Contents) -> Tags:
    """Return the tags of a result: place, nodata, names and scales of bands, names of classes."""

    def describe(header: Any) -> None:
        if contents.kind == "labels":
            header.update_tags(1, **{f"class_{i}": _visible(name) for i, name in enumerate(contents.names, 1)})
            return
        for band, name in enumerate(contents.names, 1):
            header.set_band_description(band, _visible(name))
        if plan.scale != 1:
            header.scales = [plan.scale] * plan.n_bands

    geo = _reference(contents.image)
    tags = _tags(_header(geo, plan, describe))
    return {
        code: (kind, 0, value.encode() + b"\0") if isinstance(value, str) else (kind, n, value)
        for code, (kind, n, value) in tags.items()
    }


def _nothing(header: Any) -> None:
    """Leave bands without names."""


def _tags(content: bytes) -> Tags:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        return tags_to_keep(tiff.pages[0])


def _header(geo: GeoReference, plan: Plan, describe: Callable[[Any], None]) -> bytes:
    """Let GDAL write a GeoTIFF file of one pixel, in memory."""
    memory_file = library("rasterio.io").MemoryFile
    profile = {
        "driver": "GTiff",
        "width": 1,
        "height": 1,
        "count": plan.n_bands,
        "dtype": plan.dtype.name,
        "photometric": "MINISBLACK",
    }
    if plan.nodata is not None:
        profile["nodata"] = plan.nodata
    with environment(), memory_file() as memory:
        with opener("DatasetWriter")(memory.name, "w", **profile) as header:
            _place(header, geo)
            describe(header)
        return bytes(memory.read())


def _place(header: Any, geo: GeoReference) -> None:
    """Say where the pixels lie: by a transform, ground control points or rational polynomials."""
    crs = library("rasterio.crs").CRS
    if geo.gcps:
        point = library("rasterio.control").GroundControlPoint
        points = [point(row, col, x, y, z, id_, info) for row, col, x, y, z, id_, info in geo.gcps]
        header.gcps = (points, crs.from_wkt(geo.gcps_crs) if geo.gcps_crs else crs())
    else:
        if geo.crs:
            header.crs = crs.from_user_input(geo.crs)
        if geo.transform != NOWHERE:
            header.transform = library("rasterio").Affine(*geo.transform)
    if geo.rpcs:
        header.update_tags(ns="RPC", **geo.rpcs)
    if geo.area_or_point:
        header.update_tags(AREA_OR_POINT=geo.area_or_point)


def _reference(image: Image | None) -> GeoReference:
    """Return where an image lies in GDAL's words."""
    place = None if image is None else image.place
    if place is not None and isinstance(place.native, GeoReference):
        return place.native
    if place is None or place.affine is None:
        return GeoReference()
    return GeoReference(crs=place.crs, transform=place.affine)


def _visible(text: str) -> str:
    """Return a name without the control characters that XML has no way to write."""
    return "".join(character if character.isprintable() else " " for character in text)


def _crs_beside(geo: GeoReference) -> str | None:
    """Return the coordinate system where GeoTIFF has no keys for it, such as a rotated pole."""
    if not geo.crs or geo.gcps:
        return None
    content = _header(geo, _PIXEL, _nothing)
    with (
        environment(),
        library("rasterio.io").MemoryFile(content) as memory,
        opener("DatasetReader")(memory.name, driver=["GTiff"]) as header,
    ):
        return None if header.crs else geo.crs


def side_file(names: tuple[str, ...], colors: np.ndarray | None, crs: str | None) -> bytes | None:
    """Return what GDAL keeps beside a file (PAM): the coordinate system, names of categories and their table."""
    root = ElementTree.Element("PAMDataset")
    if crs is not None:
        ElementTree.SubElement(root, "SRS").text = crs
    if names and colors is not None:
        _add_classes(ElementTree.SubElement(root, "PAMRasterBand", band="1"), names, colors)
    if not len(root):
        return None
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def _add_classes(band: ElementTree.Element, names: tuple[str, ...], colors: np.ndarray) -> None:
    categories = ElementTree.SubElement(band, "CategoryNames")
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Types: 0 integer, 2 text. Usages: 5 value, 2 name, 6 to 8 red, green and blue.
    columns = (("Value", 0, 5), ("Class name", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8))
    for index, (title, kind, usage) in enumerate(columns):
        column = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for tag, value in (("Name", title), ("Type", kind), ("Usage", usage)):
            ElementTree.SubElement(column, tag).text = str(value)
    for label, name in enumerate((_NO_DATA, *map(_visible, names))):
        ElementTree.SubElement(categories, "Category").text = name
        row = ElementTree.SubElement(table, "Row", index=str(label))
        for value in (label, name, *colors[label if label < len(colors) else 0].tolist()):
            ElementTree.SubElement(row, "F").text = str(value)
