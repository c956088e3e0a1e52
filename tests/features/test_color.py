"""Colour features against scikit-image and their formulas."""

import colorsys
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage.color import rgb2hed, rgb2lab, rgb2luv
from skimage.data import immunohistochemistry
from skimage.filters import threshold_otsu

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.features import Recipe

DTYPES = ["uint8", "uint16", "uint32", "float32", "float64"]


def picture(dtype, rng):
    """Random colours besides black, white, greys and pure red; the same in 0..1."""
    unit = rng.random((20, 30, 3))
    unit[0, :8] = np.array([0, 1, 0.5, 0.04])[[0, 1, 2, 3, 0, 1, 2, 3], None]
    unit[0, 8] = [1, 0, 0]
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return unit.astype(dtype), unit
    top = np.iinfo(dtype).max
    pixels = np.rint(unit * top).astype(dtype)
    return pixels, pixels / top


def planes(pixels, features):
    image = Image.from_array(pixels)
    assert image.color
    return Recipe.parse(features).planes(image, tuple(slice(0, n) for n in image.shape))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("features", "oracle", "tolerance"), [("lab", rgb2lab, 2e-4), ("luv", rgb2luv, 2e-2)])
def test_perceptual_spaces_are_scikit_image_s(features, oracle, tolerance, dtype, rng):
    # OpenCV's L*u*v* has constants of its own, to four digits.
    pixels, unit = picture(dtype, rng)
    np.testing.assert_allclose(planes(pixels, features), oracle(unit).reshape(-1, 3).T, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stains_are_scikit_image_s(dtype, rng):
    pixels, unit = picture(dtype, rng)
    np.testing.assert_allclose(planes(pixels, "hed"), rgb2hed(unit).reshape(-1, 3).T, atol=1e-5)


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_stains_of_tissue_are_found(dtype, top):
    picture = immunohistochemistry()
    stain = rgb2hed(picture)[..., 2]
    truth = stain > threshold_otsu(stain)
    labels = gmmseg.segment((picture * (top / 255)).astype(dtype), 3, features="hed").labels
    unions = [np.isin(labels, chosen) for chosen in ([1], [2], [3], [1, 2], [1, 3], [2, 3])]
    assert max(2 * (each & truth).sum() / (each.sum() + truth.sum()) for each in unions) > 0.75


@pytest.mark.parametrize("dtype", DTYPES)
def test_hsv_is_a_cone(dtype, rng):
    pixels, unit = picture(dtype, rng)
    hsv = np.array([colorsys.rgb_to_hsv(*p) for p in unit.reshape(-1, 3)]).T
    angle = 2 * np.pi * hsv[0]
    expected = hsv[1] * np.cos(angle), hsv[1] * np.sin(angle), hsv[2]
    np.testing.assert_allclose(planes(pixels, "hsv"), expected, atol=1e-4)


def test_reds_on_both_sides_of_the_wheel_s_seam_stay_together():
    two_reds = planes(np.array([[[255, 0, 3], [255, 3, 0]]], np.uint8), "hsv")
    assert np.abs(two_reds[:, 0] - two_reds[:, 1]).max() < 0.05


@pytest.mark.parametrize("features", ["lab", "luv", "hsv", "hed", "rgb", "gray"])
@pytest.mark.parametrize("opaque", [0, 1, 2])
def test_transparent_pixels_have_no_class_and_none_is_needed(features, opaque, tmp_path, rng):
    pixels = rng.integers(0, 256, (6, 7, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels.reshape(-1, 4)[: 10 * opaque, 3] = 255
    Pillow.fromarray(pixels).save(tmp_path / "a.png")
    with nullcontext() if opaque else pytest.warns(DataWarning, match="no pixel is valid"):
        labels = gmmseg.segment(tmp_path / "a.png", 2, features=features).labels
    np.testing.assert_array_equal(labels > 0, pixels[..., 3] > 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("features", ["lab", "luv", "hsv", "hed", "rgb", "gray"])
def test_pixels_without_a_number_have_no_class(features, value, rng):
    pixels = rng.random((8, 7, 3)).astype(np.float32)
    pixels[:3] = value
    with pytest.warns(DataWarning, match="21 pixels are NaN, infinite or beyond float32"):
        labels = gmmseg.segment(pixels, 2, features=features).labels
    np.testing.assert_array_equal((labels > 0).all(axis=1), np.arange(8) >= 3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rgb_is_in_the_file_s_own_units(dtype, rng):
    pixels, _ = picture(dtype, rng)
    np.testing.assert_array_equal(planes(pixels, "rgb"), pixels.reshape(-1, 3).T.astype(np.float32))


@pytest.mark.parametrize("features", ["gray", "intensity"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gray_is_luma_in_the_file_s_own_units(features, dtype, rng):
    pixels, _ = picture(dtype, rng)
    luma = pixels.reshape(-1, 3).astype(np.float64) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(planes(pixels, features)[0], luma, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("features", ["lab", "luv", "hsv", "hed"])
def test_colours_do_not_depend_on_the_depth(features, rng):
    eight = rng.integers(0, 256, (10, 10, 3), np.uint8)
    expected = planes(eight, features)
    np.testing.assert_allclose(planes(eight.astype(np.uint16) * 257, features), expected, atol=2e-4)
    np.testing.assert_allclose(planes((eight / 255).astype(np.float32), features), expected, atol=2e-4)
