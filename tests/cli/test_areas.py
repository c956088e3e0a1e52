"""One area for one class, whoever tells it: tables, outlines, QuPath, matrices of changes."""

import csv
import json

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
