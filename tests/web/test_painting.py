"""Strokes in pixels."""

import numpy as np

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
