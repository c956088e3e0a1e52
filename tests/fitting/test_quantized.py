"""Floats that are copies of integers become these again; all others stay what they are."""

import numpy as np
import pytest

from gmmseg.fitting.quantized import quantized
from gmmseg.image import Image
from gmmseg.image.place import Place
from tests.shared.counted_sources import CountedSource

HOW = {
    "cast": lambda n: n,
    "of 8 bits": lambda n: n / 255,
    "of 16 bits": lambda n: n / 65535,
    "of the largest": lambda n: n / n.max(),
    "multiplied": lambda n: n * 0.37,
    "large": lambda n: n * 1e12,
    "small": lambda n: n * 1e-12,
    "shifted": lambda n: n * 0.37 + 12,
    "standardized": lambda n: (n - n.mean()) / n.std(),
}


def counts(rng, top):
    found = np.sort(np.minimum(rng.gamma(2, top / 9, (60, 70)).astype(np.int64), top), axis=None).reshape(60, 70)
    found[0, 0] = top
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("top", [9, 250, 4000, 60000])
@pytest.mark.parametrize("how", HOW)
def test_integers_come_back(rng, how, top, dtype):
    integers = counts(rng, top)
    pixels = HOW[how](integers).astype(dtype)
    pixels.flags.writeable = False
    found = quantized(Image(pixels))
    levels = found.image.array[..., 0].astype(np.int64)
    assert found.image.pixels.dtype == (np.uint8 if top < 256 else np.uint16)
    np.testing.assert_array_equal(levels - levels.min(), integers - integers.min())
    np.testing.assert_allclose(found.offset + found.step * levels, pixels, atol=4e-7 * np.abs(pixels).max())
    assert (found.offset == 0) == (how not in {"shifted", "standardized"})


def test_a_usual_step_is_taken_though_all_numbers_are_even(rng):
    integers = 2 * counts(rng, 100)
    for step in (1, 1 / 255, 1 / 65535):
        found = quantized(Image(np.float32(integers * step)))
        assert found.step == step
        np.testing.assert_array_equal(found.image.array[..., 0], integers)
    found = quantized(Image(np.float32(integers / 200)))  # so this is half of what is between two
    np.testing.assert_array_equal(found.image.array[..., 0], integers // 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_floats_stay(rng, dtype):
    integers = counts(rng, 250)
    others = {
        "noise": rng.normal(0, 1, (60, 70)),
        "blurred": (integers + np.roll(integers, 1) * np.float32(0.21) + np.roll(integers, 1, 1) * 0.3333),
        "logarithm": np.log1p(integers),
        "more levels than 16 bits": rng.integers(0, 1 << 20, (60, 70)) / 7,
        "constant": np.full((60, 70), 0.3),
        "so few values that each may be a class": 0.5 * (integers % 7),
        "rounded so far out that steps are not known": integers * 0.001 + 1e3,
    }
    for name, pixels in others.items():
        assert quantized(Image(pixels.astype(dtype))) is None, name


def test_all_pixels_are_looked_at(rng):
    pixels = counts(rng, 250) / np.float32(255)
    assert quantized(Image(np.tile(pixels, (5, 5)))) is not None
    for value in (0.5, 300.1, -1e30):
        wrong = np.tile(pixels, (5, 5))
        wrong[77, 99] = value
        assert quantized(Image(wrong)) is None
    wrong[77, 99] = 65535  # of which there are too many below
    assert quantized(Image(wrong)) is None


def test_what_holds_no_data_does_not_count(rng):
    integers = counts(rng, 250)
    pixels = integers / np.float32(255)
    pixels[3:9, 5] = np.nan, np.inf, -np.inf, 0.123, 1e30, -7
    valid = np.ones(pixels.shape, bool)
    valid[3:9, 5] = False
    for each in (pixels, np.asfortranarray(pixels), pixels[::-1]):
        own = valid[::-1] if each is not pixels and not each.flags.f_contiguous else valid
        found = quantized(Image(each, valid=own))
        np.testing.assert_array_equal(found.image.array[..., 0][own], np.rint(each[own] * 255))
    rare = np.zeros(pixels.shape, bool)
    rare[40, 30:50] = True
    assert quantized(Image(np.where(rare, pixels, np.float32(np.pi)), valid=rare)).step == 1 / 255
    assert quantized(Image(pixels, valid=np.zeros(pixels.shape, bool))) is None


def test_missing_bands_stay_missing(rng):
    pixels = np.stack([counts(rng, 250), counts(rng, 99)], axis=-1) / np.float32(255)
    assert quantized(Image(pixels)).image.n_channels == 2
    pixels[3, 4, 1] = np.nan
    assert quantized(Image(pixels)) is None


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_are_of_8_or_16_bits(rng, bits):
    top = 2**bits - 1
    integers = rng.integers(0, top, (40, 50, 3))
    found = quantized(Image(np.float32(integers / top), color=True))
    assert (found.image.pixels.dtype, found.offset, found.step) == (f"uint{bits}", 0, 1 / top)
    np.testing.assert_array_equal(found.image.array, integers)
    assert quantized(Image(np.float32(integers / (top + 1)), color=True)) is None


def test_scans_are_of_signed_integers(rng):
    integers = counts(rng, 250).reshape(4, 15, 70)
    scan = Place(affine3d=np.eye(4))
    for place, low, dtype in (
        (scan, 0, np.int16),
        (None, 0, np.uint8),
        (None, -300, np.int16),
        (scan, 40000, np.int32),
    ):
        found = quantized(Image(np.float32(integers + low)[..., None], place=place))
        assert found.image.pixels.dtype == dtype
        np.testing.assert_array_equal(found.image.array[..., 0], integers + low)


def test_integers_and_files_are_left_alone(rng):
    assert quantized(Image(rng.integers(0, 9, (20, 20)))) is None
    source = CountedSource(np.float32(rng.integers(0, 9, (20, 20, 1))))
    assert quantized(Image(source)) is None
    assert not source.log
