"""DICOM: any file, results in other formats, and the command line."""

import sys
import warnings

import nibabel
import numpy as np
import pytest
from dicom_slices import COLLECTION, COLUMNS, N_SLICES, OBLIQUE, ROWS, SAMPLES, SIDES, STEP

from gmmseg.cli import main
from gmmseg.errors import DataWarning, GmmsegError, InputError
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_probabilities


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE])
def test_nifti_labels_of_a_series(series, labels, tmp_path, rng, orientation):
    image = read(series(orientation=orientation))
    write_labels(tmp_path / "l.nii.gz", labels, image=image)
    result = nibabel.load(tmp_path / "l.nii.gz")
    np.testing.assert_array_equal(np.asarray(result.dataobj), labels.T)
    np.testing.assert_allclose(result.affine, image.place.native.affine, atol=1e-5)
    np.testing.assert_allclose(result.header.get_qform(), result.header.get_sform(), atol=1e-4)
    assert result.header["sform_code"] == result.header["qform_code"] == 1
    np.testing.assert_allclose(result.header.get_zooms(), (*SIDES[::-1], STEP), rtol=1e-6)
    shares = rng.random((2, *labels.shape)).astype("f4")
    write_probabilities(tmp_path / "p.nii.gz", shares, image=image)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "p.nii.gz").get_fdata(), shares.T)
    write_labels(tmp_path / "l.npy", labels, image=image)
    write_labels(tmp_path / "l.tif", labels, image=image)
    for name in ("l.npy", "l.tif"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), labels)


FILES = sorted(p for p in COLLECTION.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc", ".json"))


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_any_file_is_read_or_refused_in_one_line(path, tmp_path):
    """Every file of pydicom's own tests, whole and cut."""
    content = path.read_bytes()
    cuts = (len(content), len(content) // 2, 200, len(content) - 5)
    for number, length in enumerate(dict.fromkeys(cuts)):
        file = tmp_path / f"{number}{path.suffix}"
        file.write_bytes(content[:length])
        for reader in (read, read_info, read_labels, read_probabilities) if number < 2 else (read, read_labels):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DataWarning)
                    reader(file)
            except InputError as error:
                assert str(file) in str(error)
                assert "\n" not in str(error)
            except GmmsegError as error:
                assert "\n" not in str(error)


@pytest.mark.slow
def test_every_folder_of_the_collection(tmp_path):
    for folder in {path.parent for path in FILES}:
        try:
            read(folder)
        except InputError as error:
            assert "\n" not in str(error)


def test_without_pydicom(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(GmmsegError, match=r"DICOM files need pydicom.*pip install 'gmmseg\[medical\]'"):
        read(SAMPLES / "CT_small.dcm")


@pytest.mark.slow
def test_a_series_from_the_command_line(series, tmp_path, monkeypatch, capsys, head):
    monkeypatch.chdir(tmp_path)
    series("head")
    assert main(["info", "head"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["shape"] == f"{N_SLICES} x {ROWS} x {COLUMNS}"
    assert shown["files"] == "6"
    assert "Doe" not in str(shown)
    assert main(["segment", "head", "-k", "3", "--soft", "soft.dcm"]) == 0
    finished = capsys.readouterr()
    assert finished.err == ""
    assert "wrote head_labels.dcm, soft.dcm" in finished.out
    expected = 1 + (head > 500) + (head > 1400)
    np.testing.assert_array_equal(read_labels("head_labels.dcm"), expected)
    assert main(["segment", "head", "-k", "3", "-o", "tissue.nii.gz", "--mask", "head_labels.dcm", "-q"]) == 0
    np.testing.assert_array_equal(np.asarray(nibabel.load("tissue.nii.gz").dataobj).T, expected)


def test_frames_without_place_and_time_are_written_as_nifti(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["segment", str(SAMPLES / "SC_rgb_rle_2frame.dcm"), "-k", "3"]) == 0
    assert "wrote SC_rgb_rle_2frame_labels.nii.gz" in capsys.readouterr().out
    assert nibabel.load("SC_rgb_rle_2frame_labels.nii.gz").shape == (100, 100, 2)
