"""Frames: as many as a file can hold, each with its place and its scale."""

import numpy as np
import pytest
from dicom_slices import dataset, enhanced
from pydicom.uid import RLELossless

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_info
from gmmseg.io.dicom.dicom_file import open_file, quiet
from gmmseg.io.dicom.frames import frames_of, normal_of
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading


@pytest.mark.parametrize("compressed", [False, True])
def test_more_frames_than_a_file_can_hold(tmp_path, head, compressed):
    path = tmp_path / "a.dcm"
    made = dataset(0, head[0])
    if compressed:
        made.compress(RLELossless)
    made.NumberOfFrames = 10_000_000
    made.save_as(path, enforce_file_format=True)
    for reader in (read, read_info):
        with pytest.raises(InputError, match=r"a\.dcm says that it holds 10000000 frames, more than fit into its"):
            reader(path)


def test_very_many_frames_have_a_limit(tmp_path):
    path = tmp_path / "a.dcm"
    stored = np.zeros((20000, 1, 1), "<u2")
    dataset(0, stored, NumberOfFrames=20000).save_as(path, enforce_file_format=True)
    assert read(path).shape == (20000, 1, 1)
    with pytest.raises(InputError, match="its 20000 frames, without pixels, take 79 MiB, above the limit of 64 MiB"):
        read_with(path, Reading(budget=1 << 26))


def test_each_frame_has_its_place(tmp_path, head):
    path = tmp_path / "a.dcm"
    enhanced(head, (3, 0, 5)).save_as(path, enforce_file_format=True)
    frames = frames_of(open_file(path, Reading()), Reading())
    assert [frame.index for frame in frames] == [0, 1, 2]
    heights = [frame.position @ normal_of(frame.orientation) for frame in frames]
    np.testing.assert_allclose(np.diff(heights), [-7.5, 12.5])
    assert all(frame.path == path for frame in frames)


@pytest.mark.parametrize("orientation", [[0] * 6, [1, 0, 0, 1, 0, 0], [7, 0, 0, 0, 7, 0]])
def test_an_orientation_that_is_none_is_left_out(tmp_path, head, orientation):
    path = tmp_path / "a.dcm"
    made = dataset(0, head[0], ImageOrientationPatient=orientation, ImagePositionPatient=[0, 0, 0])
    made.save_as(path, enforce_file_format=True)
    with pytest.warns(DataWarning, match=r"a\.dcm has orientation .*, no right angle; where it lies is left out"):
        image = read(path)
    assert image.place.affine3d is None
    np.testing.assert_array_equal(image.array[..., 0], head[0].astype(int) - 1024)


def test_places_that_are_no_numbers(series, refused):
    def change(made):
        made.ImagePositionPatient = ["nan", "inf", "0"]
        return made

    with quiet():  # pydicom warns of what is written
        folder = series(change=change)
    assert "6 files of one series do not say where they lie, so they make no volume" in refused(folder)
