"""Reading a model from its JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import GmmsegError, InputError
from gmmseg.features import Recipe
from gmmseg.io.regular import require_regular
from gmmseg.mixture.parameters import Mixture
from gmmseg.model.model import FORMAT, VERSION, Model, Training

__all__ = ["load_model"]


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote.

    Raises
    ------
    InputError
        The file is missing, no model, damaged or of a newer version.
    """
    try:
        require_regular(Path(path))
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a model, as `gmmseg fit` writes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as a model ({_reason(error)}); give a file that `gmmseg fit` wrote"
        ) from None
    try:
        content = json.loads(text)
        if content.get("format") != FORMAT:
            raise ValueError("it does not say that it is a gmmseg model")
        if content["version"] > VERSION:
            raise InputError(f"{path}: model of version {content['version']}, newer than {VERSION}; update gmmseg")
        return _parse(content)
    except InputError:
        raise
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        GmmsegError,
        np.linalg.LinAlgError,
    ) as error:
        raise InputError(
            f"{path}: not a usable model ({_reason(error)}); give a file that `gmmseg fit` wrote"
        ) from None


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    if isinstance(error, OSError):
        return (error.strerror or "cannot be opened").lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _parse(content: dict[str, Any]) -> Model:
    arrays = {
        name: np.array(content[name], np.float64) for name in ("weights", "means", "covariances", "center", "scale")
    }
    outliers = content.get("outliers", {"weight": 0.0})
    if "dof" in content:
        arrays["dof"] = np.array(content["dof"], np.float64)
    if "ranges" in outliers:
        arrays["ranges"] = np.array(outliers["ranges"], np.float64)
    mixture = Mixture(
        arrays["weights"],
        arrays["means"],
        arrays["covariances"],
        str(content["covariance"]),
        arrays.get("dof"),
        float(outliers["weight"]),
        arrays.get("ranges"),
    )
    k, d = mixture.means.shape
    expected = {
        "weights": (k,),
        "means": (k, d),
        "covariances": mixture.family.shape(k, d),
        "center": (d,),
        "scale": (d,),
        "dof": (k,),
        "ranges": (d,),
    }
    for name, array in arrays.items():
        if array.shape != expected[name]:
            raise ValueError(f"{name} has shape {array.shape}, expected {expected[name]}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
        if name in ("scale", "dof", "ranges") and not (array > 0).all():
            raise ValueError(f"{name} must be positive")
    if not 1 <= k <= 255 or len(content["classes"]) != k or len(content["planes"]) != d or len(content["groups"]) != d:
        raise ValueError("the numbers of classes or planes do not agree")
    if not ((arrays["weights"] >= 0).all() and arrays["weights"].sum() > 0 and 0 <= mixture.outlier_weight < 1):
        raise ValueError("weights must be positive")
    if not 0 <= float(content["smooth"]) <= 1:
        raise ValueError("smooth is not between 0 and 1")
    _ = mixture.factors
    return Model(
        Recipe.parse(content["features"]),
        tuple(map(str, content["planes"])),
        tuple(map(int, content["groups"])),
        arrays["center"],
        arrays["scale"],
        mixture,
        tuple(map(str, content["classes"])),
        float(content["smooth"]),
        int(content["channels"]),
        bool(content["color"]),
        None if content.get("training") is None else _training(content["training"]),
    )


def _training(content: dict[str, Any]) -> Training:
    spacing = content.get("spacing")
    return Training(
        None if spacing is None else tuple(map(float, spacing)),
        float(content["gap"]),
        float(content["unusual"]),
        tuple(map(float, content.get("gain", ()))),
        tuple(map(float, content.get("offset", ()))),
    )
