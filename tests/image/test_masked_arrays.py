"""Masked arrays: what is hidden is missing."""

import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.masked_arrays import hidden_numbers


def test_pixels_of_one_channel_and_of_colour_are_missing_as_a_whole():
    grey = np.arange(12).reshape(3, 4)
    image = Image.from_array(np.ma.masked_equal(grey, 5))
    np.testing.assert_array_equal(image.valid, grey != 5)
    color = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    image = Image.from_array(np.ma.masked_equal(color, 7))
    np.testing.assert_array_equal(image.valid, ~(color == 7).any(axis=-1))
    assert image.color
    assert image.array.dtype == np.uint8


@pytest.mark.parametrize(("dtype", "kept"), [(np.uint8, np.float32), (np.int32, np.float64), (np.float32, np.float32)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_single_bands_are_missing_one_by_one(dtype, kept, axis):
    bands = np.arange(2 * 3 * 4, dtype=dtype).reshape(3, 4, 2)
    hidden = bands == 6
    hidden[2, 3] = True
    array = np.ma.MaskedArray(np.moveaxis(bands, -1, axis), np.moveaxis(hidden, -1, axis))
    image = Image.from_array(array, channel_axis=axis)
    assert image.array.dtype == kept
    np.testing.assert_array_equal(image.array, np.where(hidden, np.nan, bands))
    assert not image.valid[2, 3]
    assert image.valid.sum() == 11


def test_what_is_hidden_decides_nothing():
    color = np.ma.masked_less(np.array([[[1, 2, 3], [-9999, -9999, -9999]]]), 0)
    image = Image.from_array(color)
    assert image.array.dtype == np.uint8
    np.testing.assert_array_equal(image.valid, [[True, False]])
    alpha = np.ma.masked_greater(np.array([[[1, 2, 3, 255], [4, 5, 6, 900]]]), 255)
    np.testing.assert_array_equal(Image.from_array(alpha).valid, [[True, False]])
    assert color.data[0, 1, 0] == -9999  # the caller's array is as it was


def test_a_mask_that_hides_nothing():
    array = np.ma.MaskedArray(np.arange(6).reshape(2, 3))
    assert hidden_numbers(array) is None
    assert Image.from_array(array).valid is None


def test_slices_of_a_volume():
    volume = np.ma.masked_less(np.arange(24.0).reshape(2, 3, 4), 3)
    assert Image.from_array(volume, channel_axis=None).valid.sum() == 21
