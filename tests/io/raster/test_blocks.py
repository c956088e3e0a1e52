"""Blocks that those encode who compute a window are the bytes that the writer makes of the window itself."""

import numpy as np
import pytest

from gmmseg.image.windows import windows_across
from gmmseg.io.raster.blocks import Plan, blocks_of
from gmmseg.io.tiff.segments import encoded

SHAPE = (700, 1100)
SIDES = {
    "aligned": ((512, 188), (1024, 76)),
    "ragged": ((300, 300, 100), (450, 450, 200)),
    "narrow": ((100,) * 7, (1100,)),
}


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("bands", [0, 3], ids=["labels", "probabilities"])
def test_packed_windows_give_the_same_blocks(sides, bands, rng):
    if bands:
        plan, values = Plan(SHAPE, np.dtype(np.uint16), bands, 1 / 65535), rng.random((bands, *SHAPE), np.float32)
    else:
        plan, values = Plan(SHAPE, np.dtype(np.uint8), nodata=0), rng.integers(0, 4, SHAPE, np.uint8)
    values.flags.writeable = False
    windows = list(windows_across(sides))
    expected = dict(encoded(blocks_of(plan, [((slice(0, 700), slice(0, 1100)), values)])))
    packed = [(window, plan.pack(window, values[..., *window])) for window in windows]
    assert dict(encoded(blocks_of(plan, packed))) == expected
    assert sorted(expected) == list(range(6))


def test_blocks_that_lie_in_a_window_are_encoded_there_and_those_at_the_edge_of_the_image_too():
    plan = Plan(SHAPE, np.dtype(np.uint8))
    part = plan.pack((slice(500, 700), slice(1000, 1100)), np.ones((200, 100), np.uint8))
    assert [number for number, _ in part.blocks] == [5]
    assert [(number, inside) for number, inside, _ in part.shared] == [
        (1, (slice(500, 512), slice(488, 512))),
        (2, (slice(500, 512), slice(0, 76))),
        (4, (slice(0, 188), slice(488, 512))),
    ]
