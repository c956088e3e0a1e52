"""Anything that is an image, as an Image."""

import os

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.io.opening import Reading, open_image

VALUES = np.arange(24, dtype=np.uint8).reshape(4, 6)
MASK = VALUES % 2


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.save(tmp_path / "mask.npy", MASK)
    return tmp_path / "a.npy"


def sources(path):
    return {
        "path": path,
        "text": os.fspath(path),
        "array": VALUES,
        "list": VALUES.tolist(),
        "image": Image(VALUES[..., None]),
    }


@pytest.mark.parametrize("kind", ["path", "text", "array", "list", "image"])
def test_whatever_it_is_its_pixels_are_the_same(path, kind):
    source = sources(path)[kind]
    image = open_image(source)
    np.testing.assert_array_equal(image.array[..., 0], VALUES)
    for mask in (MASK, path.with_name("mask.npy")):
        masked = open_image(source, Reading(mask=mask))
        np.testing.assert_array_equal(masked.valid, MASK > 0)
        np.testing.assert_array_equal(masked.array, image.array)


def test_an_image_is_taken_as_it_is():
    image = Image(VALUES[..., None])
    assert open_image(image) is image


def test_axes_and_channels_are_those_asked_for(tmp_path):
    bands = np.arange(90, dtype=np.float32).reshape(5, 3, 6)
    np.save(tmp_path / "b.npy", bands)
    for source in (bands, tmp_path / "b.npy"):
        image = open_image(source, Reading(channel_axis=0, channels=(2, 5)))
        np.testing.assert_array_equal(image.array, np.moveaxis(bands[[1, 4]], 0, -1))
        with pytest.raises(ParameterError, match="channel_axis=-1 .* channel_axis=None"):
            open_image(source)


def test_memory_and_limit_are_of_files(path):
    assert not open_image(path, Reading(memory=1)).in_memory
    with pytest.raises(InputError, match="above the limit of 23"):
        open_image(path, Reading(max_pixels=23))
    assert open_image(VALUES, Reading(max_pixels=23, memory=1)).in_memory


def test_a_mask_of_another_size_and_a_file_that_is_not_there(path):
    with pytest.raises(ParameterError, match=r"mask has shape \(2, 2\)"):
        open_image(VALUES, Reading(mask=np.ones((2, 2), bool)))
    with pytest.raises(InputError, match=r"none\.npy does not exist"):
        open_image(path.with_name("none.npy"))


@pytest.mark.parametrize("kind", ["path", "array", "image"])
def test_how_large_a_pixel_is(path, kind):
    opened = open_image(sources(path)[kind], Reading(spacing=(2.0, 0.5), unit="um"))
    assert (opened.spacing, opened.place.unit) == ((2.0, 0.5), "um")


def test_an_image_has_its_axes():
    with pytest.raises(ParameterError, match=r"axes='YX': image is an Image, which has its axes; leave it out"):
        open_image(Image(VALUES), Reading(axes="YX"))
    assert open_image(np.zeros((2, 4, 6)), Reading(axes="TYX")).time
