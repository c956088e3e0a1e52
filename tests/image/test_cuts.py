"""Three cuts through a volume, side by side."""

import numpy as np
import pytest

from gmmseg import ParameterError
from gmmseg.image import Image
from gmmseg.image.cuts import Cuts
from gmmseg.image.place import Place

RAS = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 2, 0), (0, 0, 0, 1))


def volume(shape=(4, 5, 6), spacing=(1.0, 1.0, 2.0), place=None):
    return Image(np.zeros((*shape, 1), np.float32), False, spacing=spacing, place=place)


def test_axes_are_as_long_as_in_space():
    cuts = Cuts.of(volume())
    assert (cuts.sizes, cuts.order, cuts.flipped) == ((4, 5, 12), (0, 1, 2), (False, False, False))
    assert cuts.page == (5 + 4 + 4, 12 + 4 + 4)


def test_long_axes_are_drawn_smaller():
    assert Cuts.of(volume((2, 3, 4000), (1.0, 1.0, 1.0))).sizes == (1, 1, 1024)


def test_patients_stand_upright():
    cuts = Cuts.of(volume(place=Place(affine3d=RAS)))
    assert (cuts.order, cuts.flipped) == ((2, 1, 0), (False, True, True))
    values = np.zeros((4, 5, 6))
    values[:, :, 5] = 1  # the top of the head
    below = cuts.laid(values, (0, 0, 0))[5 + 4 :, :4]
    assert below[:2].all()
    assert not below[2:].any()


def test_cuts_are_those_through_the_voxel():
    values = np.arange(1, 4 * 5 * 6 + 1).reshape(4, 5, 6)
    page = Cuts((4, 5, 6), (4, 5, 6), (0, 1, 2), (False, False, False)).laid(values, (1, 2, 3))
    np.testing.assert_array_equal(page[:5, :6], values[1])
    np.testing.assert_array_equal(page[:5, 10:], values[:, :, 3].T)
    np.testing.assert_array_equal(page[9:, :6], values[:, 2])
    assert not page[5:9].any()
    assert not page[9:, 6:].any()


def test_a_coarser_grid_is_laid_on_the_same_page():
    values = np.zeros((2, 2, 3), np.uint8)
    values[1] = 1
    page = Cuts((4, 4, 6), (4, 4, 6), (0, 1, 2), (False, False, False)).laid(values, (2, 0, 0))
    assert page[:4, :6].all()
    np.testing.assert_array_equal(page[8:, 0], [0, 0, 1, 1])


@pytest.mark.parametrize("place", [None, Place(affine3d=RAS)])
def test_the_volume_lies_as_its_cuts_do(place):
    cuts, at = Cuts.of(volume(spacing=(1.0, 1.0, 1.0), place=place)), (3, 1, 4)
    values = np.arange(1, 4 * 5 * 6 + 1).reshape(4, 5, 6)
    whole, page = cuts.whole(values, 256), cuts.laid(values, at)
    into, (rows, columns) = cuts.order[0], (slice(cuts.sizes[axis]) for axis in cuts.order[1:])
    k, j, i = (cuts.sizes[axis] - 1 - at[axis] if cuts.flipped[axis] else at[axis] for axis in cuts.order)
    np.testing.assert_array_equal(whole[k], page[rows, columns])
    np.testing.assert_array_equal(whole[:, :, i].T, page[rows, -cuts.sizes[into] :])
    np.testing.assert_array_equal(whole[:, j], page[-cuts.sizes[into] :, columns])
    assert cuts.whole(values, 3).shape == (3, 3, 3)
    assert cuts.described()["letters"] == (None if place is None else ["SI", "AP", "LR"])


def test_letters_are_those_of_the_patient():
    turned = ((0, 0, -2, 9), (1, 0, 0, 0), (0, -1, 0, 0), (0, 0, 0, 1))  # to the front, to the feet, to the left
    values = np.indices((4, 5, 6))
    whole = [Cuts.of(volume(place=Place(affine3d=turned))).whole(each, 256) for each in values]
    front, feet, left = (each for each in whole)
    assert (np.diff(feet, axis=0) == 1).all()  # S to I
    assert (np.diff(front, axis=1) == -1).all()  # A to P
    assert (np.diff(left, axis=2) == -1).all()  # L to R


def marked(cuts, shape, at, *, area=(), line=()):
    """The voxels that are marked where rows and columns of the page are drawn, the first in a cut."""
    drawn = np.zeros((2, *cuts.page))
    for page, places in zip(drawn, (area, line), strict=True):
        for row, column in places:
            page[row, column] = 1
    (row, column), *_ = [*area, *line]
    values = np.zeros(shape, np.uint8)
    cuts.mark(values, at, (column + 0.5, row + 0.5), tuple(drawn), 9)
    return [tuple(map(int, each)) for each in np.argwhere(values == 9)]


@pytest.mark.parametrize("place", [None, Place(affine3d=RAS)])
def test_what_is_drawn_marks_the_voxels_that_are_seen_there(place):
    cuts, at = Cuts.of(volume(place=place)), (3, 1, 4)
    indices = np.moveaxis(np.indices((4, 5, 6)), 0, -1) + 1
    laid = cuts.laid(indices, at)
    rows, columns = np.nonzero(laid[..., 0])
    assert len(rows) == sum(cuts.sizes[a] * cuts.sizes[b] for a, b in ((0, 1), (0, 2), (1, 2)))
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        seen = [tuple((laid[row, column] - 1).tolist())]
        assert marked(cuts, (4, 5, 6), at, line=[(row, column)]) == seen


def test_an_area_marks_voxels_whose_middle_is_in_it():
    cuts = Cuts((4, 5, 6), (4, 5, 18), (0, 1, 2), (False, False, True))  # a voxel is 3 pixels long, the last one left
    assert marked(cuts, (4, 5, 6), (2, 0, 0), area=[(0, each) for each in range(6)]) == [(2, 0, 4), (2, 0, 5)]
    assert marked(cuts, (4, 5, 6), (2, 0, 0), area=[(0, each) for each in range(1, 5)]) == [(2, 0, 4), (2, 0, 5)]
    assert marked(cuts, (4, 5, 6), (2, 0, 0), area=[(0, 0), (0, 2)]) == []


def test_no_voxel_is_left_out_where_the_page_has_fewer_pixels():
    cuts = Cuts((2, 3, 8), (1, 1, 4), (0, 1, 2), (False, False, False))
    area = [(0, each) for each in range(4)]
    assert marked(cuts, (2, 3, 8), (1, 0, 0), area=area) == [(1, y, z) for y in range(3) for z in range(8)]


def test_marks_stay_in_the_cut_in_which_they_begin():
    cuts = Cuts((4, 5, 6), (4, 5, 6), (0, 1, 2), (False, False, False))
    drawn = [(4, 5), (4, 10), (9, 5)]  # one place in each cut
    assert marked(cuts, (4, 5, 6), (1, 2, 3), area=drawn) == [(1, 4, 5)]
    assert marked(cuts, (4, 5, 6), (1, 2, 3), area=drawn[1:]) == [(0, 4, 3)]
    assert marked(cuts, (4, 5, 6), (1, 2, 3), area=drawn[2:]) == [(0, 2, 5)]


def test_marks_lie_on_the_same_things_on_a_coarser_grid():
    cuts = Cuts((4, 4, 6), (4, 4, 6), (0, 1, 2), (False, False, False))
    assert marked(cuts, (2, 2, 3), (3, 0, 0), area=[(1, 3)], line=[(2, 0)]) == [(1, 0, 1), (1, 1, 0)]


def test_outside_of_the_cuts_nothing_is_marked():
    with pytest.raises(ParameterError, match="none of the three cuts"):
        marked(Cuts.of(volume()), (4, 5, 6), (0, 0, 0), area=[(6, 0)])


@pytest.mark.parametrize("at", [(), (1, 1), (4, 0, 0), (0, -1, 0)])
def test_voxels_that_are_none(at):
    with pytest.raises(ParameterError, match="is no voxel"):
        Cuts.of(volume()).laid(np.zeros((4, 5, 6)), at)
