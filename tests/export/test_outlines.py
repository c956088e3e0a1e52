"""Outlines: valid by Shapely, of the same pixels, oriented, and with nothing superfluous."""

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_maps import CRAFTED, smooth_labels

from gmmseg.errors import ParameterError
from gmmseg.export import find_instances, to_polygons
from gmmseg.export.rings import bridged_rings, pixel_rings

SMALL = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))
KINDS = st.sampled_from(["component", "class"])


def shapes_of(rings):
    offsets = (rings.rings, rings.polygons)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, rings.points.astype(float), offsets)


def pixels_of(shape, size):
    """The pixels whose centres are in a shape, which no exact outline runs through."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return shapely.contains_xy(shape, columns + 0.5, rows + 0.5)


@settings(deadline=None)
@given(SMALL, KINDS)
@example(CRAFTED, "component")
@example(CRAFTED, "class")
@example(np.zeros((2, 3), np.uint8), "component")
def test_polygons_are_the_regions(labels, kind):
    found = find_instances(labels, instances=kind)
    polygons = to_polygons(found)
    seen = np.zeros_like(labels)
    for each in polygons:
        assert each.name == f"class {each.label}"
        shape = shapely.Polygon(each.exterior, each.holes)
        assert shape.is_valid
        assert shapely.is_ccw(shape.exterior)
        assert not any(shapely.is_ccw(hole) for hole in shape.interiors)
        inside = pixels_of(shape, labels.shape)
        assert inside.sum() == shape.area
        assert len(np.unique(found.parts[inside])) == 1
        assert not seen[inside].any()
        seen[inside] = each.label
    np.testing.assert_array_equal(seen, labels)
    assert len(polygons) == found.parts.max()


@settings(deadline=None)
@given(SMALL)
@example(CRAFTED)
def test_corners_only_and_rings_that_never_meet_themselves(labels):
    for each in to_polygons(find_instances(labels)):
        for ring in (each.exterior, *each.holes):
            steps = np.diff(ring, axis=0)
            assert (ring[0] == ring[-1]).all()
            assert len(np.unique(ring[:-1], axis=0)) == len(ring) - 1
            assert ((steps == 0).sum(axis=1) == 1).all()
            turned = np.vstack([steps, steps[:1]]) == 0
            assert (turned[1:] != turned[:-1]).all()


@settings(deadline=None)
@given(SMALL)
@example(CRAFTED)
def test_with_nodes_neighbours_share_every_point(labels):
    rings = pixel_rings(find_instances(labels), nodes=True)
    shapes = shapes_of(rings)
    assert shapely.coverage_is_valid(shapes)
    assert shapely.equals(shapes, shapes_of(pixel_rings(find_instances(labels)))).all()
    divided = rings.divided(2)
    assert shapely.coverage_is_valid(shapes_of(divided))
    assert shapely.equals(shapes, shapes_of(divided)).all()
    within = np.delete(np.abs(np.diff(divided.points, axis=0)).sum(axis=1), divided.rings[1:-1] - 1)
    assert within.max(initial=1) <= 2


@settings(deadline=None)
@given(SMALL, KINDS)
@example(CRAFTED, "component")
def test_bridges_join_all_holes_within_the_region(labels, kind):
    found = find_instances(labels, instances=kind)
    rings = bridged_rings(found)
    exact = shapes_of(pixel_rings(found))
    assert rings.n_holes == 0
    assert len(rings.polygons) == len(exact) + 1
    for shape, start, stop in zip(exact, rings.rings[:-1], rings.rings[1:], strict=True):
        line = shapely.LineString(rings.points[start:stop])
        assert shape.covers(line)
        assert line.length == pytest.approx(shape.length + 2 * cuts_length(shape, line))
        assert shapely.Polygon(rings.points[start:stop]).area == shape.area


def cuts_length(shape, line):
    return shapely.difference(shapely.node(line), shape.boundary).length


def test_affine_transforms_keep_exteriors_counter_clockwise(labels):
    rings = pixel_rings(find_instances(labels))
    for transform in [(2.0, 0.5, 10.0, 0.25, -3.0, 20.0), (2.0, 0.0, 1.0, 0.0, 3.0, 2.0)]:
        shapes = shapes_of(rings.transformed(transform))
        assert shapely.is_valid(shapes).all()
        assert shapely.is_ccw(shapely.get_exterior_ring(shapes)).all()
        a, b, c, d, e, f = transform
        expected = shapely.transform(shapes_of(rings), lambda p: p @ np.array([[a, d], [b, e]]) + (c, f))  # noqa: B023
        assert shapely.equals(shapes, expected).all()


def test_simplified_outlines_still_fit_together():
    labels = smooth_labels((120, 150), 4, sigma=4)
    found = find_instances(labels)
    simple = to_polygons(found, simplify=2.0)
    shapes = np.array([shapely.Polygon(each.exterior, each.holes) for each in simple])
    assert shapely.is_valid(shapes).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(shapes)).all()
    assert shapely.coverage_is_valid(shapes)
    exact = to_polygons(found)
    assert [each.label for each in simple] == [each.label for each in exact]
    assert sum(len(each.exterior) for each in simple) < 0.4 * sum(len(each.exterior) for each in exact)
    back = np.zeros_like(labels)
    for each, shape in zip(simple, shapes, strict=True):
        back[pixels_of(shape, labels.shape)] = each.label
    assert 0.9 < (back == labels).mean() < 1


@pytest.mark.parametrize("tolerance", [0, -1, np.nan, np.inf])
def test_tolerances_are_checked(labels, tolerance):
    with pytest.raises(ParameterError, match="simplify="):
        to_polygons(find_instances(labels), simplify=tolerance)
