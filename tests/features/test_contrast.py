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


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4)])
def test_nothing_varies_where_no_pixel_is_valid(shape):
    assert (
        contrast(
            Image.from_array(np.zeros(shape), channel_axis=None, mask=np.zeros(shape, bool)), Recipe.parse("intensity")
        )
        == 0
    )


@pytest.mark.parametrize("shape", [(90, 110), (20, 22, 24)])
def test_gross_errors_make_nothing_look_smooth(shape, rng):
    pixels = rng.normal(100, 5, shape)
    pixels[shape[0] // 2 :] += 80
    recipe, dirty = Recipe.parse("intensity"), pixels.copy()
    dirty.reshape(-1)[:: 1 + dirty.size // 12] = 5000

    def found(values, fenced):
        return contrast(Image.from_array(values, channel_axis=None), recipe, fenced=fenced)[0]

    assert found(pixels, True) == found(pixels, False)
    assert found(dirty, False) > 100 * found(pixels, False)
    assert found(dirty, True) == pytest.approx(found(pixels, False), rel=0.02)
    flat = np.zeros(shape)
    flat.reshape(-1)[7] = 9
    assert found(flat, True) == found(flat, False)
