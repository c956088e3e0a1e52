"""Outlines strip by strip are those of the whole map."""

import io
import json
import tracemalloc

import numpy as np
import pyogrio
import pytest
import shapely
from label_maps import CRAFTED, smooth_labels

from gmmseg.errors import ParameterError
from gmmseg.export import Choice, Place, find_instances, to_geojson
from gmmseg.export.vector import STRAIGHT, write_geopackage
from gmmseg.export.windowed import BYTES_A_PIXEL, WindowedExport, write_by_windows
from gmmseg.image import Image

UTM = Place((30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0), "EPSG:32633", unit="m")


def spiral(n):
    """One region that meets itself again and again, and what lies between."""
    rows, columns = np.indices((n, n)) - n // 2
    turns = np.hypot(rows, columns) / 9 + np.arctan2(rows, columns) / (2 * np.pi)
    return (1 + (turns % 1 < 0.5)).astype(np.uint8)


MAPS = {
    "patches": smooth_labels((300, 90), 4, sigma=3),
    "noise": np.random.default_rng(0).integers(0, 3, (200, 40)).astype(np.uint8),
    "spiral": spiral(260),
    "crafted": CRAFTED.repeat(29, axis=0).repeat(5, axis=1),
}


def by_windows(labels, **options):
    file = io.BytesIO()
    strip = WindowedExport(memory=STRAIGHT * BYTES_A_PIXEL * labels.shape[1], **options)
    n, names = write_by_windows(file, Image(labels[..., None], color=False), strip)
    data = json.loads(file.getvalue())
    assert len(data["features"]) == n
    return data, names


def known(data):
    """What features are, whatever their order and the corner that a ring begins with."""
    return sorted(
        (
            each["properties"]["label"],
            each["properties"]["pixels"],
            shapely.normalize(shapely.geometry.shape(each["geometry"])).wkt,
        )
        for each in data["features"]
    )


@pytest.mark.parametrize("labels", MAPS.values(), ids=MAPS)
def test_strips_are_the_whole(labels):
    data, names = by_windows(labels)
    assert known(data) == known(to_geojson(find_instances(labels)))
    assert names == find_instances(labels).names
    assert [each["id"] for each in data["features"]] == list(range(1, len(data["features"]) + 1))
    for each in data["features"]:
        assert shapely.is_ccw(shapely.linearrings(each["geometry"]["coordinates"][0]))


@pytest.mark.parametrize("name", ["patches", "noise"])
def test_on_a_map_neighbours_share_their_edges(name):
    labels = MAPS[name]
    data, _ = by_windows(labels, place=UTM)
    shapes = [shapely.geometry.shape(each["geometry"]) for each in data["features"]]
    assert shapely.coverage_is_valid(shapes)
    whole = to_geojson(find_instances(labels), place=UTM)
    assert shapely.union_all(shapes).area == pytest.approx(
        shapely.union_all([shapely.geometry.shape(each["geometry"]) for each in whole["features"]]).area, rel=1e-6
    )
    ours, theirs = (sorted(each["properties"]["area_ha"] for each in some["features"]) for some in (data, whole))
    assert ours == pytest.approx(theirs)


def in_package(labels, folder, **options):
    """What a GeoPackage holds: geometries and columns, as pyogrio reads them."""
    strip = WindowedExport(memory=STRAIGHT * BYTES_A_PIXEL * labels.shape[1], layer="land", **options)
    with (folder / "a.gpkg").open("wb") as file:
        n, _ = write_by_windows(file, Image(labels[..., None], color=False), strip)
    about, _, shapes, values = pyogrio.raw.read(folder / "a.gpkg", layer="land")
    assert len(shapes) == n
    return about, shapely.from_wkb(shapes), dict(zip(about["fields"], values, strict=True))


@pytest.mark.parametrize("place", [None, UTM])
def test_packages_of_strips_are_those_of_the_whole(tmp_path, place):
    labels = MAPS["patches"]
    about, shapes, columns = in_package(labels, tmp_path, place=place)
    with (tmp_path / "whole.gpkg").open("wb") as file:
        write_geopackage(file, find_instances(labels), layer="land", place=place)
    theirs, _, whole, values = pyogrio.raw.read(tmp_path / "whole.gpkg")
    assert [about[each] for each in ("crs", "geometry_type")] == [theirs[each] for each in ("crs", "geometry_type")]
    assert sorted(shapely.normalize(each).wkt for each in shapes) == sorted(
        shapely.normalize(each).wkt for each in shapely.from_wkb(whole)
    )
    assert list(columns) == list(theirs["fields"])
    for name, each in zip(theirs["fields"], values, strict=True):
        assert columns[name].dtype == each.dtype
        assert sorted(columns[name].tolist()) == pytest.approx(sorted(each.tolist())) if each.dtype != object else True
    assert in_package(labels, tmp_path, min_size=100_000)[1].size == 0


def test_simplified_strips_share_their_edges(tmp_path):
    labels = MAPS["patches"].copy()
    labels[100:140, 30:60] = 0
    tolerance = 3
    _, shapes, columns = in_package(labels, tmp_path, simplify=tolerance)
    exact = in_package(labels, tmp_path)[1]
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    assert len(shapes) == len(exact)
    assert shapely.get_num_coordinates(shapes).sum() < 0.7 * shapely.get_num_coordinates(exact).sum()
    assert shapely.area(shapes).sum() == pytest.approx((labels > 0).sum(), rel=0.01)
    assert shapely.area(shapes) == pytest.approx(columns["pixels"], rel=0.1, abs=60)
    data, _ = by_windows(labels, simplify=tolerance, place=UTM)
    on_map = [shapely.geometry.shape(each["geometry"]) for each in data["features"]]
    assert shapely.coverage_is_valid(on_map)
    assert sum(map(shapely.get_num_coordinates, on_map)) == shapely.get_num_coordinates(shapes).sum()


def test_classes_and_sizes_are_chosen():
    labels = MAPS["patches"]
    choice = Choice(background=("sand",), ignore=1)
    names = ("sea", "sand", "wood", "city")
    data, listed = by_windows(labels, class_names=names, min_size=30, choice=choice)
    assert listed == ("sea", "wood", "city")
    assert known(data) == known(to_geojson(find_instances(labels, class_names=names, min_size=30, choice=choice)))
    with pytest.raises(ParameterError, match="there is no class 'lake'"):
        by_windows(labels, choice=Choice(("lake",)))


def test_a_mask_is_one_class_although_a_strip_may_not_tell():
    mask = np.where(MAPS["spiral"] == 2, 255, 0).astype(np.uint8)
    mask[:70] = 255
    assert known(by_windows(mask)[0]) == known(to_geojson(find_instances(mask)))
    mask[100, 100] = 7
    assert {each["properties"]["label"] for each in by_windows(mask)[0]["features"]} == {7, 255}


def test_memory_is_that_of_a_strip():
    labels = smooth_labels((1500, 100), 3, sigma=2)

    def peak(function):
        tracemalloc.start()
        function()
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    class Nowhere(io.RawIOBase):
        def write(self, content):
            return len(content)

    by_windows(labels[:70])  # what is imported for it counts for neither
    image, options = Image(labels[..., None], color=False), WindowedExport(memory=1)
    strips = peak(lambda: write_by_windows(Nowhere(), image, options))
    assert strips < peak(lambda: to_geojson(find_instances(labels))) / 5
