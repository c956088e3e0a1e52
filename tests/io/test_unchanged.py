"""What was segmented is what is saved: files that change while their pixels stay in them."""

import os

import numpy as np
import pytest
import tifffile

import gmmseg
from gmmseg.errors import InputError
from gmmseg.io import read, read_labels
from gmmseg.io.unchanged import Stamp, unchanged


def rewritten(path, values):
    np.save(path, values)


def cut(path, _):
    os.truncate(path, 200)


def replaced(path, values):
    other = path.with_name("other.npy")
    np.save(other, values)
    os.replace(other, path)


def with_its_old_time(path, values):
    before = path.stat()
    np.save(path, values)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def gone(path, _):
    path.unlink()


CHANGES = {
    rewritten: r"has changed since it was opened \(time of the last change\); segment it again",
    cut: r"has changed since it was opened \(size: 4224 bytes, now 200\); segment it again",
    replaced: r"has changed since it was opened \(another file of this name\); segment it again",
    with_its_old_time: r"has changed since it was opened \(time of the last change\); segment it again",
    gone: "cannot be read: No such file or directory; it was there when it was opened, put it back",
}


@pytest.fixture
def old(tmp_path, rng):
    """An array in a file that was last changed a while ago."""
    path = tmp_path / "a.npy"
    np.save(path, rng.integers(0, 99, (64, 64), np.uint8))
    os.utime(path, (10**9, 10**9))
    return path


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
def test_a_layer_is_of_what_was_segmented_or_refused(tmp_path, old, rng, change):
    found = gmmseg.segment(old, k=2, memory=1 << 12)
    assert not found.image.in_memory
    found.save(tmp_path / "before.npy")
    change(old, rng.integers(0, 99, (64, 64), np.uint8))
    for layer in ("labels", "probabilities", "log_density"):
        with pytest.raises(InputError, match=f"a.npy {CHANGES[change]}"):
            found.save(tmp_path / "after.npy", layer=layer)
    for layer in ("labels", "uncertainty"):
        with pytest.raises(InputError, match=CHANGES[change]):
            getattr(found, layer)
    assert not (tmp_path / "after.npy").exists()
    assert read_labels(tmp_path / "before.npy").shape == (64, 64)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
def test_pixels_in_memory_stay_what_they_were(old, rng, change):
    found = gmmseg.segment(old, k=2)
    before = found.image.array.copy()
    change(old, rng.integers(0, 99, (64, 64), np.uint8))
    np.testing.assert_array_equal(found.image.array, before)
    assert found.labels.shape == (64, 64)


def test_channels_masks_and_stacks_are_checked_too(tmp_path, old, rng):
    tifffile.imwrite(tmp_path / "b.tif", rng.integers(0, 99, (64, 64), np.uint8))
    np.save(tmp_path / "m.npy", np.ones((64, 64), np.uint8))
    stacked = read([old, tmp_path / "b.tif"], memory=0)
    masked = read(old, memory=0, mask=tmp_path / "m.npy")
    chosen = stacked.select("2,1")
    assert chosen.array.shape == (64, 64, 2)
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((9, 9), np.uint8))
    np.save(tmp_path / "m.npy", np.ones((64, 65), np.uint8))
    for image, name in ((stacked, "b.tif"), (chosen, "b.tif"), (masked, "m.npy")):
        with pytest.raises(InputError, match=f"{name} has changed since"):
            _ = image.array


def test_a_file_that_is_still_being_written(old, monkeypatch):
    usual = gmmseg.io.array.format._Npy.read

    def meanwhile(self, path, reading):
        image = usual(self, path, reading)
        np.save(path, np.zeros((64, 64), np.uint8))
        return image

    monkeypatch.setattr(gmmseg.io.array.format._Npy, "read", meanwhile)
    with pytest.raises(InputError, match="has changed since it was opened"):
        read(old)


def test_a_stamp_is_of_one_file(old):
    stamp = Stamp.of(old)
    stamp.check()
    assert stamp == Stamp.of(old)


def test_a_folder_has_no_stamp(tmp_path, old):
    assert Stamp.of_file(old) == Stamp.of(old)
    assert Stamp.of_file(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        Stamp.of_file(tmp_path / "none")


def test_a_file_that_stays_is_opened_again(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"0123456789")
    with unchanged(Stamp.of(path)) as file:
        assert file.read() == b"0123456789"


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(b"0123456789")
    with pytest.raises(InputError, match=r"has changed since it was opened \(size"), unchanged(Stamp.of(path)) as file:
        file.read(2)
        path.write_bytes(b"01234")
