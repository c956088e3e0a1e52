"""`gmmseg segment` with strokes, prior maps, names, outliers and anomaly."""

import json

import numpy as np
import pytest
import tifffile

from gmmseg import io
from gmmseg.cli import main


@pytest.fixture
def stripes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    truth = np.repeat([1, 2, 3], 20)[None].repeat(40, axis=0)
    image = (np.array([0, 60, 120, 200])[truth] + rng.normal(0, 8, truth.shape)).clip(0, 255).astype(np.uint8)
    io.write_rgb("photo.png", np.dstack([image] * 3))
    marks = np.zeros(truth.shape, np.uint8)
    marks[::7] = np.array([0, 3, 2, 1])[truth[::7]]
    io.write_labels("strokes.png", marks)
    return truth, marks


def test_strokes_names_and_anomaly(stripes, capsys):
    truth, marks = stripes
    arguments = ["segment", "photo.png", "-k", "3", "--scribbles", "strokes.png", "--class-names", "snow, rock,water"]
    assert main([*arguments, "--outliers", "uniform", "--anomaly", "p.tif", "-o", "out.png", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in record["classes"]] == ["snow", "rock", "water"]
    assert record["outputs"] == {"labels": "out.png", "anomaly": "p.tif"}
    labels = io.read_labels("out.png")
    np.testing.assert_array_equal(labels[marks > 0], marks[marks > 0])
    assert (labels == 4 - truth).mean() > 0.99
    with tifffile.TiffFile("p.tif") as file:
        values = file.asarray()
        assert file.pages[0].description == "anomaly"
    assert values.shape == truth.shape
    assert ((values >= 0) & (values <= 1)).all()


def test_the_brightest_is_the_first_on_request(stripes, capsys):
    truth, _ = stripes
    arguments = ["segment", "photo.png", "-k", "3", "--order", "bright", "--features", "intensity", "-o", "out.png"]
    assert main([*arguments, "--class-names", "wm,gm,csf", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in record["classes"]] == ["wm", "gm", "csf"]
    assert (io.read_labels("out.png") == 4 - truth).mean() > 0.99


def test_a_soft_result_is_a_prior_of_the_next(stripes, capsys):
    assert main(["segment", "photo.png", "-k", "3", "--soft", "soft.npz", "-o", "a.png", "-q"]) == 0
    again = ["segment", "photo.png", "-k", "3", "--prior", "soft.npz", "--prior-weight", "2", "-o", "b.png", "-q"]
    assert main(again) == 0
    assert (io.read_labels("a.png") == io.read_labels("b.png")).mean() > 0.99


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--outliers", "cauchy"], 2, "--outliers cauchy is not known; use uniform or student"),
        (["--order", "up"], 2, "up"),
        (["--order", "bright", "--prior", "strokes.png"], 2, "--order bright does not go with"),
        (["--prior-weight", "-1"], 2, "--prior-weight -1 is not usable; use a number of at least 0"),
        (["--class-names", "a,,b"], 2, "--class-names a,,b has an empty name"),
        (["--class-names", "a,b"], 2, "not 3 names"),
        (["--scribbles", "none.png"], 1, "none.png"),
        (["--scribbles", "photo.png"], 1, "photo.png"),
        (["--prior", "strokes.png"], 1, "strokes.png is a PNG file; give probability maps as NPZ, NPY, TIFF or NIfTI"),
        (["--scribbles", "strokes.png", "-o", "strokes.png", "--overwrite"], 2, "strokes.png"),
    ],
)
def test_what_cannot_be_used_is_one_line(stripes, capsys, options, code, words):
    assert main(["segment", "photo.png", "-k", "3", *options]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_strokes_are_of_one_image(stripes, capsys):
    io.write_rgb("other.png", np.zeros((4, 4, 3), np.uint8))
    assert main(["segment", "photo.png", "other.png", "--scribbles", "strokes.png"]) == 2
    assert "--scribbles is of one image, but 2 are given" in capsys.readouterr().err
