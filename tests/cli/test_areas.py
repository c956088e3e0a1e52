"""One area for one class, whoever tells it: tables, outlines, QuPath, matrices of changes."""

import csv
import itertools
import json

import nibabel
import numpy as np
import pytest
from noisy_images import blobs

from gmmseg.export import place_in
from gmmseg.export.windowed import WindowedExport, write_by_windows
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading

rasterio = pytest.importorskip("rasterio")


@pytest.fixture
def north(tmp_path):
    """A label map near 60 degrees north in the Mercator projection, whose squares are a quarter as large there."""
    labels = blobs((60, 50), 3).astype(np.uint8) + 1
    with rasterio.open(
        tmp_path / "map.tif",
        "w",
        driver="GTiff",
        width=50,
        height=60,
        count=1,
        dtype="uint8",
        crs="EPSG:3857",
        transform=rasterio.Affine(100, 0, 1_000_000, 0, -100, 8_400_000),
    ) as raster:
        raster.write(labels[None])
    return tmp_path / "map.tif"


def sums(features, name):
    found = {}
    for each in features:
        label = each["properties"]["label"]
        found[label] = found.get(label, 0.0) + each["properties"][name]
    return found


def test_hectares_are_those_of_the_ground(north, run):
    folder = north.parent
    run("measure", north, "-o", folder / "table.csv")
    with open(folder / "table.csv", newline="") as file:
        expected = {int(row["label"]): float(row["area_ha"]) for row in csv.DictReader(file)}
    flat = 60 * 50 * 100 * 100 / 1e4
    assert sum(expected.values()) == pytest.approx(flat * 0.25, rel=0.02)
    run("export", north, "--to", "geojson", "-o", folder / "whole.geojson")
    with open(folder / "windows.geojson", "wb") as file:
        strips = WindowedExport(place=place_in(north), memory=1)
        write_by_windows(file, read_with(north, Reading(indices=True)), strips)
    for name in ("whole", "windows"):
        features = json.loads((folder / f"{name}.geojson").read_text())["features"]
        assert sums(features, "area_ha") == pytest.approx(expected, rel=1e-6)
    changed = run("evaluate", north, north, "--change-map", folder / "change.tif", "--json")
    matrix = json.loads(changed.out)
    assert matrix["unit"] == "ha"
    assert dict(zip(matrix["classes"], np.diag(matrix["areas"]).tolist(), strict=True)) == pytest.approx(expected)


def test_a_least_area_of_polygons(north, run, refuse):
    labels = np.ones((60, 50), np.uint8)
    labels[5:9, 5:10], labels[20:30, 20:40] = 2, 3  # 20 pixels of .25 ha on the ground, and 200
    with rasterio.open(north, "r+") as raster:
        raster.write(labels[None])
    found = run("export", north, "--to", "geojson", "-o", "large.geojson", "--min-size", "10ha", "--json")
    assert json.loads(found.out)["instances"] == 2
    found = run("export", north, "--to", "geojson", "-o", "all.geojson", "--min-size", "4.9ha", "--json")
    assert json.loads(found.out)["instances"] == 3
    np.save("map.npy", labels)
    words = refuse("export", "map.npy", "--to", "npz", "--min-size", "1ha", code=2)
    assert "map.npy: a minimum size of 1ha needs the size of a pixel, which is not known; give a number" in words


def covered(rows, name):
    return {int(each["label"]): (int(each["pixels"]), float(each[name])) for each in rows}


@pytest.mark.parametrize("memory", ["1GiB", "64MiB"])
def test_one_area_wherever_it_is_said(north, run, rng, memory):
    steps = np.repeat([40, 120, 200], 20)[:, None] + rng.normal(0, 5, (60, 50))
    with rasterio.open(north, "r+") as raster:
        raster.write(steps.astype(np.uint8)[None])
        raster.write_mask(np.repeat([False, True], [7 * 50, 53 * 50]).reshape(60, 50))
    folder = north.parent
    said = run(
        "segment",
        north,
        "-k",
        3,
        "-o",
        "labels.tif",
        "--table",
        "table.json",
        "--memory",
        memory,
        "--json",
        "--no-smooth",
    )
    expected = covered(json.loads(said.out)[0]["classes"], "area_ha")
    assert sum(pixels for pixels, _ in expected.values()) == 53 * 50
    assert covered(json.loads((folder / "table.json").read_text()), "area_ha") == expected
    run("measure", "labels.tif", "-o", "measured.json")
    assert covered(json.loads((folder / "measured.json").read_text()), "area_ha") == expected
    found = run("relabel", "labels.tif", "--merge", "2,3", "-o", "merged.tif", "--json")
    merged = covered(json.loads(found.out)["classes"], "area_ha")
    assert merged[1] == expected[1]
    assert merged[2] == (expected[2][0] + expected[3][0], pytest.approx(expected[2][1] + expected[3][1]))
    run("batch", north, "-k", 3, "--no-smooth", "--out-dir", "maps", "--table", "batch.json", "--quiet")
    ten_digits = {label: (pixels, pytest.approx(area, rel=1e-9)) for label, (pixels, area) in expected.items()}
    assert covered(json.loads((folder / "batch.json").read_text()), "area_ha") == ten_digits
    (line,) = map(json.loads, (folder / "maps" / "manifest.jsonl").read_text().splitlines())
    assert covered(line["classes"], "area_ha") == expected
    printed = run("segment", north, "-k", 3, "-o", "again.tif", "--no-smooth").out.splitlines()
    head, first = next((a, b) for a, b in itertools.pairwise(printed) if "area_ha" in a)
    assert float(first.split()[head.split().index("area_ha") + 1]) == pytest.approx(expected[1][1], rel=0.01)


def test_millilitres_of_what_a_mask_leaves(tmp_path, run):
    volume = blobs((12, 20, 24), 4)
    nibabel.save(nibabel.Nifti1Image(np.int16(volume * 100), np.diag([2, 0.5, 3, 1.0])), tmp_path / "scan.nii.gz")
    inside = np.zeros(volume.shape, np.uint8)
    inside[3:, 2:15] = 1
    nibabel.save(nibabel.Nifti1Image(inside, np.diag([2, 0.5, 3, 1.0])), tmp_path / "mask.nii.gz")
    found = run("segment", "scan.nii.gz", "-k", 2, "--mask", "mask.nii.gz", "-o", "labels.nii.gz", "--json")
    labels = np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj)
    counts = {label: int((labels == label).sum()) for label in (1, 2)}
    assert sum(counts.values()) == inside.sum()
    expected = {label: (count, pytest.approx(count * 0.003)) for label, count in counts.items()}
    assert covered(json.loads(found.out)[0]["classes"], "volume_ml") == expected
