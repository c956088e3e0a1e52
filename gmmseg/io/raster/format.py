"""Rasters that GDAL reads, through rasterio: GeoTIFF, ENVI, JPEG 2000, ERDAS Imagine, virtual rasters and many more."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError, one_line, warn
from gmmseg.image import Image
from gmmseg.image.channels import SCALINGS, Channels, positions
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io.geotiff import place_of_tags
from gmmseg.io.raster.bad_bands import bad_bands, spelled, without_bad
from gmmseg.io.raster.bands import RasterBands, RasterSource, bands_of
from gmmseg.io.raster.drivers import driver_of, is_regular, require_known
from gmmseg.io.raster.gdal import environment, explained, library, open_dataset, require_blocks
from gmmseg.io.raster.location import GeoReference
from gmmseg.io.raster.write import location_tags, plan_of, write
from gmmseg.io.request import Reading, kept, require_axis, require_room
from gmmseg.io.tiff.directories import directories

__all__ = [
    "class_colors",
    "crs_name",
    "describe",
    "open_raster",
    "owns",
    "placed",
    "places",
    "plan_of",
    "read",
    "read_dataset",
    "read_labels",
    "read_probabilities",
    "sniff",
    "write",
]

_GEO_TAGS = frozenset({33550, 33922, 34264, 34735, 42112, 42113, 50674})  # the last is of LERC, which GDAL decodes
_WEBP = 50001  # a compression that few of Pillow's decoders have
_PLAIN_SAMPLES = frozenset({1, 2, 3, 6})  # black is zero, RGB, palette, YCbCr: GDAL leaves inks and inverted grey as is
_REDUCED_OR_MASK = 1 | 4  # of the subfile type: overviews and masks are no pages
_MOST_BANDS = 1024  # that are read together: a file of 34 KB can claim 32513, whose covariances take 8 GB a class
_MOST_PIXELS_A_BYTE = 1000  # of what is compressed: deflate ends at 1032
_CODES = frozenset({"qa_pixel", "qa_radsat", "sr_qa_aerosol", "pixel_qa", "radsat_qa", "qa60", "scl", "fmask", "udm"})
"""Bands of quality, as they are called beside those of measurements, in what Earth Engine and others export."""
_BESIDE = (".aux.xml", ".msk", ".ovr")
_WORLD_FILES = (".tfw", ".tifw", ".tiffw", ".wld")


def sniff(start: bytes, path: Path) -> bool:
    """Whether a file of which nothing else is known has a driver.

    Raises
    ------
    InputError
        GDAL has one that is not used, or the file is not named as what it is.
    """
    if driver_of(path) is not None:
        return True
    require_known(path)
    return False


def owns(path: Path) -> bool:
    """Whether GDAL is to read a TIFF file: a single page with GeoTIFF or GDAL tags, files beside it, or WebP.

    Notes
    -----
    Only the directories of the file are looked at. Photographs, stacks of pages, ImageJ's and OME's files are not
    GDAL's, nor are CMYK and inverted grey, of which it leaves the numbers as they are.
    """
    try:
        # A second page is enough to know.
        pages = list(islice((each for each in directories(path) if not each.subfile & _REDUCED_OR_MASK), 2))
    except InputError:
        return False
    if len(pages) != 1 or pages[0].photometric not in _PLAIN_SAMPLES or pages[0].stack:
        return False
    mine = pages[0].compression == _WEBP or not _GEO_TAGS.isdisjoint(pages[0].codes)
    return mine or _has_side_file(path)


def _has_side_file(path: Path) -> bool:
    beside = [path.with_name(path.name + end) for end in _BESIDE]
    beside += [path.with_suffix(end) for end in _WORLD_FILES] + [path.with_suffix(e.upper()) for e in _WORLD_FILES]
    return any(each.is_file() for each in beside)


@contextmanager
def _opened(path: Path, reading: Reading) -> Iterator[Any]:
    with explained(path), environment(), open_dataset(path, reading) as dataset:
        yield dataset


def read(path: Path, reading: Reading) -> Image:
    """Read a raster, as `open_raster` does, with the channels that are asked for."""
    return _chosen(open_raster(path, reading), reading)


def _chosen(image: Image, reading: Reading) -> Image:
    require_axis(image, reading, "GDAL raster")
    return image if reading.channels is None else kept(_select(image, reading.channels), reading)


def open_raster(path: Path, reading: Reading) -> Image:
    """Read a raster with all of its channels.

    Parameters
    ----------
    path : Path
    reading : Reading
        Bands that take more than `memory_unchosen` stay in the file as a `RasterSource`.

    Returns
    -------
    Image
        Colour where the file says red, green and blue (unsigned integers) or has a colour table, otherwise bands. Not
        valid where all bands are without data, by their nodata values (see `gmmseg.io.nodata.separate_nodata`), masks
        or alpha; NaN is no data whether declared or not. Bands, not colours, are what was measured where the file has
        scales and offsets; those that ENVI marks as bad are left out, unless channels are asked for. Its place says
        where the pixels lie.

    Raises
    ------
    InputError
        The file is damaged, too large, or holds complex numbers or no band.
    """
    with explained(path), environment():
        dataset = open_dataset(path, reading)
        try:
            bands = bands_of(path, dataset, indices=reading.indices, magnitude=reading.magnitude)
            bands = bands if reading.channels is not None else without_bad(path, dataset, bands)
            source = RasterSource(path, dataset, bands)
        except BaseException:
            dataset.close()
            raise
        try:
            image = _image_of(source, dataset, reading)
        except BaseException:
            source.close()
            raise
    if image.in_memory:
        source.close()
    return image


def read_dataset(dataset: Any, reading: Reading) -> Image:
    """Read a dataset of rasterio that somebody else has opened, and closes; it has to stay open as long as its image.

    What is allowed of files does not hold: who opens a dataset has said what is opened.
    """
    path = Path(dataset.name)
    with explained(path):
        image = _image_of(RasterSource(path, dataset, bands_of(path, dataset), owned=False), dataset, reading)
    return _chosen(image, reading)


def _image_of(source: RasterSource, dataset: Any, reading: Reading) -> Image:
    """Return the image of an open raster, in memory or in its file."""
    path, memory = source.path, reading.memory_unchosen
    in_file = memory is not None and source.nbytes > memory
    require_blocks(path, dataset, reading)
    if reading.channels is None:
        _require_few(path, len(source.bands.indexes))
    if in_file:
        _require_contents(path, dataset, reading)
    else:
        require_room(path, source.shape[:-1], reading, source.pixel_bytes)
    geo = _georeference(path, dataset)
    names = _names(dataset, source.bands)
    _warn_of_bands(source, geo, () if reading.channels is not None else names)
    pixels, valid = (source, None) if in_file else source.read(everything(source.shape[:-1]))
    return Image(
        pixels,
        color=source.bands.color,
        valid=valid,
        spacing=_spacing(geo.transform),
        channel_names=names,
        name=str(path),
        metadata={SCALINGS: source.bands.scalings} if source.bands.scalings else None,
        place=placed(geo),
    )


def _warn_of_bands(source: RasterSource, geo: GeoReference, names: tuple[str, ...]) -> None:
    """Say which bands are no measurements by name, of those that nobody has chosen, or are by what they hold."""
    if "alpha" in geo.facts["colorinterp"] and source.bands.alpha is None and source.bands.n_channels > 1:
        warn(
            f"{source.path}: its band 4 is called alpha, but holds measurements, and is a band as the others are; "
            "gdal_edit.py -colorinterp_4 undefined says so in the file"
        )
    codes = next((name for name in names if name.lower() in _CODES), None)
    if codes is not None and len(names) > 1:
        warn(
            f"{source.path}: its band {codes} holds codes, but counts as measurements do; leave it out by channels, "
            f"and use it as a mask, as in mask_values='{source.path.name}@{codes}:...'"
        )


def _require_few(path: Path, n_bands: int) -> None:
    if n_bands > _MOST_BANDS:
        raise InputError(
            f"{path} has {n_bands} bands, more than the {_MOST_BANDS} that are read together; choose some by channels"
        )


def _require_contents(path: Path, dataset: Any, reading: Reading) -> None:
    """Refuse a raster that stays in its file, but is so large for what it holds that reading it would never end."""
    rows, columns = dataset.shape
    if rows * columns <= reading.max_pixels:
        return
    n_bytes = sum(os.path.getsize(each) for each in dataset.files if is_regular(Path(each)))
    if rows * columns > _MOST_PIXELS_A_BYTE * n_bytes:
        raise InputError(
            f"{path} is {columns} x {rows} pixels in {n_bytes} bytes, so hardly any is there; crop it, "
            "or raise max_pixels"
        )


def _names(dataset: Any, bands: RasterBands) -> tuple[str, ...]:
    if bands.color:
        return ("red", "green", "blue")
    descriptions = dataset.descriptions  # rasterio asks all bands each time
    found = [(descriptions[index - 1] or "").strip() for index in bands.indexes]
    return tuple(found) if all(found) else ()


def _georeference(path: Path, dataset: Any) -> GeoReference:
    """Return where the pixels lie and how they were stored."""
    gcps, gcps_crs = dataset.gcps
    try:
        rpcs = dataset.rpcs
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} has incomplete rational polynomials ({one_line(error)}); remove them or export it again"
        ) from error
    return GeoReference(
        crs=dataset.crs.to_wkt() if dataset.crs else None,
        transform=tuple(float(value) for value in dataset.transform[:6]),
        gcps=tuple((g.row, g.col, g.x, g.y, g.z, g.id, g.info) for g in gcps),
        gcps_crs=gcps_crs.to_wkt() if gcps_crs else None,
        rpcs=rpcs.to_gdal() if rpcs else None,
        area_or_point=dataset.tags().get("AREA_OR_POINT"),
        facts={
            "driver": dataset.driver,
            "nodata": dataset.nodatavals,
            "scales": dataset.scales,
            "offsets": dataset.offsets,
            "units": dataset.units,
            "descriptions": dataset.descriptions,
            "colorinterp": tuple(each.name for each in dataset.colorinterp),
            "tags": dataset.tags(),
            "compression": dataset.compression.name if dataset.compression else None,
            "interleaving": dataset.interleaving.name if dataset.interleaving else None,
            "blocks": dataset.block_shapes[0],
        },
    )


def places(image: Image) -> bool:
    """Whether an image lies where GDAL can say it."""
    place = image.place
    return place is not None and (
        isinstance(place.native, GeoReference) or (place.native is None and place.affine is not None)
    )


def _select(image: Image, channels: Channels) -> Image:
    """Return channels of an image that was read here: colour where GDAL says that they are red, green and blue."""
    selected, place = image.select(channels), image.place
    native = None if place is None else place.native
    interpreted = native.facts.get("colorinterp", ()) if isinstance(native, GeoReference) else ()
    meanings = [each for each in interpreted if each != "alpha"]
    # Floats need not span 0 to 1.
    if image.color or image.n_channels != len(meanings) or image.pixels.dtype.kind not in "iu":
        return selected
    chosen = positions(channels, image.n_channels, image.channel_names, image=image.name)
    return replace(selected, color=[meanings[c] for c in chosen] == ["red", "green", "blue"])


def placed(found: GeoReference) -> Place:
    """Return where the pixels lie, with the TIFF tags that say so, whatever the format was."""
    geo = replace(found, tags=location_tags(found))
    a, b, c, d, e, f = geo.transform
    return Place((a, b, c, d, e, f), geo.crs, unit=place_of_tags(geo).unit, native=geo)


def _spacing(transform: tuple[float, ...]) -> tuple[float, float] | None:
    """Return (height, width) of a pixel in the units of the coordinate system; None where the file has no place."""
    a, b, _, d, e, _ = transform
    height, width = math.hypot(b, e), math.hypot(a, d)
    placed = transform != (1, 0, 0, 0, 1, 0) and 0 < height < math.inf and 0 < width < math.inf
    return (height, width) if placed else None


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read the numbers of a single band, shape (rows, columns), whatever colours they have."""
    with _opened(path, reading) as dataset:
        bands = bands_of(path, dataset)
        require_blocks(path, dataset, reading)
        require_room(path, dataset.shape, reading, bands.stored.itemsize)
        if len(bands.indexes) > 1:
            raise InputError(f"{path} has {len(bands.indexes)} bands, so it is not a label map; give one of integers")
        return np.asarray(dataset.read(bands.indexes[0]))


def class_colors(path: Path) -> np.ndarray | None:
    """Return the colour table of a single band without its colour of 0; None where there is none."""
    with _opened(path, Reading()) as dataset:
        palette = bands_of(path, dataset).palette
    return None if palette is None else palette[1:, :3]


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Read all bands as stored, shape (n_bands, rows, columns)."""
    with _opened(path, reading) as dataset:
        bands = bands_of(path, dataset)
        _require_few(path, dataset.count)
        require_blocks(path, dataset, reading)
        require_room(path, (dataset.count, *dataset.shape), reading, bands.stored.itemsize)
        return np.asarray(dataset.read())


def describe(path: Path) -> dict[str, Any]:
    """Return what the header says, without decoding pixels."""
    with _opened(path, Reading()) as dataset:
        geo = _georeference(path, dataset) if dataset.count else None
        described: dict[str, Any] = {
            "driver": dataset.driver,
            "size": [dataset.width, dataset.height],
            "channels": dataset.count,
            "dtype": ", ".join(dict.fromkeys(dataset.dtypes)),
        }
        if geo is None:
            return described | {"parts": [os.path.basename(name) for name in dataset.subdatasets]}
        facts = geo.facts
        described["bands"] = [
            name or kind for name, kind in zip(facts["descriptions"], facts["colorinterp"], strict=True)
        ]
        if bad := bad_bands(dataset):
            described["bad_bands"] = spelled(bad)
        if facts["compression"]:
            described["compression"] = facts["compression"]
        described["block"] = list(reversed(facts["blocks"]))
        described["overviews"] = dataset.overviews(1)
        if any(value is not None for value in dataset.nodatavals):
            described["nodata"] = ", ".join(dict.fromkeys(f"{v:.17g}" for v in dataset.nodatavals if v is not None))
        described |= _meanings(facts)
        spacing = _spacing(geo.transform)
        described["georeferenced"] = bool(spacing or geo.gcps or geo.rpcs)
        wkt = geo.crs or geo.gcps_crs
        if wkt:
            described["crs"] = crs_name(wkt)
        if spacing:
            described["pixel_size"] = [spacing[1], spacing[0]]
            bounds = dict(dataset.bounds._asdict())
            if all(map(math.isfinite, bounds.values())):
                described["bounds"] = bounds
        return described


def _meanings(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what stored numbers mean where they are not what was measured: scales, offsets and units of bands."""
    found: dict[str, Any] = {}
    for name, key, usual in (("scale", "scales", 1), ("offset", "offsets", 0), ("unit", "units", None)):
        each = [value or usual for value in facts[key]]
        if any(value != usual for value in each):
            found[name] = each[0] if len(set(each)) == 1 else each
    return found


def crs_name(wkt: str) -> str:
    """Return the name of a coordinate system, with its EPSG number where it has one."""
    name = wkt.split('"')[1] if '"' in wkt else wkt
    number = library("rasterio.crs").CRS.from_wkt(wkt).to_epsg()
    if number and name.lower() in ("unnamed", "unknown"):
        return f"EPSG:{number}"
    return f"{name} (EPSG:{number})" if number else name
