"""DICOM files: which of a folder are one series of images."""

import os
import re
import shutil
import warnings

import numpy as np
import pydicom
import pytest
from dicom_slices import SAMPLES, only
from PIL import Image as Pillow
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

import gmmseg
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.dicom.parsing import series_in
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


def test_a_dicomdir_stands_for_its_folder(series, head):
    folder = series("disc")
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", folder)
    (folder / "DEEP").mkdir()
    (folder / "IM0").rename(folder / "DEEP" / "IM0")
    np.testing.assert_array_equal(read(folder / "DICOMDIR").array[..., 0], head.astype(int) - 1024)


def test_one_of_several_series_is_asked_for(series, head):
    folder = series()
    shutil.copytree(
        series("other", SeriesInstanceUID="1.2.4", SeriesNumber=8, SeriesDescription="T1 axial"), folder / "x"
    )
    for path in (folder / "x").iterdir():
        path.rename(folder / f"other {path.name}")
    for word in ("8", "1.2.4", "T1 axial"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read(folder, series=word).shape == head.shape
    with pytest.raises(InputError, match=r"holds 2 series \(3 Head: 6 files .* T1 axial: 6 .*; pass series='NUMBER'"):
        read(folder)
    with pytest.raises(InputError, match=r"holds no series 9 \(3 Head"):
        read(folder, series="9")
    assert [each[:2] for each in series_in(folder)] == [("3", "3_Head"), ("8", "8_T1_axial")]
    assert read_info(folder, series="8")["shape"] == [*head.shape]
    with pytest.raises(InputError, match=r"holds 2 series"):
        read_info(folder)


def test_series_of_one_number_are_told_by_their_identifier(series, head):
    folder = series()
    for path in list(series("other", SeriesInstanceUID="1.2.4").iterdir()):
        shutil.copy(path, folder / f"other {path.name}")
    for asked in (None, "3"):
        with pytest.raises(InputError, match=r"2 series .*, UID 1\.2\.4\); pass series='UID', or give one") as caught:
            read(folder, series=asked)
    assert read(folder, series=re.findall(r"UID ([\d.]+)", str(caught.value))[0]).shape == head.shape


def test_segment_takes_a_series_and_nothing_else_has_one(series, head, tmp_path):
    folder = series()
    assert gmmseg.segment(folder, 2, series="3").labels.shape == head.shape
    np.save(tmp_path / "a.npy", head)
    for call in (read, read_info):
        with pytest.raises(ParameterError, match=r"a folder of DICOM files, and .*a\.npy is a NPY file"):
            call(tmp_path / "a.npy", series="3")
    with pytest.raises(ParameterError, match="series='3' is of a folder of DICOM files; leave it out"):
        gmmseg.segment(head, 2, series="3")


def test_localizers_are_set_aside(series, head):
    folder = series(
        change=only(5, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    )
    with pytest.warns(DataWarning, match="1 localizers among the slices are left out, as IM"):
        np.testing.assert_array_equal(read(folder).array[..., 0], head[:5].astype(int) - 1024)
    marked = {"ImageType": "LOCALIZER", "SeriesInstanceUID": "1.2.4", "SeriesNumber": 1, "SeriesDescription": "Scout"}
    apart = series("apart", change=only(5, **marked))
    with pytest.warns(DataWarning, match=r"localizers are left out, series 1 Scout: 1 file as IM.; pass series="):
        np.testing.assert_array_equal(read(apart).array[..., 0], head[:5].astype(int) - 1024)
    assert read(apart, series="1").shape == head.shape[1:]


@pytest.mark.parametrize("description", ["FAST LOCALIZER", "AAHead_Scout", "Topogram 0.6", "Survey_32ch"])
def test_localizers_are_known_by_their_description(series, head, description):
    # MR scanners call their kind of image OTHER.
    apart = {"SeriesInstanceUID": "1.2.4", "SeriesNumber": 1, "SeriesDescription": description}
    folder = series(change=only(5, ImageType=["ORIGINAL", "PRIMARY", "OTHER"], **apart))
    with pytest.warns(DataWarning, match=f"localizers are left out, series 1 {description}: 1 file as IM"):
        np.testing.assert_array_equal(read(folder).array[..., 0], head[:5].astype(int) - 1024)
    alone = series("alone", SeriesDescription=description)
    np.testing.assert_array_equal(read(alone).array[..., 0], head.astype(int) - 1024)


def test_slices_that_are_there_twice_are_left_out_once(series, head):
    folder = series()
    shutil.copy(folder / "IM0", folder / "copy of IM0")
    with pytest.warns(
        DataWarning, match="1 slices are there twice and left out once, as copy of IM0, which is IM0 too"
    ):
        np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_previews_beside_slices_do_not_count(series, head):
    folder = series()
    Pillow.new("L", (9, 9)).save(folder / "preview.png")
    Pillow.new("L", (9, 9)).save(folder / "A.jpg")
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


@pytest.mark.parametrize("letters", ["ISO_IR 100", None])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_files_without_a_preamble(series, head, syntax, letters):
    folder = series()
    for path in folder.iterdir():
        made = pydicom.dcmread(path)
        bare = pydicom.Dataset(made)
        bare.ImageType = ["ORIGINAL", "PRIMARY"]
        if letters:
            bare.SpecificCharacterSet = letters
        implicit = syntax is ImplicitVRLittleEndian
        bare.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_files_with_a_head_but_neither_a_preamble_nor_its_length(series, head):
    folder = series()
    for path in folder.iterdir():
        made = pydicom.dcmread(path)
        made.preamble = None
        del made.file_meta.FileMetaInformationGroupLength
        made.save_as(path, enforce_file_format=False)
        assert path.read_bytes()[:2] == b"\2\0"
    np.testing.assert_array_equal(read(folder).array[..., 0], head.astype(int) - 1024)


def test_several_series_are_listed(series, refused):
    folder = series(change=only(4, SeriesInstanceUID="1.2.4", SeriesNumber=8, SeriesDescription="Neck"))
    message = refused(folder)
    assert "2 series" in message
    assert "3 Head: 5 files as IM" in message
    assert "8 Neck: 1 file as IM" in message


def test_what_a_folder_may_lack(tmp_path, refused):
    (tmp_path / "empty").mkdir()
    message = "is a folder; name an image file in it, or the folder of one series of DICOM files; gmmseg batch does all"
    assert message in refused(tmp_path / "empty")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    assert "is a folder" in refused(tmp_path / "texts")
    (tmp_path / "reports").mkdir()
    shutil.copy(SAMPLES / "reportsi.dcm", tmp_path / "reports")
    assert "1 DICOM files, but no image" in refused(tmp_path / "reports")
    assert "holds no pixels (Basic Text SR Storage)" in refused(SAMPLES / "reportsi.dcm")
    shutil.copy(SAMPLES / "dicomdirtests" / "DICOMDIR", tmp_path / "a list")
    assert "DICOMDIR, a list of files" in refused(tmp_path / "a list")
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
