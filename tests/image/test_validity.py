"""Which pixels count: alpha, masks and numbers that are none."""

import numpy as np
import pytest

from gmmseg.errors import DataWarning, ParameterError
from gmmseg.image import Image


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_alpha_zero_is_no_data(dtype):
    array = np.ones((2, 2, 4), dtype)
    array[0, 1, 3] = 0
    image = Image.from_array(array)
    assert image.valid.tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 2])
def test_not_finite_in_any_channel_is_no_data(bad, channel):
    array = np.full((2, 3, 3), 0.5)
    array[1, 2, channel] = bad
    with pytest.warns(DataWarning, match="image: 1 pixels are NaN, infinite"):
        image = Image.from_array(array)
    assert image.color
    assert not image.valid[1, 2]
    assert image.valid.sum() == 5


def test_mask_combines_with_alpha():
    array = np.ones((2, 2, 4), np.uint8)
    array[0, 0, 3] = 0
    image = Image.from_array(array, mask=[[1, 0], [7, 1]])
    assert image.valid.tolist() == [[False, False], [True, True]]
    again = image.with_mask(np.array([[True, True], [False, True]]))
    assert again.valid.tolist() == [[False, False], [False, True]]
    assert image.valid.sum() == 2
    assert again.array is image.array


def test_full_mask_leaves_valid_none():
    assert Image.from_array(np.zeros((2, 2)), mask=np.ones((2, 2), np.uint8)).valid is None


def test_wrong_masks():
    image = Image.from_array(np.zeros((2, 3)), name="scan")
    with pytest.raises(ParameterError, match=r"\(3, 2\).*scan.*\(2, 3\)"):
        image.with_mask(np.ones((3, 2), bool))
    with pytest.raises(ParameterError, match="float64"):
        image.with_mask(np.ones((2, 3)))
