"""Results in NRRD and MetaImage files, as SimpleITK and pynrrd read them."""

import nrrd
import numpy as np
import pydicom
import pytest
import SimpleITK

import gmmseg
from gmmseg.errors import OutputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import read, read_labels, read_probabilities, write_labels, write_probabilities
from gmmseg.io.formats import identify
from gmmseg.io.opening import open_image

TURN = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6, 0.36, -0.48, 0.8)


@pytest.fixture
def scan(rng):
    numbers = rng.normal(100, 5, (4, 5, 6)).astype(np.float32)
    numbers[2:] += 80
    volume = SimpleITK.GetImageFromArray(numbers)
    volume.SetSpacing((0.5, 2.0, 3.0))
    volume.SetOrigin((10.0, -20.0, 30.0))
    volume.SetDirection(TURN)
    return volume


def same_place(found, expected):
    for each in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        np.testing.assert_allclose(getattr(found, each)(), getattr(expected, each)(), atol=1e-9)


@pytest.mark.parametrize(("source", "name"), [("t1.nrrd", "l.seg.nrrd"), ("t1.nrrd", "l.nrrd"), ("t1.mhd", "l.mha")])
def test_labels_lie_where_the_scan_does(tmp_path, scan, source, name):
    SimpleITK.WriteImage(scan, tmp_path / source)
    found = gmmseg.segment(tmp_path / source, 2, smooth=0)
    found.save(tmp_path / name)
    labels = SimpleITK.ReadImage(tmp_path / name)
    same_place(labels, scan)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(labels), found.labels.T)
    np.testing.assert_array_equal(read_labels(tmp_path / name), found.labels)
    np.testing.assert_array_equal(found.labels.T > 1, SimpleITK.GetArrayFromImage(scan) > 140)


@pytest.mark.parametrize("name", ["p.nrrd", "p.mha"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_probabilities_are_vectors(tmp_path, scan, name, dtype, rng):
    image = open_image(scan)
    shares = np.moveaxis(rng.dirichlet(np.ones(4), image.shape), -1, 0).astype(np.float32)
    write_probabilities(tmp_path / name, shares, image=image, dtype=dtype)
    found = SimpleITK.ReadImage(tmp_path / name)
    same_place(found, scan)
    factor = 255 if dtype == "uint8" else 1
    numbers = SimpleITK.GetArrayFromImage(found)
    np.testing.assert_allclose(numbers / factor, shares.transpose(3, 2, 1, 0), atol=0.51 / factor)
    np.testing.assert_array_equal(read_probabilities(tmp_path / name), numbers.transpose(3, 2, 1, 0))


def test_a_segmentation_of_slicer(tmp_path, scan):
    image = open_image(scan)
    labels = (image.array[..., 0] > 140).astype(np.uint8) + 1
    write_labels(tmp_path / "a.seg.nrrd", labels, image=image, names=("grey", "white"))
    values, header = nrrd.read(tmp_path / "a.seg.nrrd")
    np.testing.assert_array_equal(values, labels)
    assert header["space"] == "left-posterior-superior"
    np.testing.assert_allclose(header["space origin"], scan.GetOrigin())
    np.testing.assert_allclose(header["space directions"].T, np.reshape(TURN, (3, 3)) * scan.GetSpacing(), atol=1e-9)
    segments = [{key: header[f"Segment{n}_{key}"] for key in ("Name", "LabelValue", "Layer", "Extent")} for n in (0, 1)]
    assert segments == [
        {"Name": "grey", "LabelValue": "1", "Layer": "0", "Extent": "0 5 0 4 0 1"},
        {"Name": "white", "LabelValue": "2", "Layer": "0", "Extent": "0 5 0 4 2 3"},
    ]
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert identify(tmp_path / "a.seg.nrrd").class_names(tmp_path / "a.seg.nrrd") == ("grey", "white")
    write_labels(tmp_path / "a.nrrd", labels, image=image, names=("grey", "white"))
    assert "Segment0_Name" not in nrrd.read_header(str(tmp_path / "a.nrrd"))


@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.nrrd", "a.mha"])
def test_pictures_have_columns_first(tmp_path, rng, name):
    labels = rng.integers(0, 3, (4, 7), dtype=np.uint8)
    image = Image(np.zeros((4, 7), np.uint8), spacing=(2.0, 0.5), place=Place(unit="um"))
    write_labels(tmp_path / name, labels, image=image)
    found = SimpleITK.ReadImage(tmp_path / name)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(found), labels)
    np.testing.assert_allclose(found.GetSpacing(), (0.0005, 0.002))
    np.testing.assert_array_equal(read(tmp_path / name).array[..., 0], labels)


@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.mha"])
def test_a_dicom_series_lies_as_its_nifti_file_does(tmp_path, rng, name):
    image = read(pydicom.data.get_testdata_file("CT_small.dcm"))
    labels = rng.integers(0, 3, image.shape, dtype=np.uint8)
    for target in (name, "a.nii.gz"):
        write_labels(tmp_path / target, labels, image=image)
    found, expected = (SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / n)) for n in (name, "a.nii.gz"))
    np.testing.assert_array_equal(found.squeeze(), expected.squeeze())


def test_what_cannot_be_written(tmp_path):
    shares = np.ones((1, 2, 3), np.float32)
    with pytest.raises(OutputError, match=r"probabilities cannot be written to \.seg\.nrrd or .*; write \.nrrd"):
        write_probabilities(tmp_path / "a.seg.nrrd", shares)
    with pytest.raises(OutputError, match=r"to a header alone; write \.nrrd or \.seg\.nrrd"):
        write_labels(tmp_path / "a.nhdr", np.ones((2, 3), np.uint8))
    with pytest.raises(OutputError, match=r"a\.mhd: results cannot be written to a header alone; write \.mha"):
        write_labels(tmp_path / "a.mhd", np.ones((2, 3), np.uint8))
