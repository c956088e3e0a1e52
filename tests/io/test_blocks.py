"""Blocks that those encode who compute a window are the bytes that the writer makes of the window itself."""

import zlib
from itertools import pairwise

import numpy as np
import pytest

from gmmseg.image.windows import windows_across
from gmmseg.io.blocks import Plan, blocks_of
from gmmseg.io.coarser import most_frequent
from gmmseg.io.tiff.segments import encoded

SHAPE = (700, 1100)
WHOLE = (slice(0, 700), slice(0, 1100))
SIDES = {
    "aligned": ((512, 188), (1024, 76)),
    "ragged": ((300, 300, 100), (450, 450, 200)),
    "odd": ((101,) * 6 + (94,), (333, 333, 333, 101)),
    "narrow": ((100,) * 7, (1100,)),
}


@pytest.mark.parametrize("sides", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("kind", ["labels", "probabilities", "zarr"])
def test_packed_windows_give_the_same_blocks(sides, kind, rng):
    if kind == "probabilities":
        plan = Plan(SHAPE, np.dtype(np.uint16), (128, 128), 4, 3, 1 / 65535, classes=False)
        values = rng.random((3, *SHAPE), np.float32)
    else:
        plan = Plan(SHAPE, np.dtype(np.uint16), (128, 128), 4, nodata=0, codec="zstd" if kind == "zarr" else "zlib")
        values = rng.integers(0, 4, SHAPE, np.uint16)
    values.flags.writeable = False
    windows = list(windows_across(sides))
    expected = dict(encoded(blocks_of(plan, [(WHOLE, values)]), plan.encode))
    packed = [(window, plan.pack(window, values[..., *window])) for window in windows]
    assert dict(encoded(blocks_of(plan, packed), plan.encode)) == expected
    assert [sum(level == key[0] for key in expected) for level in range(4)] == [6 * 9, 3 * 5, 2 * 3, 1 * 2]


def test_no_two_windows_write_a_block(rng):
    values, plan = rng.integers(1, 4, SHAPE, np.uint8), Plan(SHAPE, np.dtype(np.uint8), (128, 128), 4)
    for sides in SIDES.values():
        written = [key for window in windows_across(sides) for key, _ in plan.pack(window, values[window]).blocks]
        assert len(written) == len(set(written))


def test_each_resolution_is_made_of_the_finer_one(rng):
    values, plan = rng.integers(0, 3, SHAPE, np.uint8), Plan(SHAPE, np.dtype(np.uint8), (128, 128), 4)
    found = [np.zeros(plan.shape_at(level), np.uint8) for level in range(4)]
    for (level, row, column), block in blocks_of(plan, [(WHOLE, values)]):
        rows, columns = plan.extent((level, row, column))
        found[level][row * 128 :, column * 128 :][:128, :128] = block[:rows, :columns, 0]
    np.testing.assert_array_equal(found[0], values)
    for finer, coarser in pairwise(found):
        np.testing.assert_array_equal(coarser, most_frequent(finer))


def test_blocks_that_lie_in_a_window_are_encoded_there_and_those_at_the_edge_of_the_image_too():
    plan = Plan(SHAPE, np.dtype(np.uint8), (512, 512))
    part = plan.pack((slice(500, 700), slice(1000, 1100)), np.ones((200, 100), np.uint8))
    assert [key for key, _ in part.blocks] == [(0, 1, 2)]
    assert [(key, inside) for key, inside, _ in part.shared] == [
        ((0, 0, 1), (slice(500, 512), slice(488, 512))),
        ((0, 0, 2), (slice(500, 512), slice(0, 76))),
        ((0, 1, 1), (slice(0, 188), slice(488, 512))),
    ]


def test_what_is_coarser_is_encoded_where_all_of_it_is():
    plan = Plan((1024, 1024), np.dtype(np.uint8), (256, 256), 3)
    part = plan.pack((slice(0, 512), slice(0, 768)), np.ones((512, 768), np.uint8))
    assert [key for key, _ in part.blocks if key[0]] == [(1, 0, 0)]
    quarters = {(key, inside[0].start, inside[1].start) for key, inside, _ in part.shared}
    assert quarters == {((2, 0, 0), 0, 0), ((1, 0, 1), 0, 0), ((1, 0, 1), 128, 0)}


def test_planes_of_a_volume_are_blocks_of_their_own(rng):
    values = rng.integers(0, 3, (3, 40, 50), np.uint8)
    plan = Plan(values.shape, np.dtype(np.uint8), (32, 32), 2)
    window = (slice(1, 3), slice(0, 40), slice(0, 50))
    found = dict(blocks_of(plan, [(window, values[1:])]))
    assert sorted(key for key in found if key[0]) == [(1, 1, 0, 0), (1, 2, 0, 0)]
    assert len(found) == 2 * 4 + 2
    np.testing.assert_array_equal(found[0, 2, 1, 1][:8, :18, 0], values[2, 32:, 32:])
    np.testing.assert_array_equal(found[1, 2, 0, 0][:20, :25, 0], most_frequent(values[2]))


def test_of_nothing_but_zeros_zarr_stores_nothing():
    block = np.zeros((4, 4, 1), np.uint8)
    assert Plan((4, 4), block.dtype, (4, 4), codec="zstd").encode(block) == b""
    assert zlib.decompress(Plan((4, 4), block.dtype, (4, 4)).encode(block)) == bytes(16)
