"""gmmseg fit: a model of one image or of many."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg


@pytest.fixture
def scenes(folder):
    """A folder of three images, each of classes at 40, 100 and 200 in rows of uneven height, and of what is none."""
    rng = np.random.default_rng(0)
    place = folder / "scenes"
    place.mkdir()
    for number in range(3):
        levels = np.array([40, 100, 200]).repeat([4, 12, 24])[:, None].repeat(30 + 10 * number, axis=1)
        Pillow.fromarray((levels + rng.normal(0, 4, levels.shape)).astype(np.uint8)).save(place / f"{number}.png")
    (place / "notes.txt").write_text("no image")
    (place / ".hidden.png").write_bytes((place / "0.png").read_bytes())
    Pillow.fromarray(np.ones((30, 60), np.uint8)).save(place / "0_labels.png")
    return place


def images_in(place):
    return [place / f"{number}.png" for number in range(3)]


def test_a_folder_becomes_a_model(run, scenes):
    finished = run("fit", "scenes", "-k", 3, "-o", "land.gmm.json")
    assert (finished.code, finished.err) == (0, "")
    title, header, *rows = finished.out.splitlines()
    assert title.startswith("wrote land.gmm.json: 3 classes from 3 images, ")
    assert header.split() == ["class", "weight", "intensity"]
    assert len(rows) == 3
    stored, direct = gmmseg.load_model("land.gmm.json"), gmmseg.fit(images_in(scenes), 3)
    np.testing.assert_array_equal(stored.means, direct.means)
    np.testing.assert_array_equal(stored.mixture.weights, direct.mixture.weights)
    np.testing.assert_allclose(stored.means.ravel(), [40, 100, 200], atol=1)


def test_the_model_remembers_its_images(run, scenes):
    assert run("fit", "scenes", "-k", 3).code == 0
    model = gmmseg.load_model("scenes.gmm.json")
    assert model.training.gap > 0.2  # the upper quarters hold the rarer classes
    assert "nats a feature" in run("info", "scenes.gmm.json").out
    facts = json.loads(run("info", "scenes.gmm.json", "--json").out)
    assert facts["training"]["gap"] == model.training.gap
    assert run("apply", "scenes.gmm.json", "scenes", "--strict", "-q", "--out-dir", "labels").code == 0


def test_json_says_all(run, scenes):
    finished = run("fit", *images_in(scenes), "-k", 3, "--class-names", "low,mid,high", "-o", "m.json", "--json")
    record = json.loads(finished.out)
    assert record["inputs"] == list(map(str, images_in(scenes)))
    assert (record["output"], record["k"], record["features"], record["warnings"]) == ("m.json", 3, "intensity", [])
    assert [each["name"] for each in record["classes"]] == ["low", "mid", "high"]
    assert sum(each["weight"] for each in record["classes"]) == pytest.approx(1)
    assert record["seconds"] > 0


def test_options_reach_the_library(run, folder):
    options = ("--features", "rgb", "--covariance", "diag", "--smooth", 0.2, "--sample", 500, "--seed", 7)
    assert run("fit", "photo.png", "-k", 3, *options, "--outliers", "uniform").code == 0
    direct = gmmseg.fit(
        "photo.png", 3, features="rgb", covariance="diag", smooth=0.2, sample=500, seed=7, outliers="uniform"
    )
    direct.save("direct.json")
    assert (folder / "photo.gmm.json").read_bytes() == (folder / "direct.json").read_bytes()


def test_mask_scribbles_and_prior(run, folder):
    mask, strokes = np.zeros((30, 20), np.uint8), np.zeros((30, 20), np.uint8)
    mask[5:] = 1
    strokes[6, :5], strokes[20, :5] = 2, 1
    Pillow.fromarray(mask).save("mask.png")
    Pillow.fromarray(strokes).save("strokes.png")
    assert run("fit", "scan.png", "-k", 2, "--mask", "mask.png", "--scribbles", "strokes.png").code == 0
    means = gmmseg.load_model("scan.gmm.json").means.ravel()
    np.testing.assert_allclose(means, [184, 44], atol=2)  # numbered as the strokes are
    # As many classes as strokes, unless their number is said.
    assert run("fit", "scan.png", "--scribbles", "strokes.png", "-o", "two.json").code == 0
    assert gmmseg.load_model("two.json").k == 2
    assert len(json.loads(run("segment", "scan.png", "--scribbles", "strokes.png", "--json").out)[0]["classes"]) == 2
    assert run("fit", "scan.png", "-k", 4, "--scribbles", "strokes.png", "-o", "four.json").code == 0
    assert gmmseg.load_model("four.json").k == 4


def test_a_mask_of_each_image(run, refuse, folder):
    for number, name in enumerate("ab"):
        values = np.full((30, 20), 40, np.uint8)
        values[10:], values[20:] = 120, 200
        Pillow.fromarray(values + np.random.default_rng(number).integers(0, 9, values.shape, np.uint8)).save(
            f"{name}.png"
        )
        mask = np.ones((30, 20), np.uint8)
        mask[:10] = 0 if name == "a" else 1
        mask[20:] = 0 if name == "b" else 1
        Pillow.fromarray(mask).save(f"{name}_mask.png")
    pattern = ("--mask", "{folder}/{name}_mask.png")
    assert run("fit", "a.png", "b.png", "-k", 3, "--no-smooth", *pattern, "-o", "m.json").code == 0
    np.testing.assert_allclose(gmmseg.load_model("m.json").weights, [0.25, 0.5, 0.25], atol=0.02)
    ruled = ("--mask-values", "{folder}/{name}_mask.png:1", "-o", "r.json")
    assert run("fit", "a.png", "b.png", "-k", 3, "--no-smooth", *ruled).code == 0
    assert (folder / "r.json").read_bytes() == (folder / "m.json").read_bytes()
    (folder / "b_mask.png").unlink()
    words = refuse("fit", "a.png", "b.png", "-k", 3, *pattern, "-o", "m2.json", code=1)
    assert "b.png: its mask" in words
    assert "b_mask.png does not exist; add it, or leave the image out" in words
    words = refuse("fit", "a.png", "b.png", "-k", 3, "--mask", "{stem}.png", "-o", "m2.json", code=2)
    assert "mask {stem}.png has {stem}, which stands for nothing; use {folder}, {name}" in words


@pytest.mark.slow
def test_quiet(run):
    finished = run("fit", "photo.png", "-q")
    assert (finished.code, finished.out, finished.err) == (0, "", "")


WRONG = [
    ("photo.png scan.png", 2, "--output is needed with 2 images; name the model, as in -o land.gmm.json"),
    ("photo.png scan.png -o m.json", 2, "scan.png: features 'lab' needs red, green and blue"),
    ("photo.png -k 0", 2, "-k 0 is not usable"),
    ("photo.png --smooth 0.3 --no-smooth", 2, "--smooth 0.3 and --no-smooth contradict each other"),
    ("photo.png -o m.tif", 1, "m.tif: models are written as JSON; give it a name that ends in .json"),
    ("photo.png -o nowhere/m.json", 1, "nowhere"),
    ("photo.png -o empty", 2, "--output empty is a folder; name a file in it"),
    ("empty", 2, "empty is a folder without images; name images, or another folder"),
    ("photo.png none.png -o m.json", 1, "none.png does not exist"),
    ("photo.png -o photo.png --overwrite", 2, "photo.png would be written over photo.png, which is an input"),
    ("photo.png --max-pixels 100", 1, "photo.png"),
    ("photo.png scan.png -o m.json --features rgb", 2, "scan.png: features 'rgb' needs red, green and blue"),
    ("scan.png --prior p.npy -o m.json", 1, "p.npy does not exist"),
    ("scan.png scan.png --prior p.npy -o m.json", 2, "--prior is of one image, but 2 are given"),
    ("", 2, "IMAGE is missing"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[arguments for arguments, *_ in WRONG])
def test_wrong_usage_changes_nothing(refuse, folder, arguments, code, words):
    (folder / "empty").mkdir()
    assert words in refuse("fit", *arguments.split(), code=code)


def test_an_existing_model_is_kept_unless_told_otherwise(run, refuse):
    assert run("fit", "photo.png", "-k", 2).code == 0
    before = Path("photo.gmm.json").read_bytes()
    assert "photo.gmm.json exists already; pass --overwrite" in refuse("fit", "photo.png", "-k", 3, code=1)
    assert run("fit", "photo.png", "-k", 3, "--overwrite").code == 0
    assert Path("photo.gmm.json").read_bytes() != before


def test_threads_do_not_matter(run, folder):
    written = set()
    for threads in (1, 2, 7):
        assert run("fit", "photo.png", "-k", 3, "--threads", threads, "--overwrite").code == 0
        written.add((folder / "photo.gmm.json").read_bytes())
    assert len(written) == 1
