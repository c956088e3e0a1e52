"""Contrast between neighbours."""

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast


def test_contrast_is_the_mean_squared_step_between_neighbours():
    pixels = np.add.outer(3.0 * np.arange(40), 4.0 * np.arange(50))
    image, recipe = Image.from_array(pixels), Recipe.parse("intensity,xy")
    assert contrast(image, recipe) == pytest.approx((9 + 16) / 2, rel=0.02)


@pytest.mark.filterwarnings("ignore:.*pixels are NaN")
def test_contrast_leaves_invalid_neighbours_out():
    pixels = np.add.outer(np.arange(30.0), np.zeros(30))
    mask = np.ones((30, 30), bool)
    mask[:, ::3] = False
    clean = contrast(Image.from_array(pixels, mask=mask), Recipe.parse("intensity"))
    pixels[~mask] = np.nan
    dirty = contrast(Image.from_array(pixels, mask=mask), Recipe.parse("intensity"))
    assert clean == dirty


@pytest.mark.parametrize("shape", [(1, 1), (20, 20)])
def test_nothing_varies_in_a_constant_image(shape):
    assert contrast(Image.from_array(np.full(shape, 3.0)), Recipe.parse("intensity")) == 0
