"""Image: what arrays are taken as, and which pixels count."""

import numpy as np
import pytest

from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.image import Image


@pytest.mark.parametrize(
    ("shape", "channel_axis", "spatial", "n_channels", "color"),
    [
        ((4, 5), "auto", (4, 5), 1, False),
        ((4, 5, 3), "auto", (4, 5), 3, True),
        ((4, 5, 4), "auto", (4, 5), 3, True),
        ((4, 5, 3), -1, (4, 5), 3, True),
        ((3, 4, 5), 0, (4, 5), 3, True),
        ((4, 5, 4), -1, (4, 5), 4, False),
        ((4, 5, 3), None, (4, 5, 3), 1, False),
        ((6, 4, 5), 0, (4, 5), 6, False),
        ((2, 4, 5, 7), 1, (2, 5, 7), 4, False),
        ((4, 5, 2), 2, (4, 5), 2, False),
        ((9,), None, (9,), 1, False),
        ((9, 2), 1, (9,), 2, False),
    ],
)
def test_axes(shape, channel_axis, spatial, n_channels, color):
    image = Image.from_array(np.full(shape, 7, np.uint8), channel_axis=channel_axis)
    assert image.pixels.shape == (*spatial, n_channels)
    assert (image.shape, image.ndim, image.n_channels) == (spatial, len(spatial), n_channels)
    assert image.n_pixels == np.prod(spatial)
    assert image.color is color
    assert image.valid is None


@pytest.mark.parametrize("shape", [(5,), (4, 5, 2), (4, 5, 6), (3, 4, 5), (2, 4, 5, 3)])
def test_ambiguous_axes_name_the_choices(shape):
    with pytest.raises(ParameterError, match=r"channel_axis=-1 .* channel_axis=None") as caught:
        Image.from_array(np.zeros(shape), name="thing")
    assert "thing" in str(caught.value)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), 2), ((4, 5), -3), ((4,), 0), ((), None), ((4, 5), "last"), ((4, 5), 1.5)]
)
def test_impossible_channel_axis(shape, axis):
    with pytest.raises(ParameterError):
        Image.from_array(np.zeros(shape), channel_axis=axis)


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


def test_float_colour_outside_the_unit_range():
    array = np.full((2, 2, 3), 200.0)
    with pytest.raises(ParameterError, match=r"divide by 255.*channel_axis=-1"):
        Image.from_array(array)
    bands = Image.from_array(array, channel_axis=-1)
    assert not bands.color
    assert Image.from_array(array / 255 + 1e-4, channel_axis=-1).color


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
    assert repr(photo) == "Image('photo.png', 300 x 400, 3 channels, uint8)"
    volume = Image.from_array(np.zeros((5, 6, 7), np.float32), channel_axis=None)
    assert repr(volume) == "Image('image', 5 x 6 x 7, 1 channel, float32)"
    long = repr(Image(np.zeros((4, 5, 255), np.uint16), name="folder\n/" * 40 + "scene.tif"))
    assert len(long) <= 120
    assert "\n" not in long
    assert "scene.tif', 4 x 5, 255 channels, uint16)" in long
