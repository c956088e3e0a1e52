"""gmmseg relabel: classes merged, renamed and dropped."""

import json
from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg.export import names_in
from gmmseg.io import read_labels, write_labels

LABELS = np.array([[0, 1, 2, 3], [4, 5, 5, 1]], np.uint8)


@pytest.fixture
def land(folder):
    write_labels("land.png", LABELS, names=("sea", "lake", "oak", "pine", "road"))


def test_merged_renamed_and_dropped(run, land):
    finished = run(
        *["relabel", "land.png", "--merge", "3,4", "--merge", "lake,1", "--rename", "1=water,oak=wood", "--drop", "5"]
    )
    assert finished.code == 0
    assert finished.out.splitlines() == [
        "wrote land_relabelled.png: 2 classes",
        "class   name   share      map",
        "    1  water  60.0 %  #0072b2",
        "    2   wood  40.0 %  #009e73",
    ]
    assert read_labels("land_relabelled.png").tolist() == [[0, 1, 1, 2], [2, 0, 0, 1]]
    assert names_in(Path("land_relabelled.png")) == ("water", "wood")


def test_json_and_kept_numbers(run, land):
    finished = run(*["relabel", "land.png", "--drop", "2,4", "--keep-numbers", "-o", "a.nii.gz", "--json"])
    record = json.loads(finished.out)
    assert [(each["label"], each["name"]) for each in record["classes"]] == [(1, "sea"), (3, "oak"), (5, "road")]
    assert read_labels("a.nii.gz").max() == 5


def test_quiet_prints_no_table(run, land):
    assert run("relabel", "land.png", "--drop", "2", "-q").out == ""
    assert read_labels("land_relabelled.png").max() == 4


def test_models(run, folder):
    run("fit", "photo.png", "-k", 3, "--class-names", "a,b,c", "-o", "m.gmm.json", "-q")
    assert run("relabel", "m.gmm.json", "--merge", "b,c").out.startswith("wrote m_relabelled.gmm.json: 2 classes\n")
    assert gmmseg.load_model("m_relabelled.gmm.json").class_names == ("a", "b")
    assert run("apply", "m_relabelled.gmm.json", "photo.png", "-q").code == 0
    assert names_in(folder / "photo_labels.png") == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("", 2, "nothing is to be changed; give --merge, --rename or --drop"),
        ("--rename 1", 2, "give each class one new name, as in 1=water,2=forest"),
        ("--rename 1=a,1=b", 2, "give each class one new name"),
        ("--merge 3,7", 2, "no class of land.png; its classes are 1 (sea), 2 (lake), 3 (oak), 4 (pine), 5 (road)"),
        ("--drop mud", 2, "no class of land.png; its classes are 1 (sea)"),
        ("--merge 1,2 -o land.png --overwrite", 1, "land.png would be written over itself; choose another name"),
        ("--merge 1,2 -o land.jpg", 1, "which a label map cannot be written to"),
    ],
)
def test_one_line_and_nothing_written(refuse, land, arguments, code, text):
    assert text in refuse("relabel", "land.png", *arguments.split(), code=code)


def test_messages_have_classes_as_they_were_typed(refuse):
    gmmseg.io.write_labels("abc.png", np.uint8([[1, 2, 3]]))
    assert "--merge 1 has a group of one class" in refuse("relabel", "abc.png", "--merge", "1", code=2)
    assert "--merge 2,1 has class 1 in two" in refuse("relabel", "abc.png", "--merge", "1,3", "--merge", "2,1", code=2)
    assert "--drop 1,2,3 leaves no class" in refuse("relabel", "abc.png", "--drop", "1,2,3", code=2)
