"""What workers send comes back as it was: numbers, or blocks of the file that is written."""

from dataclasses import replace

import numpy as np
import pytest
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image, InputError
from gmmseg.io.blocks import Plan, blocks_of
from gmmseg.io.tiff.segments import encoded
from gmmseg.labelling.chunks import ChunkWork, chunk_sides, chunks_of, compute_chunk, joined
from gmmseg.labelling.layers import layer_named

pytest.importorskip("distributed")

from gmmseg.batch.chunk_bytes import packed_chunks, unpacked, wire  # after it is known that it is installed


class Unreadable(CountedSource):
    """A source of which the last columns cannot be read."""

    def read(self, window):
        if window[1].stop > 310:
            raise InputError("scene.tif is damaged")
        return self.array[window], None


def work_of(kind=CountedSource, layer="labels"):
    whole = gmmseg.segment(made_scene(), 3)
    return ChunkWork(Image(kind(whole.image.array), color=True, name="scene"), whole.rule, layer_named(layer))


@pytest.mark.parametrize("layer", ["labels", "probabilities"])
def test_numbers_come_back(layer):
    work = work_of(layer=layer)
    run = [chunk for chunk, _ in chunks_of(work, chunk_sides(work.image, 90))][:4]
    ((some, content),) = packed_chunks(wire().dumps(work), run)
    assert [chunk.number for chunk in some] == [chunk.number for chunk in run]
    found, expected = unpacked(joined(run), content), compute_chunk(work, joined(run))
    assert found.window == expected.window == (slice(0, 90), slice(0, 320))
    for name in ("values", "sampled", "totals"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("codec", ["zlib", "zstd"])
def test_blocks_come_back_as_the_writer_would_make_them(codec):
    plan = Plan((256, 320), np.dtype(np.uint8), (64, 64), 3, codec=codec)
    work = replace(work_of(), packing=plan)
    parts, whole = [], np.zeros((256, 320), np.uint8)
    for chunk, _ in chunks_of(work, chunk_sides(work.image, 100)):
        ((_, content),) = packed_chunks(wire().dumps(work), [chunk])
        found = unpacked(chunk, content)
        parts.append((found.window, found.values))
        whole[chunk.inner] = compute_chunk(work, chunk).values
    assert sum(len(part.blocks) for _, part in parts) > 0
    every = (slice(0, 256), slice(0, 320))
    found, expected = (dict(encoded(blocks_of(plan, each), plan.encode)) for each in (parts, [(every, whole)]))
    assert found == expected


def test_of_a_run_those_that_can_be_read_are_kept_and_the_others_named():
    work = work_of(Unreadable)
    run = [chunk for chunk, _ in chunks_of(work, chunk_sides(work.image, 100))][:4]
    found = packed_chunks(wire().dumps(work), run)
    assert [len(some) for some, _ in found] == [1] * 4
    assert [isinstance(content, bytes) for _, content in found] == [True, True, True, False]
    assert found[-1][1] == "scene.tif is damaged"
