"""Axes that are named by letters."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.named_axes import Lettered


@pytest.mark.parametrize(
    ("axes", "shape", "wanted", "n_channels", "time"),
    [
        ("YX", (4, 5), (4, 5), 1, False),
        ("TYX", (3, 4, 5), (3, 4, 5), 1, True),
        ("tzcyx", (3, 2, 6, 4, 5), (3, 2, 4, 5), 6, True),
        ("CTZYX", (6, 3, 2, 4, 5), (3, 2, 4, 5), 6, True),
        ("YXT", (4, 5, 3), (3, 4, 5), 1, True),
        ("ZYXC", (2, 4, 5, 3), (2, 4, 5), 3, False),
        ("TYX", (1, 4, 5), (1, 4, 5), 1, True),
    ],
)
def test_arrays_have_the_axes_that_letters_say(axes, shape, wanted, n_channels, time):
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    values.flags.writeable = False
    image = Image.from_array(values, axes=axes)
    assert (image.shape, image.n_channels, image.time, image.color) == (wanted, n_channels, time, False)
    assert np.shares_memory(image.array, values)
    letters = [each for each in "TZYXC" if each in axes.upper()]
    moved = values.transpose([axes.upper().index(each) for each in letters])
    np.testing.assert_array_equal(image.array, moved if "C" in axes.upper() else moved[..., None])


def test_only_samples_are_colour():
    movie = np.zeros((2, 4, 5, 4), np.uint8)
    movie[1, 0, 0, 3] = 9
    colour = Image.from_array(movie, axes="TYXS")
    assert (colour.color, colour.n_channels) == (True, 3)
    assert colour.valid.sum() == 1
    assert not Image.from_array(movie[..., :3], axes="TYXC").color
    assert Image.from_array(movie[..., :2], axes="TYXS").n_channels == 2


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("TYXX", r"axes='TYXX' does not fit cells: X is given twice"),
        ("TQYX", r"'Q' is no axis"),
        ("TZCY", r"Y and X have to be there"),
        ("CSYX", r"C and S are both channels"),
        ("TYX", r"which has 4 axes \(2 x 3 x 4 x 5\), not 3; give one letter an axis of T \(time\), Z"),
        ("", r"not 0; give one letter"),
    ],
)
def test_letters_that_do_not_fit(axes, words):
    with pytest.raises(ParameterError, match=words) as caught:
        Lettered.of(axes, (2, 3, 4, 5), "cells")
    assert "\n" not in str(caught.value)


def test_letters_and_an_axis_of_channels():
    with pytest.raises(ParameterError, match=r"axes='CYX' and channel_axis=0 are both given; leave one out"):
        Image.from_array(np.zeros((2, 4, 5)), axes="CYX", channel_axis=0)
