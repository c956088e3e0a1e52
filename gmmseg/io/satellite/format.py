"""Satellite scenes of Sentinel-2 and Landsat: folders of band files that are read as one image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource, Checked
from gmmseg.image.windows import everything
from gmmseg.io.raster.beside import require_inside
from gmmseg.io.raster.format import crs_name, placed
from gmmseg.io.raster.gdal import environment
from gmmseg.io.raster.location import GeoReference
from gmmseg.io.request import Reading, require_axis, require_room
from gmmseg.io.satellite.band_files import BandFile, files_in
from gmmseg.io.satellite.bands_on_grid import open_bands
from gmmseg.io.satellite.landsat import landsat_product
from gmmseg.io.satellite.product import Product
from gmmseg.io.satellite.sentinel import sentinel_product
from gmmseg.io.unchanged import Stamp

__all__ = ["describe", "mask_file", "product", "read", "read_labels", "read_probabilities"]


def product(folder: Path) -> Product:
    """Return what is in the folder of a scene; every file of it lies in it.

    Raises
    ------
    InputError
        There is no band, bands of several scenes, metadata are damaged, or a link leads elsewhere.
    """
    of_landsat = any(each.sensor != "sentinel" for each in files_in(folder))
    found = landsat_product(folder) if of_landsat else sentinel_product(folder)
    real = folder.resolve()
    for each in _files(found):
        require_inside(each.path, real, folder)
    return found


def _files(found: Product) -> list[BandFile]:
    return [*(each for band in found.bands for each in band.files), *found.masks.values()]


def read(path: Path, reading: Reading) -> Image:
    """Read the bands that are asked for, or those of the surface, on one grid as what they measure.

    Returns
    -------
    Image
        float32: reflectance, or kelvin for thermal light; NaN where a band has no data. Channels are called after their
        bands, as in "B08/nir".
    """
    found = product(path)
    bands = found.chosen(reading.channels)
    source, grid = open_bands(bands, reading, str(path))
    stamps = [Stamp.of(band.path) for band in source.bands]
    geo = GeoReference(crs=grid.crs, transform=grid.transform, facts={"driver": found.kind})
    with environment():
        place = placed(geo)
    image = Image(
        source,
        spacing=(grid.resolution, grid.resolution),
        channel_names=tuple(band.name for band in bands),
        name=str(path),
        place=place,
    )
    require_axis(image, reading, found.kind)
    if found.remark:
        warn(f"{path}: {found.remark}")

    def check() -> None:
        for stamp in stamps:
            stamp.check()

    if reading.memory is not None and source.nbytes > reading.memory:
        return replace(image, pixels=Checked(source, check))
    try:
        require_room(path, image.shape, reading, image.n_channels * source.dtype.itemsize + 1)
        pixels, valid = source.read(everything(image.shape))
    finally:
        source.close()
    check()
    return replace(image, pixels=ArraySource(pixels), valid=valid)


def mask_file(path: Path, name: str) -> Path | None:
    """Return the file of a scene that is called so, such as "SCL" or "QA_PIXEL"; None where it has none.

    Raises
    ------
    InputError
        See `product`.
    """
    found = product(path).mask(name)
    return None if found is None else found.path


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Refuse a scene as a label map."""
    raise InputError(f"{path} is a satellite scene, not a label map; give a file of integers")


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Refuse a scene as probability maps."""
    raise InputError(f"{path} is a satellite scene, not probability maps; give them as NPZ, NPY or TIFF")


def describe(path: Path) -> dict[str, Any]:
    """Return what metadata and headers say, without decoding pixels."""
    found = product(path)
    bands = found.chosen(None)
    source, grid = open_bands(bands, Reading(), str(path))
    source.close()
    with environment():
        crs, bounds = crs_name(grid.crs), grid.bounds_in(grid.crs)
    return {
        "scene": found.kind,
        **{key: value for key, value in found.facts.items() if key in ("date", "baseline")},
        "size": [grid.shape[1], grid.shape[0]],
        "channels": len(bands),
        "dtype": "float32",
        "bands": [band.name for band in bands],
        "other_bands": [band.name for band in found.bands if band not in bands],
        "masks": sorted(found.masks),
        **{key: value for key, value in found.facts.items() if key in ("scale", "offset")},
        "georeferenced": True,
        "crs": crs,
        "pixel_size": [grid.resolution, grid.resolution],
        "bounds": dict(zip(("left", "bottom", "right", "top"), map(float, bounds), strict=True)),
    }
