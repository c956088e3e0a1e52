"""Objects that touch."""

import numpy as np
import pytest

from gmmseg.measuring.splitting import compact, split, typical


def test_the_typical_object_is_the_one_of_the_median_pixel():
    sizes = np.array([1] * 50 + [100, 110, 120, 200])
    assert typical(sizes) == 120
    assert typical(np.array([2.0, 5.0]), np.array([1, 9])) == 5


@pytest.mark.parametrize("gap", [18, 22, 26])
def test_two_discs_are_cut_at_their_neck(gap):
    y, x = np.mgrid[:50, :90]
    left, right = ((x - 45 - side * gap / 2) ** 2 + (y - 25) ** 2 < 14**2 for side in (-1, 1))
    found = split(left | right, (1.0, 1.0))
    assert found.max() == 2
    assert abs(np.argmax(found[25] == found[25].max()) - 45) <= 2
    assert (np.bincount(found[left | right])[1:] > 0.45 * (left | right).sum()).all()


def test_a_ragged_outline_is_no_neck():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:100, :100]
    ragged = np.hypot(x - 50, y - 50) < 35 + rng.normal(0, 1.5, (100, 100))
    found = split(ragged, (1.0, 1.0))
    assert (found[np.hypot(x - 50, y - 50) < 30] == found[50, 50]).all()


def test_nothing_of_the_mask_is_lost():
    mask = np.random.default_rng(1).random((60, 70)) < 0.5
    mask[20:50, 20:50] = True
    np.testing.assert_array_equal(split(mask, (1.0, 1.0)) > 0, mask)
    assert not split(np.zeros((4, 5), bool), (1.0, 1.0)).any()


def test_numbers_follow_the_first_pixels():
    numbers = np.array([[0, 7, 7], [2, 0, 5]])
    kept = np.ones(8, bool)
    np.testing.assert_array_equal(compact(numbers, kept), [[0, 1, 1], [2, 0, 3]])
    kept[2] = False
    np.testing.assert_array_equal(compact(numbers, kept), [[0, 1, 1], [0, 0, 2]])
