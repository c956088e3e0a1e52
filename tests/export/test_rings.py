"""Rings: valid by Shapely, oriented, fitting together, and with nothing superfluous."""

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from label_maps import CRAFTED

from gmmseg.export import find_instances
from gmmseg.export.rings import bridged_rings, pixel_rings

SMALL = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))
KINDS = st.sampled_from(["component", "class"])


def shapes_of(rings):
    offsets = (rings.rings, rings.polygons)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, rings.points.astype(float), offsets)


@pytest.mark.slow
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


@pytest.mark.slow
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
