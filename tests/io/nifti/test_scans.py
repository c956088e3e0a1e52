"""Scans in memory, as a NIfTI file of them is read."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_labels, write_labels
from gmmseg.io.opening import Reading, open_image

TURN = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, -1.0]])
ORTHOGONAL = np.block(
    [[TURN * [1.5, 2.0, 2.5], np.array([[40.0], [-30.0], [20.0]])], [np.zeros((1, 3)), np.ones((1, 1))]]
)
BRAIN = Path(__file__).with_name("brain.nii.gz")


def assert_same(image, expected):
    np.testing.assert_array_equal(image.array, expected.array)
    np.testing.assert_allclose(image.place.affine3d, expected.place.affine3d, atol=1e-4)
    np.testing.assert_allclose(image.spacing, expected.spacing, rtol=1e-6)
    assert image.place.unit == "mm"
    assert image.color == expected.color


@pytest.mark.parametrize("load", [nibabel.load, SimpleITK.ReadImage])
def test_a_scan_is_its_file(load):
    assert_same(open_image(load(BRAIN)), read(BRAIN))


@pytest.fixture
def turned(tmp_path, volume):
    """A file whose axes are turned, but at right angles: ITK knows no others."""
    scan = nibabel.Nifti1Image(volume, ORTHOGONAL)
    scan.header.set_xyzt_units("mm")
    nibabel.save(scan, tmp_path / "turned.nii")
    return tmp_path / "turned.nii"


@pytest.mark.parametrize("load", [nibabel.load, SimpleITK.ReadImage])
def test_oblique_axes_and_times(turned, save, volume, load):
    assert_same(open_image(load(turned)), read(turned))
    times = save("b.nii", np.stack([volume, volume + 5], -1), dim=[4, 7, 6, 5, 2, 1, 1, 1])
    image = open_image(load(times), Reading(channels="2"))
    np.testing.assert_array_equal(image.array[..., 0], volume + 5)


def test_scaled_numbers_are_scaled_alike(save, volume):
    path = save("a.nii", volume, slope=(0.1, 7))
    image = open_image(nibabel.load(path))
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, read(path).array)


def test_other_formats_of_nibabel_and_numbers_without_a_file(volume):
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage, nibabel.AnalyzeImage):
        scan = kind(volume.astype(np.float32), affine)
        image = open_image(scan)
        np.testing.assert_array_equal(image.array[..., 0], volume)
        assert image.spacing == (2.0, 3.0, 4.0)
        if kind is not nibabel.AnalyzeImage:  # whose files have no affine
            np.testing.assert_allclose(image.place.affine3d, affine)


def test_results_lie_where_the_scan_does(tmp_path, turned, volume):
    path = turned
    labels = (volume > 0).astype(np.uint8)
    for scan in (nibabel.load(path), SimpleITK.ReadImage(path)):
        write_labels(tmp_path / "l.nii", labels, image=open_image(scan), overwrite=True)
        written = nibabel.load(tmp_path / "l.nii")
        np.testing.assert_allclose(written.affine, nibabel.load(path).affine, atol=1e-4)
        np.testing.assert_array_equal(read_labels(tmp_path / "l.nii"), labels)


def test_pictures_of_simpleitk_have_rows_and_columns(rng):
    rgb = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    picture = SimpleITK.GetImageFromArray(rgb, isVector=True)
    picture.SetSpacing((0.5, 2.0))
    image = open_image(picture)
    np.testing.assert_array_equal(image.array, rgb)
    assert (image.color, image.spacing) == (True, (2.0, 0.5))
    alpha = np.dstack([rgb, np.eye(6, 9, dtype=np.uint8)])
    image = open_image(SimpleITK.GetImageFromArray(alpha, isVector=True))
    np.testing.assert_array_equal(image.valid, np.eye(6, 9) > 0)
    bands = open_image(SimpleITK.GetImageFromArray(alpha.astype(np.uint16), isVector=True))
    assert (bands.n_channels, bands.color) == (4, False)
    assert open_image(SimpleITK.GetImageFromArray(rgb[..., 0])).shape == (6, 9)


def test_colours_in_a_volume(rng):
    voxels = rng.integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    image = open_image(SimpleITK.GetImageFromArray(voxels, isVector=True))
    np.testing.assert_array_equal(image.array, voxels.transpose(2, 1, 0, 3))
    assert image.color


def test_missing_numbers(volume):
    floats = volume.astype(np.float64)
    floats[1, 2, 3] = np.nan
    for scan in (nibabel.Nifti1Image(floats, np.eye(4)), SimpleITK.GetImageFromArray(floats.T)):
        with pytest.warns(DataWarning, match="image: 1 pixels are NaN"):
            assert not open_image(scan).valid[1, 2, 3]


def test_what_is_no_image(volume):
    waves = SimpleITK.GetImageFromArray(volume.astype(np.complex64))
    with pytest.raises(InputError, match=r"not real ones; pass SimpleITK\.ComplexToModulus\(image\)"):
        open_image(waves)
    with pytest.raises(InputError, match="expected real ones; save their magnitude"):
        open_image(nibabel.Nifti1Image(volume.astype(np.complex64), np.eye(4)))
    times = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(np.zeros((2, 3, 4, 2), np.float32), isVector=True)])
    with pytest.raises(InputError, match="image has 4 axes of 2 numbers: too many"):
        open_image(times)
    with pytest.raises(InputError, match="too many axes"):
        open_image(nibabel.Nifti1Image(np.zeros((2, 3, 4, 2, 2), np.float32), np.eye(4)))
    for scan in (nibabel.Nifti1Image(volume, np.eye(4)), SimpleITK.GetImageFromArray(volume)):
        with pytest.raises(ParameterError, match="channel_axis=0 does not fit image"):
            open_image(scan, Reading(channel_axis=0))
        with pytest.raises(InputError, match="above the limit of 9"):
            open_image(scan, Reading(max_pixels=9))
