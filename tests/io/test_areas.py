"""Training areas: polygons, lines and points of known class as strokes."""

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.warp import transform_geom

import gmmseg
from gmmseg.cli import main
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.areas import drawn_areas

PLACE = Place((10, 0, 390_000, 0, -10, 5_820_000), "EPSG:32633", unit="m")
LAND, SEA = shapely.box(390_020, 5_819_950, 390_060, 5_819_980), shapely.box(390_100, 5_819_950, 390_130, 5_819_990)
EXPECTED = np.zeros((10, 20), np.uint8)
EXPECTED[2:5, 2:6], EXPECTED[1:5, 10:13] = 1, 2


@pytest.fixture
def scene():
    """Ten rows and twenty columns: land on the left, the sea on the right."""
    rng = np.random.default_rng(0)
    pixels = np.where(np.arange(20) < 8, 60, 150)[:, None] + rng.normal(0, 4, (10, 20, 2))
    return Image(pixels.astype(np.float32), place=PLACE, name="scene")


@pytest.fixture
def write(tmp_path):
    """Write shapes with fields: (name, shapes, fields, crs) -> path."""

    def make(name, shapes, fields, crs="EPSG:32633", kind="Polygon", **options):
        pyogrio.raw.write(
            tmp_path / name,
            geometry=shapely.to_wkb(shapes),
            field_data=[np.array(each, object if isinstance(each[0], str) else None) for each in fields.values()],
            fields=list(fields),
            crs=crs,
            geometry_type=kind,
            **options,
        )
        return tmp_path / name

    return make


def collection(features, tmp_path, **more):
    path = tmp_path / "areas.geojson"
    listed = [{"type": "Feature", "geometry": geometry, "properties": fields} for geometry, fields in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed, **more}))
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.fgb"])
def test_areas_are_drawn_by_number_or_name(write, scene, name):
    turned = np.array([0, 2, 1], np.uint8)[EXPECTED]
    for fields, names, drawn in (
        ({"class": [1, 2]}, (), EXPECTED),
        ({"Class": ["land", "sea"]}, ("land", "sea"), EXPECTED),
        ({"class": ["sea", "land"]}, ("land", "sea"), turned),  # by the alphabet
        ({"MC_ID": [2, 1], "MC_name": ["land", "sea"]}, ("sea", "land"), turned),
        ({"class": ["land", "sea"], "label": [1, 3]}, ("land", "class 2", "sea"), EXPECTED + (EXPECTED == 2)),
        ({"class": ["land", "sea"], "label": [1, 1]}, ("land", "sea"), EXPECTED),  # which tells nothing apart
        ({"class_id": [512, 311]}, ("311", "512"), turned),  # codes of a nomenclature
        ({"class": [40, 10]}, ("10", "40"), turned),
        ({"class": ["sea", "land"], "label": [12, 10]}, ("land", "sea"), turned),
        ({"class": [1, 4]}, (), EXPECTED + 2 * (EXPECTED == 2)),
    ):
        strokes, found = drawn_areas(write(name, [LAND, SEA], fields), scene)
        np.testing.assert_array_equal(strokes, drawn)
        assert found == names
    path = write(name, [LAND, SEA], {"class": ["land", "sea"]})
    strokes, found = drawn_areas(path, scene, ["ice", "sea", "land"])
    np.testing.assert_array_equal(strokes, np.array([0, 3, 2], np.uint8)[EXPECTED])
    assert found == ("ice", "sea", "land")
    with pytest.raises(ParameterError, match="areas of class 'sea'; the classes are land, water"):
        drawn_areas(path, scene, ["land", "water"])
    strokes, found = drawn_areas(write(name, [LAND, SEA], {"class": [10, 40]}), scene, k=2)
    np.testing.assert_array_equal(strokes, EXPECTED)
    assert found == ("10", "40")


def test_areas_in_another_coordinate_system_are_brought_to_the_image(scene, tmp_path):
    shapes = [json.loads(shapely.to_geojson(each)) for each in (LAND, SEA)]
    shapes = transform_geom("EPSG:32633", "EPSG:4326", shapes)
    path = collection([(shapes[0], {"class": 1}), (shapes[1], {"class": "2"})], tmp_path)
    np.testing.assert_array_equal(drawn_areas(path, scene)[0], EXPECTED)
    path = collection([(shapes[0], {"class": 1})], tmp_path, crs={"properties": {"name": "EPSG:99999"}})
    with pytest.raises(ParameterError, match=r"cannot be converted to those of the image \(.*\); save it in"):
        drawn_areas(path, scene)


def test_lines_and_points_are_strokes_too_and_the_last_one_counts(write, scene):
    line = shapely.linestrings([[390_005, 5_819_995], [390_045, 5_819_995]])
    path = write("a.gpkg", [SEA, LAND, shapely.box(390_020, 5_819_950, 390_030, 5_819_980)], {"class": [2, 1, 3]})
    drawn = EXPECTED.copy()
    drawn[2:5, 2] = 3
    np.testing.assert_array_equal(drawn_areas(path, scene)[0], drawn)
    strokes, _ = drawn_areas(write("b.gpkg", [line], {"class": [1]}, kind="LineString"), scene)
    assert np.argwhere(strokes).tolist() == [[0, column] for column in range(5)]
    dot = shapely.points([[390_075.0, 5_819_915.0, 3.0]])
    strokes, _ = drawn_areas(write("c.gpkg", dot, {"class": [1]}, kind="Point Z"), scene)
    assert np.argwhere(strokes).tolist() == [[8, 7]]


def test_on_a_picture_coordinates_are_pixels(tmp_path):
    picture = Image(np.zeros((10, 20, 3), np.uint8), color=True)
    box = {"type": "Polygon", "coordinates": [[[2, 2], [6, 2], [6, 5], [2, 5], [2, 2]]]}
    path = collection([(box, {"classification": {"name": "Tumor", "color": [200, 0, 0]}})], tmp_path)
    strokes, names = drawn_areas(path, picture)
    np.testing.assert_array_equal(strokes, EXPECTED == 1)
    assert names == ("Tumor",)


def test_segmentations_have_the_names_of_the_areas(write, scene, tmp_path):
    path = write("a.gpkg", [SEA, LAND], {"class": ["sea", "land"]})
    found = gmmseg.segment(scene, 2, scribbles=path)
    assert found.model.class_names == ("land", "sea")
    np.testing.assert_array_equal(found.labels, np.broadcast_to(1 + (np.arange(20) >= 8), (10, 20)))
    again = gmmseg.apply(found.model, scene, scribbles=path)
    np.testing.assert_array_equal(again.labels, found.labels)
    named = gmmseg.segment(scene, 2, scribbles=path, class_names=["sea", "land"])
    np.testing.assert_array_equal(named.labels, 3 - found.labels)
    assert gmmseg.segment(scene, 3, scribbles=path).model.class_names == ("land", "sea", "class 3")
    for found in (gmmseg.segment(scene, scribbles=path), gmmseg.segment(scene, None, scribbles=path)):
        assert found.model.class_names == ("land", "sea")
    assert gmmseg.fit(scene, scribbles=path, class_names=["sea", "land", "ice"]).class_names == ("sea", "land", "ice")
    with pytest.raises(ParameterError, match=r"areas of 2 classes \(land, sea\), but k=1; use k=2"):
        gmmseg.segment(scene, 1, scribbles=path)
    with pytest.raises(ParameterError, match="areas of class 'sea'; the classes are class 1, class 2"):
        gmmseg.apply(gmmseg.fit(scene, 2), scene, scribbles=path)


def test_exported_outlines_are_areas_of_the_same_classes(scene, tmp_path):
    gmmseg.io.write_labels(tmp_path / "map.tif", EXPECTED, image=scene, names=("wood", "bog"))
    assert main(["export", str(tmp_path / "map.tif"), "--to", "gpkg", "-o", str(tmp_path / "areas.gpkg")]) == 0
    strokes, names = drawn_areas(tmp_path / "areas.gpkg", scene)
    np.testing.assert_array_equal(strokes, EXPECTED)
    assert names == ("wood", "bog")


def test_a_layer_is_named_as_in_qgis(write, scene, tmp_path):
    path = write("land.gpkg", [LAND, SEA], {"class": ["land", "sea"]}, layer="training")
    write("land.gpkg", [SEA, LAND], {"class": ["land", "sea"]}, layer="more | than one", append=True)
    swapped = np.array([0, 2, 1], np.uint8)[EXPECTED]
    for layer, drawn in (("training", EXPECTED), ("more | than one", swapped)):
        asked = f"{path}|layername={layer}"
        np.testing.assert_array_equal(drawn_areas(Path(asked), scene)[0], drawn)
    assert gmmseg.segment(scene, k=2, scribbles=asked).model.class_names == ("land", "sea")
    with pytest.raises(InputError, match=r"2 layers of areas \(training, more.*\); name one, as in 'land.gpkg\|layer"):
        drawn_areas(path, scene)
    with pytest.raises(InputError, match=r"has no layer of areas named 'tr' \(training, .*\); name one of these"):
        drawn_areas(Path(f"{path}|layername=tr"), scene)
    with pytest.raises(InputError, match=r"no layer of areas named 'training\|subset=a'"):
        drawn_areas(Path(f"{path}|layername=training|subset=a"), scene)


def test_what_says_nothing_of_the_image_is_one_line(write, scene, tmp_path):
    away = shapely.box(0, 0, 30, 30)
    with pytest.raises(InputError, match=r"none of its 1 areas holds a pixel of scene; check that both are of one"):
        drawn_areas(write("a.gpkg", [away], {"class": ["sea"]}), scene)
    with pytest.warns(DataWarning, match=r"scene: no pixel is in an area of class wood of b.gpkg"):
        drawn_areas(write("b.gpkg", [away, SEA], {"class": ["wood", "sea"]}), scene)
    with pytest.warns(DataWarning, match=r"class land of over.gpkg, or later areas cover them all, so nothing says"):
        drawn_areas(write("over.gpkg", [LAND, LAND, SEA], {"class": ["land", "sea", "sea"]}), scene)
    with pytest.raises(InputError, match=r"has no field class \(it has kind\); name it so"):
        drawn_areas(write("c.gpkg", [SEA], {"kind": ["sea"]}), scene)
    with pytest.raises(ParameterError, match="has areas of a picture, but scan has 2 x 10 x 20 pixels"):
        drawn_areas(write("d.gpkg", [SEA], {"class": [1]}), Image(np.zeros((2, 10, 20, 1)), name="scan"))
    with pytest.raises(InputError, match=r"is a GeometryCollection, expected areas; leave it out"):
        drawn_areas(collection([({"type": "GeometryCollection", "geometries": []}, {"class": 1})], tmp_path), scene)
    broken = {"type": "Polygon", "coordinates": [[[1, 2]]]}
    with pytest.raises(InputError, match=r"has a damaged area \(.*\); save it again"):
        drawn_areas(collection([(broken, {"class": 1})], tmp_path), Image(np.zeros((9, 9, 1))))


def test_numbers_are_left_where_some_areas_have_none_or_they_are_no_numbers(tmp_path):
    picture = Image(np.zeros((9, 9, 1)))
    here, there = ({"type": "Point", "coordinates": [x + 0.5, 4.5]} for x in (2, 6))
    for fields in (
        ({"class": "bog", "label": 2}, {"class": "wood"}),
        ({"class": "bog", "label": "9" * 5000}, {"class": "wood", "label": 1}),
        ({"classification": {"name": "bog"}}, {"classification": {"name": "wood"}}),
    ):
        drawn, names = drawn_areas(collection(zip((here, there), fields, strict=True), tmp_path), picture)
        assert (drawn[4, 2], drawn[4, 6], names) == (1, 2, ("bog", "wood"))
    drawn, names = drawn_areas(collection([(here, {"class": "9" * 5000}), (there, {"class": "10"})], tmp_path), picture)
    assert (drawn[4, 2], drawn[4, 6], names) == (1, 2, ("9" * 5000, "10"))
    with pytest.raises(InputError, match="feature 1 has no class"):
        drawn_areas(collection([(here, {"classification": {"name": None}})], tmp_path), picture)
