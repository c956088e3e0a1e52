"""Whole figures: what is shown by default, files whole or not at all, the same bytes each time."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import plot
from gmmseg.errors import GmmsegError, InputError, OutputError, ParameterError
from gmmseg.mixture.parameters import Mixture
from gmmseg.plot.view import View


@pytest.fixture(scope="module")
def photo():
    rng = np.random.default_rng(0)
    pixels = np.full((40, 60, 3), 60, np.uint8)
    pixels[:, 20:] = (200, 60, 30)
    pixels[25:, 30:] = (240, 240, 200)
    return pixels + rng.integers(0, 15, pixels.shape, np.uint8)


@pytest.fixture(scope="module")
def model(photo):
    return gmmseg.fit(photo, 3)


def labels(figure):
    return [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]


def test_by_default_two_features_and_their_densities(model, photo):
    figure = plot.figure(model, photo)
    first, *densities = labels(figure)
    assert densities == [(first[0], "density"), (first[1], "density")]
    assert set(first) < {"lightness L*", "a* (green to red)", "b* (blue to yellow)"}
    assert figure.axes[0].get_aspect() == 1
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(texts) == sorted(["class 1", "class 2", "class 3", "mixture", "samples", "50 % and 95 % of a class"])


def test_the_default_tells_classes_apart_best():
    means = np.array([[0.0, 0.0, 0.0, 0.0], [1.0, 9.0, 0.5, 30.0]])
    mixture = Mixture(np.array([0.5, 0.5]), means, np.array([[1.0, 4.0, 1.0, 900.0]] * 2), "diag")
    # Squared distances over variances: 1, 20, 0.25 and 1.
    assert labels(plot.figure(mixture, np.zeros((4, 5)), kind="scatter")) == [("feature 0", "feature 1")]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "panels"), [("all", 6), ("scatter", 3), ("density", 3)])
def test_panels(model, photo, kind, panels):
    figure = plot.figure(model, photo, features=["L", "x", "y"], kind=kind)
    assert len(figure.axes) == panels
    by_axes = dict(zip(labels(figure), figure.axes, strict=True))
    if kind != "density":
        x, y = "x (share of the longest side)", "y (share of the longest side)"
        assert by_axes[x, y].get_aspect() == 1
        assert by_axes["lightness L*", x].get_aspect() == "auto"


def test_positions_are_shown_where_they_are(model, photo):
    figure = plot.figure(model, photo, features=["x", "y"], kind="scatter")
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0] * 60 % 1, 0.5, atol=1e-4)
    assert np.abs(points[:, 1]).max() <= 0.5 * 40 / 60


def test_contours_are_in_the_features_own_units(model, photo):
    figure = plot.figure(model, photo, features=["L", "a"], kind="scatter")
    discs = [line.get_xydata()[0] for line in figure.axes[0].lines]
    np.testing.assert_allclose(discs, model.means[:, :2])


def test_one_channel_has_its_density_only(photo):
    grey = photo[..., 0]
    model = gmmseg.fit(grey, 2)
    assert labels(plot.figure(model, grey)) == [("intensity (image units)", "density")]
    with pytest.raises(ParameterError, match="needs two features, there is 'intensity'"):
        plot.figure(model, grey, kind="scatter")


def test_each_plane_has_the_label_of_its_feature(photo):
    assert View.of(gmmseg.fit(photo, 2, features="bands,texture,xy:2")).labels == (
        *("band 1", "band 2", "band 3"),
        *("local mean", "fine energy", "coarse energy", "direction x-y", "direction xy"),
        *("x (share of the longest side, × 2)", "y (share of the longest side, × 2)"),
    )
    assert View.of(gmmseg.fit(photo, 2, features="hed")).labels[0] == "haematoxylin (optical density / 6)"
    assert View.of(gmmseg.fit(photo, 2, features="hsv,luv")).labels == (
        *("saturation × cos(hue)", "saturation × sin(hue)", "value (HSV)"),
        *("lightness L*", "u* (green to red)", "v* (blue to yellow)"),
    )


@pytest.mark.slow
def test_names_are_shown_as_they_are(model, photo, tmp_path):
    named = replace(model, class_names=("_$sky$", "a\nb", "class 3"))
    figure = plot.figure(named, photo)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {r"1 _\$sky\$", "2 a b", "class 3"} < set(texts)
    plot.save(figure, tmp_path / "f.svg")


def test_many_classes_are_told_by_their_numbers_alone(photo):
    k = 30
    mixture = Mixture(np.full(k, 1 / k), np.arange(2 * k).reshape(k, 2) / 1.0, np.ones((k, 2)), "diag")
    figure = plot.figure(mixture, np.zeros((2, 5)), kind="scatter")
    assert len(figure.legends[0].get_texts()) == 1
    assert [text.get_text() for text in figure.axes[0].texts] == [str(i + 1) for i in range(k)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ["L", "q"]}, "'q' is not in the model; use any of L, a, b, x, y"),
        ({"features": ["L", "a", 0]}, "named twice"),
        ({"features": []}, "0 features cannot be drawn"),
        ({"features": "L"}, "'L' cannot be drawn; give a list"),
        ({"kind": "pie"}, "kind='pie' is not known; use one of scatter, density, all"),
    ],
)
def test_wrong_parameters(model, photo, options, words):
    with pytest.raises(ParameterError, match=words):
        plot.figure(model, photo, **options)


def test_images_that_do_not_fit(model, photo):
    with pytest.raises(InputError, match="the model is for colour images"):
        plot.figure(model, photo[..., 0])
    empty = gmmseg.Image.from_array(photo, mask=np.zeros(photo.shape[:2], bool))
    with pytest.raises(InputError, match="no pixel is valid"):
        plot.figure(model, empty)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg", ".PDF"])
def test_the_same_bytes_each_time(model, photo, tmp_path, suffix):
    one, two = tmp_path / f"1{suffix}", tmp_path / f"2{suffix}"
    for path in (one, two):
        plot.save(plot.figure(model, photo), path, dpi=60)
    content = one.read_bytes()
    assert content == two.read_bytes()
    assert {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()] == content[
        : 5 if suffix == ".svg" else 4
    ]
    assert b"atplotlib v" not in content
    if suffix == ".png":
        with Pillow.open(one) as picture:
            assert picture.size == (522, 174)
            assert set(picture.info) <= {"dpi"}


def test_another_seed_draws_other_pixels(model):
    image = np.random.default_rng(1).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    first, second = (
        np.asarray(plot.figure(model, image, kind="scatter", seed=seed).axes[0].collections[0].get_offsets())
        for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


@pytest.mark.slow
def test_files_are_refused_or_replaced_whole(model, photo, tmp_path, monkeypatch):
    figure, path = plot.figure(model, photo, kind="density"), tmp_path / "f.png"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        plot.save(figure, path)
    monkeypatch.setattr(figure, "savefig", lambda file, **_: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plot.save(figure, path, overwrite=True)
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    plot.save(figure, path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [each.name for each in tmp_path.iterdir()] == ["f.png"]
    with pytest.raises(OutputError, match="the suffix '.gif', which a figure cannot be written to; use one of .png"):
        plot.save(figure, tmp_path / "f.gif")


@pytest.mark.slow
def test_nothing_global_changes_and_pyplot_is_left_alone(fresh_python):
    code = """
import sys, matplotlib, numpy as np, gmmseg
from gmmseg import plot
before = dict(matplotlib.rcParams)
image = np.random.default_rng(0).integers(0, 255, (20, 20)).astype(np.uint8)
plot.save(plot.figure(gmmseg.fit(image, 2), image), "f.png")
print(before == dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules)
"""
    assert fresh_python(code, MPLBACKEND="TkAgg").split() == ["True", "False"]


@pytest.mark.slow
def test_importing_does_not_load_matplotlib(fresh_python):
    assert fresh_python("import sys; from gmmseg import plot; print('matplotlib' in sys.modules)").strip() == "False"


def test_without_matplotlib(model, photo, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    for call in (lambda: plot.figure(model, photo), lambda: plot.check_target(tmp_path / "f.png")):
        with pytest.raises(GmmsegError, match=r"^figures need matplotlib.*; pip install 'gmmseg\[plot\]'$"):
            call()
