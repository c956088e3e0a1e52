"""Objects on uneven ground, made with their truth."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from skimage.filters import threshold_otsu

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.measuring import find_objects
from gmmseg.measuring.surroundings import _without_frame, told_by_surroundings

RADIUS = 12


def discs(rng, *, light=1.0, blur=1.5, brightness=0.4, noise=1.0, shape=(300, 400)):
    """Blurred discs of different brightness on a ground that is `light` times as bright at its right as at its left."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    truth, drawn = np.zeros(shape, int), np.zeros(shape)
    for number, (row, column) in enumerate(np.ndindex(5, 7), 1):
        middle = np.array([30 + 58 * row, 30 + 56 * column]) + rng.integers(-6, 7, 2)
        inside = (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 <= RADIUS**2
        truth[inside] = number
        drawn[inside] = rng.uniform(1 - brightness, 1 + brightness)
    shading = light ** (np.arange(shape[1]) / shape[1])
    pixels = 20 * shading * (1 + 0.8 * gaussian_filter(drawn, blur)) + rng.normal(0, noise, shape)
    return pixels.astype(np.float32), truth


def f1(found, truth):
    both = np.zeros((int(found.max()) + 1, int(truth.max()) + 1))
    np.add.at(both, (found.ravel().astype(int), truth.ravel()), 1)
    either = both.sum(1, keepdims=True) + both.sum(0) - both
    hits = (both / np.maximum(either, 1) > 0.5)[1:, 1:].sum()
    return 2 * hits / (found.max() + truth.max())


def dice(mask, truth):
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def one_level(pixels):
    return pixels > threshold_otsu(pixels)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("light", [4.0, 6.0])
def test_objects_on_uneven_ground_are_found(rng, light, sign):
    pixels, truth = discs(rng, light=light)
    mask, image = one_level(pixels), Image.from_array(pixels**sign)
    with pytest.warns(DataWarning, match="the ground is uneven: objects"):
        found = find_objects(mask, image)
    assert f1(find_objects(mask, image, split=False).labels, truth) < 0.6
    assert f1(found.labels, truth) > 0.95
    assert dice(found.labels > 0, truth > 0) > 0.93


def test_a_segmentation_counts_them(rng):
    pixels, truth = discs(rng, light=6.0)
    with pytest.warns(DataWarning, match="uneven"):
        found = gmmseg.segment(pixels, 2).objects(2)
    assert f1(found.labels, truth) > 0.95


@pytest.mark.parametrize("blur", [0.5, 3.0])
def test_on_even_ground_objects_are_those_of_the_class(rng, blur):
    pixels, _ = discs(rng, blur=blur)
    mask = one_level(pixels)
    assert told_by_surroundings(mask, Image.from_array(pixels)) is mask


def test_a_class_that_has_the_objects_already_stays(rng):
    pixels, truth = discs(rng, light=4.0)
    mask = truth > 0
    assert told_by_surroundings(mask, Image.from_array(pixels)) is mask


def test_the_unit_of_brightness_does_not_matter(rng):
    pixels, _ = discs(rng, light=4.0)
    mask = one_level(pixels)
    first, second = (told_by_surroundings(mask, Image.from_array(each)) for each in (pixels, 0.001 * pixels + 40))
    assert (first == second).mean() > 0.999


def test_pixels_without_data_are_no_objects_and_move_none(rng):
    pixels, _ = discs(rng, light=4.0)
    mask = one_level(pixels)
    whole = told_by_surroundings(mask, Image.from_array(pixels))
    valid = np.arange(len(pixels))[:, None] >= 40 + np.zeros_like(pixels)
    holed = np.where(valid, pixels, np.float32(np.nan))
    found = told_by_surroundings(mask & valid, Image(holed[..., None], valid=valid))
    assert not found[:40].any()
    assert (found[80:] == whole[80:]).mean() > 0.99


def test_volumes_by_their_spacing(rng):
    z, y, x = np.ogrid[:16, :64, :160]
    middles = [(32, 20, 20 + 40 * n) for n in range(4)] + [(32, 46, 20 + 40 * n) for n in range(4)]
    truth = np.zeros((16, 64, 160), int)
    for number, (a, b, c) in enumerate(middles, 1):
        truth[(4 * z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= 100] = number
    shading = 5.0 ** (x / 160)
    pixels = 20 * shading * (1 + 0.8 * (truth > 0)) + rng.normal(0, 1, truth.shape)
    image = Image(pixels.astype(np.float32)[..., None], spacing=(4.0, 1.0, 1.0))
    found = told_by_surroundings(one_level(pixels), image)
    assert dice(one_level(pixels), truth > 0) < 0.6
    assert dice(found, truth > 0) > 0.9


@pytest.mark.parametrize("which", ["colour", "middle", "constant", "empty", "full"])
def test_what_no_surroundings_tell_stays(rng, which):
    pixels, truth = discs(rng, light=4.0)
    mask, image = one_level(pixels), Image.from_array(pixels)
    if which == "colour":
        image = Image.from_array(np.stack([pixels] * 2, -1), channel_axis=-1)
    elif which == "middle":
        mask = (pixels > 30) & (pixels < 60)
    elif which == "constant":
        image = Image.from_array(np.ones_like(pixels))
    else:
        mask = np.full(truth.shape, which == "full")
    assert told_by_surroundings(mask, image) is mask


@pytest.mark.parametrize("slope", [0, 0.008])
def test_a_frame_of_one_number_is_no_uneven_ground(slope):
    """As around what was stitched or turned; what is uneven within it is told as without it."""
    rng, (rows, columns) = np.random.default_rng(0), np.indices((128, 128))
    truth = ((rows % 32 - 16) ** 2 + (columns % 32 - 16) ** 2) < 60
    light = (100 + 120 * truth) * (1 + slope * columns)
    pixels = np.pad(rng.poisson(light).astype(np.uint16), 10)
    truth, level = np.pad(truth, 10), 160 if slope == 0 else 260
    bright = pixels > level
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = find_objects(bright, Image.from_array(pixels))
    assert len(found) == 16
    assert f1(found.labels, label(truth)[0]) > 0.9
    assert bool(warned) == (slope > 0)


@pytest.mark.parametrize("dark", ["photons", "cut off"])
def test_a_dark_ground_is_no_frame(dark):
    rng = np.random.default_rng(0)
    cut_off = np.broadcast_to(np.maximum(np.arange(60) // 10 - 2, 0), (60, 60))
    ground = {"photons": rng.poisson(1.5, (60, 60)), "cut off": cut_off}
    values, inside = ground[dark].astype(np.float32), np.zeros((60, 60), bool)
    inside[20:30, 20:30] = True
    values[inside] = 50
    known = np.ones(values.shape, bool)
    np.testing.assert_array_equal(_without_frame(values, known, inside), known)
    framed = np.pad(values + 40, 8)
    expected = np.pad(known, 8)
    found = _without_frame(framed, np.ones_like(expected), np.pad(inside, 8))
    np.testing.assert_array_equal(found, expected)
