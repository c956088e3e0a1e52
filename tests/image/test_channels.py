"""Channels by number and by name."""

import numpy as np
import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.channels import matching, positions
from gmmseg.image.image import NAMED_BY_FILES


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


def test_ranges_of_numbers():
    assert positions("1-3,7,5-6", 8, image="cube") == (0, 1, 2, 6, 4, 5)
    assert positions(["2-3", 1], 3, image="cube") == (1, 2, 0)
    assert positions("450-520", 2, ("450-520", "520-600"), image="cube") == (0,)  # a name may look like one
    for channels, words in (("3-1", "'3-1' is no range"), ("0-2", "'0-2' is no range"), ("7-9", "has no channel 9")):
        with pytest.raises(ParameterError, match=words):
            positions(channels, 8, image="cube")
    with pytest.raises(ParameterError, match="channel 2 is chosen twice"):
        positions("1-3,2", 8, image="cube")


def test_names_of_two_parts_are_meant_by_either():
    names = ("B02/blue", "B08/nir", "B8A/nir08")
    assert positions("nir,b8a,B02/blue", 3, names, image="scene") == (1, 2, 0)


def test_channels_of_other_images_are_the_same_by_name():
    names = ("B02/blue", "B03/green", "B04/red", "B08/nir")
    assert matching(("nir", "B04", "b03/GREEN"), names) == (3, 2, 1)
    assert matching(("SR_B5/nir",), names) == (3,)
    assert matching(("B4/nir",), ("B4/red", "B5/swir1")) == "B4/nir"  # one number is other light elsewhere
    assert matching(("nir", "swir1"), names) == "swir1"
    assert matching(("nir", "B08"), names) == "B08"  # one channel is not two


def test_an_image_in_the_order_of_another_one(rng):
    values = rng.random((3, 4, 3))
    image = Image(values, channel_names=("blue", "red", "nir"), name="scene")
    moved = image.in_order_of(("NIR", "blue"), of="the model")
    assert moved.channel_names == ("nir", "blue")
    np.testing.assert_array_equal(moved.array, values[..., [2, 0]])
    assert image.in_order_of(("blue", "red", "nir"), of="the model") is image
    assert image.in_order_of((), of="the model") is image
    with pytest.raises(InputError, match="scene has no channel 'green', as the model has; it has blue, red, nir: g"):
        image.in_order_of(("green", "red", "nir"), of="the model")


def test_names_that_tell_nothing(rng):
    values = rng.random((3, 4, 3))
    names = ("a", "b", "c")
    for image in (
        Image(values),
        Image(values, channel_names=("a", "A", "b")),
        Image(values, color=True, channel_names=("red", "green", "blue")),
        Image(values, channel_names=names, metadata={NAMED_BY_FILES: True}),
        Image(values).select("3,2"),
    ):
        assert image.band_names == ()
        assert image.in_order_of(names, of="the model") is image
    assert Image(values, channel_names=names).band_names == names
