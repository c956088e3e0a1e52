"""Outlines along the edges of pixels: straight segments that follow one another, with the region on the right."""

import numpy as np
import pytest
from label_maps import CRAFTED
from scipy import ndimage

from gmmseg.export.outlines import ring_order, ring_roots, trace


def rings_of(parts, **options):
    """Corners (x, y) of each ring, in order, and the region that each belongs to."""
    segments = trace(parts, **options)
    ring, roots = ring_roots(segments.following)
    order = ring_order(segments.following, roots)
    found = {}
    for segment in order.tolist():
        found.setdefault(int(ring[segment]), []).append(segment)
    return [
        ([(int(segments.x[s]), int(segments.y[s])) for s in members], int(segments.part[members[0]]))
        for members in found.values()
    ]


def twice_area(corners):
    x, y = np.array(corners).T
    return int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def components(labels):
    parts, count = np.zeros(labels.shape, np.int32), 0
    for label in np.unique(labels[labels > 0]):
        own, number = ndimage.label(labels == label)
        parts[own > 0] = own[own > 0] + count
        count += number
    return parts


def test_a_rectangle_has_four_corners_clockwise():
    parts = np.zeros((4, 6), np.uint8)
    parts[1:3, 2:5] = 1
    ((corners, part),) = rings_of(parts)
    assert part == 1
    start = corners.index((2, 1))
    assert corners[start:] + corners[:start] == [(2, 1), (5, 1), (5, 3), (2, 3)]


def test_a_hole_is_a_ring_of_its_own_the_other_way_round():
    parts = np.ones((3, 3), np.uint8)
    parts[1, 1] = 0
    outer, hole = sorted(rings_of(parts), key=lambda ring: -twice_area(ring[0]))
    assert twice_area(outer[0]) == 18
    assert twice_area(hole[0]) == -2
    assert {part for _, part in (outer, hole)} == {1}


def test_areas_of_the_rings_of_a_region_are_its_pixels():
    parts = components(CRAFTED)
    areas = np.zeros(parts.max() + 1)
    for corners, part in rings_of(parts):
        areas[part] += twice_area(corners) / 2
    np.testing.assert_array_equal(areas[1:], np.bincount(parts.ravel())[1:])


@pytest.mark.parametrize("nodes", [False, True])
def test_each_segment_starts_where_the_one_before_it_ends_and_no_ring_meets_itself(nodes):
    for corners, _ in rings_of(components(CRAFTED), nodes=nodes):
        assert len(set(corners)) == len(corners)
        steps = np.diff(np.array([*corners, corners[0]]), axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all()  # along an edge of pixels


def test_with_nodes_a_segment_also_ends_where_the_other_side_changes():
    parts = np.array([[1, 1, 1, 1], [2, 2, 3, 3]])
    plain, noded = ({part: corners for corners, part in rings_of(parts, nodes=each)} for each in (False, True))
    assert set(noded[1]) - set(plain[1]) == {(2, 1)}
    assert set(plain[1]) == {(0, 0), (4, 0), (4, 1), (0, 1)}


def test_bounds_part_the_segments_by_direction():
    segments = trace(np.ones((2, 3), np.uint8))
    assert segments.bounds == (0, 1, 2, 3, 4)
    east, south, west, north = zip(segments.x.tolist(), segments.y.tolist(), strict=True)
    assert (east, south, west, north) == ((0, 0), (3, 0), (3, 2), (0, 2))
    assert segments.following.tolist() == [1, 2, 3, 0]


def test_no_region_has_no_outline():
    segments = trace(np.zeros((3, 4), np.uint8))
    assert segments.x.size == 0
    ring, roots = ring_roots(segments.following)
    assert (ring.size, roots.size, ring_order(segments.following, roots).size) == (0, 0, 0)
