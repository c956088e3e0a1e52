"""The pixels that a fit sees."""

import numpy as np

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.fitting.sampling import SampleRequest, take_sample
from gmmseg.image.pixels import sample_pixels


def test_sampled_planes_are_those_of_the_sample_but_for_a_blur_of_position(rng):
    image, recipe = Image.from_array(rng.random((60, 80, 3))), Recipe.parse("lab,xy")
    planes = take_sample(image, SampleRequest(recipe, 2000), np.random.default_rng(3)).planes
    flat, values, _ = sample_pixels(image, 2000, np.random.default_rng(3))
    exact = recipe.planes_of(image, values, flat)
    np.testing.assert_array_equal(planes[:3], exact[:3])
    assert 0.05 < (planes[3:] - exact[3:]).std() < 0.2
