"""Arrays that are read by slices."""

from contextlib import nullcontext

import numpy as np
import pytest

from gmmseg.io.array.sliced import SlicedArray


@pytest.mark.parametrize("channel_axis", [None, 1, 3])
@pytest.mark.parametrize("channels", [None, (2,), (1, 0)])
def test_windows_of_some_axes(channel_axis, channels):
    values = np.arange(3 * 4 * 5 * 6).reshape(3, 4, 5, 6)
    values.flags.writeable = False
    fixed = ((0, 2),) if channel_axis is not None else ((0, 2), (1, 3))
    source = SlicedArray(lambda: nullcontext(values), values.shape, values.dtype, None, channel_axis, fixed)
    expected = values[2, 3][..., None] if channel_axis is None else np.moveaxis(values[2], channel_axis - 1, -1)
    if channels is not None and channel_axis is not None:
        source, expected = source.select(channels), expected[..., list(channels)]
    assert source.shape == expected.shape
    window = (slice(1, 3), slice(2, 4))
    pixels, valid = source.read(window)
    np.testing.assert_array_equal(pixels, expected[window])
    assert valid is None
    assert source.blocks == (1, source.shape[1])


def test_only_the_channels_asked_for_are_read():
    asked = []

    class Array:
        def __getitem__(self, index):
            asked.append(index)
            return np.zeros([1 if each.stop is None else each.stop - each.start for each in index], ">u2")

    array = Array()
    source = (
        SlicedArray(lambda: nullcontext(array), (7, 4, 5), np.dtype(">u2"), (1, 2, 3), 0).select((4, 6)).select((1,))
    )
    pixels, _ = source.read((slice(0, 2), slice(1, 3)))
    assert asked == [(slice(6, 7), slice(0, 2), slice(1, 3))]
    assert pixels.dtype == np.uint16
    assert pixels.shape == (2, 2, 1)
    assert source.blocks == (2, 3)
