"""Layers as dask arrays: the bytes of the whole, whatever the chunks and whoever computes them; one task a chunk."""

import numpy as np
import pytest
from counted_sources import CountedSource
from mosaics import made_scene

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.errors import DataWarning
from gmmseg.io.opening import open_image
from gmmseg.io.request import Reading

da = pytest.importorskip("dask.array")

RAGGED = ((100, 56, 100), (1, 2, 3, 150, 164), (2, 1))
SMALLER_THAN_THE_HALO = (5, 40, 3)


@pytest.fixture(scope="module")
def scene():
    return made_scene()


@pytest.fixture(scope="module")
def whole(scene):
    return gmmseg.segment(scene, 3, features="bands", channel_axis=-1)


def lazy_result(whole, chunks):
    return gmmseg.apply(whole.model, da.from_array(whole.image.array, chunks=chunks), channel_axis=-1)


@pytest.mark.parametrize("chunks", [(512, 512, 3), (64, 64, 3), RAGGED, SMALLER_THAN_THE_HALO])
@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_chunks_have_the_bytes_of_the_whole(whole, chunks, scheduler):
    found = lazy_result(whole, chunks)
    assert found.to_dask().compute(scheduler=scheduler).tobytes() == whole.labels.tobytes()


@pytest.mark.parametrize("layer", ["probabilities", "log_density", "anomaly"])
def test_so_have_other_layers(whole, layer):
    assert lazy_result(whole, RAGGED).to_dask(layer).compute().tobytes() == getattr(whole, layer).tobytes()


@pytest.mark.parametrize("features", ["lab,xy", "bands,texture"])
def test_position_and_texture_are_those_of_the_whole(scene, features):
    whole = gmmseg.segment(scene, 3, features=features, channel_axis=-1)
    assert lazy_result(whole, (50, 90, 3)).to_dask().compute().tobytes() == whole.labels.tobytes()


@pytest.mark.slow
def test_processes_and_a_cluster_compute_the_same_bytes(whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    np.save(tmp_path / "scene.npy", whole.image.array)
    in_file = open_image(tmp_path / "scene.npy", Reading(channel_axis=-1, memory=0))
    results = [lazy_result(whole, RAGGED), gmmseg.apply(whole.model, in_file)]
    layers = [found.to_dask(chunk=100) for found in results]
    for labels in da.compute(*layers, scheduler="processes", num_workers=2):
        assert labels.tobytes() == whole.labels.tobytes()
    one = {"processes": False, "protocol": "tcp://"}  # a thread of this process, to which all is sent as to another one
    for n_workers, options in ((1, one), (2, {})):
        with (
            distributed.LocalCluster(
                n_workers=n_workers, threads_per_worker=2, dashboard_address=":0", **options
            ) as cluster,
            distributed.Client(cluster),
        ):
            for found in results:
                assert found.to_dask(chunk=60).compute().tobytes() == whole.labels.tobytes()


def test_a_task_a_chunk_and_one_for_all(whole):
    source = da.zeros((4096 * 10, 4096 * 10), chunks=4096, dtype=np.uint8)
    model = gmmseg.fit(whole.image.array[..., 0], 2)
    result = gmmseg.apply(model, source).to_dask()
    assert len(dict(result.__dask_graph__())) == 2 * 100 + 1
    assert result.chunks == source.chunks


def test_no_task_depends_on_more_than_its_window_touches(whole):
    source = da.zeros((4096 * 10, 4096 * 10), chunks=4096, dtype=np.uint8)
    result = gmmseg.apply(gmmseg.fit(whole.image.array[..., 0], 2), source).to_dask()
    tasks = [task for key, task in result.dask.layers[result.name].mapping.items() if isinstance(key, tuple)]
    assert {len(task.dependencies) - 1 for task in tasks} == {4, 6, 9}
    one = result.blocks[5, 5]
    culled = one.__dask_optimize__(one.__dask_graph__(), one.__dask_keys__())
    assert len(dict(culled)) <= 9 + 3


def test_frames_of_a_time_lapse_are_chunks_of_their_own(scene):
    film = np.stack([scene, scene[::-1], scene[:, ::-1]])
    whole = gmmseg.segment(film, 3, axes="TYXC")
    lazy = gmmseg.apply(whole.model, da.from_array(film, chunks=(2, 100, 100, 3)), axes="TYXC").to_dask()
    assert lazy.chunks[0] == (1, 1, 1)
    assert lazy.compute().tobytes() == whole.labels.tobytes()


def test_pixels_without_data_have_none(whole):
    gaps = whole.image.array.astype(np.float32)
    gaps[40:90, 100:220] = np.nan
    gaps[150, :, 1] = np.nan
    with pytest.warns(DataWarning, match="6000 pixels are NaN"):
        found = gmmseg.segment(gaps, 3, channel_axis=-1)
    lazy = gmmseg.segment(da.from_array(gaps, chunks=(60, 80, 1)), 3, channel_axis=-1)
    assert lazy.to_dask().compute().tobytes() == found.labels.tobytes()
    assert not lazy.image.in_memory


def masks(shape):
    rows, columns = np.indices(shape)
    return (rows // 37 + columns // 53) % 4 != 0


def test_a_lazy_mask_is_read_chunk_by_chunk(whole):
    sizes, mask = [], masks(whole.labels.shape).astype(np.int64)
    lazy_mask = da.from_array(mask, chunks=(64, 64)).map_blocks(lambda b: sizes.append(b.size) or b, meta=mask[:0, :0])
    pixels = whole.image.array
    known = gmmseg.apply(whole.model, pixels, channel_axis=-1, mask=mask)
    for image in (da.from_array(pixels, chunks=(100, 70, 3)), Image(CountedSource(pixels), color=True)):
        found = gmmseg.apply(whole.model, image, channel_axis=-1, mask=lazy_mask)
        assert sizes == []
        layer = found.to_dask(chunk=100)
        assert layer[:5, :5].compute().tobytes() == known.labels[:5, :5].tobytes()
        assert 0 < sum(sizes) <= 9 * 64 * 64
        assert layer.compute().tobytes() == known.labels.tobytes()
        del sizes[:]
    assert gmmseg.apply(whole.model, pixels, channel_axis=-1, mask=lazy_mask).labels.tobytes() == known.labels.tobytes()


def test_a_fit_under_a_lazy_mask_is_that_under_one_in_memory(scene):
    mask = masks(scene.shape[:2])
    known = gmmseg.fit(scene, 3, channel_axis=-1, mask=mask)
    lazy, lazy_mask = da.from_array(scene, chunks=(90, 70, 3)), da.from_array(mask, chunks=80)
    found = gmmseg.fit(lazy, 3, channel_axis=-1, mask=lazy_mask)
    np.testing.assert_array_equal(found.means, known.means)


def test_one_lazy_mask_for_all_frames(scene):
    film, mask = np.stack([scene, scene[::-1]]), masks(scene.shape[:2])
    whole = gmmseg.segment(film, 2, axes="TYXC", mask=mask)
    lazy = da.from_array(film, chunks=(2, 100, 100, 3))
    found = gmmseg.apply(whole.model, lazy, axes="TYXC", mask=da.from_array(mask, chunks=90))
    assert found.to_dask().compute().tobytes() == whole.labels.tobytes()


def test_a_lazy_mask_has_to_fit(whole):
    with pytest.raises(ParameterError, match=r"mask has shape \(4, 4\), but image has shape \(256, 320\)"):
        gmmseg.apply(whole.model, da.from_array(whole.image.array), channel_axis=-1, mask=da.ones((4, 4), dtype=bool))
    with pytest.raises(ParameterError, match="mask has dtype float64"):
        gmmseg.apply(whole.model, whole.image.array, channel_axis=-1, mask=da.ones((256, 320)))


def test_arrays_in_memory_are_never_sent_silently(scene):
    small = gmmseg.apply(gmmseg.fit(scene[..., 0], 2), scene[..., 0])
    assert small.to_dask(chunk=100).compute().tobytes() == small.labels.tobytes()
    large = Image(np.broadcast_to(np.uint8(3), (9000, 9000)), name="wide")
    with pytest.warns(DataWarning, match="wide: 81 MB of arrays in memory are sent to every worker; give the path"):
        gmmseg.labelling.result.Segmentation(large, small.rule, small.effort).to_dask()


def test_what_no_chunk_can_tell_is_refused(whole):
    with pytest.raises(ParameterError, match="regions of at least 9 pixels are of the whole image"):
        whole.clean(9).to_dask()
    with pytest.raises(ParameterError, match="layer='corrected' is not computed chunk by chunk"):
        whole.to_dask("corrected")
    with pytest.raises(ParameterError, match="chunk=0 is not usable"):
        whole.to_dask(chunk=0)
