"""Images of few values: each distinct value stands for all its pixels."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from counted_sources import CountedSource

import gmmseg
from gmmseg import Image, io
from gmmseg.features import Recipe
from gmmseg.fitting.counting import (
    LUMA_CHROMA,
    anywhere_within,
    distinct_values,
    is_luma_chroma,
    rounding_of_floats,
    spread_over_intervals,
)
from gmmseg.fitting.sampling import SampleRequest, take_sample
from gmmseg.kernels.intervals import rounding


@pytest.mark.parametrize(
    ("dtype", "channels", "top"), [(np.uint8, 1, 255), (np.uint16, 1, 400), (np.uint8, 3, 5), (np.uint16, 4, 3)]
)
@pytest.mark.parametrize("masked", [False, True])
def test_values_stand_for_all_their_pixels(dtype, channels, top, masked):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, top + 1, (90, 110, channels)).astype(dtype)
    image = gmmseg.Image.from_array(pixels, channel_axis=-1)
    if masked:
        image = image.with_mask(rng.random((90, 110)) < 0.7)
    recipe = gmmseg.features.Recipe(("bands",))
    found = take_sample(image, SampleRequest(recipe, 1000), np.random.default_rng(1))
    used = pixels.reshape(-1, channels) if image.valid is None else pixels[image.valid]
    values, counts = np.unique(used, axis=0, return_counts=True)
    order = np.lexsort(found.planes[::-1])
    np.testing.assert_array_equal(found.planes.T[order], values)
    np.testing.assert_array_equal(found.weights[order], counts)


@pytest.mark.slow
def test_a_fit_to_counts_is_that_to_every_pixel(pictures):
    """The compressed fit sees all pixels, whatever the size of the sample."""
    grey = io.read(pictures / "camera.png")
    few = gmmseg.fit(grey, 3, sample=1000, smooth=False)
    every = gmmseg.fit(grey, 3, sample=None, smooth=False)
    np.testing.assert_array_equal(few.means, every.means)
    floats = gmmseg.Image.from_array(grey.array[..., 0].astype(np.float32))
    explicit = gmmseg.fit(floats, 3, sample=None, smooth=False)
    np.testing.assert_allclose(few.means, explicit.means, rtol=0.01)
    score = [gmmseg.apply(m, grey).log_density.mean() for m in (few, explicit)]
    assert score[0] == pytest.approx(score[1], abs=0.002)


@pytest.mark.parametrize(
    ("dtype", "channels", "top"),
    [
        *[("u1", 1, 255), ("u1", 2, 9), ("u2", 1, 65535), ("u1", 8, 1), ("u2", 4, 1), ("u4", 2, 2)],
        *[("i1", 1, -128), ("i1", 2, 9), ("i2", 1, -32768), (">i2", 1, -300), ("i2", 4, -1), ("i4", 2, 2)],
        ("i8", 1, -5),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_every_value_is_counted_whatever_its_width(rng, dtype, channels, top, lazy):
    pixels = (rng.integers(0, 2, (30, 40, channels)) * top).astype(dtype)
    pixels[0, 0] = 0
    image = Image(CountedSource(pixels) if lazy else pixels, color=False, valid=rng.random((30, 40)) < 0.8)
    values, counts = distinct_values(image, pixels.reshape(-1, channels))
    expected, numbers = np.unique(pixels[image.valid], axis=0, return_counts=True)
    order = np.lexsort(values.T[::-1])
    assert channels > 1 or (order == np.arange(len(order))).all()  # ascending, as intervals are found
    np.testing.assert_array_equal(values[order], expected, strict=True)
    np.testing.assert_array_equal(counts[order], numbers)


@pytest.mark.parametrize(("dtype", "channels"), [("f4", 1), ("i2", 5), ("u2", 5), ("u1", 9)])
def test_other_numbers_are_not_counted(dtype, channels):
    assert distinct_values(Image(np.zeros((4, 5, channels), dtype)), np.zeros((9, channels), dtype)) is None


def test_a_sample_tells_where_values_are_too_many(rng):
    many = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    assert distinct_values(Image(many), many.reshape(-1, 3)) is None
    few = many // 100
    assert len(distinct_values(Image(few), few.reshape(-1, 3))[0]) <= 27


def test_pixels_are_spread_over_the_intervals_of_their_values():
    even = np.arange(0, 40, 4)
    for values in (even, even[:1], np.array([0, 100, 250])):  # one step; one value; few, as in a picture of labels
        same, counts = spread_over_intervals(values, np.arange(len(values)) + 1)
        np.testing.assert_array_equal(same, values)
        np.testing.assert_array_equal(counts, np.arange(len(values)) + 1)
    stretched = np.array([0, 3, 5, 8, 10, 13, 15, 18, 20])
    values, counts = spread_over_intervals(stretched, np.full(9, 10))
    np.testing.assert_array_equal(values, np.arange(0, 21, 2))
    assert counts.sum() == pytest.approx(90)
    assert np.ptp(counts[1:-1]) <= 3  # no gaps are left
    assert np.average(values, weights=counts) == pytest.approx(np.mean(stretched), abs=0.3)


def test_a_background_far_below_all_else_stands_for_itself():
    values, counts = spread_over_intervals(np.append(0, np.arange(95, 115)), np.append(900, np.full(20, 5)))
    assert counts[values <= 1].sum() == 900
    np.testing.assert_array_equal(values[values > 94], np.arange(95, 115))


@pytest.mark.parametrize("quality", [100, 90, 75])
def test_colours_of_a_jpeg_were_whole_numbers_before(rng, quality):
    smooth = np.array([120, 110, 90]) + np.cumsum(rng.normal(0, 2, (64, 96, 3)), axis=1)
    exact = smooth.clip(0, 255).round().astype(np.uint8)
    file = BytesIO()
    PIL.Image.fromarray(exact).save(file, "jpeg", quality=quality)
    decoded = np.asarray(PIL.Image.open(file))
    assert is_luma_chroma(decoded.reshape(-1, 3))
    assert not is_luma_chroma(exact.reshape(-1, 3))
    assert not is_luma_chroma(decoded.reshape(-1, 3)[:100])  # too few to tell


def test_lightness_and_differences_of_colour_are_those_of_jfif():
    red, green, blue = np.eye(3)
    stored = np.linalg.inv(LUMA_CHROMA) @ np.stack([red, green, blue]).T
    np.testing.assert_allclose(stored[0], [0.299, 0.587, 0.114], atol=1e-6)
    np.testing.assert_allclose(stored[1:, [2, 0]], [[0.5, -0.168736], [-0.081312, 0.5]], atol=1e-6)


def test_floats_that_repeat_were_rounded(rng):
    levels = rng.integers(0, 40, (4000, 1)) * 2
    known = np.hstack([levels * 0.25, rng.normal(size=levels.shape), rng.integers(0, 5, levels.shape)])
    known.setflags(write=False)
    assert rounding_of_floats(known) * 12 == pytest.approx([0.25, 0, 0])
    assert rounding_of_floats(levels.astype(np.float32)) == pytest.approx(rounding(levels.astype(np.uint8)))
    missing = np.where(rng.random(known.shape) < 0.2, np.nan, known)
    assert rounding_of_floats(missing) * 12 == pytest.approx([0.25, 0, 0])
    assert not rounding_of_floats(np.full((30, 2), np.nan)).any()


def test_levels_that_a_part_of_an_image_lacks_widen_its_intervals(rng):
    """Of stretched contrast under a gain, where other levels are missing in each part."""
    parts = np.repeat([0, 1], 5000)
    values = rng.poisson(3, 10_000) * np.where(parts == 0, 2, 3)
    values.setflags(write=False)
    moved = anywhere_within(values, rng.random(10_000), parts) - values
    for part, width in ((0, 2), (1, 3)):
        often = (parts == part) & (values < 8 * width)
        assert np.ptp(moved[often]) == pytest.approx(width, rel=0.01)
        assert moved[often].mean() == pytest.approx(0, abs=0.05)
    together = anywhere_within(values, rng.random(10_000)) - values  # where some levels lie close to others
    assert np.ptp(together[parts == 1][values[parts == 1] == 3]) == pytest.approx(1, rel=0.01)


def test_values_that_are_rare_by_chance_are_no_gaps(rng):
    values = np.append(rng.integers(0, 10, 5000), rng.integers(10, 100, 60))
    moved = anywhere_within(values, rng.random(len(values)), np.arange(len(values)) % 2) - values
    assert np.abs(moved[values < 9]).max() <= 0.5


def changed(levels, rng, kind):
    """Numbers (n,) at some of which, or at all but by 1, a step is missed."""
    if kind == "by 1":
        return levels + rng.integers(-1, 2, len(levels))
    some = rng.random(len(levels)) < 1 / 30
    return np.where(some, rng.integers(levels.min(), levels.max(), len(levels)), levels)


@pytest.mark.parametrize("kind", ["by 1", "a few"])
@pytest.mark.parametrize("offset", [1, 100])
@pytest.mark.parametrize("step", [8, 16, 30, 257])
@pytest.mark.parametrize("dark", [False, True])
def test_steps_that_most_numbers_keep_are_found(rng, dark, step, offset, kind):
    levels = (rng.gamma(0.5, 12, 30_000) if dark else rng.normal(110, 30, 30_000)).clip(0, 200).astype(int)
    values = changed(step * levels + offset, rng, kind).astype(np.uint16)
    assert rounding(values[:, None])[0] * 12 == pytest.approx(step**2, rel=0.02)
    found, counts = spread_over_intervals(*np.unique(values, return_counts=True))
    assert (np.diff(found) % step == 0).mean() > 0.99
    assert counts.sum() == len(values)
    expected = np.bincount(levels, minlength=201)
    there = np.isin(offset + step * np.arange(201), found)
    assert np.abs(counts - expected[there]).sum() < 0.08 * len(values)


@pytest.mark.parametrize("features", ["lab,xy", "rgb", "gray"])
def test_a_sample_of_numbers_changed_by_1_is_as_uncertain_as_of_those_that_were_not(rng, features):
    exact = (257 * rng.normal(100, 20, (90, 120, 3)).clip(1, 254).astype(np.uint16)).astype(np.uint16)
    moved = (exact + rng.integers(-1, 2, exact.shape)).astype(np.uint16)
    request = SampleRequest(Recipe.parse(features), 5000)
    noises = [take_sample(Image(each, color=True), request, np.random.default_rng(0)).noise for each in (exact, moved)]
    np.testing.assert_allclose(noises[1], noises[0], rtol=0.02)
    assert (noises[0] > 0).all()
