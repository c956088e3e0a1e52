"""gmmseg plot: a model and an image in, one figure out."""

import json
import sys

import pytest
from PIL import Image as Pillow


@pytest.fixture
def photo_model(run):
    assert run("segment", "photo.png", "-k", 3, "--model", "m.gmm.json").code == 0


@pytest.mark.slow
def test_default_name_and_size(run, folder, photo_model):
    finished = run("plot", "m.gmm.json", "photo.png")
    assert (finished.code, finished.out, finished.err) == (0, "wrote photo_plot.png\n", "")
    with Pillow.open(folder / "photo_plot.png") as picture:
        assert picture.size == (1740, 580)
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_formats_and_options(run, folder, photo_model, suffix, start):
    name = f"figure.{suffix}"
    assert run("plot", "m.gmm.json", "photo.png", "--features", "L, a", "--kind", "scatter", "-o", name).code == 0
    assert (folder / name).read_bytes().startswith(start)
    if suffix == "svg":
        text = (folder / name).read_text()
        assert "lightness L*" in text
        assert "a* (green to red)" in text
        assert "density" not in text


@pytest.mark.slow
def test_overwrite(run, refuse, photo_model, folder):
    run("plot", "m.gmm.json", "photo.png")
    first = (folder / "photo_plot.png").read_bytes()
    assert "photo_plot.png exists already; pass --overwrite or" in refuse("plot", "m.gmm.json", "photo.png", code=1)
    assert run("plot", "m.gmm.json", "photo.png", "--overwrite").code == 0
    assert (folder / "photo_plot.png").read_bytes() == first


@pytest.mark.slow
def test_mask_limits_the_pixels(run, folder, photo_model):
    assert run("plot", "m.gmm.json", "photo.png").code == 0
    assert run("plot", "m.gmm.json", "photo.png", "--mask", "photo_labels.png", "-o", "all.png").code == 0
    Pillow.new("L", (60, 40)).save("none.png")
    assert (folder / "all.png").read_bytes() == (folder / "photo_plot.png").read_bytes()
    finished = run("plot", "m.gmm.json", "photo.png", "--mask", "none.png", "-o", "none_plot.png")
    assert finished.code == 1
    assert "no pixel is valid" in finished.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("photo.png", "--features", "L,q"), 2, "--features q is not in the model; use any of L, a, b, x, y"),
        (("photo.png", "--features", "L,L"), 2, "--features L is named twice"),
        (("photo.png", "--features", "L", "--kind", "scatter"), 2, "needs two features, there is 'L'"),
        (("photo.png", "--kind", "pie"), 2, "--kind 'pie' is not one of 'all', 'scatter', 'density'"),
        (("photo.png", "-o", "f.jpg"), 1, "use one of .png .svg .pdf"),
        (("photo.png", "-o", "no/f.png"), 1, "the folder no does not exist"),
        (("photo.png", "-o", "photo.png", "--overwrite"), 2, "photo.png would be written over photo.png"),
        (("scan.png",), 1, "scan.png: the model is for colour images"),
        (("none.png",), 1, "none.png does not exist"),
        ((), 2, "IMAGE is missing"),
    ],
)
def test_refusals(refuse, photo_model, arguments, code, words):
    assert words in refuse("plot", "m.gmm.json", *arguments, code=code)


def test_a_damaged_model(refuse, folder, photo_model):
    content = json.loads((folder / "m.gmm.json").read_text())
    (folder / "m.gmm.json").write_text(json.dumps(content | {"scale": [0]}))
    assert "m.gmm.json: not a usable model" in refuse("plot", "m.gmm.json", "photo.png", code=1)


def test_without_matplotlib(refuse, photo_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = refuse("plot", "m.gmm.json", "photo.png", code=1)
    assert text == "gmmseg: error: figures need matplotlib, which is not installed; pip install 'gmmseg[plot]'\n"
