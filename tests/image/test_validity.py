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


def test_an_image_is_one_line_to_look_at():
    photo = Image.from_array(np.zeros((300, 400, 3), np.uint8), name="photo.png")
    assert repr(photo) == "Image('photo.png', 400 x 300, 3 channels, uint8)"
    volume = Image.from_array(np.zeros((5, 6, 7), np.float32), channel_axis=None)
    assert repr(volume) == "Image('image', 5 x 6 x 7, 1 channel, float32)"
    long = repr(Image(np.zeros((4, 5, 255), np.uint16), name="folder\n/" * 40 + "scene.tif"))
    assert len(long) <= 120
    assert "\n" not in long
    assert "scene.tif', 5 x 4, 255 channels, uint16)" in long
