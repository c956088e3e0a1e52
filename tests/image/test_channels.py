"""Channels by number and by name."""

import numpy as np
import pytest

from gmmseg.errors import ParameterError
from gmmseg.image import Image


@pytest.fixture
def scene(rng):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint8)
    values.flags.writeable = False
    return Image(values, channel_names=("blue", "green", "red", "NIR"), name="scene.tif")


@pytest.mark.parametrize(
    ("channels", "positions"),
    [
        ("4,3,2", [3, 2, 1]),
        ("nir, red,2", [3, 2, 1]),
        ([1, 2, 4], [0, 1, 3]),
        (3, [2]),
        (("NIR",), [3]),
        ("1,4", [0, 3]),
    ],
)
def test_select_by_number_and_name(scene, channels, positions):
    chosen = scene.select(channels)
    np.testing.assert_array_equal(chosen.array, scene.array[..., positions])
    assert chosen.channel_names == tuple(scene.channel_names[p] for p in positions)
    assert not chosen.color
    assert np.shares_memory(chosen.array, scene.array) == (positions != [0, 1, 3])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("5", r"scene\.tif has no channel '5'; use numbers from 1 to 4, or names: blue, green, red, NIR$"),
        (0, "no channel 0; use numbers from 1 to 4"),
        (-1, "no channel -1"),
        (1.5, r"no channel 1\.5"),
        ("1,swir", "no channel 'swir'"),
        ("1,,2", "has an empty place"),
        ([], "has an empty place"),
        ("red,3", "channel 3 is chosen twice"),
    ],
)
def test_wrong_channels_are_one_line(scene, channels, message):
    with pytest.raises(ParameterError, match=message) as caught:
        scene.select(channels)
    assert "\n" not in str(caught.value)


def test_names_that_differ_in_letter_case_only(rng):
    image = Image(rng.random((3, 3, 4)), channel_names=("a", "A", "b", "b"))
    assert image.select("A").channel_names == ("A",)
    assert image.select("a").array[0, 0] == image.array[0, 0, 0]
    with pytest.raises(ParameterError, match="channels 3, 4 are all named 'b'; choose by number"):
        image.select("b")


def test_a_wavelength_may_be_a_name_where_it_is_no_number_of_a_channel(rng):
    image = Image(rng.random((3, 3, 3)), channel_names=("443", "560", "2"))
    assert image.select("560").channel_names == ("560",)
    assert image.select("2").channel_names == ("560",)


def test_bands_without_names_keep_their_numbers(rng):
    assert Image(rng.random((3, 3, 4))).select("4,2").channel_names == ("band 4", "band 2")


def test_colour_stays_colour_only_as_a_whole(rng):
    image = Image.from_array(rng.integers(0, 255, (3, 4, 3)).astype(np.uint8))
    assert image.select("1,2,3") is image
    assert not image.select("3,2,1").color
    assert not image.select("1").color
