"""One pass over an image in a file: each window is read once for all that is asked of it."""

from dataclasses import replace

import numpy as np
import pytest
from counted_sources import CountedSource

from gmmseg import Image
from gmmseg.fitting.one_pass import each_window, take_and_look
from gmmseg.image.pixels import take_each
from gmmseg.image.sources import Completed, Overheard, WindowSource


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr("gmmseg.image.sources._READ_AT_ONCE", 300)


def image_of(rng, *, masked=False):
    source = CountedSource(rng.integers(0, 200, (20, 30, 2), np.uint8))
    valid = rng.random((20, 30)) < 0.7 if masked else None
    return source, Image(Completed(source), color=False, valid=valid)


@pytest.mark.parametrize("masked", [False, True])
def test_pixels_and_sums_come_of_one_pass(small_windows, rng, masked):
    source, image = image_of(rng, masked=masked)
    requests, sums = [np.array([599, 0, 7]), np.arange(0, 600, 11)], []
    found = take_and_look(image, requests, lambda part: int(part.array.sum()), sums.append)
    n_windows = len(image.windows())
    assert len(source.log) == len(sums) == n_windows > 3
    assert sum(sums) == source.array.sum()
    for one, expected in zip(found, take_each(image, requests), strict=True):
        np.testing.assert_array_equal(one.values, expected.values)
        np.testing.assert_array_equal(one.flat, expected.flat)
        np.testing.assert_array_equal(one.valid is None or one.valid, expected.valid is None or expected.valid)


def test_what_somebody_else_will_ask_for_is_heard(small_windows, rng):
    source, image = image_of(rng)
    heard = Overheard(image.pixels, np.array([3, 300]))
    take_and_look(replace(image, pixels=heard), [np.array([5])], lambda part: part.shape, lambda _: None)
    source.log.clear()
    values, valid = heard.take(np.array([3, 300]))
    assert not source.log
    assert valid is None
    np.testing.assert_array_equal(values, source.array.reshape(-1, 2)[[3, 300]])


def test_who_reads_the_image_is_called(rng):
    class Elsewhere(CountedSource, WindowSource):
        def called(self, function, jobs):
            return [("there", function(job)) for job in jobs]

    image = Image(Elsewhere(rng.random((4, 6, 1))))
    windows = [(slice(0, 2), slice(0, 6)), (slice(2, 4), slice(0, 6))]
    assert list(each_window(image, lambda window: window[0].start, windows)) == [("there", 0), ("there", 2)]
    assert list(each_window(image, str.upper, windows, jobs=["a", "b"])) == [("there", "A"), ("there", "B")]


def test_dask_arrays_are_read_a_task_a_window(rng):
    array = pytest.importorskip("dask.array")
    from gmmseg.io.lazy import LazyArray

    values = rng.integers(0, 9, (20, 30, 1), np.uint8)
    image = Image(LazyArray(array.from_array(values, chunks=(7, 9, 1)), 2), color=False)
    total = []
    (found,) = take_and_look(image, [np.arange(600)], lambda part: int(part.array.sum()), total.append)
    np.testing.assert_array_equal(found.values, values.reshape(-1, 1))
    assert sum(total) == values.sum()
