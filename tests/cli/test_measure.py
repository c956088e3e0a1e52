"""gmmseg measure."""

import csv
import json

import numpy as np
import pytest

from gmmseg import Image, io


@pytest.fixture
def labels():
    numbers = np.repeat(np.uint8([[0, 1, 2]]), 6, axis=0).repeat([2, 3, 5], axis=1)
    io.write_labels("x_labels.png", numbers)
    np.save("x.npy", numbers * np.float32(1.5))
    return numbers


def test_a_table_for_people_and_files_for_programs(run, labels):
    text = run("measure", "x_labels.png").out
    assert text.splitlines()[1].split() == ["1", "class", "1", "18", "37.5", "%"]
    rows = json.loads(run("measure", "x_labels.png", "x.npy", "--json", "--class-names", "a,b").out)
    assert [row["name"] for row in rows] == ["a", "b"]
    assert rows[1]["intensity_mean"] == 3
    assert run("measure", "x_labels.png", "x.npy", "-o", "t.csv").out.startswith("wrote t.csv: 2 classes\n")
    with open("t.csv", newline="") as file:
        assert [row["pixels"] for row in csv.DictReader(file)] == ["18", "30"]


def test_sums_of_probabilities(run, labels):
    io.write_probabilities("p.npy", np.stack([labels == 1, labels == 2]).astype(np.float32))
    rows = json.loads(run("measure", "x_labels.png", "--soft", "p.npy", "--json").out)
    assert [row["pixels_soft"] for row in rows] == [18, 30]


def test_hectares_and_millilitres_come_from_the_files(run):
    rasterio = pytest.importorskip("rasterio")
    nibabel = pytest.importorskip("nibabel")
    profile = {"driver": "GTiff", "width": 8, "height": 5, "count": 1, "dtype": "uint8", "crs": "EPSG:3035"}
    with rasterio.open("map.tif", "w", transform=(100, 0, 4_321_000, 0, -100, 3_210_000), **profile) as file:
        file.write(np.ones((1, 5, 8), np.uint8))
    row = json.loads(run("measure", "map.tif", "--json").out)[0]
    assert row["area_ha"] == pytest.approx(40, rel=1e-3)  # equal areas
    volume = np.uint8(np.indices((6, 7, 8)).sum(0) % 2)
    nibabel.Nifti1Image(volume, np.diag([1, 2, 2.5, 1])).to_filename("t.nii.gz")
    row = json.loads(run("measure", "t.nii.gz", "--json").out)[0]
    assert row["volume_ml"] == pytest.approx(volume.sum() * 5 / 1000)


def test_the_size_of_a_pixel_may_be_said(run, refuse, labels):
    row = json.loads(run("measure", "x_labels.png", "--spacing", "0.5um", "--json").out)[0]
    assert row["area_um2"] == pytest.approx(18 / 4)
    row = json.loads(run("measure", "x_labels.png", "x.npy", "--spacing", "2,3mm", "--json").out)[1]
    assert row["area_mm2"] == pytest.approx(30 * 6)
    assert "has 3 numbers, but the image has 2" in refuse("measure", "x_labels.png", "--spacing", "1,2,3mm", code=2)


def test_what_does_not_fit_is_one_line(refuse, labels):
    np.save("y.npy", np.zeros((4, 4)))
    assert "x_labels.png has shape (6, 10)" in refuse("measure", "x_labels.png", "y.npy", code=1)
    assert "--channels is of IMAGE" in refuse("measure", "x_labels.png", "--channels", "1", code=2)
    assert "tables are written to" in refuse("measure", "x_labels.png", "-o", "t.xls", code=1)


def test_an_image_that_lies_elsewhere_is_refused(refuse):
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "width": 8, "height": 5, "count": 1, "dtype": "uint8", "crs": "EPSG:3035"}
    for name, east in (("a.tif", 4_321_000), ("b.tif", 4_321_800)):
        with rasterio.open(name, "w", transform=(100, 0, east, 0, -100, 3_210_000), **profile) as file:
            file.write(np.ones((1, 5, 8), np.uint8))
    assert "a.tif lies elsewhere than b.tif" in refuse("measure", "a.tif", "b.tif", code=1)


def test_frames_of_a_time_lapse(run, refuse):
    frames = np.zeros((3, 8, 10), np.uint8) + 1
    frames[1:, 2:6, 2:7], frames[2, 0, 0] = 2, 0
    io.write_labels("t.tif", frames, image=Image(frames[..., None], time=True))
    rows = json.loads(run("measure", "t.tif", "--by-frame", "--json").out)
    assert [(row["frame"], row["label"], row["pixels"]) for row in rows] == [
        (1, 1, 80), (1, 2, 0), (2, 1, 60), (2, 2, 20), (3, 1, 59), (3, 2, 20),
    ]  # fmt: skip
    assert run("measure", "t.tif", "--by-frame", "-o", "t.csv").code == 0
    assert len(json.loads(run("measure", "t.tif", "--json").out)) == 2
    io.write_labels("x.png", frames[0])
    assert "x.png has no frames" in refuse("measure", "x.png", "--by-frame", code=2)
