"""gmmseg info: an image by its header, a model, the installation."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ome_tiff import write_set

import gmmseg
from gmmseg import kernels


def facts_of(finished):
    assert finished.code == 0, finished
    return json.loads(finished.out)


def test_installation(run):
    facts = facts_of(run("info", "--json"))
    assert facts["gmmseg"] == gmmseg.__version__
    assert facts["kernels"] == kernels.IMPLEMENTATION
    assert facts["instruction_set"] == kernels.INSTRUCTION_SET
    assert facts["threads"] >= 1
    assert facts["packages"]["numpy"] == np.__version__
    text = run("info").out
    for word in ("python", "kernels", "instruction set", "threads", "pillow", "scikit-image"):
        assert f"\n{word} " in text


def test_the_plugin_for_qgis(run):
    text, facts = run("info", "--qgis").out, json.loads(run("info", "--qgis", "--json").out)
    assert facts["goes_to"].endswith(os.path.join("profiles", "default", "python", "plugins", "gmmseg_qgis"))
    assert (Path(facts["folder"]) / "metadata.txt").is_file()
    assert all(str(value) in text for value in facts.values())
    assert "Link or copy the folder to where it goes" in text


def test_image(run):
    facts = facts_of(run("info", "photo.png", "--json"))
    assert (facts["format"], facts["size"], facts["channels"]) == ("PNG", [60, 40], 3)
    text = run("info", "photo.png").out
    assert "60 x 40 pixels" in text
    assert len({line.index(line.split(None, 1)[1]) for line in text.splitlines()}) == 1


def test_only_the_header_is_read(run):
    tifffile.memmap("large.tif", shape=(3000, 3000), dtype=np.uint8)
    with open("large.tif", "r+b") as file:
        file.truncate(4_000_000)
    assert facts_of(run("info", "large.tif", "--json"))["size"] == [3000, 3000]


def test_archive_of_arrays(run):
    np.savez("a.npz", image=np.zeros((3, 4), np.uint8), other=np.zeros(2))
    assert "image: shape: 3 x 4, dtype: uint8" in run("info", "a.npz").out


def test_model(run):
    assert run("segment", "photo.png", "-k", 3, "--model", "m.json").code == 0
    model = gmmseg.load_model("m.json")
    facts = facts_of(run("info", "m.json", "--json"))
    assert (facts["features"], facts["covariance"], facts["k"], facts["components"]) == ("lab,xy", "full", 3, 3)
    assert [each["weight"] for each in facts["classes"]] == pytest.approx(model.mixture.weights)
    assert list(facts["classes"][1]["means"].values()) == pytest.approx(model.means[1])
    text = run("info", "m.json").out
    assert "features    lab,xy" in text
    assert text.splitlines()[-4].split() == ["class", "weight", "L", "a", "b", "x", "y"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}", "does not say that it is a gmmseg model"), ("{", "not a usable model"), ("hello", "not a usable model")],
)
def test_models_that_are_none(refuse, folder, content, words):
    (folder / "m.json").write_text(content)
    text = refuse("info", "m.json", code=1)
    assert "m.json" in text
    assert words in text


def test_names_in_a_model_cannot_command_the_terminal(run, folder):
    run("segment", "photo.png", "-k", 2, "--model", "m.json")
    content = json.loads((folder / "m.json").read_text())
    content["classes"] = ["\x1b[31msky", "land\n"]
    (folder / "m.json").write_text(json.dumps(content))
    text = run("info", "m.json").out
    assert "\\x1b[31msky" in text
    assert "\x1b" not in text


def test_what_is_missing_is_said_on_one_line(run, folder):
    first = write_set(folder, np.ones((2, 1, 8, 9), np.uint8), leave_out=(1,))
    found = run("info", first)
    assert found.code == 0
    assert (
        found.err
        == f"gmmseg: warning: {first}: 1 of 2 planes are missing with the file '1.ome.tif'; they are no data\n"
    )


def test_names_of_classes_in_a_label_map(run, folder):
    run("segment", "photo.png", "-k", 2, "--class-names", "sea,land", "-o", "a.png", "-q")
    assert "class_names  sea, land\n" in run("info", "a.png").out
    assert json.loads(run("info", "a.png", "--json").out)["class_names"] == ["sea", "land"]
    run("segment", "photo.png", "-k", 2, "-o", "b.nii", "-q")
    assert "class_names" not in run("info", "b.nii").out
