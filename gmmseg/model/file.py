"""Reading a model from its JSON file."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import GmmsegError, InputError, cut
from gmmseg.features import Recipe
from gmmseg.features.pca import PrincipalComponents
from gmmseg.io.regular import require_regular
from gmmseg.mixture.covariance import FAMILIES
from gmmseg.mixture.memberships import ROUNDING
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.words import MOST_COMPONENTS
from gmmseg.model.model import FORMAT, VERSION, Model, Training
from gmmseg.records import replace
from gmmseg.spatial.enlarging import GRAIN, KINDS
from gmmseg.spatial.grain import Grain

__all__ = ["load_model"]

_MOST_BYTES = 1 << 28  # 255 classes of 200 features, every digit written out
# Numbers of an image are float32, and so are its scaled planes. What lies beyond, no fit has found.
_LARGEST, _LEAST = 1e39, 1e-46
_MOST_PRECISE = 1e30  # inverse standard deviations of scaled planes; EM keeps to 1e15


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote.

    Parameters
    ----------
    path : path-like
        NAME.gmm.json, as `Model.save` and `gmmseg fit` write it.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        The file is missing, no model, damaged or of a newer version.

    Examples
    --------
    >>> import gmmseg, tempfile
    >>> model = gmmseg.fit(np.repeat(np.uint8([10, 200]), 8).reshape(2, 8), k=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/two.gmm.json")
    ...     again = gmmseg.load_model(f"{folder}/two.gmm.json")
    >>> again.class_names, bool((again.means == model.means).all())
    (('class 1', 'class 2'), True)
    """
    try:
        require_regular(path_of(path))
        text = _text(path_of(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a model, as `gmmseg fit` writes it") from None
    except (OSError, ValueError) as error:
        if isinstance(error, GmmsegError):
            raise
        raise InputError(
            f"{path}: cannot be read as a model ({_reason(error)}); give a file that `gmmseg fit` wrote"
        ) from None
    try:
        content = _decoded(text)
        version = content.whole("version", 1, 1 << 31)
        if version > VERSION:
            raise InputError(f"{path}: model of version {version}, newer than {VERSION}; update gmmseg")
        return _parse(content)
    except InputError:
        raise
    except (ValueError, np.linalg.LinAlgError) as error:
        raise InputError(
            f"{path}: not a usable model ({_reason(error)}); give a file that `gmmseg fit` wrote"
        ) from None


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size} bytes, a model at most {_MOST_BYTES}")
    return path.read_text(encoding="utf-8")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    if isinstance(error, OSError):
        return (error.strerror or "cannot be opened").lower()
    return cut(str(error).splitlines()[0]) if str(error) else type(error).__name__


def _decoded(text: str) -> _Entries:
    import json  # here, because a fit reads no model

    try:
        content = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("it does not say that it is a gmmseg model")
    return _Entries(content)


def _whole(digits: str) -> float:
    """Return an int, but of very many digits infinity, which every entry refuses."""
    return int(digits) if len(digits) < 100 else float(digits)


class _Entries:
    """The entries of a JSON object, each asked for by what it has to be; ValueError names one that is not.

    Parameters
    ----------
    content : dict
    within : str
        Name of the object that they belong to, followed by a full stop; empty for the file's own.
    """

    def __init__(self, content: dict[str, Any], within: str = "") -> None:
        self._content, self._within = content, within

    def has(self, name: str) -> bool:
        """Whether an entry is there, and not null."""
        return self._content.get(name) is not None

    def _taken(self, name: str) -> tuple[Any, str]:
        if name not in self._content:
            raise ValueError(f"{self._within + name!r} is missing")
        return self._content[name], self._within + name

    def part(self, name: str) -> _Entries:
        """Return an object within this one."""
        value, label = self._taken(name)
        if not isinstance(value, dict):
            raise ValueError(f"{label} is not an object with entries of its own")
        return _Entries(value, f"{label}.")

    def length(self, name: str) -> int:
        """Return how long a list is."""
        value, label = self._taken(name)
        if not isinstance(value, list):
            raise ValueError(f"{label} is not a list")
        return len(value)

    def text(self, name: str) -> str:
        value, label = self._taken(name)
        if not _is_text(value):
            raise ValueError(f"{label} is not text")
        return str(value)

    def texts(self, name: str, count: int) -> tuple[str, ...]:
        """Return a list of so many texts."""
        value, label = self._taken(name)
        if self.length(name) != count or not all(map(_is_text, value)):
            raise ValueError(f"{label} is not a list of {count} texts")
        return tuple(value)

    def truth(self, name: str) -> bool:
        value, label = self._taken(name)
        if not isinstance(value, bool):
            raise ValueError(f"{label} is not true or false")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        """Return a number within limits."""
        return float(self.array(name, (), least, most))

    def whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number within limits."""
        value, label = self._taken(name)
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{label} is not a whole number from {least} to {most}")
        return value

    def array(self, name: str, shape: tuple[int, ...], least: float, most: float) -> Array:
        """Return numbers of that shape within limits, float64."""
        value, label = self._taken(name)
        flat = [value]
        for length in shape:
            if not all(isinstance(part, list) and len(part) == length for part in flat):
                raise ValueError(f"{label} does not have the shape {shape}")
            flat = [each for part in flat for each in part]
        # Compared before they are converted: integers of JSON may be beyond float64.
        if not all(type(each) in (int, float) and least <= each <= most for each in flat):
            what = f"holds something else than numbers from {least:g} to {most:g}"
            raise ValueError(f"{label} {what if shape else f'is not a number from {least:g} to {most:g}'}")
        return np.array(flat, np.float64).reshape(shape)


def _is_text(value: Any) -> bool:
    """Whether a value is text that can be written to a file; half of a surrogate pair cannot."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _parse(content: _Entries) -> Model:
    k, n_components, d = (content.length(name) for name in ("classes", "weights", "planes"))
    if not (1 <= k <= 255 and 1 <= n_components <= MOST_COMPONENTS and d >= 1):
        raise ValueError(
            f"it has {k} classes, {n_components} components and {d} planes; a model has 1 to 255, 1 to "
            f"{MOST_COMPONENTS}, and at least 1 plane"
        )
    mixture, memberships = _mixture(content, n_components, d), None
    if content.has("memberships"):
        memberships = content.array("memberships", (k, n_components), 0, 1)
        if not memberships.sum(axis=0).max() < 1 + ROUNDING:
            raise ValueError("memberships of a component sum to more than 1")
    elif k != n_components:
        raise ValueError(f"it has {k} classes and {n_components} components, but no memberships")
    groups = tuple(content.array("groups", (d,), -1, d - 1).tolist())
    n_guides = d - groups.count(-1)
    if n_guides == 0 or -1 in groups[:n_guides] or not _count_up(groups[:n_guides]):
        raise ValueError("groups does not count up from 0, with -1 for position at the end")
    return Model(
        _recipe(content),
        content.texts("planes", d),
        tuple(map(int, groups)),
        content.array("center", (d,), -_LARGEST, _LARGEST),
        content.array("scale", (d,), _LEAST, _LARGEST),
        mixture,
        content.texts("classes", k),
        content.number("smooth", 0, 1),
        content.whole("channels", 1, 1 << 31),
        content.truth("color"),
        _training(content.part("training"), n_guides) if content.has("training") else None,
        memberships,
        _channel_names(content),
        _contrast(content, n_guides),
        _grain(content),
    )


def _grain(content: _Entries) -> Grain | None:
    if not content.has("grain") or content.whole("grain", 1, GRAIN) == 1:
        return None
    if not content.has("grain_begin"):
        return Grain()
    begin = content.array("grain_begin", (2,), 0, 1)
    if (begin % 1).any():
        raise ValueError("grain_begin holds something else than whole numbers from 0 to 1")
    cut = tuple(map(int, begin))
    if not content.has("grain_kind"):
        return Grain(cut, "linear" if content.truth("grain_linear") else None)  # version 6 knows no other kinds
    kind = content.text("grain_kind")
    if kind not in KINDS:
        raise ValueError(f"grain_kind is {kind!r}, not one of {', '.join(KINDS)}")
    return Grain(cut, kind)


def _channel_names(content: _Entries) -> tuple[str, ...]:
    n_channels = content.whole("channels", 1, 1 << 31)
    return content.texts("channel_names", n_channels) if content.has("channel_names") else ()


def _contrast(content: _Entries, n_guides: int) -> Array | None:
    if not content.has("contrast"):
        return None
    c = content.length("contrast")
    if c > n_guides:
        raise ValueError(f"contrast is of {c} features, the model has {n_guides} besides position")
    return content.array("contrast", (c,), 0, _LARGEST**2)


def _recipe(content: _Entries) -> Recipe:
    recipe = Recipe.parse(content.text("features"))
    if not recipe.unlearned:
        return recipe
    part = content.part("pca")
    m, c = part.length("variance"), part.length("center")
    pca = PrincipalComponents(
        part.array("center", (c,), -_LARGEST, _LARGEST),
        part.array("scale", (c,), _LEAST, _LARGEST),
        part.array("axes", (m, c), -1.001, 1.001),
        part.array("variance", (m,), _LEAST, _LARGEST),
    )
    return replace(recipe, pca=pca)


def _count_up(groups: tuple[float, ...]) -> bool:
    return all(after in (before, before + 1) for before, after in pairwise((-1, *groups)))


def _mixture(content: _Entries, k: int, d: int) -> Mixture:
    means, weights = content.array("means", (k, d), -_LARGEST, _LARGEST), content.array("weights", (k,), 0, 1)
    covariance = content.text("covariance")
    if covariance not in FAMILIES:
        raise ValueError(f"covariance is {covariance!r}, not one of {', '.join(FAMILIES)}")
    shape = FAMILIES[covariance].shape(k, d)
    covariances = content.array("covariances", shape, -(_LARGEST**2), _LARGEST**2)
    dof = content.array("dof", (k,), 0.01, 1e6) if content.has("dof") else None
    outliers = content.part("outliers") if content.has("outliers") else _Entries({"weight": 0.0})
    ranges = outliers.array("ranges", (d,), _LEAST, _LARGEST) if outliers.has("ranges") else None
    center = outliers.array("center", (d,), -_LARGEST, _LARGEST) if outliers.has("center") else None
    mixture = Mixture(weights, means, covariances, covariance, dof, outliers.number("weight", 0, 1), ranges, center)
    if not (0 < weights.sum() <= 1.001 and mixture.outlier_weight < 1):
        raise ValueError("weights do not sum to a number above 0 and up to 1")
    if not np.abs(mixture.factors).max() <= _MOST_PRECISE:
        raise ValueError("covariances has a variance that is hardly above 0")
    return mixture


def _training(content: _Entries, n_guides: int) -> Training:
    gain = offset = np.empty(0)
    if any(content.has(name) and content.length(name) for name in ("gain", "offset")):
        gain = content.array("gain", (n_guides,), _LEAST, _LARGEST)
        offset = content.array("offset", (n_guides,), -_LARGEST, _LARGEST)
    spacing = None
    if content.has("spacing"):
        steps = content.array("spacing", (content.length("spacing"),), 0, sys.float_info.max)
        spacing = tuple(steps.tolist())
    return Training(
        spacing,
        content.number("gap", 0, _LARGEST),
        content.number("unusual", 0, 1),
        tuple(gain.tolist()),
        tuple(offset.tolist()),
    )
