"""Image: what arrays are taken as."""

import numpy as np
import pytest

from gmmseg.errors import InputError
from gmmseg.image import Image


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (bool, np.uint8),
        (np.uint8, np.uint8),
        (np.int16, np.int16),
        (np.uint64, np.uint64),
        (np.int64, np.int64),
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.longdouble, np.float64),
        (">u2", np.dtype("u2")),
        (">f4", np.dtype("f4")),
    ],
)
def test_dtypes(given, stored):
    array = np.array([[0, 1], [1, 0]]).astype(given)
    image = Image.from_array(array)
    assert image.pixels.dtype == stored
    assert image.pixels.dtype.isnative
    np.testing.assert_array_equal(image.array[..., 0], [[0, 1], [1, 0]])


@pytest.mark.parametrize("array", [np.zeros((2, 2), complex), np.array([["a"]]), np.array([[None]]), np.zeros((0, 3))])
def test_unusable_arrays(array):
    with pytest.raises(InputError):
        Image.from_array(array)


def test_ragged_lists():
    with pytest.raises(InputError, match="rectangular"):
        Image.from_array([[1, 2], [3]])


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float64])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_shares_memory_and_takes_read_only(shape, dtype):
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    assert np.shares_memory(Image.from_array(array).array, array)


def test_booleans_with_odd_bytes_are_zero_and_one():
    odd = np.array([[0, 255], [255, 1]], np.uint8).view(bool)
    assert Image.from_array(odd).array[..., 0].tolist() == [[0, 1], [1, 1]]


def test_takes_anything_with_array():
    class Holder:
        def __array__(self, dtype=None, copy=None):
            return np.arange(6).reshape(2, 3)

    np.testing.assert_array_equal(Image.from_array(Holder()).array[..., 0], [[0, 1, 2], [3, 4, 5]])


def test_an_image_is_one_line_to_look_at():
    photo = Image.from_array(np.zeros((300, 400, 3), np.uint8), name="photo.png")
    assert repr(photo) == "Image('photo.png', 300 x 400, 3 channels, uint8)"
    volume = Image.from_array(np.zeros((5, 6, 7), np.float32), channel_axis=None)
    assert repr(volume) == "Image('image', 5 x 6 x 7, 1 channel, float32)"
    long = repr(Image(np.zeros((4, 5, 255), np.uint16), name="folder\n/" * 40 + "scene.tif"))
    assert len(long) <= 120
    assert "\n" not in long
    assert "scene.tif', 4 x 5, 255 channels, uint16)" in long
