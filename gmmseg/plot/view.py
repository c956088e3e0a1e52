"""View: what a figure needs of a model, a mixture or an estimator, all in the features' own units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import InputError, ParameterError
from gmmseg.image.pixels import sample_pixels
from gmmseg.io.opening import open_image
from gmmseg.mixture.parameters import Mixture
from gmmseg.model import Model

__all__ = ["View"]

# Axis labels by feature and plane; other planes have their names, as what a file calls its own (bands) needs no unit.
_LABELS = {
    "lab": {"L": "lightness L*", "a": "a* (green to red)", "b": "b* (blue to yellow)"},
    "luv": {"L": "lightness L*", "u": "u* (green to red)", "v": "v* (blue to yellow)"},
    "rgb": {"R": "red (image units)", "G": "green (image units)", "B": "blue (image units)"},
    "hsv": {"s cos h": "saturation × cos(hue)", "s sin h": "saturation × sin(hue)", "v": "value (HSV)"},
    "hed": {stain: f"{stain} (optical density / 6)" for stain in ("haematoxylin", "eosin", "DAB")},
    "gray": {"gray": "luma (image units)"},
    "intensity": {"intensity": "intensity (image units)"},
}


@dataclass(frozen=True, eq=False)
class View:
    """A mixture in its features' own units, with the words for them.

    Parameters
    ----------
    mixture : Mixture
    names : tuple of str
        Of the features, as a person types them.
    labels : tuple of str
        Of the axes, in matplotlib's markup.
    units : tuple of int
        Features with the same number share a unit.
    classes : tuple of str
        For legends, in matplotlib's markup.
    read : callable
        Turns the caller's data into at most `count` samples: (data, count, seed) -> planes (d, n).
    """

    mixture: Mixture
    names: tuple[str, ...]
    labels: tuple[str, ...]
    units: tuple[int, ...]
    classes: tuple[str, ...]
    read: Callable[[Any, int, int], Array]

    @classmethod
    def of(cls, source: Any) -> View:
        """Take a Model, a Mixture, an estimator with scikit-learn's fitted attributes, or a View as it is."""
        if isinstance(source, View):
            return source
        if isinstance(source, Model):
            return _of_model(source)
        if isinstance(source, Mixture):
            return _of_mixture(source, lambda data, count, seed: _some(np.asarray(data), count, seed))
        if not hasattr(source, "means_") and not hasattr(source, "fit"):
            what = type(source).__name__
            raise ParameterError(f"{what} is no fitted mixture; give a Model, a GaussianMixture or a Mixture")
        return _of_mixture(Mixture.of(source), lambda data, count, seed: _some(np.asarray(data).T, count, seed))

    def samples(self, data: Any, count: int, seed: int) -> Array:
        """Return at most `count` samples (d, n) of the caller's data, without those that lack a number."""
        planes = self.read(data, count, seed)
        d = self.mixture.n_features
        if planes.ndim != 2 or len(planes) != d:
            found = f"{len(planes)} features" if planes.ndim == 2 else f"{planes.ndim} axes"
            raise ParameterError(
                f"the samples have {found}, the mixture has {d} features; give (n, d) samples for an estimator, (d, n) "
                "for a Mixture"
            )
        return np.ascontiguousarray(planes[:, np.isfinite(planes).all(axis=0)])

    def holding(self, planes: Array) -> View:
        """Return the view with samples that were read before."""
        return replace(self, read=lambda data, count, seed: planes)

    def index(self, feature: int | str) -> int:
        """Return the row of a feature given by its name or its number from 0."""
        d = self.mixture.n_features
        if isinstance(feature, str):
            found = [row for row, name in enumerate(self.names) if name == feature]
            if len(found) == 1:
                return found[0]
            if found:
                raise ParameterError(
                    f"features={feature!r} names {len(found)} features; use a number from 0 to {d - 1}"
                )
            raise ParameterError(f"features={feature!r} is not in the model; use any of {', '.join(self.names)}")
        if isinstance(feature, bool) or not isinstance(feature, int | np.integer) or not 0 <= feature < d:
            raise ParameterError(f"features={feature!r} is not usable; use a name or a number from 0 to {d - 1}")
        return int(feature)

    def separation(self) -> Array:
        """Variance (d,) between the classes' means in units of that within classes: Fisher's criterion of 1936."""
        mixture = self.mixture
        weights = mixture.weights / mixture.weights.sum()
        dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
        within = weights @ np.diagonal(dense, axis1=1, axis2=2)
        between = weights @ (mixture.means - weights @ mixture.means) ** 2
        return np.asarray(between / np.maximum(within, np.finfo(float).tiny))


def _of_model(model: Model) -> View:
    def read(data: Any, count: int, seed: int) -> Array:
        image = model.view(open_image(data))
        frames = image.frames
        # Not take_sample: it blurs positions for the fit, and a figure shows where pixels are.
        each = -(-count // len(frames))
        taken = [(frame, sample_pixels(frame, each, np.random.default_rng(seed))) for frame in frames]
        planes = np.concatenate([model.recipe.planes_of(frame, t.values, t.flat) for frame, t in taken], axis=1)
        if planes.shape[1] == 0:
            raise InputError(f"{image.name}: no pixel is valid; there is nothing to plot")
        return planes

    return View(
        Mixture(model.weights, model.means, model.covariances),
        model.plane_names,
        _axis_labels(model),
        model.groups,
        tuple(
            name if name == f"class {number}" else f"{number} {_literal(name)}"
            for number, name in enumerate(model.class_names, 1)
        ),
        read,
    )


def _of_mixture(mixture: Mixture, read: Callable[[Any, int, int], Array]) -> View:
    names = tuple(f"feature {row}" for row in range(mixture.n_features))
    classes = tuple(f"component {number}" for number in range(1, mixture.n_components + 1))
    return View(mixture, names, names, tuple(range(mixture.n_features)), classes, read)


def _some(planes: Array, count: int, seed: int) -> Array:
    """Return at most `count` samples, chosen at random."""
    if planes.dtype != np.float32:
        planes = planes.astype(np.float64)
    n = planes.shape[-1] if planes.ndim else 0
    return planes if n <= count else planes[..., np.sort(np.random.default_rng(seed).choice(n, count, replace=False))]


def _axis_labels(model: Model) -> tuple[str, ...]:
    """Return a label with its unit for each plane."""
    weight = "" if model.recipe.position_weight == 1 else f", × {model.recipe.position_weight:g}"
    known = [own for feature in model.recipe.features for own in _LABELS.get(feature, {}).items()]
    labels = []
    for name, group in zip(model.plane_names, model.groups, strict=True):
        own = next((each for each in known if each[0] == name), None)
        if group < 0:
            labels.append(f"{name} (share of the longest side{weight})")
        elif own is None:
            labels.append(_literal(name))
        else:
            known.remove(own)  # two features may have a plane of one name
            labels.append(own[1])
    return tuple(labels)


def _literal(text: str) -> str:
    """Return text that matplotlib shows as it is: dollars would start mathematics."""
    return "".join(c if c.isprintable() else " " for c in text).replace("$", r"\$")
