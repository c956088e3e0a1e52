"""Shading: what pixels say of a gain, and how much likelier it makes them."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.fitting.patches import Layout
from gmmseg.fitting.scene import Scene
from gmmseg.fitting.shading import Shading
from gmmseg.mixture import patterns
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import replace
from gmmseg.spatial.bias import BiasField


def shading_of(values):
    image = Image(values.astype(np.float32))
    layout = Layout.around(image.shape, np.arange(image.n_pixels), 1)
    patches = layout.filled(image.array.reshape(-1, 1)[layout.flat], None)
    recipe = Recipe.parse("intensity")
    features = recipe.planes_of(image, patches.values, layout.flat)
    scene = Scene(image, recipe, patches, features, np.zeros(1), np.ones(1), np.ones(1))
    return Shading(scene, np.arange(values.size), BiasField.flat(image), 1)


def expected(mixture, planes):
    q, density = np.empty((mixture.n_components, planes.shape[1]), np.float32), np.empty(planes.shape[1], np.float32)
    patterns.posterior(planes, mixture.arguments_of, q, density)
    return q, density


def two_classes(means, variances, weights=(0.7, 0.3)):
    return Mixture(np.array(weights), np.array(means)[:, None], np.array(variances)[:, None, None])


@pytest.mark.parametrize("means", [(0.5, 4.0), (12.0, 30.0)])
def test_the_curvature_is_that_of_the_likelihood(rng, means):
    """Also of a class around 0, which tells a gain by its spread alone."""
    mixture = two_classes(means, (1.0, 4.0))
    values = np.where(rng.random((60, 80)) < 0.7, rng.normal(means[0], 1, (60, 80)), rng.normal(means[1], 2, (60, 80)))
    shading = shading_of(values)
    q, _ = expected(mixture, shading.planes)
    observed = shading._evidence(mixture, q, 0, observed=True).observed.sum(dtype=np.float64)
    step = 0.02
    below, middle, above = (
        expected(mixture, np.float32(values.reshape(1, -1) * np.exp(-gain)))[1].sum(dtype=np.float64)
        for gain in (-step, 0, step)
    )
    assert observed == pytest.approx((2 * middle - below - above) / step**2, rel=0.05)


def test_what_all_pixels_say_alike_is_no_optimism(rng):
    """Independent pixels make a field likelier by about 1 for each coefficient."""
    values = rng.normal(3, 1, (160, 160))
    shading = shading_of(values)
    mixture = two_classes((3.0, 3.0), (1.0, 1.0))
    evidence = shading._evidence(mixture, np.full((2, values.size), 0.5, np.float32), 0, observed=True)
    assert 0.5 * 14 < shading.field.optimism(0, evidence, shading.blocks).sum() < 2 * 14


def test_a_field_is_judged_by_what_the_plainest_one_left(rng):
    """Pixels of a block that are brighter together tell less, even where a later field has followed them."""
    values = rng.normal(10, 1, (160, 160))
    mixture = two_classes((10.0, 10.0), (1.0, 1.0))
    q = np.full((2, values.size), 0.5, np.float32)
    alone, judged = shading_of(values), shading_of(values)
    plain = alone.held_out(mixture, q, np.zeros(values.size, np.float32))
    pulled = np.kron(rng.normal(0, 5, (8, 8)), np.ones((20, 20))).reshape(-1)
    judged.plainest = [alone.plainest[0] + pulled.astype(np.float32)]
    assert judged.held_out(mixture, q, np.zeros(values.size, np.float32)).sum() < plain.sum() - 20


def test_a_field_goes_hardly_beyond_what_pixels_show(rng):
    shading = shading_of(rng.normal(10, 1, (40, 40)))
    coefficients = shading.field.coefficients.copy()
    coefficients[0, 0, 1] = 0.2
    shading.field = replace(shading.field, coefficients=coefficients)
    low, high = shading.extent
    assert shading.limited().field.limits == pytest.approx((low - 0.1, high + 0.1))
    assert shading.size == pytest.approx(0.9 * (high - low), rel=0.05)
    assert shading.apart(shading.even()) == pytest.approx(shading.size)
    assert shading.even().size == 0
