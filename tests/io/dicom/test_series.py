"""DICOM series become volumes or are refused with the reason."""

import re

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_slices import COLUMNS, N_SLICES, OBLIQUE, ROWS, SAMPLES, SIDES, STEP, enhanced, only, position

from gmmseg.io import read, read_labels, write_labels


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE, (0, 1, 0, 0, 0, -1)])
def test_a_series_is_a_volume(series, head, orientation):
    image = read(series(orientation=orientation))
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array[..., 0], head.astype(int) - 1024)
    np.testing.assert_allclose(image.spacing, (STEP, *SIDES))
    assert image.valid is None
    # A voxel of the matrix lies where DICOM says, x and y turned from LPS to RAS.
    slice_, row, column = 4, 3, 7
    along, down = np.array(orientation[:3]), np.array(orientation[3:])
    place = position(slice_, orientation) + along * SIDES[1] * column + down * SIDES[0] * row
    found = np.array(image.place.affine3d) @ [slice_, row, column, 1]
    np.testing.assert_allclose(found[:3], place * [-1, -1, 1], atol=1e-9)


def test_highdicom_finds_the_same_volume(series):
    folder = series(orientation=OBLIQUE)
    ours = np.array(read(folder).place.native.affine)
    volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in folder.iterdir()])
    theirs = np.diag([-1, -1, 1, 1]) @ volume.to_patient_orientation("LPS").affine
    # The same box of voxels, whatever the order of axes: its two far corners.
    corners = [ours @ [x, y, z, 1] for x in (0, COLUMNS - 1) for y in (0, ROWS - 1) for z in (0, N_SLICES - 1)]
    i, j, k = (n - 1 for n in volume.to_patient_orientation("LPS").spatial_shape)
    others = [theirs @ [x, y, z, 1] for x in (0, i) for y in (0, j) for z in (0, k)]

    def ordered(points):
        return np.array(sorted(np.round(point, 6).tolist() for point in points))

    np.testing.assert_allclose(ordered(corners), ordered(others), atol=1e-5)


def test_multi_frame_objects(tmp_path, head, refused, rng):
    path = tmp_path / "a.dcm"
    enhanced(head, (3, 0, 5, 1, 4, 2)).save_as(path, enforce_file_format=True)
    image = read(path)
    np.testing.assert_array_equal(image.array[..., 0], head.astype(int) - 1024)
    np.testing.assert_allclose(image.spacing, (STEP, *SIDES))
    labels = rng.integers(0, 3, image.shape, dtype=np.uint8)
    write_labels(tmp_path / "l.dcm", labels, image=image)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.dcm"), labels)
    seg = highdicom.seg.segread(tmp_path / "l.dcm")
    by_frame = seg.get_pixels_by_source_frame("1.2.3.1", [1], combine_segments=True, ignore_spatial_locations=True)
    np.testing.assert_array_equal(by_frame[0], labels[3])
    enhanced(head, (3, 0, 3)).save_as(tmp_path / "twice.dcm", enforce_file_format=True)
    assert "frame 1 and frame 3 lie at the same place" in refused(tmp_path / "twice.dcm")


def test_dose_grids_are_volumes():
    image = read(SAMPLES / "rtdose.dcm")
    theirs = pydicom.dcmread(SAMPLES / "rtdose.dcm")
    assert image.spacing == (5.0, 10.0, 10.0)
    np.testing.assert_allclose(image.array[..., 0], theirs.pixel_array * float(theirs.DoseGridScaling), rtol=1e-6)


REFUSALS = {
    "missing": (lambda made: None if made.InstanceNumber in (3, 4) else made, "2 slices are missing between IM"),
    "uneven": (only(5, ImagePositionPatient=[-10.0, -20.0, 43.5]), r"3\.5 mm apart between .* but 2\.5 mm elsewhere"),
    "twice": (only(5, ImagePositionPatient=[-10.0, -20.0, 40.0]), r"lie at the same place \(40 mm\)"),
    "tilted": (None, r"15\.0 degrees off \(gantry tilt\)"),
    "shifted": (only(3, ImagePositionPatient=[-9.0, -20.0, 37.5]), r"lies 1 mm beside the axis"),
    "turned": (only(2, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "orientation 0 x 1.*without localizers"),
    "sizes": (only(2, Rows=10), "size 10 x 25, but .* has 20 x 25"),
    "sides": (only(2, PixelSpacing=[0.8, 0.8]), r"pixel spacing 0\.8 x 0\.8, but .* has 0\.8 x 0\.7"),
    "kinds": (only(2, PixelRepresentation=1), "kind of pixels"),
    "homeless": (only(2, ImagePositionPatient=None), "6 files of one series do not say where"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_no_even_stack(series, refused, case):
    change, pattern = REFUSALS[case]

    def tilt(made):
        aside = np.tan(np.radians(15)) * STEP * made.InstanceNumber
        made.ImagePositionPatient = [-10.0, -20.0 + float(aside), float(made.ImagePositionPatient[2])]
        return made

    message = refused(series(change=change or tilt))
    assert re.search(pattern, message), message
    assert ";" in message  # a remedy


def test_rounded_positions_are_even(series, head):
    def change(made):
        made.ImagePositionPatient = [-10.0, -20.0, round(30 + 0.6666 * made.InstanceNumber, 2)]
        return made

    assert read(series(change=change)).spacing[0] == pytest.approx(0.6666, abs=0.003)


@pytest.mark.parametrize(("step", "digits"), [(0.6666, 1), (1.25, 1), (0.3, 1), (0.488, 1)])
def test_positions_to_a_tenth_of_a_millimetre_are_even(series, step, digits):
    def change(made):
        made.ImagePositionPatient = [-10.0, -20.0, round(30 + step * made.InstanceNumber, digits)]
        return made

    assert read(series(change=change)).spacing[0] == pytest.approx(step, abs=0.021)


def test_a_missing_slice_is_found_among_rounded_positions(series, refused):
    def change(made):
        made.ImagePositionPatient = [-10.0, -20.0, round(30 + 0.6666 * made.InstanceNumber, 1)]
        return None if made.InstanceNumber == 3 else made

    assert "1 slice is missing between" in refused(series(change=change))
