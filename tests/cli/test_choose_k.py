"""gmmseg choose-k, and -k auto."""

import json


def test_the_table_marks_the_best_and_says_why(run):
    text = run("choose-k", "scan.png", "--covariance", "full", "--max-k", 5).out
    assert text.split()[:4] == ["covariance", "k", "log-lik", "parameters"]
    assert text.count("*") == 5  # one of each criterion, one in the curve
    assert text.splitlines()[-1].startswith("2 classes: ICL is lowest")


def test_json_has_every_candidate(run):
    facts = json.loads(run("choose-k", "photo.png", "--max-k", 4, "--json").out)
    assert (facts["k"], len(facts["candidates"])) == (3, 16)
    chosen = min(facts["candidates"], key=lambda each: each["icl"])
    assert (chosen["k"], chosen["covariance"]) == (facts["k"], facts["covariance"])
    assert 1 <= facts["effective_samples"] <= 2400


def test_segment_takes_auto(run):
    finished = run("segment", "photo.png", "-k", "auto", "--json")
    assert finished.code == 0, finished
    assert json.loads(finished.out)[0]["k"] == 3


def test_wrong_options(refuse):
    assert "--max-k 0 is not usable" in refuse("choose-k", "scan.png", "--max-k", 0, code=2)
    assert "--covariance round is not known" in refuse("choose-k", "scan.png", "--covariance", "round", code=2)
    assert "none.png does not exist" in refuse("choose-k", "none.png", code=1)
    assert "or auto" in refuse("segment", "scan.png", "-k", "some", code=2)
