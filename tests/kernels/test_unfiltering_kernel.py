"""Rows of PNG files: compiled and reference against the standard, byte by byte."""

import numpy as np
import pytest
from implementations import both, compiled
from png_rows import filtered


@both
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("columns", [1, 2, 13])
def test_every_filter_after_every_other_is_undone(kernel, depth, columns):
    rng = np.random.default_rng(depth)
    filters = [first for pair in np.ndindex(5, 5) for first in pair]
    rows = rng.integers(0, 256, (len(filters), columns * depth), np.uint8)
    rows[::3] //= 60  # neighbours that are alike
    stored, out = filtered(rows, filters, depth), np.empty_like(rows)
    stored.flags.writeable = False
    assert kernel.unfilter(stored, depth, out)
    np.testing.assert_array_equal(out, rows)


@both
def test_a_filter_that_png_does_not_have_is_told(kernel):
    stored = np.zeros((3, 5), np.uint8)
    stored[2, 0] = 5
    assert not kernel.unfilter(stored, 1, np.empty((3, 4), np.uint8))


@compiled
def test_what_does_not_fit_is_refused(kernel):
    with pytest.raises(ValueError, match="one filter and one byte"):
        kernel.unfilter(np.zeros((3, 5), np.uint8), 1, np.empty((3, 5), np.uint8))
    with pytest.raises(ValueError, match="1, 2, 3, 4, 6 or 8"):
        kernel.unfilter(np.zeros((3, 6), np.uint8), 5, np.empty((3, 5), np.uint8))
