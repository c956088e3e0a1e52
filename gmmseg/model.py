"""Model: recipe, scaling, mixture and class names; all that a segmentation needs but the image. One JSON file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import GmmsegError, InputError
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.io.atomic import atomic_file
from gmmseg.mixture.parameters import Mixture

__all__ = ["Model", "load_model"]

Array = NDArray[Any]

_FORMAT, _VERSION = "gmmseg-model", 1


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted mixture with all that turns an image into its planes.

    Parameters
    ----------
    recipe : Recipe
    plane_names : tuple of str
    groups : tuple of int
        For each plane the group it was scaled with; -1 for position.
    center, scale : ndarray, shape (d,)
        The mixture is of `(planes - center) / scale`.
    mixture : Mixture
        Of the scaled planes; classes in ascending order of the first feature's mean.
    class_names : tuple of str
    strength : float
        Of the smoothing, 0 to 1.
    n_channels : int
    color : bool
        What images the model is for.
    """

    recipe: Recipe
    plane_names: tuple[str, ...]
    groups: tuple[int, ...]
    center: Array
    scale: Array
    mixture: Mixture
    class_names: tuple[str, ...]
    strength: float
    n_channels: int
    color: bool

    @property
    def k(self) -> int:
        """Number of classes."""
        return self.mixture.n_components

    @property
    def n_guides(self) -> int:
        """Number of planes before those of position."""
        return sum(group >= 0 for group in self.groups)

    @property
    def means(self) -> Array:
        """Class means (K, d) in the features' own units."""
        return self.mixture.means * self.scale + self.center

    @property
    def covariances(self) -> Array:
        """Class covariances (K, d, d) in the features' own units."""
        dense = self.mixture.family.dense(self.mixture.covariances, self.k, len(self.scale))
        return np.asarray(dense * self.scale[:, None] * self.scale)

    @cached_property
    def arguments(self) -> tuple[Array, Array, Array]:
        """The mixture as the kernels take it, for planes in the features' own units: the scaling is folded in."""
        constants, _, factors = self.mixture.arguments
        scale = np.broadcast_to(self.scale, factors.shape)  # the last axis of both is that of the features
        return constants - np.log(self.scale).sum(), np.ascontiguousarray(self.means), factors / scale

    def check(self, image: Image) -> None:
        """Raise InputError where the image is not of the kind that the model was fitted to."""
        same_kind = (image.n_channels, image.color) == (self.n_channels, self.color)
        if not same_kind or len(self.recipe.groups(image)) != len(self.groups):
            kind = "colour" if self.color else f"{self.n_channels}-channel"
            found = "colour" if image.color else f"{image.n_channels}-channel, {image.ndim}-D"
            raise InputError(
                f"{image.name}: the model is for {kind} images with features {', '.join(self.plane_names)}, "
                f"this image is {found}; fit a model to images of its kind"
            )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model as JSON; numbers are kept to the last bit.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is False, or the folder cannot be written.
        """
        mixture = self.mixture
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "features": str(self.recipe),
            "planes": list(self.plane_names),
            "groups": list(self.groups),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "covariance": mixture.covariance,
            "weights": mixture.weights.tolist(),
            "means": mixture.means.tolist(),
            "covariances": mixture.covariances.tolist(),
            "classes": list(self.class_names),
            "smooth": self.strength,
            "channels": self.n_channels,
            "color": self.color,
        }
        with atomic_file(Path(path), overwrite=overwrite) as file:
            file.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote.

    Raises
    ------
    InputError
        The file is missing, no model, damaged or of a newer version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give the path of a model, as written by --model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as a model ({_reason(error)}); give a file written by --model"
        ) from None
    try:
        content = json.loads(text)
        if content.get("format") != _FORMAT:
            raise ValueError("it does not say that it is a gmmseg model")
        if content["version"] > _VERSION:
            raise InputError(f"{path}: model of version {content['version']}, newer than {_VERSION}; update gmmseg")
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
        raise InputError(f"{path}: not a usable model ({_reason(error)}); give a file written by --model") from None


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    if isinstance(error, OSError):
        return (error.strerror or "cannot be opened").lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _parse(content: dict[str, Any]) -> Model:
    arrays = {
        name: np.array(content[name], np.float64) for name in ("weights", "means", "covariances", "center", "scale")
    }
    mixture = Mixture(arrays["weights"], arrays["means"], arrays["covariances"], str(content["covariance"]))
    k, d = mixture.means.shape
    expected = {
        "weights": (k,),
        "means": (k, d),
        "covariances": mixture.family.shape(k, d),
        "center": (d,),
        "scale": (d,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is not finite")
    if not 1 <= k <= 255 or len(content["classes"]) != k or len(content["planes"]) != d or len(content["groups"]) != d:
        raise ValueError("the numbers of classes or planes do not agree")
    if not ((arrays["scale"] > 0).all() and (arrays["weights"] >= 0).all() and arrays["weights"].sum() > 0):
        raise ValueError("scale and weights must be positive")
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
    )
