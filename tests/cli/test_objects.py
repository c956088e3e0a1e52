"""gmmseg objects."""

import csv
import json

import numpy as np
import pytest

from gmmseg import io


@pytest.fixture
def labels():
    y, x = np.mgrid[:60, :110]
    mask = ((x - 25) ** 2 + (y - 30) ** 2 < 200) | ((x - 50) ** 2 + (y - 30) ** 2 < 200)
    mask |= (x - 90) ** 2 + (y - 30) ** 2 < 100
    io.write_labels("x_labels.png", 1 + mask.astype(np.uint8))
    np.save("x.npy", mask * np.float32(2))
    return mask


def test_objects_are_counted_written_and_measured(run, labels):
    assert run("objects", "x_labels.png", "x.npy", "--table", "t.csv").out == (
        "wrote x_objects.tif, t.csv: 3 objects of class 2\n"
    )
    numbers = io.read_labels("x_objects.tif")
    np.testing.assert_array_equal(numbers > 0, labels)
    with open("t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["pixels"]) for row in rows] == np.bincount(numbers.ravel())[1:].tolist()
    assert {row["intensity_mean"] for row in rows} == {"2"}
    facts = json.loads(run("objects", "x_labels.png", "--no-split", "-o", "y.tif", "--json").out)
    assert (facts["objects"], facts["label"]) == (2, 2)
    assert run("objects", "x_labels.png", "--min-size", "400", "-o", "z.tif").out.endswith("2 objects of class 2\n")


def test_a_class_is_named_by_number_or_name(run, refuse):
    pytest.importorskip("rasterio")
    numbers = np.ones((20, 20), np.uint8)
    numbers[5:15, 5:15] = 2
    np.savez("n.npz", labels=numbers, class_names=np.array(["land", "lake"]))
    assert run("objects", "n.npz", "--label", "lake", "-o", "l.tif").out.endswith("1 object of lake\n")
    assert "its classes are 1 (land), 2 (lake)" in refuse("objects", "n.npz", "--label", "sea", code=2)


def test_inputs_and_files_that_exist_are_kept(refuse, labels):
    assert "input" in refuse("objects", "x_labels.png", "-o", "x_labels.png", "--overwrite", code=2)
    np.save("x_objects.npy", labels)
    assert "exists" in refuse("objects", "x_labels.png", "-o", "x_objects.npy", code=1)
    np.save("none.npy", np.zeros((4, 4), np.uint8))
    assert "every label is 0" in refuse("objects", "none.npy", code=2)


def test_objects_of_a_volume_are_a_volume_of_the_same_place(run):
    nibabel = pytest.importorskip("nibabel")
    numbers = np.ones((6, 7, 8), np.uint8)
    numbers[1:3, 1:3, 1:3] = numbers[4:, 4:, 5:] = 2
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    nibabel.Nifti1Image(numbers, affine).to_filename("x_labels.nii.gz")
    assert run("objects", "x_labels.nii.gz", "--no-split").out == "wrote x_objects.nii.gz: 2 objects of class 2\n"
    found = nibabel.load("x_objects.nii.gz")
    np.testing.assert_array_equal(found.affine, affine)
    assert np.bincount(np.asarray(found.dataobj, np.int64).ravel()).tolist() == [310, 8, 18]
