"""gmmseg segment: what it writes, read by other libraries, and what it prints."""

import json
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from terminals import Terminal

import gmmseg


def labels_of(path):
    with Pillow.open(path) as picture:
        return np.array(picture)


def record_of(finished):
    assert finished.code == 0, finished
    (record,) = json.loads(finished.out)
    return record


def test_the_first_minute(run, folder):
    finished = run("segment", "photo.png", "-k", 3)
    assert (finished.code, finished.err) == (0, "")
    title, header, *rows = finished.out.splitlines()
    assert title.startswith("wrote photo_labels.png: 60 x 40 pixels, 3 classes, ")
    assert header.split() == ["class", "share", "map", "colour", "L", "a", "b", "x", "y"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert len({len(row) for row in (header, *rows)}) == 1
    assert "\x1b" not in finished.out
    labels = labels_of("photo_labels.png")
    assert labels.shape == (40, 60)
    np.testing.assert_array_equal(np.unique(labels), [1, 2, 3])
    np.testing.assert_array_equal(labels, gmmseg.segment("photo.png", 3).labels)
    with Pillow.open("photo_labels.png") as picture:
        assert picture.mode == "P"
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_json_says_all(run):
    record = record_of(run("segment", "photo.png", "-k", 3, "--json"))
    labels = labels_of("photo_labels.png")
    assert record["input"] == "photo.png"
    assert record["outputs"] == {"labels": "photo_labels.png"}
    assert record["shape"] == [40, 60]
    assert record["k"] == 3
    assert record["bias_field"] is False
    assert record["seconds"] > 0
    assert record["warnings"] == []
    for each in record["classes"]:
        assert each["share"] == pytest.approx((labels == each["label"]).mean())
        assert each["name"] == f"class {each['label']}"
        assert list(each["means"]) == ["L", "a", "b", "x", "y"]
        mean = np.array(Pillow.open("photo.png"))[labels == each["label"]].mean(axis=0)
        assert [int(each["color"][i : i + 2], 16) for i in (1, 3, 5)] == pytest.approx(mean, abs=1)


def test_every_output(run):
    outputs = ("-o", "l.tif", "--soft", "s.npz", "--overlay", "o.png", "--model", "m.json")
    finished = run("segment", "photo.png", "-k", 2, *outputs)
    assert finished.out.startswith("wrote l.tif, s.npz, o.png, m.json: ")
    labels = tifffile.imread("l.tif")
    soft = np.load("s.npz")["probabilities"]
    assert soft.shape == (2, 40, 60)
    np.testing.assert_allclose(soft.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(soft.argmax(axis=0) + 1, labels)
    with Pillow.open("o.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (60, 40))
    model = gmmseg.load_model("m.json")
    np.testing.assert_array_equal(gmmseg.apply(model, "photo.png").labels, labels)
    assert run("segment", "photo.png", "-k", 2, *outputs, "--overwrite").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tiff", ".png"])
def test_formats_of_labels(run, suffix):
    assert run("segment", "scan.png", "-k", 2, "-o", f"l{suffix}").code == 0
    stored = {
        ".npy": np.load,
        ".npz": lambda path: np.load(path)["labels"],
        ".tiff": tifffile.imread,
        ".png": labels_of,
    }[suffix](f"l{suffix}")
    np.testing.assert_array_equal(stored, gmmseg.segment("scan.png", 2).labels)


def test_tiff_and_volumes_become_tiff(run):
    noise = np.random.default_rng(0).integers(0, 200, (4, 9, 10), np.uint8)
    tifffile.imwrite("a.tif", noise[0])
    np.save("v.npy", noise)
    np.save("f.npy", noise[0])
    assert record_of(run("segment", "a.tif", "--json"))["outputs"] == {"labels": "a_labels.tif"}
    assert record_of(run("segment", "f.npy", "--json"))["outputs"] == {"labels": "f_labels.png"}
    volume = record_of(run("segment", "v.npy", "--channel-axis", "none", "--json"))
    assert volume["outputs"] == {"labels": "v_labels.tif"}
    assert tifffile.imread("v_labels.tif").shape == (4, 9, 10)
    bands = record_of(run("segment", "v.npy", "--channel-axis", 0, "-o", "b.png", "--json"))
    assert list(bands["classes"][0]["means"]) == ["band 1", "band 2", "band 3", "band 4"]
    assert labels_of("b.png").shape == (9, 10)


def test_many_images_into_a_folder(run, folder):
    finished = run("segment", "photo.png", "scan.png", "--out-dir", "deep/labels", "--json")
    records = json.loads(finished.out)
    assert [record["input"] for record in records] == ["photo.png", "scan.png"]
    assert labels_of(folder / "deep/labels/photo_labels.png").shape == (40, 60)
    assert labels_of(folder / "deep/labels/scan_labels.png").shape == (30, 20)


@pytest.mark.parametrize("smooth", ["--smooth=0.5", "--no-smooth"])
def test_threads_do_not_matter(run, folder, smooth):
    written = set()
    for threads in (1, 2, 7):
        outputs = ("-o", "l.png", "--soft", "s.npy", "--model", "m.json", "--overwrite")
        assert run("segment", "photo.png", "-k", 3, smooth, "--threads", threads, *outputs).code == 0
        written.add(tuple((folder / name).read_bytes() for name in ("l.png", "s.npy", "m.json")))
    assert len(written) == 1


def test_options_reach_the_library(run):
    options = ("--features", "rgb,xy:0.5", "--covariance", "diag", "--smooth", 0.2, "--sample", "all", "--seed", 7)
    assert run("segment", "photo.png", "-k", 3, *options, "-o", "l.npy", "--model", "m.json").code == 0
    direct = gmmseg.segment("photo.png", 3, features="rgb,xy:0.5", covariance="diag", smooth=0.2, sample=None, seed=7)
    np.testing.assert_array_equal(np.load("l.npy"), direct.labels)
    direct.model.save("direct.json")
    with open("m.json") as first, open("direct.json") as second:
        assert json.load(first) == json.load(second)


def test_no_smooth_is_smooth_0(run, folder):
    run("segment", "photo.png", "--no-smooth", "-o", "a.png", "--model", "a.json")
    run("segment", "photo.png", "--smooth", 0, "-o", "b.png")
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()
    assert gmmseg.load_model("a.json").strength == 0


def test_mask(run):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 10:] = 1
    Pillow.fromarray(mask).save("mask.png")
    assert run("segment", "photo.png", "-k", 2, "--mask", "mask.png").code == 0
    np.testing.assert_array_equal(labels_of("photo_labels.png") > 0, mask > 0)


def test_an_image_with_less_than_was_asked_for(run):
    np.save("constant.npy", np.full((6, 5), 9, np.uint8))
    np.save("nothing.npy", np.full((6, 5), np.nan, np.float32))
    finished = run("segment", "constant.npy", "nothing.npy")
    assert finished.code == 0
    first, missing, second = finished.err.splitlines()
    assert missing.startswith("gmmseg: warning: nothing.npy: 30 pixels are NaN, infinite or beyond")
    assert first.startswith("gmmseg: warning: constant.npy: k=4 classes were asked for")
    assert second.startswith("gmmseg: warning: nothing.npy: no pixel is valid")
    assert ", 1 class, " in finished.out
    np.testing.assert_array_equal(labels_of("constant_labels.png"), 1)
    np.testing.assert_array_equal(labels_of("nothing_labels.png"), 0)
    record = record_of(run("segment", "constant.npy", "--json", "--overwrite"))
    assert record["k"] == 1
    assert len(record["warnings"]) == 1
    assert "file" not in record["warnings"][0]


def test_quiet(run):
    assert run("segment", "photo.png", "-q").out == ""
    assert record_of(run("segment", "photo.png", "-q", "--overwrite", "--json"))["k"] == 4


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [False, True])
def test_progress_only_where_someone_watches(run, monkeypatch, quiet):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("segment", "photo.png", "scan.png", "-k", 2, *(["-q"] if quiet else [])).code == 0
    text = terminal.getvalue()
    if quiet:
        assert text == ""
        return
    assert "photo.png (1 of 2): reading" in text
    assert "scan.png (2 of 2): labelling [########################] 100 %" in text
    assert text.endswith("\r\x1b[K")
    assert "\n" not in text


def test_a_hyperspectral_image_is_segmented_and_its_model_applied(run, rng):
    pixels = rng.normal(size=(20, 30, 40)) + (np.arange(30) > 14)[:, None] * 3
    np.save("cube.npy", pixels.astype(np.float32))
    options = ("--channel-axis", -1, "-o")
    assert run("segment", "cube.npy", "-k", 2, "--model", "m.json", *options, "one.npy").code == 0
    assert run("apply", "m.json", "cube.npy", *options, "two.npy").code == 0
    np.testing.assert_array_equal(np.load("one.npy"), np.broadcast_to(1 + (np.arange(30) > 14), (20, 30)))
    np.testing.assert_array_equal(np.load("two.npy"), np.load("one.npy"))
    assert json.loads(run("info", "m.json", "--json").out)["covariance"] == "tied"


def test_a_legend_below_the_overlay(run, folder):
    arguments = ("segment", "photo.png", "-k", 2, "--class-names", "sea,land", "--overwrite", "-q", "--overlay")
    assert run(*arguments, "plain.png").code == 0
    assert run(*arguments, "o.png", "--legend", "--model", "m.json").code == 0
    plain, with_legend = (np.asarray(Pillow.open(name)) for name in ("plain.png", "o.png"))
    np.testing.assert_array_equal(with_legend[:40], plain)
    assert len(with_legend) > 40
    assert run("apply", "m.json", "photo.png", "-o", "b.png", "--overlay", "p.png", "--legend", "-q").code == 0
    np.testing.assert_array_equal(np.asarray(Pillow.open("p.png"))[40:], with_legend[40:])
    assert "--legend is of --overlay FILE, which is not given" in run("segment", "photo.png", "--legend").err
