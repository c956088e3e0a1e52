"""Vector maps: GeoJSON and GeoPackage, in pixels or where the raster lies in the world."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import GmmsegError, OutputError, ParameterError, one_line, warn
from gmmseg.export.antimeridian import crossing_instances, cut_at_antimeridian
from gmmseg.export.georeference import Place
from gmmseg.export.instances import Instances
from gmmseg.export.polygons import outlines
from gmmseg.export.rings import Rings
from gmmseg.image.windows import everything
from gmmseg.io.ground import Ground
from gmmseg.io.parts import as_text

__all__ = [
    "STRAIGHT",
    "Target",
    "attributes",
    "features",
    "geojson_stream",
    "to_geojson",
    "write_geopackage",
    "write_layer",
]

_WGS84 = 4326
# A straight edge of so many pixels stays straight in any map projection, to a small fraction of a pixel.
STRAIGHT = 64
# Dtypes of columns; of others those of their values.
_COLUMNS: dict[str, Any] = {"label": np.int32, "class": object, "pixels": np.int64}
_DECIMALS = 9  # of a degree: 0.1 mm
_READ_BY_ALL = {"VERSION": "1.2"}  # of later ones, which GDAL 3.11 writes by itself, GDAL before 3.9 warns
_NO_CRS = 'LOCAL_CS["Undefined SRS"]'  # by GDAL's own name of it: pyogrio warns of a file for which it is told nothing


def to_geojson(
    instances: Instances, *, place: Place | None = None, keep_crs: bool = False, simplify: float | None = None
) -> dict[str, Any]:
    """Return a GeoJSON feature collection, one feature an instance.

    Parameters
    ----------
    instances : Instances
    place : Place, optional
        Where the raster lies. Coordinates are then WGS 84 longitude and latitude, as RFC 7946 demands; without it, and
        where the coordinate reference system is unknown, pixels: x to the right, y down.
    keep_crs : bool
        Keep the raster's coordinates, and name their system in the member "crs" of GeoJSON of 2008, which GDAL and
        QGIS read.
    simplify : float, optional
        See `gmmseg.export.to_polygons`.

    Returns
    -------
    dict
        Ready for JSON. Properties are "label", "class" (its name) and "pixels", of objects "object" (its number), and
        where the place has a unit the area, as "area_ha". Exteriors are counter-clockwise. An instance of several
        regions is a MultiPolygon, as is one that crosses the antimeridian, at which it is cut.

    Raises
    ------
    GmmsegError
        The coordinates have to be converted, but rasterio is not installed.
    ParameterError
        The coordinates cannot be converted, or the system to be kept has no EPSG code.

    Notes
    -----
    For a conversion the outlines get points where regions meet and at least every 64 pixels, so that neighbours still
    share their edges.

    Examples
    --------
    >>> from gmmseg.export import find_instances
    >>> to_geojson(find_instances(np.array([[1]])))["features"][0]["geometry"]
    {'type': 'Polygon', 'coordinates': [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
    """
    streamed = geojson_stream(instances, place=place, keep_crs=keep_crs, simplify=simplify)
    return streamed | {"features": list(streamed["features"])}


def geojson_stream(
    instances: Instances, *, place: Place | None = None, keep_crs: bool = False, simplify: float | None = None
) -> dict[str, Any]:
    """Do what `to_geojson` does, but give "features" as an iterator."""
    target = Target.of(place, keep_crs=keep_crs)
    rings = outlines(instances, simplify, nodes=target.converts)
    if target.converts and simplify is None:
        rings = rings.divided(STRAIGHT)
    rings = target.placed(rings)
    return target.collection | {"features": features(rings, attributes(instances, place), wgs84=target.wgs84)}


@dataclass(frozen=True)
class Target:
    """Which coordinates GeoJSON is to have.

    Parameters
    ----------
    affine, crs
        Of the place; None where the pixels lie on no map.
    converts : bool
        Whether they become WGS 84.
    wgs84 : bool
        Whether they are in the end.
    collection : dict
        The members that a feature collection has for that.
    """

    affine: tuple[float, float, float, float, float, float] | None
    crs: str | None
    converts: bool
    wgs84: bool
    collection: dict[str, Any]

    @classmethod
    def of(cls, place: Place | None, *, keep_crs: bool) -> Target:
        """Decide, and warn where the raster does not name its system."""
        collection: dict[str, Any] = {"type": "FeatureCollection"}
        affine, crs = _on_map(place)
        code = None if crs is None else _epsg(crs)
        converts = crs is not None and not keep_crs and code != _WGS84
        if affine is not None and crs is None:
            warn("the raster does not name its coordinate reference system; its coordinates are written as they are")
        elif affine is not None and not converts and code is None:
            raise ParameterError(
                "the raster's coordinate reference system has no EPSG code to keep in GeoJSON; write GeoPackage "
                "instead, or let the coordinates be converted to WGS 84"
            )
        elif affine is not None and not converts and code != _WGS84:
            collection["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}
        return cls(affine, crs, converts, affine is not None and (converts or code == _WGS84), collection)

    @classmethod
    def kept(cls, place: Place | None) -> Target:
        """Keep the raster's coordinates, whatever they are."""
        return cls(*_on_map(place), converts=False, wgs84=False, collection={})

    def placed(self, rings: Rings) -> Rings:
        """Return rings in pixels where they lie."""
        if self.affine is None:
            return rings
        moved = _placed(rings, self.affine)
        return _to_wgs84(moved, self.crs) if self.converts and self.crs is not None else moved


def _on_map(place: Place | None) -> tuple[tuple[float, float, float, float, float, float] | None, str | None]:
    """Return the affine and the coordinate reference system; neither where the pixels lie on no map."""
    return (None, None) if place is None or place.affine is None else (place.affine, place.crs)


def _placed(rings: Rings, affine: tuple[float, ...]) -> Rings:
    with np.errstate(over="ignore", invalid="ignore"):
        moved = rings.transformed(affine)
    if not np.isfinite(moved.points).all():
        raise ParameterError(
            f"the raster lies at no place that numbers can hold (affine={affine}); correct its georeferencing, or "
            "write coco, yolo or png, which are in pixels"
        )
    return moved


def features(
    rings: Rings, columns: Mapping[str, Sequence[Any]], *, wgs84: bool, first: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield a feature for each instance, numbered from `first`; what is in degrees is cut at the antimeridian."""
    crossing = crossing_instances(rings) if wgs84 else frozenset()
    for index, coordinates in enumerate(rings.coordinates()):
        parts = cut_at_antimeridian(coordinates) if index in crossing else coordinates
        single = len(parts) == 1
        yield {
            "type": "Feature",
            "id": index + first,
            "properties": {name: values[index] for name, values in columns.items()},
            "geometry": {
                "type": "Polygon" if single else "MultiPolygon",
                "coordinates": parts[0] if single else parts,
            },
        }


def attributes(instances: Instances, place: Place | None) -> dict[str, list[Any]]:
    """Return what vector maps say of each instance, by the names of the columns."""
    columns: dict[str, list[Any]] = {"label": instances.categories.tolist()}
    if instances.kind == "object":
        columns["object"] = instances.values.tolist()
    columns["class"] = [instances.name_of(index) for index in range(len(instances))]
    columns["pixels"] = _sizes(instances).tolist()
    ground = Ground.at(place, instances.shape)
    if ground.known:
        columns[ground.name] = ground.sums(everything(ground.shape), instances.numbers, len(instances) + 1)[1:].tolist()
    return columns


def _sizes(instances: Instances) -> Array:
    """Pixels of each instance."""
    sizes = np.bincount(instances.instance_of, np.bincount(instances.parts.ravel()), minlength=len(instances) + 1)
    return sizes[1:].astype(np.int64)


def _to_wgs84(rings: Rings, crs: str) -> Rings:
    try:
        from rasterio import Env
        from rasterio.crs import CRS
        from rasterio.warp import transform
    except ImportError:
        raise GmmsegError(
            "GeoJSON is in WGS 84, and converting the raster's coordinates needs rasterio: pip install 'gmmseg[geo]', "
            "or keep the raster's coordinates with keep_crs=True"
        ) from None
    try:
        with Env():  # in which GDAL does not print what it raises
            points = np.stack(transform(CRS.from_user_input(crs), CRS.from_epsg(_WGS84), *rings.points.T), axis=1)
        if not np.isfinite(points).all():
            raise ValueError("a point is outside the system's domain")
    # rasterio lets the errors of GDAL through, whose classes it keeps private.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ParameterError(
            f"the raster's coordinates cannot be converted to WGS 84 ({reason}); write GeoPackage instead"
        ) from error
    return rings.moved(np.round(points, _DECIMALS))


def _epsg(crs: str) -> int | None:
    """Return the EPSG code of a coordinate reference system, where it has one and it can be found out."""
    if crs.startswith("EPSG:"):
        return int(crs.removeprefix("EPSG:"))
    with suppress(ImportError, ValueError):
        from rasterio import Env
        from rasterio.crs import CRS

        with Env():
            code: int | None = CRS.from_user_input(crs).to_epsg()
        return code
    return None


def write_geopackage(
    file: BinaryIO, instances: Instances, *, layer: str, place: Place | None = None, simplify: float | None = None
) -> None:
    """Write a GeoPackage of one layer, one feature an instance, in the raster's coordinates or in pixels.

    Parameters
    ----------
    file : BinaryIO
        Open for writing.
    instances : Instances
    layer : str
        Its name.
    place : Place, optional
        Where the raster lies.
    simplify : float, optional
        See `gmmseg.export.to_polygons`.

    Raises
    ------
    GmmsegError
        Shapely or pyogrio is not installed.
    OutputError
        GDAL could not write it.
    ParameterError
        The coordinate reference system is none that GDAL knows.
    """
    target = Target.kept(place)
    rings = target.placed(outlines(instances, simplify))
    batches = [(rings, attributes(instances, place))]
    write_layer(file, batches, layer=layer, crs=target.crs, single=instances.kind == "component")


def write_layer(
    file: BinaryIO,
    batches: Iterable[tuple[Rings, Mapping[str, Sequence[Any]]]],
    *,
    layer: str,
    crs: str | None,
    single: bool,
) -> None:
    """Do what `write_geopackage` does, of outlines where they lie, with their columns, part by part.

    An instance is a polygon where `single`, otherwise one or several; there is at least one part.
    """
    try:
        import pyogrio
        import pyogrio.raw
        import shapely
    except ImportError:
        raise GmmsegError(
            "GeoPackage needs Shapely and pyogrio, which are not installed; pip install 'gmmseg[geo]'"
        ) from None
    from tempfile import TemporaryDirectory

    kind = shapely.GeometryType.POLYGON if single else shapely.GeometryType.MULTIPOLYGON
    with TemporaryDirectory(prefix="gmmseg-") as folder:
        path = Path(folder, "layer.gpkg")
        try:
            for rings, columns in batches:
                offsets = (rings.rings, rings.polygons) if single else (rings.rings, rings.polygons, rings.instances)
                pyogrio.raw.write(
                    path,
                    shapely.to_wkb(shapely.from_ragged_array(kind, rings.points.astype(float), offsets)),
                    [np.array(values, _COLUMNS.get(name)) for name, values in columns.items()],
                    list(columns),
                    layer=as_text(layer),
                    driver="GPKG",
                    geometry_type="Polygon" if single else "MultiPolygon",
                    crs=crs or _NO_CRS,
                    append=path.exists(),
                    dataset_options=_READ_BY_ALL,
                )
        except pyogrio.errors.CRSError as error:
            raise ParameterError(
                f"the raster's coordinate reference system cannot be written ({one_line(error)}); correct it"
            ) from None
        except pyogrio.errors.DataSourceError as error:
            raise OutputError(f"the GeoPackage cannot be written ({error}); free space and try again") from None
        with path.open("rb") as written:
            shutil.copyfileobj(written, file)
