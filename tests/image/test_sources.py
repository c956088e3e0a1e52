"""Pixels that stay in their file: chosen channels of them, and which are valid."""

import copy

import numpy as np
import pytest
from counted_sources import CountedSource, SelectableSource

from gmmseg.image import Image
from gmmseg.image.sources import ArraySource, Checked, Completed, Frame, Masked, Overheard, Selected
from gmmseg.image.windows import everything


def test_pixels_whose_chosen_channels_are_all_missing_are_not_valid(rng):
    values = rng.random((4, 5, 3)) * 9
    values[1, 2, :2] = np.nan
    values[0, 0, 0] = np.inf
    image = Image.from_array(values, channel_axis=-1, mask=np.arange(20).reshape(4, 5) < 18)
    for chosen in (image.select("1,2"), Image(CountedSource(values), valid=image.valid).select("1,2")):
        whole = chosen.crop(everything((4, 5)))
        assert not whole.valid[1, 2]
        assert whole.valid[0, 0]
        assert whole.valid.sum() == 17


@pytest.mark.parametrize(("kind", "read_channels"), [(CountedSource, (0, 1, 2, 3)), (SelectableSource, (3, 1))])
def test_sources_read_only_what_they_are_asked_for(rng, kind, read_channels):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint16)
    source = kind(values)
    chosen = Image(source, color=False).select("4,2")
    assert not chosen.in_memory
    assert chosen.pixels.shape == (6, 7, 2)
    np.testing.assert_array_equal(chosen.array, values[..., [3, 1]])
    np.testing.assert_array_equal(chosen.select("2").array, values[..., [1]])
    assert source.log[0] == read_channels


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_a_source(rng, order):
    values = np.asarray(rng.random((5, 6, 3)), order=order)
    source = ArraySource(values)
    assert (source.shape, source.dtype, source.blocks, source.sweep) == ((5, 6, 3), np.float64, (5, 6), 0)
    pixels, valid = source.read((slice(1, 3), slice(0, 4)))
    np.testing.assert_array_equal(pixels, values[1:3, :4])
    assert np.shares_memory(pixels, values)
    assert valid is None
    flat = np.array([29, 0, 7])
    np.testing.assert_array_equal(source.take(flat)[0], values.reshape(-1, 3)[flat])
    np.testing.assert_array_equal(source.select((2, 0)).array, values[..., [2, 0]])
    assert np.asarray(source) is values
    assert np.array(source) is not values


def test_single_pixels_follow_from_windows(rng):
    values = rng.random((9, 8, 2))
    values[3, 3] = np.nan
    source = Completed(CountedSource(values))
    flat = rng.integers(0, 72, 40)
    taken, valid = source.take(flat)
    np.testing.assert_array_equal(taken, values.reshape(-1, 2)[flat])
    np.testing.assert_array_equal(np.ones(40, bool) if valid is None else valid, flat != 27)
    assert source.take(np.array([27]))[1].tolist() == [False]
    assert source.take(np.array([26]))[1] is None


def test_a_mask_of_another_source_decides_too(rng):
    values = np.ones((4, 5, 1), np.float32)
    values[0, 0] = np.nan
    used = np.ones((4, 5, 1), np.uint8)
    used[:, 3:] = 0
    source = Masked(CountedSource(values), CountedSource(used))
    _, valid = source.read((slice(0, 4), slice(0, 5)))
    expected = used[..., 0] > 0
    expected[0, 0] = False
    np.testing.assert_array_equal(valid, expected)
    assert source.read((slice(1, 3), slice(0, 3)))[1] is None


def test_some_channels_of_a_source_that_reads_all():
    values = np.zeros((3, 4, 3), np.float32)
    values[1, 1, [0, 2]] = np.nan
    source = Selected(CountedSource(values), (2, 0))
    assert source.shape == (3, 4, 2)
    pixels, valid = source.read((slice(0, 3), slice(0, 4)))
    np.testing.assert_array_equal(pixels, values[..., [2, 0]])
    assert np.argwhere(~valid).tolist() == [[1, 1]]


def test_each_reading_is_checked(rng):
    values = rng.integers(0, 255, (6, 7, 4)).astype(np.uint16)
    calls = []
    image = Image(Checked(Completed(CountedSource(values)), lambda: calls.append(1)))
    np.testing.assert_array_equal(image.array, values)
    assert len(calls) == 2
    image.take(np.array([3, 4]))
    assert len(calls) == 4
    np.testing.assert_array_equal(image.select("4,2").array, values[..., [3, 1]])
    assert len(calls) == 6


def test_a_checked_source_has_what_the_source_has():
    class Closing(CountedSource):
        def close(self):
            return "closed"

    source = copy.copy(Checked(Closing(np.zeros((2, 3, 1))), lambda: None))
    assert source.close() == "closed"
    with pytest.raises(AttributeError, match="open"):
        source.open()


def test_what_fails_because_of_a_change_is_explained_by_it():
    class Broken(CountedSource):
        def read(self, window):
            states.append("changed")
            raise OSError("cut short")

    def check():
        if states:
            raise ValueError(states[-1])

    states = []
    source = Checked(Broken(np.zeros((2, 3, 1))), check)
    with pytest.raises(ValueError, match="changed"):
        source.read((slice(0, 2), slice(0, 3)))


@pytest.mark.parametrize("kind", [CountedSource, SelectableSource])
def test_a_frame_of_a_source_is_read_alone(rng, kind, monkeypatch):
    monkeypatch.setattr(CountedSource, "blocks", (1, 2, 7))
    values = rng.integers(0, 255, (3, 6, 7, 2)).astype(np.uint8)
    frames = Image(kind(values), time=True).frames
    window = (slice(1, 3), slice(2, 7))
    for number, frame in enumerate(frames):
        assert isinstance(frame.pixels, Frame)
        assert not frame.in_memory
        assert frame.shape == (6, 7)
        np.testing.assert_array_equal(frame.crop(window).array, values[number][window])
        np.testing.assert_array_equal(frame.take(np.array([5, 0, 41]))[0], values[number].reshape(-1, 2)[[5, 0, 41]])
        np.testing.assert_array_equal(frame.select("2").array, values[number][..., 1:])


def test_some_pixels_are_overheard(rng):
    values = rng.random((9, 8, 2))
    values[3, 3] = np.nan
    flat, read = np.array([0, 27, 71]), []
    for listening in (True, False):
        source = Overheard(Completed(CountedSource(values, log=read)), flat)
        if listening:
            source.read((slice(0, 5), slice(0, 8)))
            source.read((slice(5, 9), slice(0, 8)))
        else:
            np.testing.assert_array_equal(source.take(np.array([5, 4]))[0], values.reshape(-1, 2)[[5, 4]])
        n_read = len(read)
        taken, valid = source.take(flat)
        assert len(read) == n_read
        np.testing.assert_array_equal(taken, values.reshape(-1, 2)[flat])
        assert valid.tolist() == [True, False, True]
        np.testing.assert_array_equal(source.take(np.array([8]))[0], values.reshape(-1, 2)[[8]])
        assert len(read) > n_read
    assert source.select((1,)).shape == (9, 8, 1)


def test_what_is_heard_elsewhere_is_kept_here(rng):
    values, flat, read = rng.random((9, 8, 2)), np.array([3, 21, 70]), []
    values[2, 5] = np.nan
    here = Overheard(Completed(CountedSource(values, log=read)), flat)
    windows = [(slice(0, 5), slice(0, 8)), (slice(5, 7), slice(0, 8)), (slice(7, 9), slice(0, 8))]
    numbers = []
    for window in windows:
        there = copy.deepcopy(here)  # as another process has it: nothing is known yet
        there.read(window)
        heard = there.heard(window)
        numbers.append(heard[0].tolist())
        here.hear(*heard)
    assert numbers == [[0, 1], [], [2]]
    taken, valid = here.take(flat)
    np.testing.assert_array_equal(taken, values.reshape(-1, 2)[flat])
    assert valid.tolist() == [True, False, True]
    assert not read
