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


@pytest.mark.parametrize("at", [(), (1, 1), (4, 0, 0), (0, -1, 0)])
def test_voxels_that_are_none(at):
    with pytest.raises(ParameterError, match="is no voxel"):
        Cuts.of(volume()).laid(np.zeros((4, 5, 6)), at)
