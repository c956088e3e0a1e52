"""The registry: each feature is what it says it is, and a new one needs nothing but its class and its registration."""

import json
from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.features import Recipe
from gmmseg.features.feature import DECIDERS, FEATURES, Feature, feature
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import everything

ALL = list(FEATURES)


def image_of(kind):
    rng = np.random.default_rng(0)
    if kind == "colour":
        return Image.from_array(rng.integers(0, 256, (61, 53, 3), np.uint8))
    shape = {"one channel": (61, 53, 1), "bands": (61, 53, 5), "volume": (9, 33, 41, 1), "line": (90, 2)}[kind]
    return Image(ArraySource(rng.normal(100, 30, shape).astype(np.float32)))


KINDS = ["colour", "one channel", "bands", "volume", "line"]
THERE = [(kind, name) for kind in KINDS for name in ALL if not FEATURES[name].missing(image_of(kind))]


class Contrast(Feature):
    """How far a pixel is from the middle of an 8-bit scale."""

    name = "contrast"
    note = "distance from grey"

    def missing(self, image):
        return "" if image.n_channels == 1 else "a single channel"

    def names(self, image):
        return ("distance",)

    def groups(self, image):
        return (0,)

    def planes(self, pixels, weight, out):
        out[...] = np.abs(pixels.values.reshape(1, -1).astype(np.float32) - 128)


def planes(own, image):
    return Recipe((own.name,)).planes(image, everything(image.shape))


def test_names_are_those_that_a_person_can_type():
    assert ALL == ["rgb", "lab", "luv", "hsv", "hed", "gray", "intensity", "bands", "pca", "texture", "xy"]
    assert all(found.name == name == name.lower() and found.decided_by in DECIDERS for name, found in FEATURES.items())


@pytest.mark.parametrize(("kind", "name"), THERE)
def test_names_and_groups_are_of_the_planes(kind, name):
    own, image = feature(name), image_of(kind)
    names, groups = own.names(image), own.groups(image)
    assert len(names) == len(groups) == len(planes(own, image)) == len(set(names))
    if own.decided_by == "position":
        assert set(groups) == {-1}
    else:
        assert sorted(set(groups)) == list(range(max(groups) + 1))


@pytest.mark.parametrize(("kind", "name"), THERE)
def test_what_decides_a_feature_decides_it(kind, name, rng):
    """Pixels are shuffled, or pixels far away are changed: planes follow, or stay."""
    own, image = feature(name), image_of(kind)
    before = planes(own, image)
    order = rng.permutation(image.n_pixels)
    shuffled = replace(
        image, pixels=ArraySource(image.array.reshape(image.n_pixels, -1)[order].reshape(image.pixels.shape))
    )
    after = planes(own, shuffled)
    assert np.array_equal(after, before[:, order]) == (own.decided_by == "value")
    assert np.array_equal(after, before) == (own.decided_by == "position")
    context = own.context(image)
    assert (context > 0) == (own.decided_by == "surroundings")
    changed = image.array.copy()
    changed[(slice(context + 1, None), *[slice(None)] * (image.ndim - 1))] += 7
    first = (slice(0, 1), *[slice(0, n) for n in image.shape[1:]])
    elsewhere = replace(image, pixels=ArraySource(changed))
    of_first = Recipe((own.name,)).planes(elsewhere, first)
    np.testing.assert_array_equal(of_first, Recipe((own.name,)).planes(image, first))


@pytest.mark.parametrize(("kind", "name"), THERE)
def test_only_what_takes_a_weight_changes_with_it(kind, name):
    image, weighted = image_of(kind), feature(name).weighted
    one, two = (Recipe((name,), weight).planes(image, everything(image.shape)) for weight in (1, 2))
    assert np.array_equal(one, two) != weighted
    if weighted:
        assert Recipe.parse(f"bands,{name}:0.5").position_weight == 0.5
    else:
        with pytest.raises(ParameterError, match=f"only xy takes a weight; write '{name}' alone"):
            Recipe.parse(f"{name}:0.5")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ALL)
def test_what_an_image_does_not_have_is_told(kind, name):
    image, recipe = image_of(kind), Recipe((name,))
    if (kind, name) in THERE:
        recipe.check(image)
    else:
        with pytest.raises(ParameterError, match=f"image: features '{name}' needs {feature(name).missing(image)}, the"):
            recipe.check(image)


def test_the_help_names_every_feature(capsys):
    from gmmseg.cli import main

    assert main(["segment", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    words = [f"{each.name} ({each.note})" if each.note else each.name for each in FEATURES.values()]
    assert f"one or several of {', '.join(words[:-1])} and {words[-1]}." in text


def test_a_new_feature_is_its_class_and_its_registration(monkeypatch, tmp_path):
    monkeypatch.setitem(FEATURES, "contrast", Contrast())
    picture = np.full((40, 60), 128, np.uint8)
    picture[:, :20], picture[:, 40:] = 28, 228
    seg = gmmseg.segment(picture, 2, features="xy:0.1, contrast", smooth=0)
    np.testing.assert_array_equal(seg.labels[:, ::20], [[2, 1, 2]] * 40)
    assert seg.model.plane_names == ("distance", "x", "y")
    seg.model.save(tmp_path / "m.gmm.json")
    assert json.loads((tmp_path / "m.gmm.json").read_text())["features"] == "contrast,xy:0.1"
    again = gmmseg.apply(gmmseg.load_model(tmp_path / "m.gmm.json"), picture)
    np.testing.assert_array_equal(again.labels, seg.labels)
    with pytest.raises(ParameterError, match="did you mean 'contrast'\\? use any of rgb, .*, xy, contrast"):
        Recipe.parse("contrst")
    with pytest.raises(ParameterError, match="needs a single channel, the image has 3 channels; use features='lab,xy'"):
        gmmseg.segment(np.arange(75, dtype=np.uint8).reshape(5, 5, 3), 2, features="contrast")


def test_places_of_a_window_are_kept_and_are_those_of_its_pixels():
    image = Image(np.zeros((3, 5, 1)), spacing=(2.0, 1.0))
    recipe = Recipe.parse("intensity,xy:0.5")
    first, again, other = (
        recipe.parts(image, window, np.empty((3, size), np.float32))[1]
        for window, size in [(everything(image.shape), 15)] * 2 + [((slice(1, 3), slice(0, 4)), 8)]
    )
    x, y = first
    np.testing.assert_allclose(x.ravel(), 0.5 / 6 * (np.arange(5) - 2), rtol=1e-6)
    np.testing.assert_allclose(y.ravel(), 0.5 / 6 * 2 * (np.arange(3) - 1), rtol=1e-6)
    assert all(one is two for one, two in zip(first, again, strict=True))
    assert not any(each.flags.writeable for each in first)
    np.testing.assert_array_equal(other[0], x[:4])
    np.testing.assert_array_equal(other[1], y[1:])
    pixels = recipe.planes_of(image, np.zeros((2, 1)), np.array([0, 14]))
    np.testing.assert_array_equal(pixels[1:], [x.ravel()[[0, 4]], y.ravel()[[0, 2]]])
