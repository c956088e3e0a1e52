"""Numbers at the ends of what float32 holds: they work, or one line says what is wrong with which file."""

import numpy as np
import pytest
import tifffile

import gmmseg
from gmmseg.errors import DataWarning, InputError
from gmmseg.fitting.counting import spread_over_intervals

RANGE = "its numbers lie .* which is beyond what can be computed with .*; {} all of them by a power of ten"
FAR = "1 of 1024 sampled values lie more than .* spreads from the others; declare what stands for missing data"


@pytest.fixture
def halves(rng):
    """Two classes, the upper and the lower half of an image, of numbers from 0.1 to 0.9."""
    values = rng.normal(0.2, 0.03, (32, 32))
    values[16:] += 0.6
    return values


def with_one(values, other):
    values = values.copy()
    values[3, 3] = other
    return values


def whole(values, dtype):
    return (values * 90).astype(dtype)


@pytest.mark.parametrize("factor", [1e-29, 1e-20, 1e19, 1e20, 1e29])
def test_large_and_small_numbers_that_work(halves, factor):
    labels = gmmseg.segment(halves * factor, 2).labels
    assert (labels[:16] == 1).all()
    assert (labels[16:] == 2).all()


def test_texture_of_large_and_small_numbers(halves):
    expected = gmmseg.segment(halves, 2, features="intensity,texture").labels
    for factor in (2.0**-43, 2.0**46):
        labels = gmmseg.segment(halves * factor, 2, features="intensity,texture").labels
        np.testing.assert_array_equal(labels, expected)
    for factor, way in ((1e-16, "multiply"), (1e17, "divide")):
        with pytest.raises(InputError, match=rf"\(1e-15 to 1e\+15\); {way} all of them"):
            gmmseg.segment(halves * factor, 2, features="intensity,texture")


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda values: values * 3.4e38, RANGE.format("divide")),
        (lambda values: (values - 0.5) * 6.8e38, RANGE.format("divide")),
        (lambda values: values * 1e-37, RANGE.format("multiply")),
        (lambda values: values * 1e-40, RANGE.format("multiply")),
        (lambda values: values * 1e-44, RANGE.format("multiply")),
        (lambda values: with_one(values, 3.4e38), FAR),
        (lambda values: with_one(values, -1e20), FAR),
    ],
)
def test_what_cannot_be_computed_with(halves, tmp_path, change, pattern, smooth):
    values = change(halves)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "b.npy", values.astype(np.float32))
    tifffile.imwrite(tmp_path / "c.tif", values)
    for path in tmp_path.iterdir():
        for memory in (1 << 30, 1):
            with pytest.raises(InputError, match=rf"{path.name}: {pattern}"):
                gmmseg.segment(path, 2, smooth=smooth, memory=memory)
    with pytest.raises(InputError, match=f"^image: {pattern}"):
        gmmseg.segment(values, "auto", smooth=smooth)


@pytest.mark.parametrize("value", [1e39, -1e308, np.inf, -np.inf, np.nan])
def test_what_float32_does_not_hold_is_no_data(halves, value):
    with pytest.warns(DataWarning, match="1 pixels are NaN, infinite or beyond float32; their label is 0"):
        labels = gmmseg.segment(with_one(halves, value), 2).labels
    assert np.argwhere(labels == 0).tolist() == [[3, 3]]


def test_numbers_beyond_float64(halves):
    if np.finfo(np.longdouble).max == np.finfo(float).max:
        pytest.skip("long doubles are doubles here")
    with pytest.warns(DataWarning, match="1 pixels are NaN, infinite or beyond float32"):
        assert gmmseg.segment(with_one(halves.astype(np.longdouble), np.longdouble("1e400")), 2).labels[3, 3] == 0


@pytest.mark.parametrize(
    ("change", "place", "difference"),
    [
        (lambda values: values + 1e9, r"1e\+09", r"0\.[56]\d*"),
        (lambda values: values * 100 + 1e15, r"1e\+15", r"[56]\d\.?\d*"),
        (lambda values: values * 1e-310, "7[^ ]*e-311", "5[^ ]*e-311"),
        (lambda values: (values > 0.5) * 5 + 2**60, r"1\.15292e\+18", "5"),
        (lambda values: np.uint64(2**63) + (values > 0.5).astype(np.uint64), r"9\.22337e\+18", "1"),
    ],
)
def test_differences_that_float32_does_not_hold(halves, tmp_path, change, place, difference):
    np.save(tmp_path / "a.npy", change(halves))
    with (
        pytest.warns(DataWarning, match=rf"a\.npy: its numbers lie around {place} and differ by {difference}, which"),
        pytest.warns(DataWarning, match="only 1 distinct colour"),
    ):
        gmmseg.segment(tmp_path / "a.npy", 2)


@pytest.mark.parametrize("value", [0.1, 1e9, -5e-324, 0.0])
def test_rounding_of_float64_is_no_difference(value):
    values = np.full((32, 32), value)
    values[::2] = np.nextafter(values[::2], 1)
    with pytest.warns(DataWarning, match="only 1 distinct colour") as heard:
        gmmseg.segment(values, 2)
    assert len(heard) == 1


@pytest.mark.parametrize("top", [2**31 - 1, 4_000_000_000])
def test_a_number_far_above_all_others_takes_no_memory(halves, top):
    labels = gmmseg.segment(with_one(whole(halves, np.uint32), top), 2).labels
    assert labels[3, 3] == 2


@pytest.mark.parametrize(("dtype", "top"), [(np.uint64, 2**63 + 9), (np.uint64, 2**64 - 1), (np.int64, -(2**63))])
def test_a_number_too_far_above_all_others(halves, top, dtype):
    with pytest.raises(InputError, match="1 of .* sampled values lie more than 1e.15 spreads from the others"):
        gmmseg.segment(with_one(whole(halves, dtype), top), 2)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_over_the_whole_range(halves, dtype):
    limits = np.iinfo(dtype)
    values = np.where(halves > 0.5, limits.max - whole(halves, dtype), limits.min + whole(halves, dtype))
    labels = gmmseg.segment(values, 2).labels
    assert (labels[:16] == 1).all()
    assert (labels[16:] == 2).all()


def test_intervals_over_the_whole_range():
    values = np.array([*range(0, 14, 2), 2**63, 2**64 - 1], np.uint64)
    found, counts = spread_over_intervals(values, np.arange(9))
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(counts, np.arange(9))


@pytest.mark.parametrize("change", [lambda values: values * 3.4e38, lambda values: with_one(values, 3.4e38)])
def test_a_model_is_not_adapted_to_what_stands_for_missing_data(halves, change):
    model = gmmseg.fit(halves, 2)
    with pytest.raises(
        InputError, match=r"^image: \d+ of 1024 sampled values lie .* of the model or more from its class"
    ):
        gmmseg.apply(model, change(halves), adapt=True)
    assert gmmseg.apply(model, change(halves)).labels.min() == 1


@pytest.mark.parametrize("factor", [1e-40, 1e-45, 1e-310])
@pytest.mark.parametrize("adapt", [False, True])
def test_a_model_where_there_is_no_contrast(halves, factor, adapt):
    model = gmmseg.fit(halves, 2)
    assert (gmmseg.apply(model, halves * factor, adapt=adapt).labels == 1).all()
