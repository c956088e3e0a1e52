"""Names and colours of classes in NIfTI files: extensions and label tables, damaged and of others."""

import gzip
import struct

import nibabel
import numpy as np
import pytest

from gmmseg.errors import InputError
from gmmseg.io import write_labels
from gmmseg.io.formats import identify

LABELS = np.array([[0, 1, 2], [3, 3, 1]], np.uint8)


def names_in(path):
    return identify(path).class_names(path)


def colors_in(path):
    return identify(path).class_colors(path)


def test_a_label_table_alone_names_classes(tmp_path):
    nibabel.save(nibabel.Nifti1Image(LABELS, np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "a.nii.txt").write_text('# a comment\n 0 0 0 0 0 0 0 "Clear"\n 2  9 8 7  1 1 1 "white matter"\n')
    assert names_in(tmp_path / "a.nii") == ("class 1", "white matter")
    assert colors_in(tmp_path / "a.nii").tolist() == [[0, 0, 0], [9, 8, 7]]


def test_texts_of_others_are_no_names(tmp_path):
    image = nibabel.Nifti1Image(LABELS, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"1 patient\nmoved a lot"))
    nibabel.save(image, tmp_path / "a.nii.gz")
    assert names_in(tmp_path / "a.nii.gz") is None


@pytest.mark.parametrize("size", [0, 7, 1 << 30])
def test_extensions_of_a_wrong_size_end_the_search(tmp_path, size):
    write_labels(tmp_path / "a.nii", LABELS, names=("water", "land", "rock"))
    (tmp_path / "a.nii.txt").unlink()
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[352:356] = struct.pack("<i", size)
    (tmp_path / "a.nii").write_bytes(raw)
    assert names_in(tmp_path / "a.nii") == (("water", "land", "rock") if size > 7 else None)


def test_a_file_that_is_cut_short_says_so(tmp_path):
    write_labels(tmp_path / "a.nii.gz", LABELS, names=("water", "land", "rock"))
    raw = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match=r"a\.nii\.gz"):
        names_in(tmp_path / "a.nii.gz")
    assert gzip.decompress(raw)[344:347] == b"n+1"


def test_names_in_the_second_version_of_the_format(tmp_path):
    labels = np.zeros((2, 40_000), np.uint8)  # longer than the first has numbers for
    labels[0, 5] = 2
    write_labels(tmp_path / "a.nii", labels, names=("water", "land"))
    (tmp_path / "a.nii.txt").unlink()
    assert isinstance(nibabel.load(tmp_path / "a.nii"), nibabel.Nifti2Image)
    assert names_in(tmp_path / "a.nii") == ("water", "land")
