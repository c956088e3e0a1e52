"""Scene: small windows of an image (its patches) as planes of features, with a bias field taken out or without one."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gmmseg.arrays import Array
from gmmseg.features import Recipe
from gmmseg.fitting.counting import anywhere_within
from gmmseg.fitting.patches import Patches
from gmmseg.image import Image
from gmmseg.image.units import as_float
from gmmseg.kernels.chance import default_rng
from gmmseg.records import dataclass, replace
from gmmseg.spatial.bias import BiasField
from gmmseg.spatial.smoothing import Smoothing

__all__ = ["Scene"]

_STEP = np.float32(1e-3)  # change of a channel, in parts of itself, over which features are taken as linear


@dataclass(frozen=True, eq=False)
class Scene:
    """The patches of one image, from which the planes are made that a mixture with neighbours is fitted to.

    Parameters
    ----------
    image : Image
        Asked for its size and kind where a bias field is taken out.
    recipe : Recipe
    patches : Patches
        Values and places of n pixels.
    features : ndarray, shape (d, n)
        Planes of these pixels as they are in the image, in the features' units.
    center, scale : ndarray, shape (d,)
        The mixture is of `(features - center) / scale`.
    variation : ndarray, shape (c,)
        Contrast of the image, one number for each plane but those of position.
    share : float
        How much the image says, beside others of which the one that says most has 1.
    """

    image: Image
    recipe: Recipe
    patches: Patches
    features: Array
    center: Array
    scale: Array
    variation: Array
    share: float = 1.0

    def some(self, chosen: Array) -> Scene:
        """Return a scene of some valid pixels without their neighbours, given by their indices (m,) in the patches."""
        patches = self.patches
        ones = np.ones(len(chosen), bool)
        prior = None if patches.log_prior is None else np.ascontiguousarray(patches.log_prior[:, chosen])
        flat = patches.flat[chosen]
        axes = tuple(place[:, None] for place in np.unravel_index(flat, self.image.shape))
        few = Patches((1, 1, len(chosen)), 1, axes, flat, patches.values[chosen], ones, patches.weights[chosen], prior)
        return replace(self, patches=few, features=self.features[:, chosen])

    def in_patches(self, most: int) -> Scene:
        """Return a scene of about so many pixels, in whole patches."""
        patches, index = self.patches.some(most)
        return replace(self, patches=patches, features=self.features[:, index])

    @cached_property
    def in_cubes(self) -> Scene:
        """A scene of the small cubes in regular patches that the strength of neighbours is estimated from."""
        told = self.patches.told
        if told is None:
            return self
        patches = self.patches.in_cubes(told)
        return replace(self, patches=patches, features=self.features[:, told.reshape(-1)])

    def unrounded(self) -> Scene:
        """Return a scene in which each integer of a picture is a number at random that it may have been rounded from.

        Divided by a gain, integers are neither rounded alike everywhere, nor the few values whose intervals are known.
        Colours, whose steps are small beside what classes vary by, and volumes stay as they are.
        """
        if self.patches.values.dtype.kind not in "iu" or self.image.color or self.image.ndim > 2:
            return self
        rng, columns = default_rng(0), []
        blocks = BiasField.flat(self.image).blocks(self.patches.flat)
        for column in self.patches.values.T:
            dark, before = column == 0, anywhere_within(column, rng.random(len(column)), blocks)
            columns.append(before if self.patches.scattered(dark, self.image.ndim) else np.where(dark, 0, before))
        values = np.stack(columns, axis=1).astype(np.float32)
        features = self.recipe.planes_of(self.image, values, self.patches.flat)
        return replace(self, patches=replace(self.patches, values=values), features=features)

    def planes(self, gain: Array | None = None) -> Array:
        """Return the planes (d, n) as the mixture takes them, float32, 0 where a pixel is not valid.

        Where a gain is given, by its logarithm (m, n) for m channels or 1 for all, the pixels are divided by it first.
        """
        return self._scaled(self.features.copy()) if gain is None else self._planes(self._values(gain))

    def slopes(self, gain: Array, channel: int) -> Array:
        """Derivatives (d, n) of the planes by the logarithm of a channel's values; of all where they share a gain."""
        values = self._values(gain)
        moved = values.copy()
        moved[:, channel if len(gain) > 1 else slice(None)] *= 1 + _STEP
        return (self._planes(moved) - self._planes(values)) / _STEP

    def smoothing(self, strength: float) -> Smoothing:
        """Return how neighbours are heard in this image's patches, with a strength of 0 to 1."""
        scale = self.scale[: len(self.variation)]
        spacing = self.image.spacing or (1.0,) * self.image.ndim
        return Smoothing.of(strength, self.variation / scale**2, np.ones(len(scale)), spacing)

    def _values(self, gain: Array) -> Array:
        """Values of the pixels (n, n_channels), float32, divided by a gain."""
        return as_float(self.patches.values, self.image.color) * np.exp(-gain).T

    def _planes(self, values: Array) -> Array:
        """The planes as the mixture takes them, of other values (n, n_channels) at the same places."""
        planes = self.recipe.planes_of(self.image, values, self.patches.flat)
        position = slice(len(self.variation), None)
        planes[position] = self.features[position]
        return self._scaled(planes)

    def _scaled(self, planes: Array) -> Array:
        """Center and scale planes (d, n), in place."""
        planes -= self.center.astype(np.float32)[:, None]
        planes /= self.scale.astype(np.float32)[:, None]
        np.copyto(planes, 0, where=~self.patches.valid)
        return planes
