"""Grey values stored as red, green and blue are one channel; any other colour stays colour."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.image.grey import as_grey
from tests.shared.counted_sources import CountedSource


def grey(rng, shape=(40, 50), dtype=np.uint8):
    values = rng.integers(0, 200, shape)
    return np.repeat((values / 200 if np.dtype(dtype).kind == "f" else values)[..., None], 3, axis=-1).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_equal_channels_are_one(rng, dtype):
    pixels = grey(rng, dtype=dtype)
    pixels.flags.writeable = False
    found = as_grey(Image(pixels, color=True, channel_names=("r", "g", "b"), spacing=(2.0, 3.0)))
    assert (found.color, found.n_channels, found.channel_names, found.spacing) == (False, 1, (), (2.0, 3.0))
    np.testing.assert_array_equal(found.array, pixels[..., :1])


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("place", [(0, 0), (20, 25), (39, 49)])
@pytest.mark.parametrize("kept", [False, True])
def test_one_coloured_pixel_is_enough(rng, channel, place, kept):
    pixels = grey(rng)
    pixels[*place, channel] += 1
    image = Image(CountedSource(pixels) if kept else pixels, color=True)
    assert as_grey(image) is image


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("kept", [False, True])
def test_one_colour_is_one_channel(rng, channel, kept):
    pixels = grey(rng)
    pixels[..., [each for each in range(3) if each != channel]] = 0
    pixels[4:36, 5:45] = 0  # what is seen in the middle tells nothing
    found = as_grey(Image(CountedSource(pixels) if kept else pixels, color=True))
    assert (found.color, found.n_channels) == (False, 1)
    np.testing.assert_array_equal(found.array[..., 0], pixels[..., channel])
    pixels[39, 49, channel - 1] = 1
    assert as_grey(Image(pixels, color=True)).color


def test_what_is_not_valid_does_not_count(rng):
    pixels = grey(rng, dtype=np.float32)
    pixels[3, 4] = 0.2, np.nan, 0.7
    pixels[5, 6, 1] += 0.1
    with pytest.warns(DataWarning, match="1 pixels are NaN"):
        image = Image.from_array(pixels)
    assert as_grey(image).color
    found = as_grey(image.with_mask(np.arange(40)[:, None].repeat(50, axis=1) != 5))
    assert not found.color
    assert (~found.valid).sum() == 51


def test_bands_that_are_equal_stay_bands(rng):
    image = Image(grey(rng))
    assert as_grey(image) is image


def test_a_file_of_colours_is_left_alone_after_a_look_at_its_middle(rng):
    source = CountedSource(rng.integers(0, 255, (90, 80, 3), dtype=np.uint8))
    assert as_grey(Image(source, color=True)).color
    assert len(source.log) == 1
