"""Scene: the planes of patches, under a gain and without one."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.fitting.patches import Layout
from gmmseg.fitting.scene import Scene


@pytest.fixture
def scene(rng):
    """A scene of a whole small picture of two bands, a tenth of which is not valid."""
    image = Image(rng.uniform(10, 200, (12, 17, 2)).astype(np.float32), valid=rng.random((12, 17)) < 0.9)
    recipe = Recipe.parse("bands,xy:0.5")
    layout = Layout.around(image.shape, np.arange(image.n_pixels), 1)
    values = image.array.reshape(-1, 2)[layout.flat]
    patches = layout.filled(values, image.valid.ravel()[layout.flat], rng.random((3, len(values))))
    features = recipe.planes_of(image, values, layout.flat)
    center, scale = np.array([50.0, 60, 0.2, 0.3]), np.array([20.0, 30, 0.1, 0.1])
    return Scene(image, recipe, patches, features, center, scale, np.ones(2))


def test_planes_are_centred_scaled_and_0_where_there_is_no_data(scene):
    before = scene.features.copy()
    planes = scene.planes()
    expected = (before - scene.center[:, None]) / scene.scale[:, None]
    expected[:, ~scene.patches.valid] = 0
    np.testing.assert_allclose(planes, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scene.features, before)
    assert planes.dtype == np.float32


@pytest.mark.parametrize("m", [1, 2])
def test_a_gain_divides_the_pixels_and_leaves_their_places(scene, rng, m):
    gain = rng.normal(0, 0.2, (m, len(scene.patches.flat))).astype(np.float32)
    found = scene.planes(gain)
    values = scene.patches.values / np.exp(gain).T
    valid = scene.patches.valid
    expected = (values.T - scene.center[:2, None]) / scene.scale[:2, None]
    np.testing.assert_allclose(found[:2, valid], expected[:, valid], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[2:], scene.planes()[2:])
    np.testing.assert_allclose(scene.planes(0 * gain), scene.planes(), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("features", ["rgb", "intensity", "bands", "pca", "lab", "hed"])
def test_colours_divided_by_2_have_the_planes_of_colours_half_as_bright(rng, dtype, features):
    half = rng.integers(10, 100, (12, 17, 3))
    white = np.float32(1 / 255) if dtype == np.float32 else np.iinfo(dtype).max // 255
    image, darker = (Image((each * white).astype(dtype), color=True) for each in (2 * half, half))
    recipe, layout = Recipe.parse(features), Layout.around(image.shape, np.arange(image.n_pixels), 1)
    values = image.array.reshape(-1, 3)[layout.flat]
    features_of = recipe.planes_of(image, values, layout.flat)
    d, n = features_of.shape
    found = Scene(image, recipe, layout.filled(values, None), features_of, np.zeros(d), np.ones(d), np.ones(d))
    expected = recipe.planes_of(darker, darker.array.reshape(-1, 3)[layout.flat], layout.flat)
    near = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(found.planes(np.full((1, n), np.log(2), np.float32)), expected, atol=near)
    np.testing.assert_allclose(found.planes(np.zeros((1, n), np.float32)), found.planes(), atol=near)


def test_slopes_are_derivatives_by_the_logarithm_of_the_values(scene):
    n = len(scene.patches.flat)
    valid = scene.patches.valid
    # A band is proportional to its values: its derivative by their logarithm is the value itself, over the scale.
    for channel in (0, 1):
        slopes = scene.slopes(np.zeros((2, n), np.float32), channel)
        expected = scene.patches.values[:, channel] / scene.scale[channel]
        np.testing.assert_allclose(slopes[channel, valid], expected[valid], rtol=0.01)
        assert (slopes[1 - channel] == 0).all()
        assert (slopes[2:] == 0).all()
    common = scene.slopes(np.zeros((1, n), np.float32), 0)
    np.testing.assert_allclose(common[:2, valid], (scene.patches.values / scene.scale[:2]).T[:, valid], rtol=0.01)


def test_some_pixels_keep_what_belongs_to_them(scene):
    chosen = np.flatnonzero(scene.patches.valid)[[3, 20, 21, 90]]
    few = scene.some(chosen)
    np.testing.assert_array_equal(few.planes(), scene.planes()[:, chosen])
    np.testing.assert_array_equal(few.patches.flat, scene.patches.flat[chosen])
    np.testing.assert_array_equal(few.patches.log_prior, scene.patches.log_prior[:, chosen])
    np.testing.assert_array_equal(few.patches.weights, scene.patches.weights[chosen])
    assert few.patches.valid.all()
    gain = np.full((2, 4), 0.1, np.float32)
    whole = np.full((2, len(scene.patches.flat)), 0.1, np.float32)
    np.testing.assert_allclose(few.planes(gain), scene.planes(whole)[:, chosen], rtol=1e-6)
    # Where they lie in the image, for a field of gains.
    places = np.ravel_multi_index([axis[:, 0] for axis in few.patches.axes], scene.image.shape)
    np.testing.assert_array_equal(places, few.patches.flat)


def scene_of(values):
    image = Image(values)
    layout = Layout.around(image.shape, np.arange(image.n_pixels), 1)
    patches = layout.filled(values.reshape(-1, 1)[layout.flat], None)
    recipe = Recipe.parse("intensity")
    return Scene(image, recipe, patches, recipe.planes_of(image, patches.values, layout.flat), *np.ones((3, 1)))


def test_integers_may_be_any_number_that_is_rounded_to_them(rng):
    values = 2 * rng.poisson(3, (200, 200)).astype(np.uint16)  # every second level is missing
    found = scene_of(values).unrounded()
    moved = found.patches.values[:, 0] - values.reshape(-1)
    assert moved.min() < -0.99
    assert moved.max() > 0.99
    assert np.abs(moved[values.reshape(-1) < 15]).max() <= 1  # larger ones are rare, and farther from each other
    assert abs(moved[values.reshape(-1) == 6].mean()) < 0.03
    np.testing.assert_array_equal(found.features, found.patches.values.T)


def test_levels_are_those_of_each_part_of_the_image(rng):
    """Stretched contrast has other levels under a gain: divided by this, intervals are as wide as before."""
    levels, gain = 5 * rng.poisson(3, (240, 240)), np.repeat([0.6, 1.0], 120)  # 3 and 5 from each other
    found = scene_of(np.rint(levels * gain).astype(np.uint16)).unrounded()
    moved = (found.patches.values[:, 0] / np.tile(gain, 240)).reshape(levels.shape) - levels
    for half in np.s_[:, :120], np.s_[:, 120:]:
        often = moved[half][levels[half] < 40]
        assert np.ptp(often) == pytest.approx(5, rel=0.02)
        assert often.std() == pytest.approx(5 / np.sqrt(12), rel=0.05)


def test_what_surrounds_an_object_stays_0(rng):
    values = rng.poisson(20, (200, 200)).astype(np.uint8)
    values[:100] = 0
    found = scene_of(values).unrounded()
    np.testing.assert_array_equal(found.patches.values[:, 0] == 0, values.reshape(-1) == 0)


def test_floats_stay_as_they_are(rng):
    scene = scene_of(rng.poisson(3, (40, 50)).astype(np.float32))
    assert scene.unrounded() is scene
