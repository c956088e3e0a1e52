"""A log is done again."""

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg import InputError, OutputError
from gmmseg.web.log import Log
from gmmseg.web.replaying import replay_commands

STROKE = {"do": "stroke", "class": 2, "size": 4, "points": [[5, 5]]}


@pytest.fixture
def log(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Pillow.new("RGB", (12, 10)).save(tmp_path / "there" / "photo.png")
    Log("photo.png").do({"do": "merge", "classes": [1, 2]}).do(STROKE).save(tmp_path / "there" / "photo.gmmseg.json")
    return tmp_path / "there" / "photo.gmmseg.json"


def test_the_image_lies_beside_the_log_and_results_in_this_folder(log, tmp_path):
    segment, relabel = replay_commands(log, output="x.tif")
    assert segment[:2] == ["segment", str(log.parent / "photo.png")]
    assert relabel[-2:] == ["-o", "x.tif"]
    strokes = np.asarray(Pillow.open(tmp_path / "here" / "photo_strokes.png"))
    assert strokes.shape == (10, 12)
    assert strokes[5, 5] == 2


def test_files_that_exist_are_kept(log):
    replay_commands(log)
    with pytest.raises(OutputError, match="exists already"):
        replay_commands(log)
    assert replay_commands(log, overwrite=True)[0][-1] == "--overwrite"


def test_an_image_that_is_gone_is_named(log):
    (log.parent / "photo.png").unlink()
    with pytest.raises(InputError, match=r"photo\.png"):
        replay_commands(log)


def test_of_a_strip_the_images_are_found_from_its_log(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    log = Log("scans", images=("scans", "../b.png")).do({"do": "merge", "classes": [1, 2]})
    log.save(tmp_path / "scans.gmmseg.json")
    fit, relabel, apply = replay_commands("../scans.gmmseg.json")
    assert fit == ["fit", "../scans", "../../b.png", "-k", "4", "-o", "scans_classes.gmm.json"]
    assert relabel[-2:] == ["-o", "scans.gmm.json"]
    assert apply == ["apply", "scans.gmm.json", "../scans", "../../b.png", "--out-dir", "scans_labels"]
    *_, apply = replay_commands("../scans.gmmseg.json", output="x", overwrite=True)
    assert apply[-3:] == ["--out-dir", "x", "--overwrite"]
