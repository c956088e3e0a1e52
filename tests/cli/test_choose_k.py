"""gmmseg choose-k, and -k auto."""

import json
import sys

import pytest
from PIL import Image as Pillow


@pytest.mark.slow
def test_the_table_marks_the_best_and_says_why(run):
    text = run("choose-k", "scan.png", "--covariance", "full", "--max-k", 5).out
    assert text.split()[:4] == ["covariance", "k", "log-lik", "parameters"]
    assert text.count("*") == 5  # one of each criterion, one in the curve
    assert text.splitlines()[-1].startswith("2 classes: ICL is lowest")


def test_only_the_lowest_of_the_curve_is_marked(run):
    lines = run("choose-k", "photo.png", "--covariance", "full", "--max-k", 4).out.splitlines()
    bars = dict(line.split() for line in lines[-6:-2])
    assert [k for k, bar in bars.items() if bar == "*"] == ["3"]
    assert all(set(bar) == {"#"} for k, bar in bars.items() if k != "3")


def test_json_has_every_candidate(run):
    facts = json.loads(run("choose-k", "photo.png", "--max-k", 4, "--json").out)
    assert (facts["k"], len(facts["candidates"])) == (3, 16)
    chosen = min(facts["candidates"], key=lambda each: each["icl"])
    assert (chosen["k"], chosen["covariance"]) == (facts["k"], facts["covariance"])
    assert 1 <= facts["effective_samples"] <= 2400
    assert facts["components"] == 3
    assert facts["classes"] == [[1], [2], [3]]


@pytest.mark.slow
def test_segment_takes_auto(run):
    finished = run("segment", "photo.png", "-k", "auto", "--json")
    assert finished.code == 0, finished
    assert json.loads(finished.out)[0]["k"] == 3


def test_wrong_options(refuse):
    assert "--max-k 0 is not usable" in refuse("choose-k", "scan.png", "--max-k", 0, code=2)
    assert "--covariance round is not known" in refuse("choose-k", "scan.png", "--covariance", "round", code=2)
    assert "none.png does not exist" in refuse("choose-k", "none.png", code=1)
    assert "or auto" in refuse("segment", "scan.png", "-k", "some", code=2)


@pytest.mark.slow
def test_the_curves_are_drawn(run, refuse):
    finished = run("choose-k", "scan.png", "--covariance", "full", "--max-k", 4, "-o", "curve.png")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.endswith("\nwrote curve.png\n")
    with Pillow.open("curve.png") as picture:
        assert min(picture.size) > 100
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert "curve.png exists already" in refuse("choose-k", "scan.png", "-o", "curve.png", code=1)
    assert "which is an input" in refuse("choose-k", "scan.png", "-o", "scan.png", "--overwrite", code=2)


def test_curves_without_matplotlib(refuse, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = refuse("choose-k", "scan.png", "-o", "curve.png", code=1)
    assert text == "gmmseg: error: figures need matplotlib, which is not installed; pip install 'gmmseg[plot]'\n"


def test_large_images_are_refused(refuse):
    assert "raise --max-pixels" in refuse("choose-k", "scan.png", "--max-pixels", 100, code=1)
