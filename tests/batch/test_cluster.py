"""Workers of Dask: the bytes of one process, what is done is kept, and nothing half done is taken for a result."""

import logging
import os
import signal
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image, InputError, OutputError
from gmmseg.errors import GmmsegError, GmmsegWarning, UnfinishedError
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule
from gmmseg.model.adapting import explains, overhearing

distributed = pytest.importorskip("distributed")

from gmmseg.batch.cluster import _LOCAL, Cluster, connected  # noqa: E402  # after it is known that it is installed

LABELS = layer_named("labels")


class Unreadable(CountedSource):
    """A source with a hole, until it is put right."""

    broken = True

    def read(self, window):
        if self.broken and window[0].start <= 150 < window[0].stop and window[1].stop > 310:
            raise InputError("scene.tif is damaged in rows 128 to 255")
        return self.array[window], None


@pytest.fixture(scope="module")
def client():
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=":0") as known:
        yield known


@pytest.fixture(scope="module")
def whole():
    return gmmseg.segment(made_scene(), 3)


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.chunks._AT_ONCE", 1)


def found_in(whole, kind=CountedSource):
    image = Image(kind(whole.image.array), color=True, name="scene")
    return gmmseg.labelling.result.Segmentation(image, Rule(whole.model), whole.effort)


def collected(parts):
    labels = np.zeros((256, 320), np.uint8)
    for part in parts:
        labels[part.window] = part.values
    return labels


def test_chunks_come_in_order_with_the_labels_of_the_whole(client, whole, tmp_path):
    cluster, seen = Cluster(client, 100, lambda *done: seen.append(done)), []
    parts = list(cluster.computed(found_in(whole), LABELS, tmp_path / "labels.tif"))
    assert [part.window[0].start for part in parts] == [0] * 4 + [100] * 4 + [200] * 4
    assert collected(parts).tobytes() == whole.labels.tobytes()
    assert seen[-1] == (12, 12)
    cluster.finish()
    assert not list(tmp_path.iterdir())


def test_small_chunks_are_computed_together_and_kept_together(client, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("gmmseg.labelling.chunks._AT_ONCE", 4 << 20)
    monkeypatch.setattr("gmmseg.labelling.chunks._SHARES", 1)
    with closing(Cluster(client, 30)) as first:
        parts = first.computed(found_in(whole, Unreadable), LABELS, tmp_path / "labels.tif")
        with pytest.raises(
            UnfinishedError, match="2 of 99 chunks could not be computed, first that of pixels 120 to 149"
        ):
            list(parts)
    kept = [each.name for each in tmp_path.glob(".labels.tif.gmmseg-parts/*.part")]
    assert len(kept) == 45
    with closing(Cluster(client, 30)) as second:
        found = list(second.computed(found_in(whole), LABELS, tmp_path / "labels.tif"))
    assert collected(found).tobytes() == whole.labels.tobytes()
    assert len(found) == 46


def test_saving_counts_classes_as_one_process_does(client, whole, tmp_path):
    cluster = Cluster(client, 100)
    found = cluster.computing(found_in(whole))
    found.save(tmp_path / "labels.npy")
    assert np.load(tmp_path / "labels.npy").tobytes() == whole.labels.tobytes()
    assert [(each.share, each.color) for each in found.classes] == [(e.share, e.color) for e in whole.classes]
    cluster.finish()


def test_a_second_run_computes_what_is_missing(client, whole, tmp_path, monkeypatch):
    expected, target = whole.labels, tmp_path / "labels.tif"
    with closing(Cluster(client, 100)) as first:
        parts = first.computed(found_in(whole), LABELS, target)
        next(parts)
        parts.close()
    there = len(list(tmp_path.glob(".labels.tif.gmmseg-parts/*.part")))
    assert 1 <= there < 12
    submitted, submit = [], client.submit
    monkeypatch.setattr(client, "submit", lambda *args, **more: submitted.append(1) or submit(*args, **more))
    with closing(Cluster(client, 100)) as second:
        assert collected(second.computed(found_in(whole), LABELS, target)).tobytes() == expected.tobytes()
    assert len(submitted) == 12 - there


def test_parts_of_another_model_are_not_taken(client, whole, tmp_path):
    other = gmmseg.segment(whole.image.array, 2)
    for found in (whole, other, whole):
        with closing(Cluster(client, 200)) as cluster:
            labels = collected(cluster.computed(found_in(found), LABELS, tmp_path / "labels.tif"))
        assert labels.tobytes() == found.labels.tobytes()


def test_two_drivers_never_write_one_output(client, whole, tmp_path):
    first, second = Cluster(client, 100), Cluster(client, 100)
    parts = first.computed(found_in(whole), LABELS, tmp_path / "labels.tif")
    next(parts)
    with pytest.raises(OutputError, match=r"^another run .* writes .*labels\.tif; wait"):
        next(second.computed(found_in(whole), LABELS, tmp_path / "labels.tif"))
    parts.close()
    first.close()


def test_a_chunk_that_cannot_be_read_is_named_and_the_others_are_finished(client, whole, tmp_path):
    target, cluster = tmp_path / "labels.npy", Cluster(client, 100)
    words = (
        r"scene: 1 of 12 chunks could not be computed, first that of pixels 100 to 199, 300 to 319 \(scene\.tif is "
        r"damaged in rows 128 to 255\); the others are kept"
    )
    with pytest.raises(UnfinishedError, match=words):
        cluster.computing(found_in(whole, Unreadable)).save(target)
    cluster.close()
    assert not target.exists()
    assert len(list(tmp_path.glob(".labels.npy.gmmseg-parts/*.part"))) == 11
    cluster.computing(found_in(whole)).save(target)
    cluster.finish()
    assert np.load(target).tobytes() == whole.labels.tobytes()
    assert [each.name for each in tmp_path.iterdir()] == ["labels.npy"]


def test_workers_take_the_pixels_of_a_fit(client, whole):
    image = Image(CountedSource(whole.image.array), color=True)
    spread = Cluster(client, 100).spread(image)
    flat = np.random.default_rng(0).permutation(256 * 320)[:500]
    np.testing.assert_array_equal(spread.take(flat)[0], image.take(flat)[0])
    model = gmmseg.fit(spread, 3)
    np.testing.assert_array_equal(model.means, whole.model.means)


def test_what_a_model_is_compared_by_comes_with_the_chunks(client, whole, tmp_path):
    found = found_in(whole)
    found = replace(found, image=overhearing(found.image))
    with closing(Cluster(client, 100)) as first:
        coming = first.computed(found, LABELS, tmp_path / "labels.tif")
        next(coming)
    again = replace(found, image=overhearing(found_in(whole).image))
    with closing(Cluster(client, 100)) as second:  # of what is kept it comes too
        list(second.computed(again, LABELS, tmp_path / "labels.tif"))
    assert explains(whole.model, again.image) == explains(whole.model, whole.image)
    assert not again.image.pixels.whole.whole.log  # nothing is read here


def test_workers_count_the_values_of_a_fit(client, whole):
    grey = np.ascontiguousarray(whole.image.array[..., :1])
    source = CountedSource(grey)
    model = gmmseg.fit(Cluster(client, 100).spread(Image(source)), 3)
    assert model.content == gmmseg.fit(Image(grey), 3).content
    assert not source.log  # nothing is read here


def test_pixels_that_cannot_be_taken_are_told_in_one_line(client, whole):
    spread = Cluster(client, 100).spread(Image(Unreadable(whole.image.array), color=True))
    with pytest.raises(InputError, match=r"^scene\.tif is damaged in rows 128 to 255$"):
        spread.take(np.array([150 * 320 + 315]))


def test_a_scheduler_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr("gmmseg.batch.cluster._SECONDS", 0.2)
    with (
        pytest.raises(GmmsegError, match="scheduler tcp://127.0.0.1:9 does not answer"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_a_scheduler_without_workers():
    with distributed.LocalCluster(processes=False, n_workers=0, dashboard_address=":0") as local:
        there = connected(local.scheduler_address)
        with pytest.warns(GmmsegWarning, match=r"has no workers; it waits for some, start them with `dask worker inpr"):
            there.__enter__()
        assert logging.getLogger("distributed").level == logging.CRITICAL  # pages of it are no message
        there.__exit__(None, None, None)
    assert logging.getLogger("distributed").level < logging.CRITICAL


def test_a_scheduler_that_goes_away(whole, tmp_path):
    with (
        distributed.LocalCluster(processes=False, n_workers=1, dashboard_address=":0") as local,
        distributed.Client(local) as client,
        closing(Cluster(client, 40)) as cluster,
    ):
        parts = cluster.computed(found_in(whole), LABELS, tmp_path / "labels.tif")
        next(parts)
        client.close()
        with pytest.raises(GmmsegError, match="the scheduler went away"):
            list(parts)
    assert list(tmp_path.glob(".labels.tif.gmmseg-parts/*.part"))


def test_a_scheduler_that_is_ended(whole, tmp_path):
    with (
        distributed.LocalCluster(processes=False, n_workers=1, dashboard_address=":0") as local,
        distributed.Client(local.scheduler_address, timeout=2) as client,
        closing(Cluster(client, 40)) as cluster,
    ):
        parts = cluster.computed(found_in(whole), LABELS, tmp_path / "labels.tif")
        next(parts)
        local.close()
        with pytest.raises(GmmsegError, match="the scheduler went away"):
            list(parts)
    assert list(tmp_path.glob(".labels.tif.gmmseg-parts/*.part"))


@pytest.mark.slow
def test_workers_of_this_machine_keep_the_memory_that_they_have_freed(monkeypatch):
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with connected(workers=1) as cluster:
        assert [*cluster.client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values()] == [None]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(whole, tmp_path, monkeypatch):
    monkeypatch.setitem(_LOCAL, "distributed.comm.timeouts.connect", "2s")
    with connected(workers=2, side=40) as cluster:
        parts = cluster.computed(found_in(whole), LABELS, tmp_path / "labels.tif")
        found = [next(parts)]
        os.kill(next(iter(cluster.client.run(os.getpid).values())), signal.SIGKILL)
        found += parts
        assert collected(found).tobytes() == whole.labels.tobytes()
