"""A model's file with any odd value at any place is refused in one line, or is a model that can be applied."""

import copy
import json
import warnings

import numpy as np
import pytest

import gmmseg
from gmmseg import GmmsegError, GmmsegWarning, InputError

GRAY = np.random.default_rng(0).normal(0, 1, (12, 12)).astype(np.float32)
GRAY[:6] += 8
BANDS = np.stack([GRAY, 2 * GRAY[::-1]])
MODELS = {
    "one channel": (GRAY, {"outliers": "uniform"}),
    "bands": (BANDS, {"channel_axis": 0, "outliers": "student", "covariance": "diag"}),
    "position": (BANDS, {"channel_axis": 0, "features": "bands,xy", "covariance": "tied"}),
    "components": (GRAY, {"components": 2, "smooth": 0.5}),
}
DIGITS = "1" + "0" * 400
# As they are spelled in the file.
ODD = [
    *("null", "true", "0", "-1", "0.5", "7", "1e308", "-1e308", "1e-320", "1e30", "1e400", "NaN", "-Infinity", DIGITS),
    *(
        "1" + "0" * 5000,
        '""',
        '"x"',
        '"lab"',
        '"full"',
        '"nan"',
        r'"\ud800"',
        "[]",
        "[[]]",
        "[1]",
        f"[{DIGITS}]",
        "{}",
    ),
    *('{"a": 1}', "[null]", '["a"]', "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, f'"{"x" * 5000}"'),
]


def places(node, path=()):
    """The path of every value in a tree of lists and objects."""
    yield path
    if isinstance(node, dict | list):
        for key, each in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(each, (*path, key))


def changed(tree, path, spelled):
    """The file with what stands at a place replaced; taken out where `spelled` is None."""
    tree = copy.deepcopy(tree)
    if not path:
        return spelled or ""
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    if spelled is None:
        del parent[path[-1]]
        return json.dumps(tree)
    parent[path[-1]] = "here"
    return json.dumps(tree).replace('"here"', spelled)


def outcome(path, image, options, adapting):
    """What a model's file comes to: True, or the words of its refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = gmmseg.load_model(path)
            model.save(path, overwrite=True)
            for adapt in adapting:
                found = gmmseg.apply(model, image, adapt=adapt, **options)
                assert found.labels.max() <= model.k
                assert repr(found)
    except GmmsegError as error:
        return str(error)
    return True


def assert_handled(name, tmp_path, odd):
    image, options = MODELS[name]
    path = tmp_path / "m.json"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GmmsegWarning)
        gmmseg.fit([image], 2, **options).save(path)
    tree, reading = json.loads(path.read_text()), {key: options[key] for key in options if key == "channel_axis"}
    refused, adapted = 0, set()
    for place in places(tree):
        for spelled in odd:
            path.write_text(changed(tree, place, spelled))
            # Adapting takes long, and need not see an entry twice.
            said = outcome(path, image, reading, (False,) if place[:1] in adapted else (False, True))
            if said is True:
                adapted.add(place[:1])
            else:
                refused += 1
                assert said.startswith((f"{path}: ", "image: ")), (place, spelled)
                assert "\n" not in said
                assert len(said) < 600
                assert "unexpected" not in said
                assert "' object" not in said  # words of Python
    assert refused > len(odd) * len(list(places(tree))) // 2


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_value_at_every_place(name, tmp_path):
    assert_handled(name, tmp_path, [*ODD, None])


def test_some_values_at_every_place(tmp_path):
    assert_handled("bands", tmp_path, ["null", DIGITS, '"x"', "[1]", None])


@pytest.mark.parametrize(
    ("path", "spelled", "words"),
    [
        (("means", 0, 1), DIGITS, "means holds something else than numbers from -1e"),
        (("weights", 0), "NaN", "weights holds something else than numbers from 0 to 1"),
        (("groups", 1), "7", "groups holds something else than numbers from -1 to 1"),
        (("groups", 0), "-1", "groups does not count up from 0, with -1 for position at the end"),
        (("groups", 1), "0.5", "groups does not count up from 0, with -1 for position at the end"),
        (("classes",), '["a"]', "it has 1 classes and 2 components, but no memberships"),
        (("classes", 1), r'"\ud800"', "classes is not a list of 2 texts"),
        (("training",), "[1]", "training is not an object with entries of its own"),
        (("training", "gap"), None, "'training.gap' is missing"),
        (("training", "offset"), "[1, 2, 3]", r"training.offset does not have the shape \(2,\)"),
        (("dof", 0), "1e308", "dof holds something else than numbers from 0.01 to 1e"),
        (("channels",), "true", "channels is not a whole number from 1 to 2147483648"),
        (("covariances",), "[" * 100_000, "its brackets are nested too deeply"),
        (("center",), "[1,", "it is no JSON: Expecting value"),
        (("version",), "1" + "0" * 5000, "version is not a whole number from 1 to 2147483648"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, path, spelled, words):
    image, options = MODELS["bands"]
    file = tmp_path / "m.json"
    gmmseg.fit([image], 2, **options).save(file)
    file.write_text(changed(json.loads(file.read_text()), path, spelled))
    with pytest.raises(
        InputError, match=rf"m.json: not a usable model \({words}.*; give a file that `gmmseg fit` wrote$"
    ):
        gmmseg.load_model(file)


def test_groups_of_other_features_are_refused_by_the_image(tmp_path):
    image, options = MODELS["bands"]
    file = tmp_path / "m.json"
    gmmseg.fit([image], 2, **options).save(file)
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "groups": [0, 0]}))
    with pytest.raises(
        InputError, match=r"image: the model's groups \(0, 0\) are not those of features bands, which are"
    ):
        gmmseg.apply(gmmseg.load_model(file), image, channel_axis=0)


def test_a_file_too_large_for_a_model_is_not_read(tmp_path):
    with open(tmp_path / "m.json", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        InputError, match=r"cannot be read as a model \(it has 1099511627776 bytes, a model at most 268435456"
    ):
        gmmseg.load_model(tmp_path / "m.json")
