"""Steps: what is kept of them, and what is refused."""

import pytest

from gmmseg import ParameterError
from gmmseg.web.steps import checked

PASTE = {"do": "paste", "options": {"k": 3}, "names": {"1": "sea"}, "groups": [[2, 1]], "dropped": [], "strokes": False}
OLDER = {name: each for name, each in PASTE.items() if name != "dropped"}


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        ({"do": "set", "option": "k", "value": 5}, {"do": "set", "option": "k", "value": 5}),
        ({"do": "set", "option": "k", "value": 5.0}, {"do": "set", "option": "k", "value": 5}),
        ({"do": "color", "class": 1, "color": "#AABBCC"}, {"do": "color", "class": 1, "color": "#aabbcc"}),
        ({"do": "name", "class": 2, "name": " sea "}, {"do": "name", "class": 2, "name": "sea"}),
        ({"do": "merge", "classes": [4, 2, 4]}, {"do": "merge", "classes": [2, 4]}),
        (
            {"do": "stroke", "class": 0, "size": 3, "points": [[1, 2.346]]},
            {"do": "stroke", "class": 0, "size": 3.0, "points": [[1.0, 2.35]]},
        ),
        (
            {"do": "stroke", "class": 1, "size": 3, "points": [[1, 2]], "at": [0, 4, 5]},
            {"do": "stroke", "class": 1, "size": 3.0, "points": [[1.0, 2.0]], "at": [0, 4, 5]},
        ),
        (PASTE, {**PASTE, "groups": [[1, 2]]}),
        (OLDER, {**PASTE, "groups": [[1, 2]]}),
        ({"do": "merge", "classes": [400, 2]}, {"do": "merge", "classes": [2, 400]}),
        (
            {"do": "foreground", "classes": [2], "others": [3, 1]},
            {"do": "foreground", "classes": [2], "others": [1, 3]},
        ),
    ],
)
def test_what_is_kept(step, kept):
    assert checked(step) == kept


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("undo", "is none"),
        ({"do": "eval"}, "is none"),
        ({"do": "merge"}, "it needs"),
        ({"do": "merge", "classes": [1, 2], "more": 1}, "it needs"),
        ({"do": "merge", "classes": [1]}, "two classes"),
        ({"do": "hide", "class": 65_536, "hidden": True}, "from 1 to 65535"),
        ({"do": "merge", "classes": None}, "classes=None is not usable"),
        ({"do": "set", "option": "mask", "value": 1}, "options are k, "),
        ({"do": "set", "option": "k", "value": [4]}, "a number or a word"),
        ({"do": "set", "option": "smooth", "value": float("nan")}, "a number or a word"),
        ({"do": "name", "class": 1, "name": "a,b"}, "neither , nor ="),
        ({"do": "name", "class": 1, "name": "a\nb"}, "names have"),
        ({"do": "name", "class": 256, "name": "a"}, "from 1 to 255"),
        ({"do": "name", "class": True, "name": "a"}, "from 1 to 255"),
        ({"do": "color", "class": 1, "color": "red"}, "#rrggbb"),
        ({"do": "hide", "class": 1, "hidden": 1}, "true or false"),
        ({"do": "stroke", "class": 1, "size": 0, "points": [[1, 1]]}, "0.1 to 5000"),
        ({"do": "stroke", "class": 1, "size": 1, "points": []}, "1 to 50000 points"),
        ({"do": "stroke", "class": 1, "size": 1, "points": [[1, 1e9]]}, "numbers of pixels"),
        ({"do": "stroke", "class": 1, "size": 1, "points": [[1]]}, "is not usable"),
        ({"do": "stroke", "class": 1, "size": 1, "points": [[1, 1]], "at": [1, 2]}, "three whole numbers"),
        ({"do": "stroke", "class": 1, "size": 1, "points": [[1, 1]], "at": [1, 2, -1]}, "three whole numbers"),
        ({"do": "stroke", "class": 1, "size": 1, "points": [[1, 1]], "at": [1, 2, 0.5]}, "three whole numbers"),
        ({"do": "merge", "classes": [1, 2], "at": [1, 2, 3]}, "it needs"),
    ],
)
def test_what_is_refused(step, message):
    with pytest.raises(ParameterError, match=message):
        checked(step)
