"""Model: its file, and what becomes of damaged ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, InputError, OutputError, io
from gmmseg.features import Recipe
from gmmseg.features.contrast import contrast
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule, empty_layer, visit

FAMILIES = ["full", "tied", "diag", "spherical"]


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    region = np.indices((40, 50)).sum(axis=0) // 30
    return (60 * region[..., None] + rng.normal(40, 10, (40, 50, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture
def saved(image, tmp_path):
    """The content of a good model's file, and how to load a changed one."""
    gmmseg.fit(image, 3, features="lab,xy:0.5").save(tmp_path / "good.json")
    path = tmp_path / "changed.json"

    def load(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return gmmseg.load_model(path)

    return json.loads((tmp_path / "good.json").read_text()), load


@pytest.mark.parametrize("covariance", FAMILIES)
@pytest.mark.parametrize("features", ["lab,xy", "rgb", "hsv,gray,xy:0.123456789", "bands", "intensity,xy:3"])
def test_a_loaded_model_does_what_the_saved_one_does(image, tmp_path, covariance, features):
    model = gmmseg.fit(image, 3, features=features, covariance=covariance, smooth=0.37, sample=1000)
    model.save(tmp_path / "model.gmm.json")
    loaded = gmmseg.load_model(tmp_path / "model.gmm.json")
    before, after = gmmseg.apply(model, image), gmmseg.apply(loaded, image)
    for name in ("labels", "probabilities", "log_density"):
        assert getattr(before, name).tobytes() == getattr(after, name).tobytes()
    assert loaded.class_names == model.class_names
    assert loaded.plane_names == model.plane_names
    assert loaded.strength == 0.37
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.gmm.json").read_bytes()


def test_segment_is_fit_then_apply(image):
    model = gmmseg.fit(image, 3, seed=4)
    seg = gmmseg.segment(image, 3, seed=4)
    assert gmmseg.apply(model, image).labels.tobytes() == seg.labels.tobytes()
    np.testing.assert_array_equal(seg.model.means, model.means)


def test_means_and_covariances_are_in_the_features_own_units(image):
    seg = gmmseg.segment(image, 3, features="rgb", smooth=False)
    for label in (1, 2, 3):
        own = image[seg.mask(label)].astype(float)
        np.testing.assert_allclose(seg.model.means[label - 1], own.mean(axis=0), atol=4)
        np.testing.assert_allclose(np.diag(seg.model.covariances[label - 1]), own.var(axis=0), rtol=0.35)


def test_an_existing_file_is_kept_unless_told_otherwise(image, tmp_path):
    path = tmp_path / "model.json"
    path.write_text("mine")
    model = gmmseg.fit(image, 2)
    with pytest.raises(OutputError, match="model.json"):
        model.save(path)
    assert path.read_text() == "mine"
    model.save(path, overwrite=True)
    assert gmmseg.load_model(path).k == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(image, tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        gmmseg.fit(image, 2).save(tmp_path / "nowhere" / "model.json")


def refused(load, text):
    with pytest.raises(InputError) as caught:
        load(text)
    message = str(caught.value)
    assert "changed.json" in message
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b"[1, 2]",
        b"null",
        b"3",
        b'"gmmseg-model"',
        b"{}",
        b'{"format": "other"}',
        b'{"format": "gmmseg-model"}',
        b"\x89PNG\r\n\x1a\n\x00\xff",
        b"[" * 100_000,
        b'{"format": "gmmseg-model", "version": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda text: text[:20].decode("latin1"),
)
def test_a_file_that_is_no_model_is_refused(saved, text):
    refused(saved[1], text)


ENTRIES = (
    "version features planes groups center scale covariance weights means covariances classes smooth channels color"
)


@pytest.mark.parametrize("name", ENTRIES.split())
def test_a_missing_entry_is_named(saved, name):
    content, load = saved
    del content[name]
    assert repr(name) in refused(load, json.dumps(content))


NAN, INFINITY = float("nan"), float("inf")
DAMAGE = {
    "half of it": lambda c: json.dumps(c)[: len(json.dumps(c)) // 2],
    "weights of another number": lambda c: {**c, "weights": c["weights"][:2]},
    "weights below 0": lambda c: {**c, "weights": [-1, 1, 1]},
    "weights all 0": lambda c: {**c, "weights": [0, 0, 0]},
    "weights as text": lambda c: {**c, "weights": "many"},
    "weights not a number": lambda c: {**c, "weights": [NAN, 0.5, 0.5]},
    "means of another shape": lambda c: {**c, "means": c["means"][0]},
    "means of unequal rows": lambda c: {**c, "means": [[1], [1, 2], [1, 2, 3]]},
    "means not a number": lambda c: {**c, "means": [[NAN] * 5] * 3},
    "means infinite": lambda c: {**c, "means": [[INFINITY] * 5] * 3},
    "no components": lambda c: {**c, "means": [], "weights": [], "covariances": [], "classes": []},
    "covariances not positive": lambda c: {**c, "covariances": np.zeros((3, 5, 5)).tolist()},
    "covariances of another family": lambda c: {**c, "covariance": "diag"},
    "an unknown family": lambda c: {**c, "covariance": "round"},
    "scale of 0": lambda c: {**c, "scale": [0] * 5},
    "scale below 0": lambda c: {**c, "scale": [-1] * 5},
    "scale of another number": lambda c: {**c, "scale": [1] * 4},
    "center infinite": lambda c: {**c, "center": [INFINITY] * 5},
    "an unknown feature": lambda c: {**c, "features": "smell"},
    "too few names of classes": lambda c: {**c, "classes": ["one"]},
    "too few names of planes": lambda c: {**c, "planes": ["L"]},
    "too few groups": lambda c: {**c, "groups": [0]},
    "groups of no numbers": lambda c: {**c, "groups": ["a"] * 5},
    "smoothing above 1": lambda c: {**c, "smooth": 7},
    "smoothing below 0": lambda c: {**c, "smooth": -1},
    "smoothing not a number": lambda c: {**c, "smooth": NAN},
    "smoothing as text": lambda c: {**c, "smooth": "much"},
    "channels as text": lambda c: {**c, "channels": "three"},
    "a version as text": lambda c: {**c, "version": "one"},
    "nothing in it": lambda c: dict.fromkeys(c, None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_refused(saved, damage):
    content, load = saved
    changed = DAMAGE[damage](content)
    refused(load, changed if isinstance(changed, str) else json.dumps(changed))


@pytest.mark.parametrize("change", [{"features": "gray"}, {"features": "bands"}, {"channels": 1}, {"color": False}])
def test_a_model_that_contradicts_itself_is_refused_at_the_latest_by_the_image(saved, image, change):
    content, load = saved
    with pytest.raises(InputError):
        gmmseg.apply(load(json.dumps({**content, **change})), image)


def test_a_newer_version_asks_for_an_update(saved):
    content, load = saved
    assert "version 99" in refused(load, json.dumps({**content, "version": 99}))
    assert "update" in refused(load, json.dumps({**content, "version": 99}))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere.json: no such file"):
        gmmseg.load_model(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="cannot be read as a model"):
        gmmseg.load_model(tmp_path)


def test_a_model_s_file_is_text_that_a_person_can_read(saved):
    content, _ = saved
    assert content["format"] == "gmmseg-model"
    assert content["features"] == "lab,xy:0.5"
    assert content["classes"] == ["class 1", "class 2", "class 3"]
    assert len(content["means"]) == 3


@pytest.mark.parametrize("features", [None, "lab,texture"])
def test_a_window_with_the_halo_gets_the_labels_of_the_whole(features, pictures):
    image = io.read(pictures / "coffee.png").crop((slice(0, 150), slice(0, 200)))
    image = Image(image.array, color=True)
    model = gmmseg.fit(image, 4, features=features)
    halo = model.halo(image)
    assert (halo > model.halo(image, smoothed=False)) == (model.strength > 0)
    inner = (slice(60, 90), slice(70, 120))
    outer = tuple(slice(s.start - halo, s.stop + halo) for s in inner)
    rule = Rule(model, variation=contrast(image, model.recipe))
    layer = layer_named("labels")
    window = image.crop(tuple(slice(max(0, s.start), min(s.stop, n)) for s, n in zip(outer, image.shape, strict=True)))
    found = empty_layer(layer, model, window.shape)
    visit(window, rule, layer, found)
    start = window.origin
    local = tuple(slice(s.start - o, s.stop - o) for s, o in zip(inner, start, strict=True))
    np.testing.assert_array_equal(found[local], gmmseg.apply(model, image).labels[inner])


def test_a_model_is_one_line_to_look_at(image):
    model = gmmseg.fit(image, 3, features="lab,xy:0.5", class_names=["dark", "middle", "light"])
    assert repr(model) == "Model(k=3, features='lab,xy:0.5', covariance='full', classes=('dark', 'middle', ...))"
    assert repr(gmmseg.fit(image, 1, covariance="tied")) == (
        "Model(k=1, features='lab,xy', covariance='tied', classes=('class 1',))"
    )
    many = gmmseg.Mixture(np.full(255, 1 / 255), np.zeros((255, 5)), np.ones(255), "spherical")
    recipe = Recipe.parse("lab,luv,rgb,hsv,gray,bands,xy:0.123456789")
    names = tuple(f"class\n{i} of " + "many " * 40 for i in range(255))
    long = repr(replace(model, mixture=many, recipe=recipe, class_names=names))
    assert long.startswith("Model(k=255, features='lab,lu...3456789', ")
    assert len(long) <= 120
    assert "\n" not in long
