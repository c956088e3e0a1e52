"""Polygons that cross the antimeridian."""

import numpy as np
import pytest
import rasterio.warp
import shapely
from label_maps import smooth_labels

from gmmseg.export import Place, find_instances, to_geojson
from gmmseg.export.antimeridian import cut_at_antimeridian


def shapes(place, labels):
    data = to_geojson(find_instances(labels), place=place)
    return [shapely.geometry.shape(each["geometry"]) for each in data["features"]], data["features"]


@pytest.mark.parametrize(
    ("crs", "left", "top", "step"), [("EPSG:3832", 3_200_000, 500_000, 5000), ("EPSG:4326", 178, 5, 0.05)]
)
def test_maps_across_the_antimeridian(crs, left, top, step):
    labels = smooth_labels((40, 70), 3)
    found, features = shapes(Place((step, 0, left, 0, -step, top), crs), labels)
    assert shapely.is_valid(found).all()
    bounds = shapely.total_bounds(found)
    assert (bounds[0], bounds[2]) == (-180, 180)
    for each in found:
        # No part is broader than half of the map: none goes the long way round.
        assert all(right - left < 4 for left, _, right, _ in shapely.bounds(shapely.get_parts(each)))
        assert all(shapely.is_ccw(part.exterior) for part in shapely.get_parts(each))
    # The centre of each pixel lies in the polygon of its class and in no other.
    rows, columns = (each.ravel() + 0.5 for each in np.indices(labels.shape))
    lon, lat = (
        np.array(each) for each in rasterio.warp.transform(crs, "EPSG:4326", left + step * columns, top - step * rows)
    )
    lon = (lon + 180) % 360 - 180
    drawn = np.zeros(labels.size, int)
    for each, feature in zip(found, features, strict=True):
        drawn += shapely.contains_xy(each, lon, lat) * feature["properties"]["label"]
    np.testing.assert_array_equal(drawn.reshape(labels.shape), labels)


def test_a_pole_and_a_hole():
    labels = np.ones((41, 41), np.uint8)
    labels[20, 20], labels[5:8, 18:23] = 2, 2
    found, features = shapes(Place((50_000, 0, -1_025_000, 0, -50_000, 1_025_000), "EPSG:3413"), labels)
    assert shapely.is_valid(found).all()
    classes = [each["properties"]["label"] for each in features]
    around, pole = found[classes.index(1)], found[len(classes) - 1 - classes[::-1].index(2)]
    assert (around.bounds[0], around.bounds[2]) == (-180, 180)
    for longitude in (-179.9, -100, -10, 10, 100, 179.9):
        assert pole.covers(shapely.Point(longitude, 89.99))
        assert not around.covers(shapely.Point(longitude, 89.99))
        assert around.covers(shapely.Point(longitude, 88))
    assert sum(each.area for each in found) == pytest.approx(shapely.union_all(found).area)


def test_what_does_not_cross_is_left_alone():
    square = [[[10.0, 0.0], [11.0, 0.0], [11.0, 1.0], [10.0, 0.0]]]
    assert [sorted(map(tuple, ring[:-1])) for (ring,) in cut_at_antimeridian([square])] == [[(10, 0), (11, 0), (11, 1)]]
