"""What a person can do to a segmentation, one step at a time: what each step is made of, and what is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from gmmseg.errors import ParameterError

__all__ = ["MOST_REGIONS", "OPTIONS", "Step", "checked"]

Step = Mapping[str, Any]

# Parameters of `gmmseg.segment` that can be set, of `Segmentation.clean` "min_size", and of `RegionTree.labels`
# "detail", with which regions take the place of classes; with their options.
OPTIONS = {
    "k": "-k",
    "features": "--features",
    "covariance": "--covariance",
    "smooth": "--smooth",
    "bias_field": "--bias-field",
    "sample": "--sample",
    "outliers": "--outliers",
    "components": "--components",
    "seed": "--seed",
    "min_size": "--min-size",
    "detail": "--detail",
}

MOST_REGIONS = 65_535
"""That the page can show."""

_MOST_POINTS = 50_000
_MOST_LETTERS = 100
_FARTHEST = 1e6  # pixels, beyond any picture
_COLOR = re.compile("#[0-9a-f]{6}")


def checked(step: Any) -> Step:
    """Return a step as it is kept, or say what is wrong with it.

    Parameters
    ----------
    step : mapping
        "do" says which: "set" (an "option" of `OPTIONS` to a "value"), "stroke" ("class", or 0 to erase, "size" and
        "points" (x, y), in pixels of the image; on a volume in pixels of the page, on one of the cuts through the voxel
        "at"), "name" ("class", "name"), "color" ("class", "color" as "#rrggbb"),
        "merge" ("classes"), "foreground" ("classes" that become one, and "others", which are left out), "hide"
        ("class", "hidden") or "paste" ("options", "names" by class, "groups", "dropped", "strokes", whether they stay):
        what a command says, instead of all that was there. Where regions are shown, they are meant by classes.

    Raises
    ------
    ParameterError
        It is none of these, or a part is missing or unusable.

    Examples
    --------
    >>> checked({"do": "merge", "classes": [4, 3]})
    {'do': 'merge', 'classes': [3, 4]}
    """
    if not isinstance(step, Mapping) or step.get("do") not in _PARTS:
        raise ParameterError(f"step={step!r} is none; its 'do' has to be one of {', '.join(_PARTS)}")
    if step["do"] == "paste":
        step = {"dropped": [], **step}  # those of older logs left nothing out
    parts = _PARTS[step["do"]] | {name: check for name, check in _MORE.get(step["do"], {}).items() if name in step}
    if set(step) != {"do", *parts}:
        raise ParameterError(f"step {step['do']!r} has {sorted(step)}; it needs {sorted(['do', *parts])}")
    kept = {name: _part(check, name, step[name]) for name, check in parts.items()}
    if step["do"] == "set":
        kept["value"] = _value(kept["option"], kept["value"])
    return {"do": step["do"], **kept}


def _part(check: Callable[[Any], Any], name: str, value: Any) -> Any:
    try:
        return check(value)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
        shown = repr(value) if len(repr(value)) < 80 else f"{repr(value)[:76]}..."
        raise ParameterError(f"{name}={shown} is not usable in a step: {error}") from None


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 255:
        raise ValueError("classes are whole numbers from 1 to 255")
    return value


def _region(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_REGIONS:
        raise ValueError(f"classes and regions are whole numbers from 1 to {MOST_REGIONS}")
    return value


def _option(value: Any) -> str:
    if value not in OPTIONS:
        raise ValueError(f"options are {', '.join(OPTIONS)}")
    return str(value)


def _value(option: str, value: Any) -> Any:
    # Which values an option takes is said by the library; here only kinds that could not be written down are refused.
    infinite = isinstance(value, float) and not math.isfinite(value)
    if infinite or not isinstance(value, str | int | float | bool | None):
        raise ParameterError(f"{option}={value!r} is not usable; use a number or a word")
    if isinstance(value, float) and value.is_integer() and option != "smooth":
        return int(value)
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not 0.1 <= float(value) <= 5000:
        raise ValueError("sizes are 0.1 to 5000 pixels")
    return round(float(value), 2)


def _points(value: Any) -> list[list[float]]:
    if not 1 <= len(value) <= _MOST_POINTS:
        raise ValueError(f"a stroke has 1 to {_MOST_POINTS} points")
    points = [[round(float(x), 2), round(float(y), 2)] for x, y in value]
    if not all(abs(each) <= _FARTHEST for point in points for each in point):
        raise ValueError("points are numbers of pixels")
    return points


def _voxel(value: Any) -> list[int]:
    if len(value) != 3 or not all(isinstance(each, int) and 0 <= each <= _FARTHEST for each in value):
        raise ValueError("a voxel is three whole numbers from 0")
    return [int(each) for each in value]


def _name(value: Any) -> str:
    name = value.strip()
    if not 0 < len(name) <= _MOST_LETTERS or not name.isprintable() or set(name) & set(",="):
        raise ValueError(f"names have 1 to {_MOST_LETTERS} letters, and neither , nor =")
    return str(name)


def _color(value: Any) -> str:
    if not _COLOR.fullmatch(value.lower()):
        raise ValueError("colours are #rrggbb")
    return str(value.lower())


def _group(value: Any) -> list[int]:
    group = _some(value)
    if len(group) < 2:
        raise ValueError("two classes or more become one")
    return group


def _some(value: Any) -> list[int]:
    return sorted({_region(each) for each in value})


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")
    return value


def _options(value: Any) -> dict[str, Any]:
    return {_option(name): _value(name, each) for name, each in value.items()}


_PARTS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "set": {"option": _option, "value": lambda value: value},
    "stroke": {"class": lambda value: 0 if value == 0 else _number(value), "size": _positive, "points": _points},
    "name": {"class": _number, "name": _name},
    "color": {"class": _region, "color": _color},
    "merge": {"classes": _group},
    "foreground": {"classes": _some, "others": _some},
    "hide": {"class": _region, "hidden": _bool},
    "paste": {
        "options": _options,
        "names": lambda value: {str(_number(int(number))): _name(name) for number, name in value.items()},
        "groups": lambda value: [_group(each) for each in value],
        "dropped": _some,
        "strokes": _bool,
    },
}

# What a step may have besides.
_MORE: dict[str, dict[str, Callable[[Any], Any]]] = {"stroke": {"at": _voxel}}
