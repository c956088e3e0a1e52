"""What GDAL says of where a raster lies and how it is stored, in plain Python values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError
from gmmseg.image.place import Place
from gmmseg.io.geotiff import TiffPlace
from gmmseg.io.raster.gdal import environment, library, open_dataset

__all__ = ["NOWHERE", "GeoReference", "place_in"]

NOWHERE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of a raster that has none."""


@dataclass(frozen=True, eq=False)
class GeoReference(TiffPlace):
    """What GDAL says of a raster.

    Parameters
    ----------
    tags, ome
        As of `TiffPlace`: the TIFF tags that place the raster, whatever its format.
    crs : str, optional
        WKT, or what else GDAL takes for a coordinate reference system.
    transform : tuple of float
        (a, b, c, d, e, f), as in the package affine.
    gcps : sequence of tuple
        Ground control points (row, column, x, y, z, id, info), in the system `gcps_crs`.
    gcps_crs : str, optional
    rpcs : dict, optional
        Rational polynomial coefficients, as GDAL writes them.
    area_or_point : str, optional
        Whether a pixel is an area or a point.
    facts : dict
        What else the header says: "driver", "nodata", "scales", "offsets", "units", "descriptions", "colorinterp",
        "tags", "compression", "interleaving" and "blocks".
    """

    crs: str | None = None
    transform: tuple[float, ...] = NOWHERE
    gcps: tuple[tuple[Any, ...], ...] = ()
    gcps_crs: str | None = None
    rpcs: dict[str, str] | None = None
    area_or_point: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def place_in(path: Path) -> Place | None:
    """Return where on a map a file says that it lies; None where it does not.

    Raises
    ------
    InputError
        GDAL cannot open it, or it lies where no affine says it.
    """
    try:
        with environment(), open_dataset(path) as raster:
            transform, crs = raster.transform, raster.crs
            control = "ground control points" if raster.gcps[0] else "a camera's coefficients (RPC)"
            has_control = raster.gcps[0] or raster.tags(ns="RPC")
    except library("rasterio.errors").RasterioError as error:
        raise InputError(f"{path}: its georeferencing cannot be read ({error}); export the file again") from None
    if transform.is_identity and not crs:
        if has_control:
            raise InputError(
                f"{path} lies on the ground by {control} alone, along which straight lines are bent; bring it to a map "
                "with gdalwarp, or export coco, yolo or png, which are in pixels"
            )
        return None
    a, b, c, d, e, f = tuple(transform)[:6]
    # What GDAL makes up for a raster without one is "local": of no place on Earth.
    known = crs is not None and (crs.is_geographic or crs.is_projected)
    return Place((a, b, c, d, e, f), crs.to_wkt() if known else None)
