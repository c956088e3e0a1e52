"""Which pixels count: alpha, masks and numbers that are none."""

import numpy as np
import pytest

from gmmseg.errors import DataWarning, ParameterError
from gmmseg.image import Image
from gmmseg.image.validity import combine, finite


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


def test_every_channel_or_any(recwarn):
    pixels = np.ones((2, 2, 2), np.float32)
    assert finite(pixels, every=True) is None
    pixels[0, 0, 1] = np.nan
    pixels[1, 1] = np.inf
    assert finite(pixels, every=True).tolist() == [[False, True], [True, False]]
    assert finite(pixels, every=False).tolist() == [[True, True], [True, False]]
    assert finite(np.zeros((2, 2, 1), np.uint8), every=True) is None
    assert not recwarn.list  # without a name


def test_numbers_beyond_float32_are_none():
    pixels = np.array([[[1e300], [3e38], [-1e39], [2.0]]])
    with pytest.warns(DataWarning, match="^scan: 1 pixels are NaN, infinite or beyond float32; their label is 0$"):
        valid = finite(pixels, every=True, name="scan", among=np.array([[True, True, False, True]]))
    assert valid.tolist() == [[False, True, False, True]]


def test_masks_combine_and_none_allows_all():
    some, other = np.array([True, False, True]), np.array([False, True, True])
    assert combine(None, None) is None
    assert combine(some, None).tolist() == combine(None, some).tolist() == some.tolist()
    assert combine(some, other).tolist() == [False, False, True]
    assert combine(np.ones(3, bool), np.ones(3, bool)) is None
    assert combine(None, np.ones(3, bool)) is None
