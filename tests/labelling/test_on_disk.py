"""Label maps that are cleaned in a file."""

import errno
import os
from dataclasses import replace

import nibabel
import numpy as np
import pytest

import gmmseg
from gmmseg.errors import OutputError
from gmmseg.labelling.on_disk import kept_on_disk
from gmmseg.spatial.sieve import sieve


class Blocks:
    """A source that is an array, read by blocks."""

    def __init__(self, array, valid, blocks, sweep):
        self.array, self.valid, self.blocks, self.sweep = array, valid, blocks, sweep
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, window):
        return self.array[window].copy(), self.valid[window]


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "sweep"), [((1, 120), 0), ((16, 16), 0), ((90, 8), 1)])
def test_an_image_in_its_file_gets_the_labels_of_one_in_memory(specks, blocks, sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("gmmseg.spatial.sieve.SLAB", 500)
    whole = gmmseg.segment(specks, k=4, smooth=False).clean(40)
    source = Blocks(specks.array, specks.valid, blocks, sweep)
    kept = gmmseg.segment(replace(specks, pixels=source, valid=None), k=4, smooth=False, memory=1 << 15).clean(40)
    (tmp_path / "out").mkdir()
    kept.save(tmp_path / "out" / "labels.npy")
    assert "labels" not in kept.__dict__
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["labels.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "labels.npy"), whole.labels)
    assert kept.classes == whole.classes
    assert "labels" not in kept.__dict__
    np.testing.assert_array_equal(kept.labels, whole.labels)


def test_a_volume_in_its_file(tmp_path, rng):
    stored = np.where(np.indices((20, 30, 40)).sum(axis=0) > 40, 200, 60) + rng.normal(0, 45, (20, 30, 40))
    volume = nibabel.Nifti1Image(stored.clip(0, 255).astype(np.uint8), np.diag([1, 1, 4, 1]))
    volume.header.set_xyzt_units("mm")
    nibabel.save(volume, tmp_path / "scan.nii")
    whole = gmmseg.segment(tmp_path / "scan.nii", k=2, smooth=False)
    kept = gmmseg.segment(tmp_path / "scan.nii", k=2, smooth=False, memory=1 << 14).clean("100mm3")
    assert not kept.image.in_memory
    kept.save(tmp_path / "labels.nii.gz")
    found = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    np.testing.assert_array_equal(found, sieve(whole.labels, 25, spacing=(1, 1, 4)))
    assert (found != whole.labels).mean() > 0.02


def test_a_full_disk_is_reported_before_it_kills(specks, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source = Blocks(specks.array, specks.valid, (16, 16), 0)
    kept = gmmseg.segment(replace(specks, pixels=source, valid=None), k=2, memory=1 << 15).clean(40)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match="no room for 0 MB of labels that are to be cleaned .*; free space, or leave"):
        kept.save(tmp_path / "labels.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("sweep", "order"), [(0, "C"), (2, "F")])
def test_a_map_in_a_file_is_gone_at_the_end(tmp_path, rng, sweep, order):
    values = rng.integers(0, 9, (4, 5, 6)).astype(np.uint8)
    with kept_on_disk((4, 5, 6), sweep, tmp_path) as labels:
        assert not labels.any()
        labels[...] = values
        labels.flush()
        np.testing.assert_array_equal(labels, values)
        assert labels.flags[f"{order}_CONTIGUOUS"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), kept_on_disk((4, 5), 0, tmp_path):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
