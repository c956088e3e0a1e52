"""--min-size and --contours of segment, apply, batch and regions."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import ndimage

import gmmseg


def smallest(labels):
    """Number of pixels of the smallest connected region."""
    sizes = [np.bincount(ndimage.label(labels == each)[0].ravel())[1:].min() for each in np.unique(labels[labels > 0])]
    return min(sizes)


@pytest.fixture
def noisy(folder):
    """noisy.png: two halves with specks."""
    rng = np.random.default_rng(1)
    pixels = np.full((60, 80), 60, np.uint8)
    pixels[:, 40:] = 180
    specks = rng.random(pixels.shape) < 0.05
    pixels[specks] = 240 - pixels[specks]
    Pillow.fromarray(pixels).save("noisy.png", dpi=(300, 300))
    return gmmseg.segment("noisy.png", k=2, smooth=False)


def test_the_size_of_a_pixel_may_be_said(run, refuse):
    pixels = np.random.default_rng(0).integers(0, 60, (40, 50), dtype=np.uint8)
    pixels[:, 25:] += 150
    pixels[3:6, 3:6] = 200
    np.save("p.npy", pixels)
    assert "or say it (--spacing 0.5um;" in refuse("segment", "p.npy", "-k", "2", "--min-size", "5um2", code=2)
    run("segment", "p.npy", "-k", "2", "--no-smooth", "--min-size", "5um2", "--spacing", "0.5um", "-o", "fine.npy")
    run("segment", "p.npy", "-k", "2", "--no-smooth", "--min-size", "5um2", "--spacing", "1um", "-o", "coarse.npy")
    assert np.load("fine.npy")[4, 4] == 1  # 9 pixels are 2.25 um2
    assert np.load("coarse.npy")[4, 4] == 2


def test_segment_and_apply_write_clean_labels(run, noisy):
    assert smallest(noisy.labels) == 1
    expected = noisy.clean(20).labels
    assert smallest(expected) >= 20
    done = run("segment", "noisy.png", "-k", 2, "--no-smooth", "--min-size", 20, "--model", "m.json", "--json")
    np.testing.assert_array_equal(gmmseg.io.read_labels("noisy_labels.png"), expected)
    shares = [each["share"] for each in json.loads(done.out)[0]["classes"]]
    np.testing.assert_allclose(shares, [(expected == label).mean() for label in (1, 2)])
    assert run("apply", "m.json", "noisy.png", "--min-size", "20 px", "-o", "again.tif").code == 0
    np.testing.assert_array_equal(gmmseg.io.read_labels("again.tif"), expected)


@pytest.mark.slow
def test_batch_cleans_and_knows_by_which_size(run, noisy):
    done = run("batch", "noisy.png", "-k", 2, "--no-smooth", "--min-size", 20, "--also", "contours", "--out-dir", "out")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(gmmseg.io.read_labels("out/noisy_labels.png"), noisy.clean(20).labels)
    line = json.loads(Path("out/manifest.jsonl").read_text())
    assert line["parameters"]["min_size"] == "20"
    assert line["outputs"]["contours"]["file"] == "noisy_contours.png"
    again = ("batch", "noisy.png", "-k", 2, "--no-smooth", "--out-dir", "out", "--resume", "--also", "contours")
    assert "skip" in run(*again, "--min-size", 20, "--dry-run").out
    assert "min_size was 20, is 30" in run(*again, "--min-size", 30, "--dry-run").out
    assert "min_size was 20, is None" in run(*again, "--dry-run").out


@pytest.mark.slow
def test_regions_are_cleaned_and_numbered_through(run, noisy):
    facts = json.loads(run("regions", "noisy.png", "-n", 40, "--min-size", 300, "--json").out)
    labels = gmmseg.io.read_labels("noisy_regions.png")
    assert facts["regions"] == labels.max() == len(np.unique(labels)) < 40
    assert smallest(gmmseg.regions("noisy.png").labels(n=40)) < 300
    assert smallest(labels) >= 300


@pytest.mark.slow
def test_contours_are_lines_on_the_picture(run, noisy):
    assert run("segment", "noisy.png", "-k", 2, "--min-size", 20, "--contours", "lines.png").code == 0
    with Pillow.open("lines.png") as picture, Pillow.open("noisy.png") as plain:
        lines, before = np.asarray(picture), np.asarray(plain.convert("RGB"))
    labels = gmmseg.io.read_labels("noisy_labels.png")
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] = labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    changed = (lines != np.where(before == 60, 0, 255)).any(axis=-1)  # grey is stretched
    np.testing.assert_array_equal(changed, edge)
    facts = json.loads(run("regions", "noisy.png", "--contours", "r.jpg", "--overlay", "o.jpg", "--json").out)
    assert facts["outputs"] == {"labels": "noisy_regions.png", "overlay": "o.jpg", "contours": "r.jpg"}
    with Pillow.open("r.jpg") as picture:
        assert picture.size == (80, 60)


def test_refusals(refuse, noisy):
    for command in (("segment", "noisy.png"), ("regions", "noisy.png")):
        line = refuse(*command, "--min-size", "5mm", code=2)
        assert line.startswith(
            "gmmseg: error: --min-size 5mm is not usable; use pixels or voxels (50), an area (20mm2,"
        )
        line = refuse(*command, "--min-size", "20mm2", code=2)
        assert "noisy.png: a minimum size of 20mm2 needs the size of a pixel, which is not known; give a number" in line
        assert "has 4800 pixels, fewer than a minimum size of 4801" in refuse(*command, "--min-size", 4801, code=2)
    np.save("stack.npy", np.zeros((3, 20, 20), np.uint8))
    frames = ("segment", "stack.npy", "--axes", "TYX")
    words = "contours need a picture or a volume, stack.npy has frames in time"
    assert words in refuse(*frames, "--contours", "c.png", code=1)
    assert "--contours noisy.png is one file, but 2 images" in refuse(
        "segment", "noisy.png", "scan.png", "--contours", "noisy.png", code=2
    )
