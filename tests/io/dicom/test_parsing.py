"""DICOM files: which of a folder are one series of images."""

import os
import shutil

import numpy as np
import pytest
from dicom_slices import SAMPLES, only

from gmmseg.errors import InputError
from gmmseg.io import read, read_labels
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading


def test_what_else_lies_in_the_folder(series, head):
    folder = series()
    (folder / "A readme.txt").write_text("not an image, and first by its name")
    (folder / ".hidden").write_bytes(b"\0" * 128 + b"DICM")
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder / "DICOMDIR")
    shutil.copy(SAMPLES / "reportsi.dcm", folder / "report")
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_folders_below_a_dicomdir(series, tmp_path, head):
    folder = series("disc")
    (folder / "DICOM").mkdir()
    for path in list(folder.glob("IM*")):
        path.rename(folder / "DICOM" / path.name)
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder)
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_several_series_are_listed(series, refused):
    folder = series(change=only(4, SeriesInstanceUID="1.2.4", SeriesNumber=8, SeriesDescription="Scout"))
    message = refused(folder)
    assert "2 series" in message
    assert "3 Head: 5 files as IM" in message
    assert "8 Scout: 1 file as IM" in message


def test_what_a_folder_may_lack(tmp_path, refused):
    (tmp_path / "empty").mkdir()
    assert "is a folder; name an image file" in refused(tmp_path / "empty")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    assert "is a folder" in refused(tmp_path / "texts")
    (tmp_path / "reports").mkdir()
    shutil.copy(SAMPLES / "reportsi.dcm", tmp_path / "reports")
    assert "1 DICOM files, but no image" in refused(tmp_path / "reports")
    assert "holds no pixels (Basic Text SR Storage)" in refused(SAMPLES / "reportsi.dcm")
    assert "DICOMDIR, a list of files" in refused(SAMPLES / "dicomdirtests" / "DICOMDIR")
    assert "give it as mask" in refused(SAMPLES / "liver_1frame.dcm")
    with pytest.raises(InputError, match="1 frames, but describes 3"):
        read_labels(SAMPLES / "liver_1frame.dcm")


def test_a_dicomdir_leads_to_no_other_folder(series, tmp_path, refused):
    folder, elsewhere = series("disc"), tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.mkdir()
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder)
    for path in elsewhere.iterdir():
        (folder / "DICOM").mkdir(exist_ok=True)
        (folder / "DICOM" / path.name).symlink_to(path)
    (folder / "MORE").symlink_to(elsewhere)
    assert "0 DICOM files, but no image" in refused(folder)


def test_what_is_no_file_is_not_opened(series, head):
    folder = series()
    os.mkfifo(folder / "A pipe")
    (folder / "B pipe").symlink_to(folder / "A pipe")
    (folder / "nothing").symlink_to(folder / "not there")
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_very_many_files_have_a_limit(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2100):
        (folder / f"{number}.dcm").write_bytes(bytes(128) + b"DICM")
    with pytest.raises(InputError, match=r"many: the headers of its 2100 files take 66 MiB, above the limit of 64 MiB"):
        read_with(folder, Reading(budget=1 << 26))
