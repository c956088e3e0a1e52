"""Files that another process opens again."""

import os
import pickle

import numpy as np
import pytest

from gmmseg import InputError, io
from gmmseg.image.windows import everything

VALUES = np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30)


@pytest.fixture
def stored(tmp_path):
    np.save(tmp_path / "bands.npy", VALUES)
    return tmp_path / "bands.npy"


def sent(image):
    return pickle.loads(pickle.dumps(image))


def test_pixels_arrive_as_a_path(stored):
    image = io.read(stored, memory=0, channel_axis=0).select("4,2")
    assert len(pickle.dumps(image)) < 3000
    there = sent(sent(image))
    assert not there.in_memory
    np.testing.assert_array_equal(there.array, np.moveaxis(VALUES[[3, 1]], 0, -1))


def test_masks_in_files_are_opened_again_too(stored, tmp_path):
    np.save(tmp_path / "mask.npy", np.uint8(VALUES[0] > 100))
    image = io.read(stored, memory=0, channel_axis=0, mask=tmp_path / "mask.npy")
    np.testing.assert_array_equal(sent(image).crop(everything((20, 30))).valid, VALUES[0] > 100)


def test_stacks_are_opened_again(stored, tmp_path):
    np.save(tmp_path / "a.npy", VALUES[0])
    np.save(tmp_path / "b.npy", VALUES[1])
    image = io.read([tmp_path / "a.npy", tmp_path / "b.npy"], memory=0)
    np.testing.assert_array_equal(sent(image).array, image.array)
    assert not sent(image).in_memory


def test_another_file_of_the_same_name_is_refused(stored):
    packed = pickle.dumps(io.read(stored, memory=0, channel_axis=0))
    os.utime(stored, (1, 1))
    with pytest.raises(InputError, match="is another file than the one that was opened; segment it again"):
        pickle.loads(packed)
    stored.unlink()
    with pytest.raises(InputError, match="bands.npy does not exist"):
        pickle.loads(packed)
