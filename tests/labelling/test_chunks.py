"""Chunks: how an image is covered by them, and what is read for each."""

import numpy as np
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image
from gmmseg.labelling.chunks import ChunkWork, chunk_sides, chunks_of, label_chunk
from gmmseg.labelling.layers import layer_named


class Logged(CountedSource):
    def read(self, window):
        self.log.append(window)
        return self.array[window], None


def work_on(scene):
    source = Logged(scene)
    whole = gmmseg.segment(Image(scene), 3)
    return whole, source, ChunkWork(Image(source), whole.rule, layer_named("labels"))


def test_each_chunk_reads_its_window_and_nothing_else():
    whole, source, work = work_on(made_scene())
    labels = np.zeros(whole.labels.shape, np.uint8)
    for chunk, keys in chunks_of(work, chunk_sides(work.image, 100)):
        assert keys == []
        del source.log[:]
        labels[chunk.tile.inner] = label_chunk(work, chunk)
        assert source.log == [chunk.tile.outer]
    np.testing.assert_array_equal(labels, whole.labels)


def test_chunks_cover_the_image_without_padding():
    _, _, work = work_on(made_scene())
    assert chunk_sides(work.image, 100) == ((100, 100, 56), (100, 100, 100, 20))
    assert chunk_sides(work.image) == ((256,), (320,))
    counts = np.zeros(work.image.shape, int)
    for chunk, _ in chunks_of(work, chunk_sides(work.image, 70)):
        counts[chunk.tile.inner] += 1
        assert all(0 <= s.start < s.stop <= n for s, n in zip(chunk.outer, counts.shape, strict=True))
    assert (counts == 1).all()
