"""Chunks: how an image is covered by them, and what is read for each."""

import itertools

import numpy as np
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image
from gmmseg.labelling.chunks import ChunkWork, chunk_sides, chunks_of, compute_chunk, joined, label_chunk, runs_of
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.summary import Tally


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


def test_a_large_chunk_reads_its_window_strip_by_strip_and_every_row_once(monkeypatch):
    whole, source, work = work_on(made_scene())
    monkeypatch.setattr("gmmseg.labelling.chunks._READ_AT_ONCE", 3 * 200 * 40)
    labels, strips = np.zeros(whole.labels.shape, np.uint8), []
    for chunk, _ in chunks_of(work, chunk_sides(work.image, 200)):
        del source.log[:]
        found = compute_chunk(work, chunk)
        labels[chunk.tile.inner] = found.values
        tally = Tally(3, work.image)
        np.testing.assert_array_equal(found.sampled, tally.sample(chunk.inner, source.array[chunk.inner]))
        rows = [(each[0].start, each[0].stop) for each in source.log]
        strips.append(len(rows))
        assert rows[0][0] == chunk.tile.outer[0].start
        assert rows[-1][1] == chunk.tile.outer[0].stop
        assert all(a[1] == b[0] and a[1] % source.blocks[0] == 0 for a, b in itertools.pairwise(rows))
    assert max(strips) > 4
    np.testing.assert_array_equal(labels, whole.labels)


def test_runs_are_boxes_of_chunks_that_are_there_of_so_many_pixels():
    _, _, work = work_on(made_scene())
    chunks = [chunk for chunk, _ in chunks_of(work, chunk_sides(work.image, 100))]
    runs = runs_of([*chunks[:5], *chunks[6:]], 20_000)
    assert [[chunk.number for chunk in run] for run in runs] == [
        [(0, 0), (1, 0)],
        [(0, 1)],
        [(0, 2), (0, 3)],
        [(1, 2), (1, 3), (2, 2), (2, 3)],
        [(2, 0)],
        [(2, 1)],
    ]
    one = joined(runs[3])
    assert one.inner == (slice(100, 256), slice(200, 320))
    assert one.outer == (slice(100 - work.halo, 256), slice(200 - work.halo, 320))
    wide = runs_of(chunks, 20_000, 200)
    assert [chunk.number for chunk in wide[0]] == [(0, 0), (0, 1)]


def test_chunks_cover_the_image_without_padding():
    _, _, work = work_on(made_scene())
    assert chunk_sides(work.image, 100) == ((100, 100, 56), (100, 100, 100, 20))
    assert chunk_sides(work.image) == ((256,), (320,))
    counts = np.zeros(work.image.shape, int)
    for chunk, _ in chunks_of(work, chunk_sides(work.image, 70)):
        counts[chunk.tile.inner] += 1
        assert all(0 <= s.start < s.stop <= n for s, n in zip(chunk.outer, counts.shape, strict=True))
    assert (counts == 1).all()
