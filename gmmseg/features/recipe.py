"""Recipe: which features to take of an image, as a string such as "lab,xy:0.5".

Planes are `(n_features, n_samples)` float32 arrays in the features' own units; NaN where a pixel has no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gmmseg.errors import ParameterError
from gmmseg.features.feature import DECIDERS, FEATURES, Color, Feature, Pixels, Position, feature
from gmmseg.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gmmseg.features.pca import PrincipalComponents
    from gmmseg.image import Image
    from gmmseg.image.windows import Window

    Array = NDArray[Any]

__all__ = ["Recipe"]

_MOST_BANDS = 16  # of more, full covariances are mostly noise, and time grows with their square


@dataclass(frozen=True)
class Recipe:
    """Features in the order in which they were asked for, then texture, then position.

    Parameters
    ----------
    features : tuple of str
        Any of those in `gmmseg.features.feature`, such as lab, bands, texture and xy.
    position_weight : float
        Weight of `xy`; only used with it.
    pca : PrincipalComponents, optional
        Those of images that a fit has seen, where components are among the features.

    Examples
    --------
    >>> str(Recipe.parse("lab, xy:0.5"))
    'lab,xy:0.5'
    """

    features: tuple[str, ...]
    position_weight: float = 1.0
    pca: PrincipalComponents | None = None

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Read a recipe from its string; ParameterError names what is wrong and the choices."""
        if not isinstance(text, str):
            raise ParameterError(f"features={text!r} is no text; name them in one, as in 'lab,xy'")
        names, weight = [], 1.0
        for part in text.split(","):
            name, colon, number = part.strip().partition(":")
            name = name.strip().lower()
            try:
                own = feature(name)
            except ParameterError as error:
                raise ParameterError(f"features={text!r}: {error}") from None
            if name in names:
                raise ParameterError(f"features={text!r}: {name!r} stands there twice; name it once")
            if colon:
                weight = _weight(text, own, number)
            names.append(name)
        if all(FEATURES[name].decided_by == "position" for name in names):
            raise ParameterError(f"features={text!r} holds position alone; add a colour or intensity, as in 'lab,xy'")
        return cls(tuple(sorted(names, key=lambda name: DECIDERS.index(FEATURES[name].decided_by))), weight)

    @classmethod
    def default(cls, image: Image) -> Recipe:
        """Return what suits the image: colour and position, intensity, all bands, or components of more than 16."""
        if image.color:
            return cls(("lab", "xy"))
        if image.n_channels > _MOST_BANDS:
            return cls(("pca",))
        return cls(("intensity",) if image.n_channels == 1 else ("bands",))

    def __str__(self) -> str:
        weight = f":{self.position_weight!r}".removesuffix(".0") if self.position_weight != 1 else ""
        return ",".join(each.name + weight if each.weighted else each.name for each in self._each)

    @cached_property
    def _each(self) -> tuple[Feature, ...]:
        found = {} if self.pca is None else {self.pca.name: self.pca}
        return tuple(found.get(name, FEATURES[name]) for name in self.features)

    @property
    def unlearned(self) -> bool:
        """Whether components are among the features, but nobody has found them yet."""
        return "pca" in self.features and self.pca is None

    def check(self, image: Image) -> None:
        """Raise ParameterError where the image does not have what the recipe needs."""
        for each in self._each:
            missing = each.missing(image)
            if missing:
                channels = f"{image.n_channels} channel" + ("" if image.n_channels == 1 else "s")
                raise ParameterError(
                    f"{image.name}: features '{each.name}' needs {missing}, the image has {channels}; "
                    f"use features='{Recipe.default(image)}'"
                )

    def names(self, image: Image) -> tuple[str, ...]:
        """Names of the planes, such as ("L", "a", "b", "x", "y")."""
        return tuple(name for each in self._each for name in each.names(image))

    def groups(self, image: Image) -> tuple[int, ...]:
        """For each plane the number of the group that shares one scale with it; -1 for position."""
        groups: list[int] = []
        for each in self._each:
            first = max(groups, default=-1) + 1
            groups += [first + group if group >= 0 else -1 for group in each.groups(image)]
        return tuple(groups)

    def n_guides(self, image: Image) -> int:
        """Number of planes before those of position."""
        return sum(group >= 0 for group in self.groups(image))

    @cached_property
    def pointwise(self) -> Recipe:
        """The recipe without texture and position: what a pixel's own value decides. Edges are seen in its planes."""
        own = tuple(each.name for each in self._each if each.decided_by == "value")
        return Recipe(own, pca=self.pca)

    @property
    def by_value(self) -> bool:
        """Whether a pixel's own value decides all of its features."""
        return self.pointwise.features == self.features

    @property
    def has_texture(self) -> bool:
        """Whether surroundings decide some of the features."""
        return any(each.decided_by == "surroundings" for each in self._each)

    @property
    def has_position(self) -> bool:
        """Whether the place of a pixel decides some of the features."""
        return any(each.decided_by == "position" for each in self._each)

    @property
    def needs_color(self) -> bool:
        """Whether some of the features are of red, green and blue."""
        return any(isinstance(each, Color) for each in self._each)

    def context(self, image: Image) -> int:
        """Number of pixels around a window that its planes depend on."""
        return max((each.context(image) for each in self._each), default=0)

    def planes(self, image: Image, window: Window, out: Array | None = None) -> Array:
        """Return the planes (n_features, n) of a window: a slice with start and stop along each spatial axis.

        They are written into `out`, float32, where it is given.
        """
        return self._compute(self._each, _pixels_of(image, window), out)

    def parts(self, image: Image, window: Window, out: Array) -> tuple[Array, tuple[Array, ...]]:
        """Return the planes of a window but those of position, which come last, and what these are along their axes.

        Planes are written into the first rows of `out`; `gmmseg.features.feature.spread` fills the others, which takes
        up to a quarter of the time of all (colour and position).
        """
        *others, last = self._each
        pixels = _pixels_of(image, window)
        if not isinstance(last, Position):
            return self._compute(self._each, pixels, out), ()
        places = last.places(pixels, self.position_weight)
        return self._compute(others, pixels, out[: len(out) - len(places)]), places

    def planes_of(self, image: Image, values: Array, flat: Array, *, threads: int = 1) -> Array:
        """Return the planes of single pixels: values (n, n_channels) at these flat indices (n,).

        Texture needs what lies around them, and takes as long as of the whole image where they lie all over it.
        """
        return self._compute(self._each, Pixels(image, values[None], flat, threads), None)

    def _compute(self, features: Iterable[Feature], pixels: Pixels, out: Array | None) -> Array:
        """Write the planes of each feature, one below the other, into `out`, or into a new array."""
        import numpy as np

        sizes = [(each, len(each.groups(pixels.image))) for each in features]
        if out is None:
            out = np.empty((sum(size for _, size in sizes), math.prod(pixels.values.shape[:-1])), np.float32)
        row = 0
        for each, size in sizes:
            each.planes(pixels, self.position_weight, out[row : row + size])
            row += size
        return out


def _pixels_of(image: Image, window: Window) -> Pixels:
    values = image.array[window]
    return Pixels(image, values.reshape(-1, *values.shape[-2:]), window)


def _weight(text: str, own: Feature, number: str) -> float:
    if not own.weighted:
        those = " and ".join(each.name for each in FEATURES.values() if each.weighted)
        raise ParameterError(f"features={text!r}: only {those} takes a weight; write {own.name!r} alone")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not (0 < weight < math.inf):
        raise ParameterError(
            f"features={text!r}: the weight of {own.name} is {number!r}; use a number above 0, as in {own.name}:0.5"
        )
    return weight
