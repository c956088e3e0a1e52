"""Survey: what is known of images before classes are fitted."""

import warnings

import numpy as np
import pytest

from gmmseg import Image, InputError, ParameterError, segment
from gmmseg.errors import DataWarning
from gmmseg.features import Recipe
from gmmseg.fitting.survey import SurveyRequest, survey

RECIPE = Recipe.parse("bands")


def bands(seed, level=100.0, shape=(40, 50), **options):
    values = np.random.default_rng(seed).normal([level, 2 * level], [5, 20], (*shape, 2))
    return Image(values.astype(np.float32), name=f"image {seed}", **options)


def surveyed(*images, recipe=RECIPE, count=500, **options):
    request = SurveyRequest(recipe, count, n_images=len(images), **options)
    return survey(iter(images), request, np.random.default_rng(0))


def test_the_sample_is_centred_and_scaled_and_remembers_by_what():
    found = surveyed(bands(0))
    planes = found.sample.planes
    assert planes.shape[0] == 2
    assert 400 < planes.shape[1] < 600
    np.testing.assert_allclose(np.median(planes, axis=1), 0, atol=0.1)
    np.testing.assert_allclose(found.center, [100, 200], rtol=0.02)
    np.testing.assert_allclose(found.scale, [5, 20], rtol=0.2)
    assert found.groups == RECIPE.groups(found.image)
    assert found.scenes == ()


def test_what_suits_the_first_image_is_taken_of_all():
    color = Image(np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8), color=True)
    assert str(surveyed(color, recipe=None).recipe) == str(Recipe.default(color)) == "lab,xy"


def test_images_are_taken_one_after_the_other_and_have_an_equal_say():
    seen = []
    images = [bands(0, 100.0), bands(1, 300.0)]
    request = SurveyRequest(RECIPE, 400, n_images=2)
    found = survey(iter(images), request, np.random.default_rng(0), seen=lambda *each: seen.append(each))
    assert seen == [(image, RECIPE) for image in images]
    assert (found.image, found.n_images) == (images[0], 2)
    levels = found.sample.planes[0] * found.scale[0] + found.center[0]
    assert 0.45 < (levels < 200).mean() < 0.55


def test_patches_become_scenes():
    images = [bands(0), bands(1)]
    found = surveyed(*images, patches=True, k=3)
    assert len(found.scenes) == 2
    for scene, image in zip(found.scenes, images, strict=True):
        valid = scene.patches.valid
        flat = scene.patches.flat[valid]
        np.testing.assert_array_equal(scene.patches.values[valid], image.array.reshape(-1, 2)[flat])
        assert scene.variation.shape == (2,)
        assert scene.image.array.nbytes < image.array.nbytes / 100  # of many images, pixels are not kept


def test_images_without_data_are_left_out_with_a_warning():
    empty = bands(1, valid=np.zeros((40, 50), bool))
    with pytest.warns(DataWarning, match="image 1: no pixel is valid; it was left out of the fit"):
        found = surveyed(empty, bands(0))
    assert (found.image.name, found.n_images) == ("image 0", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = surveyed(empty)
    assert alone.sample.planes.shape == (2, 0)
    assert alone.supported(5) == 1


def test_no_image_and_images_of_different_kinds():
    with pytest.raises(ParameterError, match="images is empty; give at least one image"):
        surveyed()
    other = Image(np.zeros((4, 5, 3), np.float32), name="other")
    with pytest.raises(ParameterError, match="other and image 0 are of different kinds; fit one model to each kind"):
        surveyed(bands(0), other)


def test_no_more_classes_than_distinct_colours():
    values = np.repeat(np.array([1.0, 5.0, 9.0], np.float32), 40).reshape(10, 12, 1)
    found = surveyed(Image(values, name="steps"), recipe=Recipe.parse("intensity,xy"))
    assert found.supported(3) == 3
    assert found.supported(7, quiet=True) == 3
    with pytest.warns(DataWarning, match=r"^steps: k=7 classes were asked for, but .* only 3 distinct colours"):
        assert found.supported(7) == 3
    assert surveyed(bands(0)).supported(255) == 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("far", [1e20, -3.4e38])
def test_numbers_that_stand_for_missing_data_and_do_not_say_so(rng, channels, far):
    """Their squares are infinite, and every sum with them."""
    values = rng.normal(size=(40, 50, channels)).astype(np.float32)
    values[:, 30:] += 9
    values[:3, :, 0] = far
    with pytest.raises(InputError, match=r"a\.tif: 150 of .* lie more than 1e.15 spreads from the others; declare"):
        segment(Image(values, color=False, name="a.tif"), 2)
    values[:3, :, 0] = np.nan
    labels = segment(Image(values, color=False, name="a.tif"), 2).labels
    np.testing.assert_array_equal(labels[3:], np.repeat([1, 2], [30, 20])[None].repeat(37, axis=0))


@pytest.mark.parametrize("offset", [0, 1024])
def test_soft_tissues_of_a_ct_are_told_apart_beside_air_and_bone(rng, offset):
    z, y, x = np.mgrid[-1:1:12j, -1:1:64j, -1:1:64j]
    radius, ventricle = np.hypot(x, y), (x / 0.25) ** 2 + (y / 0.35) ** 2 + (z / 0.8) ** 2 < 1
    truth = np.select([radius > 0.9, radius > 0.8, ventricle], [1, 4, 2], 3)
    units = np.array([0, -1000, 8, 35, 900])[truth] + rng.normal(0, 8, truth.shape)
    found = segment(np.rint(units + offset).astype(np.int16), k=4, channel_axis=None)
    assert np.allclose(found.model.means.ravel() - offset, [-1000, 8, 35, 900], atol=2)
    assert (found.labels == truth).mean() > 0.99


def test_soft_tissues_are_told_apart_where_numbers_were_not_rounded(rng):
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    radius = np.hypot(x, y)
    truth = np.select([radius > 0.9, radius > 0.8, radius < 0.3], [1, 4, 2], 3)
    units = np.array([0, -1000, 8, 35, 900])[truth] + rng.normal(0, 6, truth.shape)
    found = segment(units.astype(np.float32), k=4)
    assert np.allclose(found.model.means.ravel(), [-1000, 8, 35, 900], atol=2)
    assert (found.labels == truth).mean() > 0.99
