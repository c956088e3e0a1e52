"""Recipes: from a string and back, and the planes that they take of an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import Image, ParameterError
from gmmseg.features import Recipe
from gmmseg.features.feature import spread

NAMES = ["rgb", "lab", "luv", "hsv", "hed", "gray", "intensity", "bands", "pca", "texture"]


@pytest.fixture
def photo(rng):
    return Image.from_array(rng.integers(0, 256, (13, 17, 3), np.uint8))


def whole(image):
    return tuple(slice(0, n) for n in image.shape)


# ---------------------------------------------------------------------------------------------------------------------
# Strings
# ---------------------------------------------------------------------------------------------------------------------


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    weight=st.none() | st.floats(1e-6, 1e6),
    place=st.integers(0, 7),
    space=st.sampled_from(["", " "]),
    upper=st.booleans(),
)
def test_a_recipe_survives_its_string(names, weight, place, space, upper):
    parts = list(names)
    if weight is not None:
        parts.insert(place, f"xy:{weight!r}")
    text = f",{space}".join(parts)
    recipe = Recipe.parse(text.upper() if upper else text)
    names.sort(key="texture".__eq__)
    assert recipe.features == (*names, *(["xy"] if weight is not None else []))
    assert recipe.position_weight == (1.0 if weight is None else weight)
    assert Recipe.parse(str(recipe)) == recipe


@pytest.mark.parametrize(
    ("typed", "written"),
    [("lab,xy", "lab,xy"), ("lab,xy:1", "lab,xy"), (" Lab , XY : 0.50 ", "lab,xy:0.5"), ("xy:2,bands", "bands,xy:2")],
)
def test_a_recipe_is_written_shortly(typed, written):
    assert str(Recipe.parse(typed)) == written


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "lba",
            [
                "'lba'",
                "did you mean 'lab'?",
                "rgb, lab, luv, hsv, hed, gray, intensity, bands, pca, texture, xy",
            ],
        ),
        ("lab,intensty", ["'intensty'", "did you mean 'intensity'?"]),
        ("qqqq", ["'qqqq' is not known; use any of"]),
        (["lab", "xy"], ["is no text", "'lab,xy'"]),
        ("", ["'' is not known"]),
        ("lab,,xy", ["'' is not known"]),
        ("lab,rgb,lab", ["'lab' stands there twice"]),
        ("xy,lab,xy:2", ["'xy' stands there twice"]),
        ("lab:2", ["only xy takes a weight", "'lab'"]),
        ("xy", ["position alone", "lab,xy"]),
        ("xy:0.5", ["position alone"]),
        ("lab,xy:", ["weight of xy is ''", "above 0"]),
        ("lab,xy:0", ["weight of xy is '0'", "above 0"]),
        ("lab,xy:-1", ["weight of xy is '-1'"]),
        ("lab,xy:nan", ["weight of xy is 'nan'"]),
        ("lab,xy:inf", ["weight of xy is 'inf'"]),
        ("lab,xy:a", ["weight of xy is 'a'"]),
    ],
)
def test_a_wrong_string_is_explained(text, parts):
    with pytest.raises(ParameterError) as caught:
        Recipe.parse(text)
    message = str(caught.value)
    assert f"features={text!r}" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


# ---------------------------------------------------------------------------------------------------------------------
# What suits an image
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "channel_axis", "expected"),
    [
        ((5, 6, 3), "auto", "lab,xy"),
        ((5, 6, 4), "auto", "lab,xy"),
        ((5, 6), "auto", "intensity"),
        ((4, 5, 6), None, "intensity"),
        ((5, 6, 4), -1, "bands"),
        ((2, 5, 6), 0, "bands"),
    ],
)
def test_the_default_follows_the_image(shape, channel_axis, expected):
    image = Image.from_array(np.zeros(shape, np.uint8), channel_axis=channel_axis)
    recipe = Recipe.default(image)
    assert str(recipe) == expected
    recipe.check(image)


@pytest.mark.parametrize("name", ["rgb", "lab", "luv", "hsv", "hed", "gray", "intensity"])
def test_features_that_the_image_lacks_are_refused(name):
    bands = Image.from_array(np.zeros((5, 6, 7)), channel_axis=-1, name="scene.tif")
    with pytest.raises(ParameterError, match=rf"scene.tif: features '{name}'.*7 channels; use features='bands'"):
        Recipe.parse(name).check(bands)


@pytest.mark.parametrize("name", ["rgb", "lab", "luv", "hsv", "hed"])
def test_colour_of_one_channel_is_refused(name):
    grey = Image.from_array(np.zeros((5, 6)), name="x.png")
    with pytest.raises(ParameterError, match=rf"x.png: features '{name}'.*1 channel; use features='intensity'"):
        Recipe.parse(name).check(grey)


@pytest.mark.parametrize("name", [*NAMES, "bands,xy"])
def test_there_is_one_name_and_one_group_for_each_plane(name, photo):
    recipe = Recipe.parse(name)
    planes = recipe.planes(photo, whole(photo))
    assert planes.shape == (len(recipe.names(photo)), 13 * 17)
    assert len(recipe.groups(photo)) == len(planes)
    assert planes.dtype == np.float32
    assert len(set(recipe.names(photo))) == len(planes)


def test_planes_that_share_a_unit_share_a_group(photo):
    assert Recipe.parse("lab,gray,xy").groups(photo) == (0, 0, 0, 1, -1, -1)
    assert Recipe.parse("bands,lab").groups(photo) == (0, 1, 2, 3, 3, 3)
    assert Recipe.parse("xy,texture,lab").groups(photo) == (0, 0, 0, 1, 2, 3, 4, 4, -1, -1)


def test_bands_have_the_names_of_the_channels():
    image = Image(np.zeros((3, 3, 2)), channel_names=("red", "near infrared"))
    assert Recipe.parse("bands").names(image) == ("red", "near infrared")
    assert Recipe.parse("bands").names(Image(np.zeros((3, 3, 2)))) == ("band 1", "band 2")


# ---------------------------------------------------------------------------------------------------------------------
# Planes
# ---------------------------------------------------------------------------------------------------------------------


def test_bands_and_intensity_are_the_numbers_themselves(rng):
    pixels = rng.normal(1000, 300, (4, 5, 6)).astype(np.float32)
    image = Image.from_array(pixels, channel_axis=0)
    np.testing.assert_array_equal(Recipe.parse("bands").planes(image, whole(image)), pixels.reshape(4, -1))
    volume = Image.from_array(pixels, channel_axis=None)
    np.testing.assert_array_equal(Recipe.parse("intensity").planes(volume, whole(volume)), pixels.reshape(1, -1))


@pytest.mark.parametrize("features", [*NAMES, "lab,xy:0.3"])
@pytest.mark.parametrize(
    "window", [(slice(2, 9), slice(5, 16)), (slice(0, 1), slice(16, 17)), (slice(0, 13), slice(3, 4))]
)
def test_a_window_s_planes_are_that_part_of_the_whole(features, window, photo):
    recipe = Recipe.parse(features)
    everything = recipe.planes(photo, whole(photo)).reshape(-1, *photo.shape)
    part = recipe.planes(photo, window)
    np.testing.assert_array_equal(part, everything[:, *window].reshape(len(part), -1))


def test_a_window_of_a_volume_too(rng):
    image = Image(rng.normal(size=(5, 6, 7, 1)), spacing=(3.0, 1.0, 0.5))
    recipe, window = Recipe.parse("intensity,xy"), (slice(1, 4), slice(2, 6), slice(0, 5))
    everything = recipe.planes(image, whole(image)).reshape(-1, 5, 6, 7)
    np.testing.assert_array_equal(recipe.planes(image, window), everything[:, *window].reshape(4, -1))


@pytest.mark.parametrize("features", ["lab,xy:0.3", "rgb,hsv", "gray,luv,xy", "bands,intensity"])
def test_planes_of_single_pixels_are_picked_from_the_whole(features, photo, rng):
    recipe, index = Recipe.parse(features), (rng.integers(13, size=40), rng.integers(17, size=40))
    everything = recipe.planes(photo, whole(photo)).reshape(-1, *photo.shape)
    planes = recipe.planes_of(photo, photo.array[index], np.ravel_multi_index(index, photo.shape))
    np.testing.assert_allclose(planes, everything[:, *index], rtol=1e-6, atol=1e-5)


def test_planes_of_a_part_are_those_of_the_whole_there(photo):
    recipe, window = Recipe.parse("lab,xy"), (slice(3, 9), slice(5, 17))
    everything = recipe.planes(photo, whole(photo)).reshape(-1, *photo.shape)
    part = photo.crop((slice(2, 13), slice(5, 17))).crop((slice(1, 7), slice(0, 12)))
    np.testing.assert_array_equal(recipe.planes(part, whole(part)), everything[:, *window].reshape(5, -1))


def test_position_is_of_pixel_centres_in_units_of_the_longer_side():
    image = Image.from_array(np.zeros((2, 4, 3), np.uint8))
    x, y = Recipe.parse("gray,xy").planes(image, whole(image))[1:].reshape(2, 2, 4)
    np.testing.assert_allclose(x, [[-0.375, -0.125, 0.125, 0.375]] * 2)
    np.testing.assert_allclose(y, [[-0.125] * 4, [0.125] * 4])
    assert Recipe.parse("gray,xy").names(image) == ("gray", "x", "y")


@pytest.mark.parametrize("text", ["lab,xy:0.5", "gray,texture,xy", "bands", "lab,texture"])
def test_parts_and_what_position_is_along_the_axes_are_the_planes(photo, text):
    window, recipe = (slice(2, 11), slice(5, 6)), Recipe.parse(text)
    expected = recipe.planes(photo, window)
    own, places = recipe.parts(photo, window, np.full_like(expected, 7))
    n = recipe.n_guides(photo)
    np.testing.assert_array_equal(own, expected[:n])
    assert [place.size for place in places] == [1, 9][: len(expected) - n]
    spread(places, (9, 1), out := np.empty_like(expected[n:]))
    np.testing.assert_array_equal(out, expected[n:])


def test_position_grows_with_its_weight(photo):
    plain, heavy = (Recipe.parse(f"gray,xy:{w}").planes(photo, whole(photo)) for w in (1, 5))
    np.testing.assert_allclose(heavy[1:], 5 * plain[1:], rtol=1e-6)
    np.testing.assert_array_equal(heavy[0], plain[0])


@pytest.mark.parametrize("factor", [2, 7])
def test_position_does_not_depend_on_the_resolution(factor):
    coarse, fine = (Image.from_array(np.zeros((6 * f, 10 * f))) for f in (1, factor))
    recipe = Recipe.parse("intensity,xy")
    ends = []
    for image, step in ((coarse, 1), (fine, factor)):
        planes = recipe.planes(image, whole(image))[1:].reshape(2, *image.shape)
        # The mean of the fine pixels in a coarse one is its centre.
        ends.append(planes.reshape(2, 6, step, 10, step).mean(axis=(2, 4)))
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-6)


def test_position_in_a_volume_follows_the_spacing():
    image = Image(np.zeros((2, 3, 4, 1)), spacing=(10.0, 2.0, 1.0))
    x, y, z = Recipe.parse("intensity,xy").planes(image, whole(image))[1:].reshape(3, 2, 3, 4)
    np.testing.assert_allclose(x[0, 0], np.array([-1.5, -0.5, 0.5, 1.5]) / 20)
    np.testing.assert_allclose(y[0, :, 0], np.array([-2, 0, 2]) / 20)
    np.testing.assert_allclose(z[:, 0, 0], np.array([-5, 5]) / 20)
    assert Recipe.parse("intensity,xy").names(image) == ("intensity", "x", "y", "z")


def test_the_image_is_not_changed(photo):
    before = photo.array.copy()
    photo.array.flags.writeable = False
    Recipe.parse("rgb,lab,luv,hsv,hed,gray,bands,xy").planes(photo, whole(photo))
    np.testing.assert_array_equal(photo.array, before)
