"""Dask arrays as sources: the pixels of the array, one task for each chunk that is touched."""

import numpy as np
import pytest

from gmmseg import InputError
from gmmseg.image.pixels import sample_pixels
from gmmseg.io.lazy import LazyArray, lazy_array
from gmmseg.io.opening import is_one_image, open_image
from gmmseg.io.request import Reading

da = pytest.importorskip("dask.array")

VALUES = np.arange(5 * 40 * 30).reshape(5, 40, 30)


def lazy(chunks=(2, 7, 11), channel_axis=0):
    return LazyArray(da.from_array(VALUES, chunks=chunks), channel_axis)


def test_windows_and_pixels_are_those_of_the_array():
    source, expected = lazy(), np.moveaxis(VALUES, 0, -1)
    assert (source.shape, source.blocks) == ((40, 30, 5), (7, 11))
    window = (slice(3, 25), slice(10, 30))
    np.testing.assert_array_equal(source.read(window)[0], expected[window])
    flat = np.random.default_rng(0).permutation(1200)[:300]
    np.testing.assert_array_equal(source.take(flat)[0], expected.reshape(-1, 5)[flat])
    some = source.select((4, 1)).select((1, 0))
    np.testing.assert_array_equal(some.read(window)[0], expected[window][..., [1, 4]])
    np.testing.assert_array_equal(some.take(flat)[0], expected.reshape(-1, 5)[flat][:, [1, 4]])


def test_chunks_of_channels_that_nobody_wants_are_left_alone():
    keys, piece = lazy().select((4,)).around((slice(0, 3), slice(0, 3)))
    assert [key[1:] for key in keys] == [(2, 0, 0)]
    assert (piece.shape, piece.n_blocks) == ((5, 3, 3), 1)


def test_one_task_picks_the_pixels_of_a_chunk():
    computed = []

    def counted(block):
        computed.append(block.shape)
        return block

    source = LazyArray(da.from_array(VALUES, chunks=(5, 20, 30)).map_blocks(counted, meta=np.zeros(0, int)), 0)
    source.take(np.array([0, 1, 2, 1199]))
    assert computed == [(5, 20, 30)] * 2
    source.take(np.array([7]))
    assert len(computed) == 3


def test_so_it_is_for_an_image_and_its_mask():
    computed = []

    def counted(block):
        computed.append(block.shape)
        return block

    def known(array):
        return da.from_array(array, chunks=(20, 30)).map_blocks(counted, meta=np.zeros(0, array.dtype))

    image = open_image(known(VALUES[0]), Reading(mask=known(VALUES[1] % 3)))
    assert computed == []
    flat = np.array([0, 7, 1, 1199])
    values, valid = image.take(flat)
    assert computed == [(20, 30)] * 4
    assert (values[:, 0].tolist(), valid.tolist()) == (flat.tolist(), ((flat + 1200) % 3 != 0).tolist())


@pytest.mark.parametrize("chunks", [(5, 40, 30), (1, 3, 30), (2, 7, 11)])
def test_the_same_pixels_are_drawn_whatever_the_chunks(chunks):
    image = open_image(da.from_array(VALUES, chunks=chunks), Reading(channel_axis=0))
    taken = sample_pixels(image, 100, np.random.default_rng(5))
    own = sample_pixels(open_image(VALUES, Reading(channel_axis=0)), 100, np.random.default_rng(5))
    np.testing.assert_array_equal(taken.flat, own.flat)
    np.testing.assert_array_equal(taken.values, own.values)


def test_a_dask_array_is_one_image_and_stays_lazy():
    array = da.from_array(VALUES, chunks=10)
    assert is_one_image(array)
    image = open_image(array, Reading(channel_axis=0))
    assert not image.in_memory
    assert lazy_array(image).array is array
    assert open_image(array, Reading(axes="CYX")).n_channels == 5
    assert open_image(array, Reading(axes="TYX")).time
    turned = open_image(array, Reading(axes="XYT"))
    assert (turned.shape, turned.time) == ((30, 40, 5), True)
    np.testing.assert_array_equal(turned.frames[2].array[..., 0], VALUES[:, :, 2].T)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (da.zeros((4, 4), dtype=complex), "is an array of complex128 and shape"),
        (da.zeros((0, 4)), "which is no image"),
        (da.ones(9, chunks=3)[da.ones(9, chunks=3) > 0], "unknown sizes; call compute_chunk_sizes"),
    ],
)
def test_what_is_no_image_is_refused(array, words):
    with pytest.raises(InputError, match=words):
        open_image(array, Reading(channel_axis=None))
