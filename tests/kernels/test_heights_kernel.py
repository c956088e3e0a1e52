"""Heights of objects: compiled and reference against loops over pixels, and worked examples."""

import itertools

import numpy as np
import pytest
from implementations import both, compiled

STEPS = 16
SHAPES = [(1, 1, 1), (1, 1, 9), (2, 9, 1), (1, 2, 2), (3, 7, 12), (2, 17, 40)]
VOLUMES = [((3, 7, 12), 3), ((12, 5, 33), 6), ((9, 1, 1), 9), ((4, 16, 16), 2)]


def problem(shape, *, missing=0.2):
    rng = np.random.default_rng(shape)
    heights, valid = rng.gamma(1, 20, shape).astype(np.float32), rng.random(shape) >= missing
    heights.flags.writeable = valid.flags.writeable = False
    return heights, valid


def means(picture):
    """Of 3 x 3 pixels, the last ones counted twice, in double precision."""
    wide = np.pad(picture.astype(np.float64), 1, mode="edge")
    rows, columns = picture.shape
    return sum(wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)) / 9


def half_of_run(line, within, i):
    first = last = i
    while first > 0 and within[first - 1]:
        first -= 1
    while last + 1 < len(line) and within[last + 1]:
        last += 1
    run = line[first : last + 1]
    wide, thin = (run**2).sum() / run.sum(), (run**3).sum() / (run**2).sum()
    share = min(max(2 - len(run) / 8, 0), 1)
    return float(((1 - share) * wide + share * thin) / 2)


def by_loops(heights, valid, border, depth=1):
    """Which pixels are of objects, whether they are above the half of theirs, and the highest half."""
    found = []
    for volume, known in zip(*(each.reshape(-1, depth, *each.shape[1:]) for each in (heights, valid)), strict=True):
        smooth = np.stack([means(picture) for picture in volume])
        within = known & (smooth > border)
        for place in zip(*np.nonzero(within), strict=True):
            runs = [(*place[:axis], slice(None), *place[axis + 1 :]) for axis in range(3)][depth == 1 :]
            axes = range(3)[depth == 1 :]
            half = max(half_of_run(smooth[r], within[r], place[axis]) for r, axis in zip(runs, axes, strict=True))
            found.append((float(volume[place]), smooth[place] > half, half))
    return found, max((half for *_, half in found), default=0.0)


@both
@pytest.mark.parametrize("border", [1e-3, 12.0, 20.0, 35.0, 300.0])
@pytest.mark.parametrize(("shape", "depth"), [*((shape, 1) for shape in SHAPES), *VOLUMES], ids=str)
def test_counts_are_those_of_loops_over_pixels(kernel, shape, depth, border):
    heights, valid = problem(shape)
    found, highest = by_loops(heights, valid, border, depth)
    expected = np.zeros((2, STEPS + 2), int)
    for height, above, _ in found if highest > border else ():
        place = (height - border) * STEPS / (highest - border)
        expected[int(above), int(np.clip(place, -1, STEPS) + 1)] += 1
    counts, top = kernel.half_counts(heights, valid, border, STEPS, depth)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)
    assert top == pytest.approx(highest, rel=1e-6)


@both
def test_a_plateau_is_above_its_half_and_its_ground_is_not_counted(kernel):
    picture = np.zeros((1, 9, 12), np.float32)
    picture[0, 2:7, 3:9] = 10
    counts, highest = kernel.half_counts(picture, np.ones(picture.shape, bool), 0.5, 4, 1)
    # Of the means around it, four fifths of the plateau's 5 rows are 10, the outer ones less.
    assert 4 < highest < 5
    assert counts.sum() == 7 * 8  # with a rim of one pixel, which the means put there
    assert counts[:, 0].sum() == 7 * 8 - 5 * 6  # it is 0 itself
    assert counts[1, -1] == 5 * 6


@both
@pytest.mark.parametrize(("radius", "power"), [(3, 2), (4, None), (6, None), (8, 1), (20, 1)])
def test_the_mean_of_a_thin_object_is_nearer_to_its_middle(kernel, radius, power):
    """Its pixels are counted by their square, those of a wide one by themselves."""
    slope = np.maximum(0, radius - np.abs(np.arange(2 * radius + 5) - radius - 2.0))
    spot = np.ascontiguousarray(np.outer(slope, slope)[None], np.float32)
    run = means(spot[0])[radius + 2]
    run = run[run > 0.5]
    by_itself, by_square = ((run ** (p + 1)).sum() / (run**p).sum() / 2 for p in (1, 2))
    _, highest = kernel.half_counts(spot, spot >= 0, 0.5, STEPS, 1)
    expected = {1: by_itself, 2: by_square, None: (2 - len(run) / 8) * by_square + (len(run) / 8 - 1) * by_itself}
    assert by_itself < 0.95 * by_square
    assert highest == pytest.approx(expected[power], rel=1e-6)


@both
def test_pictures_one_after_the_other_know_nothing_of_each_other(kernel):
    heights, valid = problem((3, 17, 40))
    whole, highest = kernel.half_counts(heights, valid, 20.0, STEPS, 1)
    tops = [kernel.half_counts(heights[[i]], valid[[i]], 20.0, STEPS, 1)[1] for i in range(3)]
    assert highest == max(tops)
    again, _ = kernel.half_counts(heights[[2, 0, 1]], valid[[2, 0, 1]], 20.0, STEPS, 1)
    np.testing.assert_array_equal(again, whole)


@both
def test_rows_and_columns_are_alike(kernel):
    heights, valid = problem((1, 13, 29))
    for border in (5.0, 20.0):
        counts, highest = kernel.half_counts(heights, valid, border, STEPS, 1)
        turned = [np.ascontiguousarray(each.transpose(0, 2, 1)) for each in (heights, valid)]
        other, top = kernel.half_counts(*turned, border, STEPS, 1)
        np.testing.assert_array_equal(other, counts)
        assert top == pytest.approx(highest, rel=1e-6)


@both
def test_where_there_is_no_object_nothing_is_counted(kernel):
    for shape, value in itertools.product([(1, 4, 5), (0, 4, 5)], (0.0, 3.0)):
        heights = np.full(shape, value, np.float32)
        counts, highest = kernel.half_counts(heights, np.full(shape, value == 0), 1.0, STEPS, 1)
        assert highest == 0
        assert not counts.any()


@both
def test_the_axes_of_a_volume_are_alike_but_for_the_means(kernel):
    """An object that is dim at its ends is as high as it is in its middle, whatever axis that is along."""
    volume = np.zeros((9, 9, 9), np.float32)
    volume[1:8, 2:7, 2:7] = np.array([1, 1, 8, 8, 8, 1, 1], np.float32)[:, None, None]
    known = np.ones(volume.shape, bool)
    _, flat = kernel.half_counts(volume[1:2], known[1:2], 0.1, STEPS, 1)
    counts, deep = kernel.half_counts(volume, known, 0.1, STEPS, 9)
    assert flat < 0.6
    assert 3 < deep < 4
    by_plane, _ = kernel.half_counts(volume, known, 0.1, STEPS, 1)
    assert by_plane[1].sum() == 7 * 5 * 5  # each plane has its own height
    assert counts[1].sum() == 3 * 5 * 5


@compiled
def test_what_does_not_fit_is_refused(kernel):
    heights = np.ones((1, 4, 5), np.float32)
    with pytest.raises(ValueError, match="differ in their shapes"):
        kernel.half_counts(heights, np.ones((1, 5, 4), bool), 1.0, STEPS, 1)
    for border, steps in ((-1.0, STEPS), (1.0, 0)):
        with pytest.raises(ValueError, match="below 0, or there is no step"):
            kernel.half_counts(heights, heights > 0, border, steps, 1)
    for depth in (0, 2):
        with pytest.raises(ValueError, match="not of volumes of this depth"):
            kernel.half_counts(heights, heights > 0, 1.0, STEPS, depth)
