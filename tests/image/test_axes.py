"""Axes of arrays: which are spatial, and which holds the channels."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
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


def test_float_colour_outside_the_unit_range():
    array = np.full((2, 2, 3), 200.0)
    with pytest.raises(ParameterError, match=r"divide by 255.*channel_axis=-1"):
        Image.from_array(array)
    bands = Image.from_array(array, channel_axis=-1)
    assert not bands.color
    assert Image.from_array(array / 255 + 1e-4, channel_axis=-1).color
