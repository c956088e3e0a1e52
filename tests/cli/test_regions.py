"""gmmseg regions."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg


@pytest.mark.slow
def test_label_map_and_overlay(run):
    text = run("regions", "photo.png", "-n", 3, "--overlay", "over.jpg").out
    assert text.startswith("wrote photo_regions.png, over.jpg: ")
    assert " 3 regions" in text
    labels = gmmseg.io.read_labels("photo_regions.png")
    np.testing.assert_array_equal(labels, gmmseg.regions("photo.png").labels(n=3))
    with Pillow.open("over.jpg") as picture:
        assert picture.size == labels.shape[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_few_regions_are_objects_too(run, options):
    run("regions", "photo.png", "-n", 3, *options)
    assert run("export", "photo_regions.png", "--to", "coco").out == "wrote photo_regions_coco.json: 3 objects\n"
    found = json.loads(Path("photo_regions_coco.json").read_text())
    assert [each["name"] for each in found["categories"]] == ["object"]


@pytest.mark.slow
def test_json_and_detail(run):
    facts = json.loads(run("regions", "photo.png", "--detail", 0.9, "-o", "fine.tif", "--json").out)
    assert facts["regions"] == gmmseg.regions("photo.png").count(0.9)
    assert facts["outputs"] == {"labels": "fine.tif"}


def test_refusals(run, refuse):
    assert "both say how fine" in refuse("regions", "photo.png", "--detail", 0.5, "-n", 3, code=2)
    assert "which is an input" in refuse("regions", "photo.png", "-o", "photo.png", "--overwrite", code=2)
    assert run("regions", "photo.png").code == 0
    assert "photo_regions.png exists already" in refuse("regions", "photo.png", code=1)
    assert "--detail 3 is not usable" in refuse("regions", "photo.png", "--detail", 3, code=2)
