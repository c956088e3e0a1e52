"""Reading a model: the same as was saved, and what becomes of damaged files."""

import json

import numpy as np
import pytest

import gmmseg
from gmmseg import InputError
from gmmseg.spatial.grain import Grain

FAMILIES = ["full", "tied", "diag", "spherical"]


@pytest.mark.slow
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


def refused(load, text):
    with pytest.raises(InputError) as caught:
        load(text)
    message = str(caught.value)
    assert "changed.json" in message
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_is_refused(saved, damage):
    content, load = saved
    changed = DAMAGE[damage](content)
    refused(load, changed if isinstance(changed, str) else json.dumps(changed))


@pytest.mark.slow
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


def test_the_grain_is_kept_and_has_to_be_one_that_is_known(saved, tmp_path):
    content, load = saved
    assert "grain" not in content
    cut = {"version": 6, "grain": 2, "grain_begin": [0, 1], "grain_linear": False}
    kind = {"version": 7, "grain": 2, "grain_begin": [0, 1], "grain_kind": "linear"}
    for known, grain in (
        ({"version": 5, "grain": 2}, Grain()),
        (cut, Grain((0, 1))),
        (kind, Grain((0, 1), "linear")),
    ):
        model = load(json.dumps(content | known))
        assert model.grain == grain
        model.save(tmp_path / "again.json", overwrite=True)
        assert json.loads((tmp_path / "again.json").read_text()) == content | known
    assert load(json.dumps(content | cut | {"grain_linear": True})).grain == Grain((0, 1), "linear")
    for wrong in ({"grain_begin": [0, 2]}, {"grain_begin": [0.5, 0]}, {"grain_begin": [0]}, {"grain_linear": 1}):
        assert next(iter(wrong)) in refused(load, json.dumps(content | cut | wrong))
    for wrong in ("cubic", 1):
        assert "grain_kind" in refused(load, json.dumps(content | kind | {"grain_kind": wrong}))
    for wrong in (0, 3, 1.5, "2", True):
        assert "grain" in refused(load, json.dumps(content | {"version": 5, "grain": wrong}))
