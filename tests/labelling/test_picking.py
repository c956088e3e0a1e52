"""Layers at some pixels."""

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.image.windows import everything
from gmmseg.labelling.picking import picked, without_bias


@pytest.fixture(params=[1 << 30, 300_000], ids=["memory", "file"])
def found(request, tmp_path, rng):
    values = rng.integers(0, 90, (300, 500), np.uint8)
    values[:, 200:] += 60
    np.save(tmp_path / "a.npy", values)
    return gmmseg.segment(tmp_path / "a.npy", k=2, memory=request.param)


@pytest.mark.parametrize("layer", ["labels", "uncertainty"])
def test_picked_pixels_are_those_of_the_whole(found, layer, rng):
    flat = rng.integers(0, found.image.n_pixels, 200)
    some = picked(found, layer, flat)
    np.testing.assert_array_equal(some, getattr(found, layer).reshape(-1)[flat])


@pytest.mark.parametrize("features", ["rgb", "bands", "lab"])
def test_colours_without_their_bias_field_are_in_the_units_of_the_model(features, rng):
    rows, columns = np.indices((60, 80))
    gain = np.exp(0.6 * (columns / 80 - 0.5))[..., None]
    light = np.where(((rows // 10 + columns // 10) % 2)[..., None], (120, 90, 40), (50, 60, 70)) * gain
    pixels = np.rint(light + rng.normal(0, 2, light.shape)).astype(np.uint8)
    found = gmmseg.segment(pixels, 2, features=features, bias_field=True)
    image, recipe = without_bias(found.image, found.rule.bias), found.model.recipe
    planes = recipe.planes(image, everything(image.shape))
    rounded = Image(found.corrected, color=True)
    np.testing.assert_allclose(planes, recipe.planes(rounded, everything(image.shape)), atol=1)
    means = np.stack([planes[:, found.mask(label).ravel()].mean(axis=1) for label in (1, 2)])
    np.testing.assert_allclose(means, found.model.means, rtol=0.02, atol=0.5)
    part = image.crop((slice(5, 25), slice(40, 60)))
    np.testing.assert_array_equal(
        recipe.planes(part, everything(part.shape)),
        planes.reshape(-1, 60, 80)[:, 5:25, 40:60].reshape(len(planes), -1),
    )
