"""Axes of arrays: which are spatial, and which holds the channels."""

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
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


def test_what_is_no_real_number_says_what_makes_it_one():
    with pytest.raises(InputError, match=r"complex64, expected real numbers; take their magnitude, numpy\.abs"):
        Image.from_array(np.ones((4, 5), np.complex64))
    with pytest.raises(InputError, match="image is None; check the path"):
        Image.from_array(None)


def test_float_colour_outside_the_unit_range():
    array = np.full((2, 2, 3), 200.0)
    with pytest.raises(ParameterError, match=r"divide by 255.*channel_axis=-1"):
        Image.from_array(array)
    bands = Image.from_array(array, channel_axis=-1)
    assert not bands.color
    assert Image.from_array(array / 255 + 1e-4, channel_axis=-1).color


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64, "list"])
@pytest.mark.parametrize("n_channels", [3, 4])
def test_integers_of_a_colour_within_a_byte_are_bytes(dtype, n_channels):
    numbers = np.arange(4 * 5 * n_channels, dtype=np.uint8).reshape(4, 5, n_channels)
    wide = numbers.tolist() if dtype == "list" else numbers.astype(dtype)
    image, plain = Image.from_array(wide), Image.from_array(numbers)
    assert image.array.dtype == np.uint8
    np.testing.assert_array_equal(image.array, plain.array)
    assert image.color
    assert np.array_equal(image.valid, plain.valid) if n_channels == 4 else image.valid is None


def test_a_named_axis_of_colour_is_bytes_too_and_bands_are_not():
    numbers = np.arange(60).reshape(3, 4, 5)
    assert Image.from_array(numbers, channel_axis=0).array.dtype == np.uint8
    assert Image.from_array(numbers, channel_axis=None).array.dtype == numbers.dtype
    assert Image.from_array(numbers[:2], channel_axis=0).array.dtype == numbers.dtype


def test_one_number_beyond_a_byte_is_enough():
    numbers = np.full((4, 5, 3), 255, np.uint16)
    numbers[2, 3, 1] = 256
    assert Image.from_array(numbers).array.dtype == np.uint16
    assert Image.from_array(-numbers.astype(np.int16)).array.dtype == np.int16


def test_four_channels_beyond_a_byte_have_to_be_said():
    numbers = np.full((4, 5, 4), 3000, np.uint16)
    with pytest.raises(ParameterError, match=r"four bands or a colour with alpha; pass channel_axis=-1 .*mask=image"):
        Image.from_array(numbers)
    assert Image.from_array(numbers, channel_axis=-1).n_channels == 4
    assert Image.from_array(numbers[..., :3], mask=numbers[..., 3]).color
