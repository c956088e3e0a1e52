"""Scene: the patches of an image as scaled planes, under a bias field or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.fitting.patches import Patches
from gmmseg.image import Image
from gmmseg.image.units import as_float

__all__ = ["Scene"]

Array = NDArray[Any]

_STEP = np.float32(1e-3)  # change of a channel, in parts of itself, over which features are taken as linear


@dataclass(frozen=True, eq=False)
class Scene:
    """Patches of one image, ready for a mixture of `(planes - center) / scale`.

    Parameters
    ----------
    image : Image
        Its pixels are looked at only for the planes under a bias field.
    recipe : Recipe
    patches : Patches
    features : ndarray, shape (d, n)
        Planes of the patches without a bias field, in the features' units, position blurred as in the sample.
    center, scale : ndarray, shape (d,)
    variation : ndarray, shape (c,)
        Contrast of the image.
    """

    image: Image
    recipe: Recipe
    patches: Patches
    features: Array
    center: Array
    scale: Array
    variation: Array

    def some(self, chosen: Array) -> Scene:
        """Return a scene of some of the valid pixels, given by their indices (n,)."""
        patches = self.patches
        ones = np.ones(len(chosen), bool)
        prior = None if patches.log_prior is None else np.ascontiguousarray(patches.log_prior[:, chosen])
        flat = patches.flat[chosen]
        axes = tuple(place[:, None] for place in np.unravel_index(flat, self.image.shape))
        few = Patches((1, 1, len(chosen)), 1, axes, flat, patches.values[chosen], ones, patches.weights[chosen], prior)
        return replace(self, patches=few, features=self.features[:, chosen])

    def planes(self, gain: Array | None = None) -> Array:
        """Return scaled planes (d, n), float32, 0 where not valid; without a gain, given by its logarithm (m, n)."""
        return self._scaled(self.features.copy()) if gain is None else self._planes(self._values(gain))

    def slopes(self, gain: Array, channel: int) -> Array:
        """Change of the planes (d, n) with the logarithm of a channel's values; of all that share its gain."""
        values = self._values(gain)
        moved = values.copy()
        moved[:, channel if len(gain) > 1 else slice(None)] *= 1 + _STEP
        return (self._planes(moved) - self._planes(values)) / _STEP

    def _values(self, gain: Array) -> Array:
        return as_float(self.patches.values, self.image.color) * np.exp(-gain).T

    def _planes(self, values: Array) -> Array:
        planes = self.recipe.planes_of(self.image, values, self.patches.flat)
        position = slice(len(self.variation), None)
        planes[position] = self.features[position]
        return self._scaled(planes)

    def _scaled(self, planes: Array) -> Array:
        planes -= self.center.astype(np.float32)[:, None]
        planes /= self.scale.astype(np.float32)[:, None]
        planes[:, ~self.patches.valid] = 0
        return planes
