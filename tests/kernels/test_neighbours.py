"""Sums over neighbours by whole-array shifts, against loops over voxels."""

import itertools

import numpy as np
import pytest

from gmmseg.kernels.neighbours import fading, overlap, support

OFFSETS = np.array([[0, 0, 1], [0, 1, -1], [1, 0, 0], [1, -1, 1]])


@pytest.mark.parametrize("offset", OFFSETS.tolist())
def test_overlap_pairs_each_voxel_with_its_neighbour(offset):
    numbers = np.arange(60).reshape(3, 4, 5)
    here, there = overlap(np.array(offset))
    pairs = set(zip(numbers[here].ravel().tolist(), numbers[there].ravel().tolist(), strict=True))
    expected = set()
    for place in itertools.product(range(3), range(4), range(5)):
        other = tuple(p + o for p, o in zip(place, offset, strict=True))
        if all(0 <= p < n for p, n in zip(other, numbers.shape, strict=True)):
            expected.add((int(numbers[place]), int(numbers[other])))
    assert pairs == expected


def test_fading_is_its_formula():
    guide = np.zeros((2, 1, 1, 4), np.float32)
    guide[0, 0, 0], guide[1, 0, 0] = [0, 1, 1, 9], [0, 0, 2, 2]
    found = fading(guide, np.array([1.0, 0.5], np.float32), np.array([0, 0, 1]))
    assert found.shape == (1, 1, 3)
    # D is 1 (a step of 1), 1 (half of a step of 2), and 64, beyond which nothing is left.
    np.testing.assert_allclose(found[0, 0], [(7 / 8) ** 8, (7 / 8) ** 8, 0], rtol=1e-6)
    assert (fading(guide * 0, np.ones(2, np.float32), np.array([0, 0, 1])) == 1).all()


def test_support_sums_both_ends_of_each_edge(rng):
    q = rng.random((2, 3, 4, 5))
    edges = [rng.random(q[0][overlap(offset)[0]].shape) for offset in OFFSETS]
    expected = np.zeros_like(q)
    for offset, edge in zip(OFFSETS, edges, strict=True):
        # Counted from the first voxel that has such a neighbour.
        first = np.maximum(0, -offset)
        for place in np.ndindex(edge.shape):
            one = tuple(np.array(place) + first)
            other = tuple(np.array(one) + offset)
            expected[:, *one] += edge[place] * q[:, *other]
            expected[:, *other] += edge[place] * q[:, *one]
    np.testing.assert_allclose(support(q, OFFSETS, edges), expected, rtol=1e-12)


def test_support_of_several_volumes_is_that_of_each(rng):
    q = rng.random((2, 6, 3, 4, 5))
    edges = [rng.random(q[0][overlap(offset)[0]].shape) for offset in OFFSETS]
    for number in range(6):
        own = support(q[:, number], OFFSETS, [edge[number] for edge in edges])
        np.testing.assert_array_equal(support(q, OFFSETS, edges)[:, number], own)
