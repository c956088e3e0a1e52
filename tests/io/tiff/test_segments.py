"""Blocks that are compressed side by side, and put into the order of the file."""

import io
import zlib

import numpy as np
import pytest

from gmmseg.io.tiff.segments import encoded, in_order


@pytest.mark.parametrize("order", [range(40), range(39, -1, -1), [7, *range(7), *range(8, 40)]])
def test_blocks_come_in_the_order_of_the_file(order):
    blocks = {number: np.full((4, 5), number, np.uint16) for number in range(40)}
    coming = encoded((number, blocks[number]) for number in order)
    found = [zlib.decompress(data) for data in in_order(coming, 40, io.BytesIO())]
    assert found == [block.tobytes() for block in blocks.values()]
