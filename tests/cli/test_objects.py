"""gmmseg objects."""

import csv
import json

import numpy as np
import pytest

from gmmseg import Image, io


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


def test_objects_of_another_program_are_measured_as_they_are(run, refuse, labels):
    numbers = np.zeros((60, 110), np.uint16)
    numbers[5:15, 5:15], numbers[5:15, 15:30], numbers[40:50, 40:50] = 300, 7, 12
    io.write_labels("masks.tif", numbers)
    finished = run("objects", "masks.tif", "x.npy", "--table", "m.csv", "-o", "m.tif")
    assert finished.out == "wrote m.tif, m.csv: 3 objects as masks.tif numbers them\n"
    with open("m.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["pixels"]) for row in rows] == [("7", "150"), ("12", "100"), ("300", "100")]
    np.testing.assert_array_equal(io.read_labels("m.tif"), numbers)
    facts = json.loads(run("objects", "masks.tif", "-o", "n.tif", "--json").out)
    assert (facts["objects"], facts["label"], facts["name"]) == (3, None, "object")
    assert run("objects", "masks.tif", "--label", "12", "-o", "o.tif").out.endswith("1 object of class 12\n")
    line = refuse("objects", "masks.tif", "--no-split", "-o", "p.tif", code=2)
    assert "--no-split is for the objects of a class, but masks.tif has objects already" in line
    assert "--min-size is for" in refuse("objects", "masks.tif", "--min-size", 20, "-o", "p.tif", code=2)


@pytest.mark.parametrize("suffix", ["tif", "ome.tif"])
def test_objects_of_a_time_lapse(run, suffix):
    frames = np.ones((3, 40, 60), np.uint8)
    frames[0, 5:15, 5:15] = frames[1, 5:15, 8:18] = frames[1, 25:35, 40:50] = 2
    np.save("x.npy", frames * 5)
    io.write_labels(f"x.{suffix}", frames, image=Image(frames[..., None], time=True))
    finished = run("objects", f"x.{suffix}", "x.npy", "--axes", "TYX", "--table", "t.csv", "-o", f"o.{suffix}")
    assert finished.out.endswith("3 objects of class 2\n"), finished.err
    with open("t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["label"], row["centroid-1"]) for row in rows] == [
        ("1", "1", "9.5"), ("2", "2", "12.5"), ("2", "3", "44.5"),
    ]  # fmt: skip
    scores = json.loads(run("evaluate", f"o.{suffix}", f"x.{suffix}", "--instances", "--json").out)
    assert scores["found"] == 3
