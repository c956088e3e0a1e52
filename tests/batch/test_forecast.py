"""What is told of a run before it runs."""

import numpy as np
import pytest
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image
from gmmseg.batch.forecast import forecast


def test_chunks_and_bytes_are_those_that_will_be_read(monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.chunks._AT_ONCE", 1)
    source = CountedSource(made_scene())
    found = forecast(Image(source, color=True, name="a/scene.tif"), workers=3, side=100)
    assert (found.image, found.chunks, found.chunk, found.halo) == ("scene.tif", 12, (100, 100), 8)
    rows, columns = 256 + 4 * 8, 320 + 6 * 8
    assert found.bytes_read == 3 * rows * columns
    assert found.read_twice == pytest.approx(rows * columns / (256 * 320) - 1)
    assert len(source.log) == 2  # one chunk to fit, one to label
    assert found.hours == pytest.approx(found.core_hours / 3)
    assert found.memory > 1 << 20


def test_small_chunks_are_computed_together():
    source = CountedSource(made_scene())
    found = forecast(Image(source, color=True), workers=1, side=64)
    assert (found.chunks, found.tasks, found.chunk) == (20, 5, (64, 64))  # four of two by two, and a column
    assert found.bytes_read == 3 * ((256 + 2 * 8) * (256 + 3 * 8) + 256 * (64 + 8))


def test_a_model_is_applied_as_it_is():
    scene = made_scene()
    model = gmmseg.fit(Image(scene), 3, smooth=False)
    source = CountedSource(scene)
    found = forecast(Image(source), workers=100, side=128, model=model)
    assert (found.chunks, found.halo, found.read_twice) == (6, 0, 0)
    assert len(source.log) == 1
    assert found.hours == pytest.approx(found.core_hours / 6)


def test_frames_are_chunks():
    film = np.stack([made_scene()] * 2)
    found = forecast(Image(CountedSource(film), time=True), workers=1, side=4096)
    assert found.chunks == 2
