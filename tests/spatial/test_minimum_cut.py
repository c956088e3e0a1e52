"""The cut that costs least of all."""

import itertools

import numpy as np
import pytest

from gmmseg.spatial.minimum_cut import minimum_cut


def cost(side, odds, guide, strokes):
    """What a division costs, pixel by pixel and pair by pair, in hundredths of nats."""
    if (strokes == 1)[~side].any() or (strokes == 2)[side].any():
        return np.inf
    free = strokes == 0
    total = np.rint(100 * np.abs(odds))[free & (side != (odds > 0))].sum()
    steps = {(0, 1): 1.0, (1, 0): 1.0, (1, 1): np.sqrt(2), (1, -1): np.sqrt(2)}
    means, pairs = [], []
    for (down, right), length in steps.items():
        found = [
            ((guide[:, r, c] - guide[:, r + down, c + right]) ** 2, side[r, c] != side[r + down, c + right])
            for r in range(odds.shape[0] - down)
            for c in range(max(0, -right), odds.shape[1] - max(0, right))
        ]
        means.append(np.mean([apart.sum() for apart, _ in found]))
        pairs += [(apart.sum(), length) for apart, parted in found if parted]
    return total + sum(np.rint(500 / length * np.exp(-apart / (2 * np.mean(means)))) for apart, length in pairs)


@pytest.mark.parametrize("seed", range(6))
def test_no_division_costs_less(seed):
    rng = np.random.default_rng(seed)
    odds, guide = rng.normal(0, 4, (3, 4)), rng.normal(0, 1, (2, 3, 4))
    strokes = np.zeros((3, 4), np.uint8)
    strokes[0, 0], strokes[2, 3] = 1, 2
    found = minimum_cut(odds, guide, strokes)
    every = [np.reshape(each, (3, 4)) for each in itertools.product([False, True], repeat=12)]
    assert cost(found, odds, guide, strokes) == min(cost(each, odds, guide, strokes) for each in every)


@pytest.mark.parametrize("seed", range(4))
def test_on_either_side_of_a_division_that_is_held_pixels_decide_as_if_the_other_were_given(seed):
    rng = np.random.default_rng(seed)
    odds, guide = rng.normal(0, 4, (20, 30)), rng.normal(0, 1, (2, 20, 30))
    guide[:, 4, 6:20] = np.nan
    strokes = rng.choice(np.uint8([0, 1, 2]), (20, 30), p=[0.9, 0.05, 0.05])
    held = rng.random((20, 30)) < np.linspace(0, 1, 30)
    found = minimum_cut(odds, guide, strokes, held)
    for side, others in ((held, 2), (~held, 1)):
        alone = minimum_cut(odds, guide, np.where(side, strokes, others))
        np.testing.assert_array_equal(found[side], alone[side])
        assert 0 < alone[side].mean() < 1
    assert (found != minimum_cut(odds, guide, strokes)).any()


def test_an_edge_parts_what_colours_leave_open():
    guide = np.zeros((1, 20, 30))
    guide[:, :, 12:] = 10
    strokes = np.zeros((20, 30), np.uint8)
    strokes[8:12, 2:4], strokes[8:12, 25:27] = 1, 2
    found = minimum_cut(np.zeros((20, 30)), guide, strokes)
    np.testing.assert_array_equal(found, guide[0] == 0)


def test_a_far_region_goes_with_what_it_is_open_to():
    """Odds lean to the first side in a region that only the second side touches without an edge."""
    odds = np.full((30, 60), -2.0)
    odds[:, :15] = 2
    odds[5:25, 35:55] = 0.1
    guide = np.where(np.arange(60) < 15, 0.0, 5.0)[None, None].repeat(30, axis=1)
    found = minimum_cut(odds, guide, np.zeros((30, 60), np.uint8))
    np.testing.assert_array_equal(found, (np.arange(60) < 15)[None].repeat(30, axis=0))


def test_strokes_hold_against_the_odds_and_pictures_may_be_lines():
    strokes = np.uint8([[2, 0, 0, 1]])
    odds = np.float32([[19, -19, 19, -19]])
    wanted = [[False, False, True, True]]
    for turn in (np.asarray, np.transpose):
        found = minimum_cut(turn(odds), np.float32(turn(odds))[None], turn(strokes))
        np.testing.assert_array_equal(found, turn(np.array(wanted)))
    assert minimum_cut(np.ones((1, 1)), np.ones((3, 1, 1)), np.zeros((1, 1), np.uint8)).all()


def test_pixels_without_data_are_nobodys_neighbours():
    """Regions on the two sides of a gap hear nothing of one another, and what lies in it sets no usual difference."""
    guide = np.zeros((1, 12, 30))
    guide[:, :, 10:20] = np.nan
    odds = np.where(np.arange(30) < 10, 1.0, -0.1)[None].repeat(12, axis=0)
    odds[:, 10:20] = 0
    strokes = np.zeros((12, 30), np.uint8)
    strokes[4:8, 2] = 1
    found = minimum_cut(odds, guide, strokes)
    np.testing.assert_array_equal(found, (np.arange(30) < 10)[None].repeat(12, axis=0))
    noisy = np.random.default_rng(0).normal(0, 1, (2, 12, 30))
    wide = np.concatenate([noisy, np.full((2, 40, 30), np.nan)], axis=1)
    odds, strokes = np.random.default_rng(1).normal(0, 3, (12, 30)), np.zeros((12, 30), np.uint8)
    alone = minimum_cut(odds, noisy, strokes)
    beside = minimum_cut(np.pad(odds, ((0, 40), (0, 0))), wide, np.pad(strokes, ((0, 40), (0, 0))))
    np.testing.assert_array_equal(beside, np.pad(alone, ((0, 40), (0, 0))))
