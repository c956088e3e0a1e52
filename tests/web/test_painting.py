"""Strokes in pixels."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.image import Image
from gmmseg.image.cuts import Cuts
from gmmseg.image.place import Place
from gmmseg.web.painting import painted


def stroke(label, size, *points):
    return {"class": label, "size": size, "points": [list(each) for each in points]}


def test_a_dot_is_as_large_as_the_brush_to_a_pixel():
    dot = painted([stroke(3, 9, (20.5, 10.5))], (30, 40))
    rows, columns = np.nonzero(dot)
    assert set(np.unique(dot)) == {0, 3}
    found = np.array([rows.min(), rows.max(), columns.min(), columns.max()])
    assert np.abs(found - [6, 14, 16, 24]).max() <= 1


def test_later_strokes_lie_above_and_0_erases():
    line = stroke(1, 5, (0, 10), (40, 10))
    over = painted([line, stroke(2, 5, (20, 0), (20, 20)), stroke(0, 7, (5, 10), (10, 10))], (20, 40))
    assert (over[10, 20], over[10, 30], over[10, 7]) == (2, 1, 0)


def test_on_a_smaller_copy_strokes_lie_on_the_same_things():
    strokes = [stroke(1, 12, (100, 40), (300, 160)), stroke(2, 1, (10, 10))]
    whole, small = painted(strokes, (200, 400)), painted(strokes, (50, 100), (200, 400))
    assert np.mean(small == whole[2::4, 2::4]) > 0.96
    assert (small == 2).any()


def test_points_outside_are_cut_off():
    assert painted([stroke(1, 3, (-50, 5), (-40, 5))], (10, 10)).sum() == 0
    assert painted([stroke(1, 3, (-50, 5), (1e6, 5))], (10, 10))[5].all()


RAS = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 3, 0), (0, 0, 0, 1))


@pytest.fixture
def cuts():
    """Of a patient, 30 x 20 x 10 voxels of 1 x 1 x 3 mm: the first cut is seen from above, with the front above."""
    return Cuts.of(Image(np.zeros((30, 20, 10, 1)), False, spacing=(1.0, 1.0, 3.0), place=Place(affine3d=RAS)))


def test_a_stroke_on_a_volume_is_as_wide_in_all_three_cuts(cuts):
    at, shape = [12, 8, 4], (30, 20, 10)
    across, down, into = 30, 20, 30
    drawn = {
        "xy": stroke(1, 9, (15.5, 10.5)),
        "zy": stroke(1, 9, (across + 4 + 14.5, 10.5)),
        "xz": stroke(1, 9, (15.5, down + 4 + 14.5)),
    }
    assert cuts.page == (down + 4 + into, across + 4 + into)
    found = {name: np.nonzero(painted([{**each, "at": at}], shape, cuts)) for name, each in drawn.items()}
    for name, (x, y, z) in found.items():
        for axis, places, own, length in (("x", x, 12, 9), ("y", y, 8, 9), ("z", z, 4, 3)):
            assert len(np.unique(places)) == (length if axis in name else 1)
            assert axis in name or places[0] == own
    assert sorted(np.unique(found["xy"][1])) == [*range(5, 14)]  # row 10 from the front is 9 from the back
    assert 55 <= len(found["xy"][0]) <= 72  # a disc of 9 across has 64
    assert 16 <= len(found["zy"][0]) <= 27


@pytest.mark.parametrize("y", [10.5, 10.6, 10.9, 11])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_lines_on_a_volume_are_as_wide_as_the_brush(cuts, size, y):
    line = {**stroke(1, size, (5, y), (12.3, y), (25, y)), "at": [0, 0, 4]}
    column = painted([line], (30, 20, 10), cuts)[15, :, 4]
    assert abs(int(column.sum()) - size) <= (size % 2 == 0 or y == 11)


def test_thin_strokes_on_a_volume_have_no_gaps_where_voxels_are_long(cuts):
    line = {**stroke(2, 1, (30 + 4 + 1.5, 5.2), (30 + 4 + 28.5, 8.7)), "at": [12, 8, 4]}
    labels = painted([line], (30, 20, 10), cuts)
    assert (labels[12] == 2).any(axis=0).all()
    assert not labels[np.arange(30) != 12].any()


def test_strokes_on_a_volume_are_erased_where_they_are_seen(cuts):
    line = {**stroke(1, 3, (5, 10), (25, 10)), "at": [0, 0, 4]}
    before = painted([line], (30, 20, 10), cuts)
    elsewhere = painted([line, {**stroke(0, 9, (15, 10)), "at": [0, 0, 5]}], (30, 20, 10), cuts)
    np.testing.assert_array_equal(elsewhere, before)
    after = painted([line, {**stroke(0, 9, (15, 10)), "at": [0, 0, 4]}], (30, 20, 10), cuts)
    assert (before[15].any(), after[15].any(), after[5].any()) == (True, False, True)


def test_strokes_that_begin_outside_of_the_cuts_are_refused(cuts):
    with pytest.raises(ParameterError, match="points=-900,-800 lie in none"):
        painted([{**stroke(1, 3, (-900, -800)), "at": [0, 0, 4]}], (30, 20, 10), cuts)


def test_a_stroke_is_of_a_volume_or_of_a_picture(cuts):
    with pytest.raises(ParameterError, match="at=None of a stroke is not usable"):
        painted([stroke(1, 3, (5, 10))], (30, 20, 10), cuts)
    with pytest.raises(ParameterError, match=r"at=\[1, 2, 3\] of a stroke is not usable"):
        painted([{**stroke(1, 3, (5, 10)), "at": [1, 2, 3]}], (30, 20))
