"""The pixels that a fit sees."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast
from gmmseg.fitting.counting import LUMA_CHROMA
from gmmseg.fitting.sampling import SampleRequest, planes_at, take_sample
from gmmseg.image.pixels import places_alike, sample_pixels, take_each


def test_sampled_planes_are_those_of_the_sample_and_position_is_known_to_be_uncertain(rng):
    image, recipe = Image.from_array(rng.random((60, 80, 3))), Recipe.parse("lab,xy")
    found = take_sample(image, SampleRequest(recipe, 2000), np.random.default_rng(3))
    flat, values, _ = sample_pixels(image, 2000, np.random.default_rng(0))
    np.testing.assert_array_equal(found.planes, recipe.planes_of(image, values, flat))
    np.testing.assert_allclose(found.noise[3:], 0.01)
    plain = Image(rng.random((60, 80, 3)))  # channels that are no colours
    assert take_sample(plain, SampleRequest(Recipe.parse("bands"), 2000), rng).noise == 0


def test_what_rounding_took_from_the_features(rng):
    """By the slopes of the features: a pixel of 8 bits is a cube of side 1 / 255, which L*a*b* tilts and stretches."""
    exact = rng.normal(0.5, 0.05, (90, 100, 3))
    recipe = Recipe.parse("lab,xy")
    rounded = np.round(exact * 255).astype(np.uint8)
    found = take_sample(Image.from_array(rounded), SampleRequest(recipe, None), rng).noise
    flat = np.arange(9000)
    planes = [recipe.pointwise.planes_of(Image.from_array(x), x.reshape(-1, 3), flat) for x in (exact, rounded)]
    np.testing.assert_allclose(found[:3], (planes[0] - planes[1]).var(axis=1), rtol=0.05)
    np.testing.assert_allclose(found[3:], 0.01)


def test_colours_as_floats_are_as_uncertain_as_their_copies_of_8_bits(rng):
    exact = rng.normal((120, 6, -4), (25, 3, 3), (90, 100, 3)) @ LUMA_CHROMA.T
    stored = np.round(np.round(rng.normal((120, 6, -4), (25, 3, 3), (90, 100, 3))) @ LUMA_CHROMA.T)
    edge = rng.normal(0.5, 0.2, (90, 100, 3)).clip(0, 1) * 255  # with black and white
    for levels in (exact, stored, edge):
        noises = [
            take_sample(Image.from_array(each), SampleRequest(Recipe.parse("lab"), None), rng).noise
            for each in (levels.round().astype(np.uint8), levels / 255, np.float32(levels / 255))
        ]
        np.testing.assert_allclose(noises[1:], [noises[0]] * 2, rtol=0.03)


def test_what_rounding_took_from_the_colours_of_a_jpeg(rng):
    """Once as lightness and differences of colour, once more as red, green and blue."""
    exact = rng.normal((120, 6, -4), (25, 3, 3), (90, 100, 3))
    rounded = np.round(np.round(exact) @ LUMA_CHROMA.T).astype(np.uint8)
    recipe = Recipe.parse("lab")
    found = take_sample(Image.from_array(rounded), SampleRequest(recipe, None), rng).noise
    pixels = (exact @ LUMA_CHROMA.T / 255, rounded)
    planes = [recipe.pointwise.planes_of(Image.from_array(x), x.reshape(-1, 3), np.arange(9000)) for x in pixels]
    np.testing.assert_allclose(found, (planes[0] - planes[1]).var(axis=1), rtol=0.05)


def test_counted_values_are_as_uncertain_as_their_steps(rng):
    image = Image.from_array((rng.normal(20, 2, (90, 100)).round() * 5).astype(np.uint8))
    found = take_sample(image, SampleRequest(Recipe.parse("intensity"), None), rng)
    np.testing.assert_allclose(found.noise, 25 / 12)
    signed = Image.from_array(image.array[..., 0].astype(np.int16))  # which is sampled, not counted
    np.testing.assert_allclose(take_sample(signed, SampleRequest(Recipe.parse("intensity"), None), rng).noise, 25 / 12)


def test_small_images_begin_with_a_quarter_of_their_pixels_and_no_fewer_than_some(rng):
    recipe = Recipe.parse("lab")
    for side, count in ((64, 4096), (200, 10_000), (300, 16_384)):
        image = Image.from_array(rng.random((side, side, 3)))
        found = take_sample(image, SampleRequest(recipe, None, alike=16_384), rng)
        assert found.alike.shape == (3, count)


def test_judges_are_at_further_places_of_pictures_of_several_features(rng):
    image = Image.from_array(rng.integers(0, 256, (150, 160, 3), np.uint8))
    recipe = Recipe.parse("lab,xy")
    found = take_sample(image, SampleRequest(recipe, None, alike=16_384, judges=2), rng)
    flat = places_alike(image.shape, 18_000)
    (taken,) = take_each(image, [flat])
    every = recipe.planes_of(image, taken.values, taken.flat)
    np.testing.assert_array_equal(found.alike, every[:, :6000])
    np.testing.assert_array_equal(found.judges, every[:, 6000:])
    assert take_sample(image, SampleRequest(recipe, None, alike=16_384), rng).judges is None
    assert (
        take_sample(image, SampleRequest(Recipe.parse("intensity"), None, alike=16_384, judges=2), rng).judges is None
    )
    small = Image.from_array(rng.integers(0, 256, (64, 64, 3), np.uint8))
    assert take_sample(small, SampleRequest(recipe, None, alike=16_384, judges=2), rng).judges is None


@pytest.mark.parametrize("features", ["lab,xy", "rgb", "lab,texture,xy"])
@pytest.mark.parametrize("masked", [False, True])
def test_planes_of_a_small_image_are_computed_once_for_all_who_want_them(rng, features, masked):
    pixels = rng.integers(0, 256, (30, 41, 3), np.uint8)
    image = Image.from_array(pixels, mask=np.tile(np.arange(41) > 3, (30, 1)) if masked else None)
    recipe = Recipe.parse(features)
    found = take_sample(image, SampleRequest(recipe, 100_000, alike=16_384), rng)
    (taken,) = take_each(image, [places_alike(image.shape, 1230)])
    taken = taken.only_valid
    right = recipe.planes_of(image, taken.values, taken.flat)
    known = found.of_all(image)
    assert (known is None) == masked
    np.testing.assert_array_equal(planes_at(image, recipe, found, taken, 1), right)
    np.testing.assert_array_equal(found.alike[:, :50], right[:, :50])
    np.testing.assert_array_equal(contrast(image, recipe, known=known), contrast(image, recipe))
    few = take_sample(image, SampleRequest(recipe, 500), rng)
    assert few.of_all(image) is None


def test_floats_that_repeat_are_as_uncertain_as_the_integers_that_they_copy(rng):
    levels = (rng.normal(20, 2, (90, 100)).round() * 5).astype(np.int16)
    request = SampleRequest(Recipe.parse("intensity"), None)
    for factor, dtype in ((1, np.float32), (1, np.float64), (1 / 255, np.float64), (1 / 255, np.float32)):
        found = take_sample(Image.from_array((levels * factor).astype(dtype)), request, rng)
        np.testing.assert_allclose(found.noise, 25 / 12 * factor**2, rtol=1e-3)
    assert np.all(take_sample(Image.from_array(rng.normal(20, 2, (90, 100))), request, rng).noise == 0)
    several = np.stack([levels * 0.1, rng.normal(0, 1, levels.shape), rng.integers(0, 3, levels.shape)])
    several[0, :5] = several[1, 80:] = np.nan
    found = take_sample(Image.from_array(several, channel_axis=0), SampleRequest(Recipe.parse("bands"), None), rng)
    np.testing.assert_allclose(found.noise, [0.25 / 12, 0, 0], rtol=1e-3)
