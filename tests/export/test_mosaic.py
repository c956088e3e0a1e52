"""Volumes as pictures of cuts in three planes."""

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import Image
from gmmseg.export.mosaic import mosaic
from gmmseg.export.overlay import overlay
from gmmseg.image.place import Place
from gmmseg.io import read


def test_cuts_go_through_what_is_labelled_in_three_planes():
    values = np.arange(4 * 6 * 8, dtype=np.uint8).reshape(4, 6, 8)
    labels = np.zeros(values.shape, np.uint8)
    labels[1:3, 2:4, 5] = 2
    picture, numbers = mosaic(Image(values[..., None]), labels)
    # Two cuts of 6 x 8, two of 4 x 8 and one of 4 x 6, 4 pixels apart.
    assert picture.shape == numbers.shape == (6 + 4 + 4 + 4 + 4, 8 + 4 + 8)
    for row, (first, second) in enumerate(((1, 2), (2, 3))):
        axis, top, height = row, (0, 10)[row], (6, 4)[row]
        part = slice(top, top + height)
        np.testing.assert_array_equal(picture.array[part, :8, 0], np.take(values, first, axis))
        np.testing.assert_array_equal(picture.array[part, 12:20, 0], np.take(values, second, axis))
        np.testing.assert_array_equal(numbers[part, :8], np.take(labels, first, axis))
    np.testing.assert_array_equal(picture.array[18:22, :6, 0], values[:, :, 5])
    assert not numbers[6:10].any()
    assert not numbers[18:22, 6:].any()


def test_seven_cuts_of_each_plane_and_no_side_above_256():
    picture, _ = mosaic(Image(np.zeros((600, 20, 30, 1), np.uint8)), np.ones((600, 20, 30), np.uint8))
    assert picture.shape[0] == 9 + 256 + 256 + 8
    assert picture.shape[1] == 7 * 13 + 6 * 4


def test_patients_stand_upright_and_voxels_are_as_long_as_they_are():
    values = np.zeros((5, 6, 7), np.uint8)
    values[:, :, -1] = 200  # the top
    affine = ((-1.0, 0, 0, 0), (0, 2.0, 0, 0), (0, 0, 3.0, 0), (0, 0, 0, 1))
    image = Image(values[..., None], spacing=(1.0, 2.0, 3.0), place=Place(affine3d=affine, unit="mm"))
    picture, _ = mosaic(image, np.ones(values.shape, np.uint8))
    axial, coronal = 12, 21  # rows
    assert (picture.array[axial + 4 : axial + 7, :5] == 200).all()  # three rows a voxel, the top above
    assert not picture.array[axial + 7 : axial + 4 + coronal, :5].any()


def test_a_scan_and_its_batch_get_overlays(tmp_path, monkeypatch, rng):
    from gmmseg.cli import main

    monkeypatch.chdir(tmp_path)
    values = rng.normal(100, 3, (12, 14, 10)).astype(np.float32)
    values[4:9, 4:9, 3:7] += 60
    nibabel.Nifti1Image(values, np.diag([1, 1, 2, 1])).to_filename("t1.nii.gz")
    assert main(["segment", "t1.nii.gz", "-k", "2", "--overlay", "o.png", "--legend", "-q"]) == 0
    assert main(["batch", "t1.nii.gz", "-k", "2", "--out-dir", "out", "--also", "overlay", "-q"]) == 0
    found = gmmseg.segment("t1.nii.gz", 2)
    expected = overlay(read("t1.nii.gz"), found.labels)
    with Pillow.open("out/t1_overlay.png") as drawn:
        np.testing.assert_array_equal(np.asarray(drawn), expected)
    with Pillow.open("o.png") as drawn:
        np.testing.assert_array_equal(np.asarray(drawn)[: len(expected)], expected)
    np.testing.assert_array_equal(found.overlay(), expected)


def test_frames_in_time_are_no_volume():
    with pytest.raises(gmmseg.ParameterError, match="needs a picture or a volume"):
        overlay(Image.from_array(np.zeros((3, 4, 5)), axes="TYX"), np.ones((3, 4, 5), np.uint8))
