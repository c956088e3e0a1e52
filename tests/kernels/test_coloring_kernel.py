"""Pixels and colours of labels: compiled and reference against sums by hand."""

import numpy as np
import pytest
from implementations import both, compiled


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_pixels_and_colours_are_added_to_what_is_there(kernel, dtype):
    labels = np.uint8([2, 0, 2, 1, 3])
    colors = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 255], [10, 11, 12], [9, 9, 9]], dtype)
    colors = colors / 4 if dtype is np.float64 else colors
    counts, sums = np.int64([100, 0, 0]), np.zeros((3, 3))
    sums[0, 1] = 0.5
    for each in (labels, colors):
        each.flags.writeable = False
    kernel.add_colors(labels, colors, counts, sums)
    part = 4 if dtype is np.float64 else 1
    assert counts.tolist() == [101, 1, 2]  # label 3 has no place
    assert (sums * part).tolist() == [[4, 10 + 0.5 * part, 8], [5, 11, 10], [6, 12, 258]]


@both
def test_all_labels_of_8_bits_have_a_place(kernel):
    labels = np.arange(256, dtype=np.uint8).repeat(3)
    counts, sums = np.zeros(256, np.int64), np.zeros((3, 256))
    kernel.add_colors(labels, np.full((768, 3), 255, np.uint8), counts, sums)
    assert (counts == 3).all()
    assert (sums == 765).all()


@compiled
def test_sums_are_those_of_the_reference_to_the_last_bit(kernel):
    from gmmseg.kernels import reference

    rng = np.random.default_rng(0)
    labels, colors = rng.integers(0, 5, 10_000, np.uint8), rng.random((10_000, 3))
    found = [(np.zeros(5, np.int64), np.zeros((3, 5))) for _ in range(2)]
    for each, (counts, sums) in zip((kernel, reference), found, strict=True):
        each.add_colors(labels, colors, counts, sums)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@compiled
def test_what_does_not_fit_is_refused(kernel):
    labels, counts, sums = np.zeros(4, np.uint8), np.zeros(3, np.int64), np.zeros((3, 3))
    with pytest.raises(ValueError, match="one colour for each label"):
        kernel.add_colors(labels, np.zeros((5, 3), np.uint8), counts, sums)
    with pytest.raises(ValueError, match="of the same labels"):
        kernel.add_colors(labels, np.zeros((4, 3), np.uint8), counts, np.zeros((3, 4)))
