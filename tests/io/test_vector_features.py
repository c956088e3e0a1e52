"""Shapes in the vector files of GIS programs."""

import numpy as np
import pyogrio
import pytest
import shapely

from gmmseg.errors import InputError
from gmmseg.image.place import Place
from gmmseg.io.points import read_points

PLACE = Place((30, 0, 390_000, 0, -30, 5_820_000), "EPSG:32633", unit="m")
X, Y = np.array([390_010.0, 390_070.0]), np.array([5_819_990.0, 5_819_915.0])


@pytest.fixture
def write(tmp_path):
    """Write shapes with a field: (name, shapes, field, values, **of pyogrio) -> path."""

    def make(name, shapes, field="class", values=("sea", "2"), crs="EPSG:32633", **options):
        kind = shapely.get_type_id(shapes[0])
        pyogrio.raw.write(
            tmp_path / name,
            geometry=shapely.to_wkb(shapes),
            field_data=[np.array(values)],
            fields=[field],
            crs=crs,
            geometry_type={0: "Point", 3: "Polygon"}[kind],
            **options,
        )
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.fgb"])
def test_points_lie_where_they_were_drawn(write, name):
    numbers = {"field": "CLASS", "values": np.array([3, 1], np.int32)}
    for more, expected in (({"values": np.array(["sea", "2"], object)}, [2, 2]), (numbers, [3, 1])):
        points = read_points(write(name, shapely.points(X, Y), **more))
        order = np.argsort(points.x)  # a FlatGeobuf sorts them in space
        rows, columns = points.pixels(PLACE, (4, 5))
        assert (rows[order].tolist(), columns[order].tolist()) == ([0, 2], [0, 2])
        assert points.numbers(["sand", "sea"])[order].tolist() == expected


def test_points_in_another_coordinate_system_are_brought_to_that_of_the_map(write):
    lon, lat = pytest.importorskip("rasterio.warp").transform("EPSG:32633", "EPSG:4326", X, Y)
    points = read_points(write("a.gpkg", shapely.points(lon, lat), values=np.array([1, 2]), crs="EPSG:4326"))
    assert [each.tolist() for each in points.pixels(PLACE, (4, 5))] == [[0, 2], [0, 2]]


def test_what_is_no_one_layer_of_points_with_classes(write, tmp_path):
    dots, values = shapely.points(X, Y), np.array([1, 2])
    with pytest.raises(InputError, match=r"a\.gpkg has no field class \(it has kind\); name it so"):
        read_points(write("a.gpkg", dots, "kind", values))
    squares = shapely.box(X, Y, X + 1, Y + 1)
    with pytest.raises(InputError, match=r"b\.gpkg has no layer of points \(b \(Polygon\)\); save the points"):
        read_points(write("b.gpkg", squares, values=values))
    write("b.gpkg", dots, values=values, layer="plots", append=True)
    assert len(read_points(tmp_path / "b.gpkg").x) == 2
    write("b.gpkg", dots, values=values, layer="more", append=True)
    with pytest.raises(InputError, match=r"b\.gpkg has 2 layers of points \(plots, more\)"):
        read_points(tmp_path / "b.gpkg")
    with pytest.raises(InputError, match=r"c\.gpkg: feature 2 is without a place, expected points"):
        read_points(write("c.gpkg", [dots[0], shapely.Point()], values=values))


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.fgb"])
def test_what_is_not_what_it_is_named_is_not_opened(tmp_path, name):
    (tmp_path / name).write_text("<OGRVRTDataSource><OGRVRTLayer name='other'/></OGRVRTDataSource>")
    with pytest.raises(InputError, match=r"is no \w+, as its name says; save it again"):
        read_points(tmp_path / name)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp"])
def test_a_damaged_file_is_one_line(write, name):
    path = write(name, shapely.points(X, Y), values=np.array([1, 2]))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"cannot be read as a \w+ \(.*\); save it again"):
        read_points(path)
