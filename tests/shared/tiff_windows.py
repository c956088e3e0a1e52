"""A TIFF file read window by window, beside the whole."""

import numpy as np

from gmmseg.io import read


def windows_of(shape):
    """Some windows of a shape: all, one pixel in the last corner, and a part that crosses blocks."""
    yield tuple(slice(0, n) for n in shape)
    yield tuple(slice(n - 1, n) for n in shape)
    yield tuple(slice(n // 3, n - n // 4) for n in shape)


def assert_same_by_windows(path, **options):
    whole = read(path, **options)
    lazy = read(path, memory=0, **options)
    assert not lazy.in_memory
    assert (lazy.shape, lazy.n_channels, lazy.color) == (whole.shape, whole.n_channels, whole.color)
    assert lazy.pixels.dtype == whole.pixels.dtype
    assert (lazy.channel_names, lazy.spacing) == (whole.channel_names, whole.spacing)
    assert len(lazy.pixels.blocks) == lazy.ndim
    for window in windows_of(whole.shape):
        expected, found = whole.crop(window), lazy.crop(window)
        np.testing.assert_array_equal(found.array, expected.array)
        valid = [np.ones(found.shape, bool) if each.valid is None else each.valid for each in (found, expected)]
        np.testing.assert_array_equal(*valid)
    return lazy
