"""gmmseg segment --replay: what was done in the page is done again."""

import json
from pathlib import Path

import numpy as np
import pytest

from gmmseg.io import read_labels
from gmmseg.web.desk import Desk
from gmmseg.web.log import Log


@pytest.fixture
def log(folder):
    """photo.gmmseg.json: three classes with a stroke, of which two are one."""
    log = Log("photo.png").do({"do": "set", "option": "k", "value": 3})
    log = log.do({"do": "stroke", "class": 3, "size": 8, "points": [[5, 5], [5, 35]]})
    log.do({"do": "name", "class": 1, "name": "sea"}).do({"do": "merge", "classes": [1, 2]}).save(
        Path("photo.gmmseg.json")
    )


@pytest.mark.slow
def test_it_gives_the_bytes_that_the_page_gives(run, log, tmp_path):
    finished = run("segment", "--replay", "photo.gmmseg.json")
    assert finished.code == 0, finished
    replayed = Path("photo_labels.png").read_bytes()
    assert Desk(Path("photo.png"), Path()).export({"kind": "labels", "overwrite": True})["files"] == [
        "photo_classes.png",
        "photo_labels.png",
    ]
    assert Path("photo_labels.png").read_bytes() == replayed
    labels = read_labels("photo_labels.png")
    assert set(np.unique(labels)) == {1, 2}
    assert (labels[5:35, 5] == 2).all()


def test_output_and_json_are_its_own(run, log):
    finished = run("segment", "--replay", "photo.gmmseg.json", "-o", "x.tif", "--json")
    assert finished.code == 0, finished
    assert [each["name"] for each in json.loads(finished.out)["classes"]] == ["sea", "class 2"]
    assert Path("x.tif").exists()


def test_without_merges_it_is_segment_alone(run, folder):
    Log("photo.png").do({"do": "set", "option": "k", "value": 2}).save(Path("photo.gmmseg.json"))
    assert run("segment", "--replay", "photo.gmmseg.json", "-q").out == ""
    assert set(np.unique(read_labels("photo_labels.png"))) == {1, 2}


@pytest.mark.slow
def test_a_strip_is_done_again_with_one_answer(run, folder):
    Path("scans").mkdir()
    for name in ("a.png", "b.png"):
        Path("scans", name).write_bytes(Path("photo.png").read_bytes())
    log = Log("scans", images=("scans",)).do({"do": "set", "option": "k", "value": 3})
    log.do({"do": "merge", "classes": [1, 2]}).save(Path("scans.gmmseg.json"))
    finished = run("segment", "--replay", "scans.gmmseg.json", "-o", "maps", "--json")
    assert finished.code == 0, finished
    names = [each["outputs"]["labels"] for each in json.loads(finished.out)]
    assert names == ["maps/a_labels.png", "maps/b_labels.png"]
    assert set(np.unique(read_labels("maps/b_labels.png"))) == {1, 2}
    assert run("segment", "--replay", "scans.gmmseg.json", "-q", "--overwrite").out == ""


@pytest.mark.parametrize(("extra", "named"), [(["-k", "5"], "-k"), (["photo.png"], "IMAGE"), (["--cog"], "--cog")])
def test_other_options_are_refused_beside_it(refuse, log, extra, named):
    message = refuse("segment", "--replay", "photo.gmmseg.json", *extra, code=2)
    assert f"says all that is wanted; leave {named} out" in message


def test_what_is_no_log(refuse):
    assert "is no log of gmmseg" in refuse("segment", "--replay", "photo.png", code=1)


def test_without_it_an_image_is_needed(refuse):
    assert "IMAGE is missing" in refuse("segment", code=2)
