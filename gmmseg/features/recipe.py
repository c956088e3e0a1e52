"""Recipe: which features to take of an image, as a string such as "lab,xy:0.5".

Planes are `(n_features, n_samples)` float32 arrays in the features' own units; NaN where a pixel has no number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ParameterError
from gmmseg.features import color, texture
from gmmseg.image import Image

__all__ = ["Recipe"]

Array = NDArray[Any]

_COLOR = {"rgb": ("R", "G", "B"), "lab": ("L", "a", "b"), "luv": ("L", "u", "v"), "hsv": ("s cos h", "s sin h", "v")}
_NAMES = (*_COLOR, "gray", "intensity", "bands", "texture", "xy")
_LAST = {"texture": 1, "xy": 2}  # those that a pixel's own value does not decide
_AXES = ("x", "y", "z", "t")


@dataclass(frozen=True)
class Recipe:
    """Features in the order in which they were asked for, then texture, then position.

    Parameters
    ----------
    features : tuple of str
        Any of rgb, lab, luv, hsv, gray, intensity, bands, texture, xy.
    position_weight : float
        Weight of `xy`; only used with it.

    Examples
    --------
    >>> str(Recipe.parse("lab, xy:0.5"))
    'lab,xy:0.5'
    """

    features: tuple[str, ...]
    position_weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Read a recipe from its string; ParameterError names what is wrong and the choices."""
        names, weight = [], 1.0
        for part in str(text).split(","):
            name, colon, number = part.strip().partition(":")
            name = name.strip().lower()
            if name not in _NAMES:
                from difflib import get_close_matches

                near = get_close_matches(name, _NAMES, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ParameterError(f"features={text!r}: {name!r} is not known; {hint}use any of {', '.join(_NAMES)}")
            if name in names:
                raise ParameterError(f"features={text!r}: {name!r} stands there twice; name it once")
            if colon:
                weight = _position_weight(text, name, number)
            names.append(name)
        if names == ["xy"]:
            raise ParameterError(f"features={text!r} holds position alone; add a colour or intensity, as in 'lab,xy'")
        return cls(tuple(sorted(names, key=lambda name: _LAST.get(name, 0))), weight)

    @classmethod
    def default(cls, image: Image) -> Recipe:
        """Return what suits the image: colour and position, intensity, or all bands."""
        if image.color:
            return cls(("lab", "xy"))
        return cls(("intensity",) if image.n_channels == 1 else ("bands",))

    def __str__(self) -> str:
        weight = f":{self.position_weight!r}".removesuffix(".0") if self.position_weight != 1 else ""
        return ",".join(name + weight if name == "xy" else name for name in self.features)

    def check(self, image: Image) -> None:
        """Raise ParameterError where the image does not have what the recipe needs."""
        for name in self.features:
            if name in _COLOR and not image.color:
                raise ParameterError(
                    f"{image.name}: features '{name}' needs red, green and blue, the image has {_count(image)}; "
                    f"use --features {Recipe.default(image)}"
                )
            if name in ("gray", "intensity") and not image.color and image.n_channels != 1:
                raise ParameterError(
                    f"{image.name}: features '{name}' needs one channel or colour, the image has {_count(image)}; "
                    "use --features bands"
                )

    def names(self, image: Image) -> tuple[str, ...]:
        """One name a plane."""
        names: list[str] = []
        for feature in self.features:
            if feature == "bands":
                names += image.channel_names or [f"band {i + 1}" for i in range(image.n_channels)]
            elif feature == "texture":
                names += texture.names(image.ndim)
            elif feature == "xy":
                names += _AXES[: image.ndim]
            else:
                names += _COLOR.get(feature, (feature,))
        return tuple(names)

    def groups(self, image: Image) -> tuple[int, ...]:
        """For each plane the number of the group that shares one scale with it; -1 for position."""
        groups: list[int] = []
        for feature in self.features:
            first = max(groups, default=-1) + 1
            if feature == "bands":
                groups += range(first, first + image.n_channels)
            elif feature == "texture":
                first_direction = first + len(texture.SCALARS)
                n_directions = len(texture.names(image.ndim)) - len(texture.SCALARS)
                groups += [*range(first, first_direction), *[first_direction] * n_directions]
            elif feature == "xy":
                groups += [-1] * image.ndim
            else:
                groups += [first] * len(_COLOR.get(feature, (feature,)))
        return tuple(groups)

    def n_guides(self, image: Image) -> int:
        """Number of planes before those of position."""
        return sum(group >= 0 for group in self.groups(image))

    @property
    def pointwise(self) -> Recipe:
        """The features that a pixel's own value decides; their planes come first, and edges are seen in them."""
        return Recipe(tuple(name for name in self.features if name not in _LAST))

    @property
    def by_value(self) -> bool:
        """Whether a pixel's own value decides all of its features."""
        return self.pointwise.features == self.features

    @property
    def has_texture(self) -> bool:
        """Whether surroundings decide some of the features."""
        return "texture" in self.features

    def context(self, image: Image) -> int:
        """Number of pixels around a window that its planes depend on."""
        return texture.context(image) if self.has_texture else 0

    def planes(self, image: Image, window: tuple[slice, ...], out: Array | None = None) -> Array:
        """Return the planes (n_features, n) of a window: a slice with start and stop along each spatial axis.

        They are written into `out`, float32, where it is given.
        """
        values = image.array[window]
        axes, shape = np.ogrid[window], values.shape[:-1]
        if out is None:
            out = np.empty((len(self.groups(image)), math.prod(shape)), np.float32)
        self._compute(image, values.reshape(-1, *values.shape[-2:]), axes, shape, out)
        if self.has_texture:
            texture.planes(image, window, out[self._texture(image)])
        return out

    def planes_of(self, image: Image, values: Array, flat: Array, *, threads: int = 1) -> Array:
        """Return the planes of single pixels: values (n, n_channels) at these flat indices (n,).

        Texture needs what lies around them, and takes as long as of the whole image where they lie all over it.
        """
        out = np.empty((len(self.groups(image)), len(flat)), np.float32)
        self._compute(image, values[None], np.unravel_index(flat, image.shape), values.shape[:1], out)
        if self.has_texture:
            out[self._texture(image)] = texture.planes_of(image, flat, threads)
        return out

    def _texture(self, image: Image) -> slice:
        """Rows of the planes of texture."""
        first = len(self.pointwise.groups(image))
        return slice(first, first + len(texture.names(image.ndim)))

    def _compute(self, image: Image, values: Array, axes: Any, shape: tuple[int, ...], out: Array) -> None:
        """Planes, but those of texture, of values (rows, columns, channels), whose coordinates broadcast to `shape`."""
        row = 0
        for feature in self.features:
            if feature == "texture":
                row = self._texture(image).stop
            elif feature == "xy":
                row += self._position(image, axes, shape, out[row:])
            elif feature in _COLOR:
                color.CONVERSIONS[feature](values, out[row : row + 3])
                row += 3
            elif feature == "bands" or not image.color:
                with np.errstate(over="ignore"):  # what float32 cannot hold is no data in the image
                    bands = out[row : row + image.n_channels]
                    bands[...] = values.reshape(-1, image.n_channels).T
                if values.dtype.kind == "f":
                    bands[~np.isfinite(bands)] = np.nan
                row += image.n_channels
            else:
                color.gray(values, out[row])
                row += 1

    def _position(self, image: Image, axes: Any, shape: tuple[int, ...], out: Array) -> int:
        """Pixel centres in units of the longest side, 0 in the middle, times the weight; the last axis first."""
        spacing, extent = image.spacing or (1.0,) * image.ndim, image.extent or image.shape
        origin = image.origin or (0,) * image.ndim
        longest = max(n * s for n, s in zip(extent, spacing, strict=True))
        for row, axis in enumerate(reversed(range(image.ndim))):
            unit = self.position_weight * spacing[axis] / longest
            place = (axes[axis] + (origin[axis] + 0.5 - extent[axis] / 2)) * unit
            out[row].reshape(shape)[...] = place.astype(np.float32)
        return image.ndim


def _count(image: Image) -> str:
    return f"{image.n_channels} channel" + ("" if image.n_channels == 1 else "s")


def _position_weight(text: str, name: str, number: str) -> float:
    if name != "xy":
        raise ParameterError(f"features={text!r}: only xy takes a weight; write {name!r} alone")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not (0 < weight < math.inf):
        raise ParameterError(f"features={text!r}: the weight of xy is {number!r}; use a number above 0, as in xy:0.5")
    return weight
