"""GeoJSON and GeoPackage: GDAL reads the pixels back, in the right place."""

import json
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.warp
import shapely
from label_maps import CRAFTED, smooth_labels

from gmmseg.errors import DataWarning, GmmsegError, ParameterError
from gmmseg.export import Export, Place, find_instances, to_geojson, write_export
from gmmseg.export.rings import pixel_rings

NAMES = ["sea", "sand", "wood", "straße"]
TRANSFORMS = {
    "north up": (30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0),
    "turned": (20.0, 5.0, 390_000.0, 6.0, -22.0, 5_820_000.0),
    "south up": (10.0, 0.0, 390_000.0, 0.0, 10.0, 5_820_000.0),
}


def gdal(path):
    """What GDAL reads: information, geometries, and columns by name."""
    meta, _, geometries, columns = pyogrio.raw.read(path)
    return pyogrio.read_info(path), shapely.from_wkb(geometries), dict(zip(meta["fields"], columns, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("kind", ["component", "class"])
def test_geopackage(tmp_path, labels, burn, transform, kind):
    found = find_instances(labels, class_names=NAMES, instances=kind)
    options = Export(place=Place(transform, "EPSG:32633"))
    (path,) = write_export(tmp_path / "land.gpkg", found, "gpkg", options=options)
    info, shapes, columns = gdal(path)
    assert info["crs"] == "EPSG:32633"
    assert info["layer_name"] == "land"
    assert info["geometry_type"] == ("Polygon" if kind == "component" else "MultiPolygon")
    assert shapely.is_valid(shapes).all()
    assert columns["class"].tolist() == [NAMES[label - 1] for label in columns["label"]]
    assert columns["pixels"].tolist() == np.bincount(found.numbers.ravel())[1:].tolist()
    area = abs(np.linalg.det(np.reshape(transform, (2, 3))[:, :2]))
    np.testing.assert_allclose(shapely.area(shapes), columns["pixels"] * area)
    back = burn(labels.shape, list(zip(shapes, columns["label"].tolist(), strict=True)), transform)
    np.testing.assert_array_equal(back, labels)


def test_numbers_of_objects_and_areas_are_kept(tmp_path):
    labels = np.zeros((20, 30), np.uint16)
    labels[2:5, 3:9], labels[10:12, 3:9], labels[15:, 20:] = 700, 12, 700
    found = find_instances(labels, class_names=["cell"])
    place = Place((10.0, 0.0, 390_000.0, 0.0, -10.0, 5_820_000.0), "EPSG:32633", unit="m")
    for name in ("gpkg", "geojson"):
        (path,) = write_export(tmp_path / f"a.{name}", found, name, options=Export(place=place))
        _, _, columns = gdal(path)
        assert {key: values.tolist() for key, values in columns.items() if key != "id"} == {
            "label": [1, 1],
            "object": [12, 700],
            "class": ["cell", "cell"],
            "pixels": [12, 68],
            "area_ha": [pytest.approx(0.12, rel=1e-3), pytest.approx(0.68, rel=1e-3)],
        }
    degrees = Place((0.001, 0.0, 10.0, 0.0, -0.001, 60.02), "EPSG:4326", unit="degree")
    features = to_geojson(found, place=degrees)["features"]
    assert features[0]["properties"]["area_ha"] == pytest.approx(12 * 0.6206, rel=2e-3)


def test_geopackage_of_a_picture_and_of_nothing(tmp_path, burn):
    (path,) = write_export(tmp_path / "a.gpkg", find_instances(CRAFTED), "gpkg")
    info, shapes, columns = gdal(path)
    assert info["crs"] is None
    np.testing.assert_array_equal(burn(CRAFTED.shape, list(zip(shapes, columns["label"], strict=True))), CRAFTED)
    (path,) = write_export(tmp_path / "b.gpkg", find_instances(np.zeros((3, 3), np.uint8)), "gpkg")
    assert pyogrio.read_info(path)["features"] == 0


def test_geopackage_is_of_a_version_that_older_programs_know(tmp_path):
    (path,) = write_export(tmp_path / "a.gpkg", find_instances(CRAFTED), "gpkg")
    assert int.from_bytes(path.read_bytes()[60:64], "big") == 10200  # "user_version" of SQLite


@pytest.mark.slow
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("kind", ["component", "class"])
def test_geojson_is_in_wgs84(tmp_path, burn, transform, kind):
    labels = smooth_labels((150, 200), 4, sigma=3)
    labels[40:, 60:190] = 0
    found = find_instances(labels, class_names=NAMES, instances=kind)
    options = Export(place=Place(transform, "EPSG:32633"))
    (path,) = write_export(tmp_path / "a.geojson", found, "geojson", options=options)
    data = json.loads(path.read_text())
    assert "crs" not in data
    info, shapes, columns = gdal(path)
    assert info["crs"] == "EPSG:4326"
    assert shapely.is_valid(shapes).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(shapely.get_parts(shapes))).all()
    if kind == "component":
        assert shapely.coverage_is_valid(shapes)
    assert shapely.total_bounds(shapes)[0] == pytest.approx(13.38, abs=0.05)
    assert columns["class"].tolist() == [NAMES[label - 1] for label in columns["label"]]
    here = [
        rasterio.warp.transform_geom("EPSG:4326", "EPSG:32633", shape)
        for shape in map(shapely.geometry.mapping, shapes)
    ]
    back = burn(labels.shape, list(zip(here, columns["label"].tolist(), strict=True)), transform)
    np.testing.assert_array_equal(back, labels)


def test_geojson_keeps_the_system_where_asked(tmp_path, labels, burn, place):
    wkt = rasterio.CRS.from_epsg(32633).to_wkt()
    for crs in ("EPSG:32633", wkt):
        options = Export(place=Place(place.affine, crs), keep_crs=True)
        path = write_export(tmp_path / "a.geojson", find_instances(labels), "geojson", options=options, overwrite=True)[
            0
        ]
        info, shapes, columns = gdal(path)
        assert info["crs"] == "EPSG:32633"
        back = burn(labels.shape, list(zip(shapes, columns["label"].tolist(), strict=True)), place.affine)
        np.testing.assert_array_equal(back, labels)
    custom = rasterio.CRS.from_proj4("+proj=laea +lat_0=52.1 +lon_0=11 +R=6371000").to_wkt()
    with pytest.raises(ParameterError, match="no EPSG code"):
        to_geojson(find_instances(labels), place=Place(place.affine, custom), keep_crs=True)


def test_simplified_geojson_still_fits_together(place):
    found = find_instances(smooth_labels((80, 90), 3, sigma=4))
    features = to_geojson(found, place=place, simplify=1.5)["features"]
    shapes = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features])
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_ccw(shapely.get_exterior_ring(shapes)).all()
    assert shapely.get_num_coordinates(shapes).sum() < 0.5 * len(pixel_rings(found).points)


@pytest.mark.parametrize("crs", ["EPSG:4326", rasterio.CRS.from_epsg(4326).to_wkt()])
def test_longitude_and_latitude_stay_as_they_are(crs):
    (feature,) = to_geojson(find_instances(np.ones((2, 300), np.uint8)), place=Place((0.1, 0, 10, 0, -0.1, 50), crs))[
        "features"
    ]
    assert feature["geometry"]["coordinates"] == [[[10, 50], [10, 49.8], [40, 49.8], [40, 50], [10, 50]]]


def test_geojson_in_pixels_and_without_a_system(labels, burn, place):
    features = to_geojson(find_instances(labels))["features"]
    shapes = [(feature["geometry"], feature["properties"]["label"]) for feature in features]
    np.testing.assert_array_equal(burn(labels.shape, shapes), labels)
    with pytest.warns(DataWarning, match="does not name its coordinate reference system"):
        features = to_geojson(find_instances(labels), place=Place(place.affine))["features"]
    shapes = [(feature["geometry"], feature["properties"]["label"]) for feature in features]
    np.testing.assert_array_equal(burn(labels.shape, shapes, place.affine), labels)


@pytest.mark.parametrize(
    ("crs", "x"),
    [
        ('LOCAL_CS["unnamed",UNIT["metre",1]]', 0.0),
        ("nonsense", 0.0),
        ("+proj=ortho +lat_0=0 +lon_0=0 +R=6371000", 6_370_000.0),
    ],
)
def test_places_that_wgs84_does_not_know(labels, crs, x):
    with pytest.raises(ParameterError, match=r"cannot be converted to WGS 84 \(.+\); write GeoPackage") as caught:
        to_geojson(find_instances(labels), place=Place((100.0, 0.0, x, 0.0, -100.0, 0.0), crs))
    assert "\n" not in str(caught.value)


def test_infinite_coordinates_are_refused(labels, place, monkeypatch):
    monkeypatch.setattr("rasterio.warp.transform", lambda _crs, _to, x, _y: (x, x * np.inf))
    with pytest.raises(ParameterError, match="outside the system's domain"):
        to_geojson(find_instances(labels), place=place)


@pytest.mark.parametrize("affine", [(1e308, 0, 1e308, 0, -1e308, 1e308), (np.inf, 0, 0, 0, -1, 0), (np.nan,) * 6])
@pytest.mark.parametrize("to", ["geojson", "gpkg"])
def test_a_place_that_no_number_holds_is_refused(tmp_path, labels, affine, to):
    options = Export(place=Place(affine, "EPSG:32633"), keep_crs=to == "geojson")
    with pytest.raises(ParameterError, match=r"at no place that numbers can hold .*; correct its georeferencing"):
        write_export(tmp_path / f"a.{to}", find_instances(labels), to, options=options)
    assert not list(tmp_path.iterdir())


def test_long_edges_follow_the_projection(place):
    """An edge of 1000 pixels of 30 m is curved in longitude and latitude: by 7 m in its middle here."""
    labels = np.ones((1000, 1000), np.uint8)
    labels[500:] = 2
    (ring,) = to_geojson(find_instances(labels), place=place)["features"][0]["geometry"]["coordinates"]
    straight = shapely.segmentize(shapely.Polygon(ring), 0.001)
    here = shapely.transform(straight, to_utm)
    exact = shapely.box(390_000, 5_805_000, 420_000, 5_820_000)
    assert shapely.hausdorff_distance(here.boundary, exact.boundary) < 0.3
    corners_alone = shapely.Polygon(rasterio.warp.transform_geom("EPSG:32633", "EPSG:4326", exact)["coordinates"][0])
    bent = shapely.transform(shapely.segmentize(corners_alone, 0.001), to_utm)
    assert shapely.hausdorff_distance(bent.boundary, exact.boundary) > 3


def to_utm(points):
    return np.stack(rasterio.warp.transform("EPSG:4326", "EPSG:32633", *points.T), axis=1)


def test_missing_packages_are_named(tmp_path, labels, place, monkeypatch):
    found = find_instances(labels)
    for package in ("rasterio", "rasterio.crs", "pyogrio", "shapely"):
        monkeypatch.setitem(sys.modules, package, None)
    for call in (
        lambda: to_geojson(found, place=place),
        lambda: to_geojson(found, simplify=1.0),
        lambda: write_export(tmp_path / "a.gpkg", found, "gpkg"),
    ):
        with pytest.raises(GmmsegError, match=r"pip install 'gmmseg\[geo\]'"):
            call()
    assert list(tmp_path.iterdir()) == []
    to_geojson(found, place=place, keep_crs=True)


@pytest.mark.parametrize(
    "crs", ["EPSG:99999", 'PROJCS["x",GEOGCS["y', "+proj=nothing", "+proj=utm +zone=33 +ellps=intl +nadgrids=gone.gsb"]
)
def test_systems_that_gdal_does_not_know_are_said_not_printed(tmp_path, labels, capfd, crs):
    found, options = find_instances(labels), Export(place=Place(TRANSFORMS["north up"], crs))
    with pytest.raises(ParameterError, match="coordinates cannot be converted to WGS 84"):
        to_geojson(found, place=options.place)
    if "gone" not in crs:  # which GeoPackage keeps
        with pytest.raises(ParameterError, match="coordinate reference system cannot be written"):
            write_export(tmp_path / "a.gpkg", found, "gpkg", options=options)
    if not crs.startswith("EPSG"):
        with pytest.raises(ParameterError, match="has no EPSG code"):
            to_geojson(found, place=options.place, keep_crs=True)
    assert capfd.readouterr() == ("", "")
