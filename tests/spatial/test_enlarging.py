"""Enlarging: what real libraries did to a picture is told, and undone."""

import cv2
import numpy as np
import pytest
from detailed_pictures import made
from PIL import Image as Picture
from skimage.transform import rescale

from gmmseg.spatial.enlarging import KINDS, Levels, likeliest_kind, undone


def by_opencv(how):
    return lambda pixels: cv2.resize(pixels, None, fx=2, fy=2, interpolation=how)


def by_pillow(how):
    return lambda pixels: np.asarray(Picture.fromarray(pixels).resize((2 * pixels.shape[1], 2 * pixels.shape[0]), how))


def by_scikit_image(order):
    return lambda pixels: np.rint(255 * rescale(pixels / 255, 2, order=order, channel_axis=-1)).astype(np.uint8)


# How many pixels at least come back as they were. By linear interpolation several fit: 0.92 can be told where two
# axes are rounded in turn, and 0.98 where the result is.
LIBRARIES = {
    "OpenCV nearest": (by_opencv(cv2.INTER_NEAREST), "nearest", 1),
    "OpenCV area": (by_opencv(cv2.INTER_AREA), "nearest", 1),
    "OpenCV linear": (by_opencv(cv2.INTER_LINEAR), "linear", 0.97),
    "OpenCV cubic": (by_opencv(cv2.INTER_CUBIC), "cubic -0.75", 0.995),
    "OpenCV Lanczos": (by_opencv(cv2.INTER_LANCZOS4), "lanczos 4", 0.995),
    "OpenCV linear, exact": (by_opencv(cv2.INTER_LINEAR_EXACT), "linear, exact", 0.96),
    "Pillow box": (by_pillow(Picture.BOX), "nearest", 1),
    "Pillow linear": (by_pillow(Picture.BILINEAR), "linear by axis", 0.905),
    "Pillow cubic": (by_pillow(Picture.BICUBIC), "cubic -0.5 by axis", 0.97),
    "Pillow Lanczos": (by_pillow(Picture.LANCZOS), "lanczos 3 by axis", 0.98),
    "Pillow Hamming": (by_pillow(Picture.HAMMING), "hamming by axis", 0.99),
    "scikit-image 0": (by_scikit_image(0), "nearest", 1),
    "scikit-image 1": (by_scikit_image(1), "linear, exact", 0.96),
    "scikit-image 2": (by_scikit_image(2), "quadratic spline", 0.99),
    "scikit-image 3": (by_scikit_image(3), "cubic spline", 0.99),
}


def looks(large, side=40):
    return np.stack([large[i : i + side, j : j + side] for i in range(0, 120, side) for j in range(0, 160, side)])


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_libraries_did_is_told_and_undone(rng, library):
    enlarged, kind, right = LIBRARIES[library]
    pixels = (20 + made(rng) * 0.8).astype(np.uint8)
    large = enlarged(pixels)
    levels = Levels.of(large.dtype, color=True)
    assert likeliest_kind(looks(large).astype(float), levels) == kind
    for channel in range(3):
        found = undone(large[..., channel].astype(np.float32), kind, levels)
        assert found.dtype == np.float32
        inner = np.s_[4:-4, 4:-4] if library == "scikit-image 1" else np.s_[:]  # which goes on beyond as no other does
        assert (found == pixels[..., channel])[inner].mean() >= right
        assert np.abs(found - pixels[..., channel])[inner].max() <= 3


@pytest.mark.parametrize("library", ["OpenCV cubic", "Pillow cubic", "Pillow Lanczos"])
@pytest.mark.parametrize("part", [np.s_[:], np.s_[40:80], np.s_[:, 30:60]], ids=["all", "rows", "columns"])
def test_numbers_that_were_cut_off_do_not_spoil_their_neighbours(rng, library, part):
    enlarged, kind, _ = LIBRARIES[library]
    pixels = 60 + 0.5 * made(rng)[..., 0]
    pixels[part] = pixels[part] * 5 - 450
    pixels = pixels.clip(0, 255).astype(np.uint8)
    large = enlarged(pixels).astype(np.float32)
    found = undone(large, kind, Levels.of(np.dtype(np.uint8), color=False))
    free = undone(large, kind, Levels()).clip(0, 255)
    assert np.abs(found - pixels).mean() < 0.6 * np.abs(free - pixels).mean()


@pytest.mark.parametrize("axis", [0, 1])
def test_lines_with_numbers_that_were_cut_off_are_solved_again_and_no_others(rng, axis):
    from gmmseg.spatial.enlarging import _along, _inverse, _matrices, _solved

    name, levels = "lanczos 3 by axis", Levels.of(np.dtype(np.uint8), color=False)
    pixels = np.moveaxis(60 + 0.5 * made(rng)[:60, :60, 0], axis, 0)
    pixels[:, 20:30] = (pixels[:, 20:30] * 5 - 450).clip(0, 255)
    pixels = np.moveaxis(np.rint(pixels), 0, axis).astype(np.float32)
    large = _along(_matrices(name, 60)[0], pixels, axis).clip(0, 255)
    cut = ((large == 0) | (large == 255)).any(axis=axis)
    assert 0 < cut.sum() <= 10
    found, once = _solved(large, name, (axis,), levels), _inverse(large, name, (axis,))
    np.testing.assert_array_equal(found.compress(~cut, 1 - axis), once.compress(~cut, 1 - axis))
    off, off_once = (np.abs(each.clip(0, 255) - pixels).compress(cut, 1 - axis).mean() for each in (found, once))
    assert off < 0.8 * off_once


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(20, 31), (260, 150)])
def test_numbers_that_were_not_rounded_come_back(rng, kind, shape):
    from gmmseg.spatial.enlarging import _along, _matrices

    pixels = large = rng.normal(0, 100, shape)
    for axis, n in enumerate(shape):
        large = _along(_matrices(kind, n)[0], large, axis)
    assert large.shape == (2 * shape[0], 2 * shape[1])
    np.testing.assert_allclose(undone(large, kind, Levels()), pixels, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 0.27, 3.3])
def test_floats_of_any_range_are_told_and_come_back(rng, scale):
    pixels = (made(rng)[..., :1] * scale).astype(np.float32)
    large = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert likeliest_kind(looks(large[..., None]).astype(float), Levels()) == "cubic -0.75"
    found = undone(large, "cubic -0.75", Levels())
    np.testing.assert_allclose(found, pixels[..., 0], atol=1e-3 * scale)


def test_noise_and_what_is_even_is_of_no_kind(rng):
    levels = Levels.of(np.dtype(np.uint8), color=False)
    assert likeliest_kind(rng.integers(0, 256, (20, 40, 40, 1)).astype(float), levels) is None
    assert likeliest_kind(np.full((20, 40, 40, 3), 7.0), levels) is None


def test_a_window_around_few_numbers_that_are_cut_off_is_undone_as_the_whole_is(rng):
    pixels = rng.integers(60, 200, (300, 300)).astype(np.uint8)
    pixels[100:112, 100:112] = rng.choice(np.array([0, 255], np.uint8), (12, 12))
    large = by_opencv(cv2.INTER_LANCZOS4)(pixels).astype(np.float32)
    levels = Levels.of(np.dtype(np.uint8), color=False)
    whole, window = undone(large, "lanczos 4", levels), undone(large[120:304, 120:304], "lanczos 4", levels)
    np.testing.assert_array_equal(window[30:-30, 30:-30], whole[90:122, 90:122])


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_numbers_that_were_not_rounded_is_undone_as_the_whole_is(rng, kind):
    large = rng.normal(0, 100, (460, 300)).astype(np.float32)
    whole, window = undone(large, kind, Levels()), undone(large[102:330, 70:], kind, Levels())
    np.testing.assert_allclose(window[20:-20, 20:], whole[71:145, 55:], atol=2e-4)  # rounding of sums
