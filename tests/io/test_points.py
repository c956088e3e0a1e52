"""Points of known class."""

import json

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.image.place import Place
from gmmseg.io.points import read_points

PLACE = Place((30, 0, 390_000, 0, -30, 5_820_000), "EPSG:32633", unit="m")


@pytest.fixture
def write(tmp_path):
    def call(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return call


def collection(*features, **more):
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": place}, "properties": properties}
            for place, properties in features
        ],
        **more,
    }


@pytest.mark.parametrize(
    "text",
    [
        "x,y,class\n390010,5819990,sea\n390070,5819915,2\n",
        "ID;Class;Y;X\r\n1;sea;5819990;390010\r\n2;2;5819915;390070\r\n",
    ],
)
def test_tables(write, text):
    points = read_points(write("a.csv", text))
    rows, columns = points.pixels(PLACE, (4, 5))
    assert (rows.tolist(), columns.tolist()) == ([0, 2], [0, 2])
    assert points.numbers(["sand", "sea"]).tolist() == [2, 2]
    assert points.crs is None


def test_geojson_is_in_wgs84_or_says_what_it_is_in(write):
    transform = pytest.importorskip("rasterio.warp").transform
    (lon,), (lat,) = transform("EPSG:32633", "EPSG:4326", [390_070], [5_819_915])
    for points in (
        read_points(write("a.geojson", collection(([lon, lat, 7], {"label": 3.0})))),
        read_points(write("b.csv", f"lon,lat,label\n{lon},{lat},3\n")),
        read_points(
            write(
                "c.json",
                collection(
                    ([390_070, 5_819_915], {"class": 3}), crs={"properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
                ),
            )
        ),
    ):
        assert [each.tolist() for each in points.pixels(PLACE, (4, 5))] == [[2], [2]]
        assert points.numbers(None).tolist() == [3]


def test_without_a_place_points_are_in_pixels(write):
    points = read_points(write("a.csv", "x,y,class\n0,0,1\n4.9,3.5,2\n"))
    assert [each.tolist() for each in points.pixels(None, (4, 5))] == [[0, 3], [0, 4]]
    with pytest.raises(ParameterError, match=r"1 of 2 points lie outside of the label map, the first at 4.9, 3.5"):
        points.pixels(None, (3, 5))
    with pytest.raises(ParameterError, match="2 of 2 points lie outside"):
        points.pixels(PLACE, (4, 5))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "its first line has to name the columns x, y"),
        ("a.csv", "a,b\n1,2\n", "begins with 'a,b'; its first line has to name"),
        ("a.csv", "x,y,class\n", "has no points"),
        ("a.csv", "x,y,class\n1,here,2\n", "line 2 has no two coordinates and a class"),
        ("a.csv", "x,y,class\n1,2\n", "line 2 has no two coordinates and a class"),
        ("a.csv", "x,y,class\n1,2,\n", "line 2 has no class"),
        ("a.csv", "x,y,class\n1,inf,2\n", "a point whose place is not finite"),
        ("a.geojson", "{", "is no GeoJSON of points"),
        ("a.geojson", "[1]", "is no GeoJSON of points"),
        ("a.geojson", collection(([1, 2], {})), "has no field class (it has none); name it so"),
        ("a.geojson", collection(([1, 2], {"class": 1}), ([1, 2], {"class": None})), "feature 2 has no class"),
        ("a.geojson", collection(([1], {"class": 2})), "is no GeoJSON of points"),
        ("a.geojson", {"features": [{"geometry": {"type": "Polygon"}}]}, "feature 1 is a Polygon, expected points"),
    ],
)
def test_what_is_no_list_of_points(write, name, content, words):
    with pytest.raises(InputError) as caught:
        read_points(write(name, content))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_that_are_not_there(write, tmp_path):
    points = read_points(write("a.csv", "x,y,class\n1,2,lake\n"))
    with pytest.raises(ParameterError, match="a point of class 'lake'; the classes are sea, sand"):
        points.numbers(["sea", "sand"])
    with pytest.raises(ParameterError, match="the classes are not named in the label map"):
        points.numbers(None)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text in UTF-8"):
        read_points(tmp_path / "b.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path / "none.csv")


def test_bounds_are_half_open(write):
    points = read_points(write("a.csv", "x,y,class\n390150,5819990,1\n"))
    with pytest.raises(ParameterError, match="outside"):
        points.pixels(PLACE, (4, 5))
    assert np.array(points.pixels(PLACE, (4, 6))).tolist() == [[0], [5]]
