"""Pixels that stay in their file: chosen channels of them, and which are valid."""

import numpy as np
import pytest
from counted_sources import CountedSource, SelectableSource

from gmmseg.image import Image
from gmmseg.image.windows import everything


def test_pixels_whose_chosen_channels_are_all_missing_are_not_valid(rng):
    values = rng.random((4, 5, 3)) * 9
    values[1, 2, :2] = np.nan
    values[0, 0, 0] = np.inf
    image = Image.from_array(values, channel_axis=-1, mask=np.arange(20).reshape(4, 5) < 18)
    for chosen in (image.select("1,2"), Image(CountedSource(values), valid=image.valid).select("1,2")):
        whole = chosen.crop(everything((4, 5)))
        assert not whole.valid[1, 2]
        assert whole.valid[0, 0]
        assert whole.valid.sum() == 17


@pytest.mark.parametrize(("kind", "read_channels"), [(CountedSource, (0, 1, 2, 3)), (SelectableSource, (3, 1))])
def test_sources_read_only_what_they_are_asked_for(rng, kind, read_channels):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint16)
    source = kind(values)
    chosen = Image(source, color=False).select("4,2")
    assert not chosen.in_memory
    assert chosen.pixels.shape == (6, 7, 2)
    np.testing.assert_array_equal(chosen.array, values[..., [3, 1]])
    np.testing.assert_array_equal(chosen.select("2").array, values[..., [1]])
    assert source.log[0] == read_channels
