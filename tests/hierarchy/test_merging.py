"""Trees of regions over pieces."""

import numpy as np

from gmmseg.hierarchy.merging import Merges, merge


def test_heights_between_pieces_are_those_of_the_merger_that_joins_them():
    merges = Merges(5, np.array([[0, 1], [2, 3], [5, 6]]), np.array([1.0, 2.0, 5.0]))  # 4 joins nothing
    a, b = np.array([0, 1, 2, 0, 3, 2, 4, 0]), np.array([1, 0, 3, 2, 1, 2, 4, 4])
    np.testing.assert_array_equal(merges.heights_between(a, b), [1, 1, 2, 5, 5, 0, 0, 5])


def test_heights_between_agree_with_the_levels_at_which_regions_are_one(rng):
    pieces = np.arange(36).reshape(6, 6).repeat(4, 0).repeat(4, 1)
    planes = rng.normal(0, 9, (2, pieces.size))
    merges = merge([pieces], planes, rng.random(pieces.shape), 1.0)
    assert len(merges.pairs) == 35
    a, b = rng.integers(0, 36, (2, 60))
    heights = merges.heights_between(a, b)
    for count in range(1, 36):
        together = (regions := merges.regions(count))[a] == regions[b]
        assert (heights[together] <= merges.heights[count - 1]).all()
        assert (heights[~together] >= merges.heights[count - 1]).all()
    assert (merges.heights_between(a, a) <= merges.heights[0]).all()


def test_other_starts_have_a_say():
    """Two starts that do not see the stronger edge outvote the one that does."""
    pieces = np.zeros((20, 30), np.int32)
    pieces[:, 10:], pieces[:, 20:] = 1, 2
    planes = np.zeros((1, pieces.size))
    edges = np.zeros(pieces.shape)
    edges[:, 9:11], edges[:, 19:21] = 6.0, 5.0
    wide = np.minimum(pieces, 1)  # does not tell the last two apart
    tall = np.where(pieces == 2, 1, 0).astype(np.int32)  # does not tell the first two apart
    assert set(merge([pieces], planes, edges, 1.0).pairs[0].tolist()) == {1, 2}
    assert set(merge([pieces, wide], planes, edges, 1.0).pairs[0].tolist()) == {1, 2}
    assert set(merge([pieces, tall, tall], planes, edges, 1.0).pairs[0].tolist()) == {0, 1}


def test_pieces_that_never_touch_stay_apart():
    pieces = np.array([[0, -1, 1], [0, -1, 1]], np.int32)
    merges = merge([pieces], np.zeros((1, 6)), np.zeros((2, 3)), 1.0)
    assert len(merges.pairs) == 0
    np.testing.assert_array_equal(merges.regions(0), [1, 2])
