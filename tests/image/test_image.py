"""Image: what arrays are taken as."""

from dataclasses import replace

import numpy as np
import pytest

from gmmseg.errors import DataWarning, InputError, ParameterError
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


@pytest.mark.parametrize("kind", [list, np.array])
def test_spacings_and_names_of_channels_may_be_any_sequence(kind):
    image = Image(np.zeros((4, 5, 2)), spacing=kind([2, 0.5]), channel_names=kind(["red", "far red"]))
    assert (image.spacing, image.channel_names) == ((2.0, 0.5), ("red", "far red"))
    assert hash((image.spacing, image.channel_names))


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


def test_a_time_lapse_is_made_of_frames(rng):
    values = rng.random((3, 4, 5, 2))
    values[1, 0, 0] = np.nan
    values[2] = np.inf
    with pytest.warns(DataWarning, match="21 pixels are NaN"):
        movie = replace(Image.from_array(values, axes="TYXC", name="cells.tif"), spacing=(0.5, 0.25))
    assert movie.ndim == 3
    first, second, third = movie.frames
    assert first.name == "cells.tif, frame 1"
    assert (first.shape, first.n_channels, first.spacing, first.place) == ((4, 5), 2, (0.5, 0.25), movie.place)
    assert first.valid is None
    assert not second.valid[0, 0]
    assert second.valid.sum() == 19
    assert not third.valid.any()
    for number, frame in enumerate(movie.frames):
        assert np.shares_memory(frame.array, values)
        np.testing.assert_array_equal(frame.array, values[number])
    assert first.frames == (first,)


def test_masks_of_a_time_lapse_are_of_each_frame_or_of_all(rng):
    movie = Image.from_array(rng.random((3, 4, 5)), axes="TYX")
    still = np.arange(20).reshape(4, 5) % 2
    for frame in movie.with_mask(still).frames:
        np.testing.assert_array_equal(frame.valid, still != 0)
    each = np.stack([still, 1 - still, np.ones_like(still)])
    found = movie.with_mask(each).frames
    np.testing.assert_array_equal(found[1].valid, still == 0)
    assert found[2].valid is None
    with pytest.raises(ParameterError, match=r"mask has shape \(5, 4\), but image has shape \(3, 4, 5\)"):
        movie.with_mask(still.T)
