"""The pixels that a fit sees, and how their planes are scaled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmseg import Image
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast
from gmmseg.features.scaling import location_and_scale
from gmmseg.fitting.sampling import SampleRequest, take_sample
from gmmseg.image.pixels import sample_pixels


@given(
    shape=st.sampled_from([(1, 1), (1, 37), (23, 17), (5, 6, 7)]),
    count=st.integers(1, 500),
    seed=st.integers(0, 100),
)
def test_one_pixel_in_each_of_equal_runs(shape, count, seed):
    pixels = np.arange(np.prod(shape)).reshape(*shape, 1)
    chosen, values, _ = sample_pixels(Image(pixels), count, np.random.default_rng(seed))
    np.testing.assert_array_equal(values[:, 0], chosen)
    assert len(chosen) == min(count, pixels.size)
    # Runs are equal to a pixel where their number does not divide that of the pixels.
    run = pixels.size / len(chosen)
    assert (np.abs(chosen - np.arange(len(chosen)) * run - run / 2) <= run / 2 + 1).all()


@given(count=st.integers(1, 3000), share=st.floats(0, 1), seed=st.integers(0, 100))
def test_about_as_many_valid_pixels_as_asked_for(count, share, seed):
    mask = np.random.default_rng(seed).random((60, 50)) < share
    chosen = sample_pixels(Image(np.zeros((60, 50, 1)), valid=mask), count, np.random.default_rng(seed)).flat
    assert mask.reshape(-1)[chosen].all()
    assert (np.diff(chosen) > 0).all()
    wanted = min(count, mask.sum())
    assert len(chosen) >= min(0.9 * count, wanted) - 4 * np.sqrt(wanted)
    # What the second look expects follows from what the first found, which for small counts is uncertain.
    assert len(chosen) <= 2 * count + 6 * np.sqrt(count) + 6


@pytest.mark.parametrize("count", [None, 391, 5000])
def test_every_pixel_where_none_are_left_out(count):
    flat = sample_pixels(Image(np.zeros((23, 17, 1))), count, np.random.default_rng(0)).flat
    np.testing.assert_array_equal(flat, np.arange(391))


def test_the_sample_follows_the_seed():
    image = Image(np.zeros((50, 60, 1)))
    first, again, other = (sample_pixels(image, 300, np.random.default_rng(s)).flat for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_part_of_the_image_has_its_share_of_the_sample():
    chosen = sample_pixels(Image(np.zeros((100, 100, 1))), 1000, np.random.default_rng(0)).flat
    index = np.unravel_index(chosen, (100, 100))
    assert (index[0] < 50).sum() == 500
    assert 400 < (index[1] < 50).sum() < 600


def test_sampled_planes_are_those_of_the_sample_but_for_a_blur_of_position(rng):
    image, recipe = Image.from_array(rng.random((60, 80, 3))), Recipe.parse("lab,xy")
    planes = take_sample(image, SampleRequest(recipe, 2000), np.random.default_rng(3)).planes
    flat, values, _ = sample_pixels(image, 2000, np.random.default_rng(3))
    exact = recipe.planes_of(image, values, flat)
    np.testing.assert_array_equal(planes[:3], exact[:3])
    assert 0.05 < (planes[3:] - exact[3:]).std() < 0.2


def test_location_and_scale_are_those_of_the_bulk(rng):
    planes = np.stack([rng.normal(50, 4, 20_000), rng.normal(-3, 2, 20_000), rng.normal(1e4, 100, 20_000)])
    planes[:, rng.random(20_000) < 0.05] = 1e6
    center, scale = location_and_scale(planes.astype(np.float32), (0, 0, 1))
    assert (np.abs(center - [50, -3, 1e4]) < 0.3 * np.array([4, 2, 100])).all()
    assert scale[0] == scale[1] == pytest.approx(4, rel=0.15)
    assert scale[2] == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize(
    ("values", "expected"),
    [(np.full(50, 7.0), 1.0), (np.repeat([0.0, 10.0], [90, 10]), 3.0), (np.zeros(0), 1.0), (np.array([5.0]), 1.0)],
)
def test_scales_are_never_zero(values, expected):
    center, scale = location_and_scale(values[None].astype(np.float32), (0,))
    assert scale[0] == pytest.approx(expected)
    assert np.isfinite(center).all()


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


def test_a_single_valid_pixel_of_many_is_found():
    valid = np.zeros((900, 1100), bool)
    valid[517, 803] = True
    image = Image(np.arange(valid.size, dtype=np.uint32).reshape(900, 1100, 1), valid=valid)
    found = sample_pixels(image, 10, np.random.default_rng(0))
    assert found.flat.tolist() == found.values[:, 0].tolist() == [517 * 1100 + 803]
