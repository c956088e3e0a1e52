"""Whole numbers, the steps that they keep, and what rounding took from them."""

import numpy as np
import pytest

from gmmseg.kernels.intervals import in_steps, rounding


def test_the_variance_of_rounding(rng):
    whole = rng.normal(0, 40, (5000, 2)).round().astype(np.int16)
    np.testing.assert_allclose(rounding(whole), 1 / 12, rtol=0.05)
    np.testing.assert_allclose(rounding(whole * 5), 25 / 12, rtol=0.05)
    # A few values between the others, or far from them, change little.
    odd = np.concatenate([whole * 5, [[3, 3], [3000, 3000]]])
    np.testing.assert_allclose(rounding(odd), 25 / 12, rtol=0.1)
    np.testing.assert_array_equal(rounding(np.array([[0, 7], [200, 7]], np.uint8)), [1 / 12, 0])


def test_of_no_more_values_than_classes_none_was_rounded():
    values = np.array([[0, 0], [1, 1], [2, 1]], np.uint8)
    np.testing.assert_array_equal(rounding(values, 2), [1 / 12, 0])
    np.testing.assert_array_equal(rounding(values, 3), [0, 0])


def real_numbers(rng, kind):
    """Numbers of more than 8 bits that were never fewer."""
    if kind == "bell":
        return rng.normal(30_000, 8_000, 60_000)
    if kind == "narrow bell":
        return rng.normal(3_000, 60, 60_000)
    if kind == "counts times a gain":
        return 7.3 * rng.poisson(900, 60_000)
    if kind == "levels in noise":
        return 257 * rng.integers(0, 250, 60_000) + rng.normal(0, 5, 60_000)
    if kind == "two narrow peaks":
        return rng.choice([1_000, 40_000], 60_000) + rng.normal(0, 30, 60_000)
    return np.sqrt(rng.integers(0, 256, 60_000)) * 4096  # by a curve


@pytest.mark.parametrize(
    "kind", ["bell", "narrow bell", "counts times a gain", "levels in noise", "two narrow peaks", "by a curve"]
)
def test_real_numbers_of_16_bits_keep_no_steps(rng, kind):
    values, counts = np.unique(np.rint(real_numbers(rng, kind)).clip(0, 65_535).astype(np.uint16), return_counts=True)
    found, number = in_steps(values, counts)
    assert found is values
    assert number is counts


def test_what_keeps_its_steps_throughout_is_as_it_was(rng):
    for values in (257 * np.arange(256), 13 + 16 * np.flatnonzero(rng.random(300) < 0.7), np.arange(500)):
        counts = rng.integers(1, 99, len(values))
        assert in_steps(values.astype(np.uint16), counts)[1] is counts
    huge = np.arange(100, dtype=np.uint64) * 257 + np.uint64(1 << 63)
    assert in_steps(huge, np.ones(100, int))[0] is huge
