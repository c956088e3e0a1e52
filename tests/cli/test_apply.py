"""gmmseg apply: the same classes in other images, and what is said of images that the model does not explain."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from counted_sources import CountedSource
from PIL import Image as Pillow

import gmmseg
from gmmseg.batch.processing import read_ahead
from gmmseg.image.sources import Completed
from gmmseg.model.adapting import adapt


def pixels(seed, gain=1.0, offset=0.0):
    """Classes at 30, 70 and 110 in stripes, 8 bits."""
    levels = np.array([30, 70, 110])[np.random.default_rng(seed).integers(0, 3, 12)].repeat(5)[None].repeat(40, axis=0)
    values = levels + np.random.default_rng(seed).normal(0, 4, levels.shape)
    return (gain * values + offset).clip(0, 255).round().astype(np.uint8)


@pytest.fixture
def model(folder, run):
    """Of train.png; one.png and two.png are like it, bright.png has another gain and offset."""
    for name, image in {"train": pixels(0), "one": pixels(1), "two": pixels(2), "bright": pixels(2, 1.3, 20)}.items():
        Pillow.fromarray(image).save(f"{name}.png")
    assert run("fit", "train.png", "-k", 3, "--class-names", "low,mid,high", "-o", "land.gmm.json").code == 0
    return gmmseg.load_model("land.gmm.json")


def labels_of(path):
    with Pillow.open(path) as picture:
        return np.array(picture)


def records_of(finished):
    return json.loads(finished.out)


def test_the_same_classes_in_other_images(run, model, folder):
    finished = run("apply", "land.gmm.json", "one.png", "two.png", "--out-dir", "labels")
    assert (finished.code, finished.err) == (0, "")
    first, second = finished.out.split("\n\n")
    assert first.startswith("wrote labels/one_labels.png: 60 x 40 pixels, 3 classes, ")
    assert second.splitlines()[1].split() == ["class", "name", "share", "map", "intensity"]
    for name in ("one", "two"):
        expected = gmmseg.apply(model, f"{name}.png").labels
        np.testing.assert_array_equal(labels_of(folder / "labels" / f"{name}_labels.png"), expected)


@pytest.mark.parametrize(("options", "passes"), [([], 1), (["--adapt"], 2), (["--strict"], 2)])
def test_what_stays_in_its_file_is_read_once(run, model, monkeypatch, options, passes):
    """Its pixels are compared with the model as they are read for the labels, or for gain and offset."""
    expected = records_of(run("apply", "land.gmm.json", "one.png", *options, "--json"))[0]
    read = []

    def in_file(source, reading):
        image = read_ahead(source, reading)
        return replace(image, pixels=Completed(CountedSource(image.array, log=read)))

    monkeypatch.setattr("gmmseg.batch.processing.read_ahead", in_file)
    monkeypatch.setattr("gmmseg.image.sources._READ_AT_ONCE", 1 << 30)
    found = records_of(run("apply", "land.gmm.json", "one.png", *options, "--json", "--overwrite"))[0]
    assert {name: found[name] for name in ("fitness", "classes")} == {n: expected[n] for n in ("fitness", "classes")}
    assert len(read) == passes


def test_json_says_how_well_the_model_fits(run, model):
    good, bad = records_of(run("apply", "land.gmm.json", "one.png", "bright.png", "--json"))
    assert good["fitness"]["explained"] is True
    assert good["fitness"]["reason"] == ""
    assert good["warnings"] == []
    assert [each["name"] for each in good["classes"]] == ["low", "mid", "high"]
    assert bad["fitness"]["explained"] is False
    assert bad["fitness"]["unusual"] > 0.1 or bad["fitness"]["gap"] > 0.5
    assert len(bad["warnings"]) == 1
    assert "adapted" not in bad
    assert bad["outputs"] == {"labels": "bright_labels.png"}


def test_an_image_that_the_model_does_not_explain_is_reported(run, model):
    finished = run("apply", "land.gmm.json", "one.png", "bright.png")
    assert finished.code == 0
    (line,) = finished.err.splitlines()
    assert line.startswith("gmmseg: warning: bright.png: the model does not explain this image: ")
    assert line.endswith("; use --adapt, or fit a model to images of its kind")


def test_strict_refuses_it_and_goes_on(run, model, folder):
    finished = run("apply", "land.gmm.json", "bright.png", "one.png", "--strict", "--json")
    assert finished.code == 3
    bad, good = records_of(finished)
    assert "the model does not explain this image" in bad["error"]
    assert bad["fitness"]["explained"] is False
    assert "classes" in good
    assert not (folder / "bright_labels.png").exists()
    assert (folder / "one_labels.png").exists()
    (line,) = finished.err.splitlines()
    assert line.startswith("gmmseg: error: bright.png: the model does not explain this image: ")


def test_strict_alone_fails(refuse, model):
    assert "use --adapt" in refuse("apply", "land.gmm.json", "bright.png", "--strict", code=1)


def test_adapting_finds_gain_and_offset(run, model, folder):
    finished = run("apply", "land.gmm.json", "bright.png", "--adapt", "--strict", "--model", "bright.gmm.json")
    assert (finished.code, finished.err) == (0, "")
    assert "\nadapted: intensity x 1.3 +" in finished.out
    original = gmmseg.apply(model, "two.png").labels
    assert (labels_of("bright_labels.png") == original).mean() > 0.99
    adapted = gmmseg.load_model("bright.gmm.json")
    np.testing.assert_allclose(adapted.means, 1.3 * model.means + 20, atol=2)
    direct = adapt(model, gmmseg.Image.from_array(labels_of("bright.png")))
    np.testing.assert_array_equal(adapted.center, direct.center)
    (record,) = records_of(run("apply", "land.gmm.json", "bright.png", "--adapt", "--json", "--overwrite"))
    assert record["adapted"]["intensity"]["gain"] == pytest.approx(1.3, rel=0.03)
    assert record["adapted"]["intensity"]["offset"] == pytest.approx(20, abs=3)
    assert record["fitness"]["explained"] is True


def test_what_gain_and_offset_do_not_explain_is_reported_still(run, model):
    Pillow.fromarray(np.random.default_rng(0).choice(np.uint8([0, 255]), (40, 60))).save("noise.png")
    finished = run("apply", "land.gmm.json", "noise.png", "--adapt")
    (line,) = finished.err.splitlines()
    assert ", with gain and offset adapted: " in line
    assert line.endswith("; fit a model to images of its kind")
    assert "--adapt" not in line


def test_another_resolution_is_reported(run, model):
    def write(name, size):
        scale = (33550, "d", 3, (size, size, 0.0))
        tifffile.imwrite(name, pixels(0), extratags=[scale, (33922, "d", 6, (0.0, 0, 0, 500, 500, 0))])

    for name, size in (("fine.tif", 10.0), ("same.tif", 12.0), ("coarse.tif", 50.0)):
        write(name, size)
    assert run("fit", "fine.tif", "-k", 3).code == 0
    finished = run("apply", "fine.gmm.json", "same.tif", "coarse.tif")
    (line,) = finished.err.splitlines()
    assert "coarse.tif: the model does not explain this image: its pixels are 5 times coarser" in line
    assert line.endswith("; fit a model to images of its kind")


def test_a_folder_and_every_output(run, model, folder):
    (folder / "scenes").mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.png").rename(folder / "scenes" / f"{name}.png")
    assert run("apply", "land.gmm.json", "scenes", "--out-dir", "out", "-q").out == ""
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["one_labels.png", "two_labels.png"]
    outputs = ("-o", "l.tif", "--soft", "s.npz", "--overlay", "o.png", "--anomaly", "a.npy")
    assert run("apply", "land.gmm.json", "scenes/one.png", *outputs).code == 0
    direct = gmmseg.apply(model, "scenes/one.png")
    np.testing.assert_array_equal(tifffile.imread("l.tif"), direct.labels)
    np.testing.assert_array_equal(np.load("s.npz")["probabilities"], direct.probabilities)
    np.testing.assert_array_equal(np.load("a.npy"), direct.anomaly)


def test_options_of_the_pixels(run, model, folder):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 10:] = 1
    Pillow.fromarray(mask).save("mask.png")
    assert run("apply", "land.gmm.json", "one.png", "--mask", "mask.png", "--no-smooth", "-o", "a.npy").code == 0
    expected = gmmseg.apply(model, "one.png", mask=mask, smooth=False).labels
    np.testing.assert_array_equal(np.load("a.npy"), expected)
    assert run("apply", "land.gmm.json", "one.png", "--smooth", 0.9, "-o", "b.npy").code == 0
    np.testing.assert_array_equal(np.load("b.npy"), gmmseg.apply(model, "one.png", smooth=0.9).labels)


def test_what_is_wrong_with_one_does_not_stop_the_others(run, model, folder):
    (folder / "broken.png").write_bytes((folder / "one.png").read_bytes()[:60])
    finished = run("apply", "land.gmm.json", "broken.png", "photo.png", "none.png", "one.png", "--json")
    assert finished.code == 3
    broken, photo, none, one = records_of(finished)
    assert "broken.png" in broken["error"]
    assert "the model is for 1-channel images" in photo["error"]
    assert "none.png does not exist" in none["error"]
    assert "classes" in one
    assert finished.err.count("\n") == 3


WRONG = [
    ("land.gmm.json", 2, "IMAGE is missing"),
    ("none.json one.png", 1, "none.json: no such file; give the path of a model"),
    ("one.png two.png", 1, "one.png: cannot be read as a model"),
    ("land.gmm.json one.png two.png -o a.png", 2, "--output a.png is one file, but 2 images are given"),
    ("land.gmm.json one.png two.png --model a.json", 2, "--model a.json is one file, but 2 images are given"),
    ("land.gmm.json one.png --smooth 0.3 --no-smooth", 2, "--smooth 0.3 and --no-smooth contradict each other"),
    ("land.gmm.json one.png --smooth 3", 2, "--smooth 3 is not usable; use a number from 0 to 1"),
    ("land.gmm.json one.png one.png", 2, "one.png is given twice"),
    ("land.gmm.json one.png --prior p.npy", 1, "p.npy does not exist"),
    ("land.gmm.json one.png -k 3", 2, "there is no option -k"),
    ("land.gmm.json photo.png", 1, "photo.png: the model is for 1-channel images with features intensity, this image"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[arguments for arguments, *_ in WRONG])
def test_wrong_usage_changes_nothing(refuse, model, arguments, code, words):
    assert words in refuse("apply", *arguments.split(), code=code)


def test_one_adaptation_for_all_images(run, model, folder):
    """Of two images in another light one has a single class: alone, it would be taken for another gain."""
    only = (1.3 * np.random.default_rng(5).normal(110, 4, (40, 60)) + 20).round().astype(np.uint8)
    Pillow.fromarray(only).save("only.png")
    arguments = (
        "apply",
        "land.gmm.json",
        "bright.png",
        "only.png",
        "--adapt",
        "together",
        "--out-dir",
        "out",
        "--json",
    )
    first, second = records_of(run(*arguments))
    assert first["adapted"] == second["adapted"]
    assert first["adapted"]["intensity"]["gain"] == pytest.approx(1.3, rel=0.03)
    assert (labels_of(folder / "out" / "only_labels.png") == 3).all()
    images = [gmmseg.Image.from_array(each) for each in (labels_of("bright.png"), only)]
    together = adapt(model, iter(images))
    assert first["adapted"]["intensity"]["gain"] == pytest.approx(float(together.scale[0] / model.scale[0]))


def test_adapting_together_goes_on_without_a_bad_image(run, model, folder):
    (folder / "bad.png").write_bytes(b"no picture")
    finished = run("apply", "land.gmm.json", "bad.png", "bright.png", "--adapt", "together", "--out-dir", "out")
    assert finished.code == 3
    assert "bad.png" in finished.err
    assert "adapted: intensity x 1.3" in finished.out


def test_what_follows_adapt_is_an_image_unless_it_is_a_word(run, model):
    assert run("apply", "land.gmm.json", "--adapt", "bright.png").code == 0
    assert run("apply", "land.gmm.json", "--adapt", "each", "bright.png", "--overwrite").code == 0
    assert run("apply", "land.gmm.json", "--adapt=both", "bright.png", "--overwrite").code == 2


@pytest.mark.parametrize("given", [("--mask", ""), ("--mask-values", ":1,7")])
@pytest.mark.parametrize("command", [("apply", "land.gmm.json"), ("segment", "-k", 3)])
def test_a_mask_of_each_image(run, model, folder, command, given):
    for name, first in (("one", 10), ("train", 25)):
        used = np.ones((40, 60), np.uint8)
        used[:first] = 0
        Pillow.fromarray(used).save(f"{name}_mask.png")
    images, pattern = ("one.png", "two.png", "train.png"), (given[0], f"{{folder}}/{{name}}_mask.png{given[1]}")
    finished = run(*command, *images, *pattern, "--out-dir", "labels")
    assert finished.code == 3
    assert "two.png: its mask two_mask.png does not exist; add it, or leave the image out" in finished.err
    assert sorted(each.name for each in (folder / "labels").iterdir()) == ["one_labels.png", "train_labels.png"]
    for name, first in (("one", 10), ("train", 25)):
        labels = labels_of(folder / "labels" / f"{name}_labels.png")
        assert not labels[:first].any()
        assert labels[first:].all()
