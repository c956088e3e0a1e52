"""Contrast of an image: how much the features of neighbouring pixels differ, as a measure of what is an edge in it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.image.lattice import is_regular, thinned
from gmmseg.image.pixels import MOST_LOOKS, Taken, one_in_each_run, take_each
from gmmseg.kernels.chance import default_rng

__all__ = ["NeighbourPairs", "contrast"]

_PAIRS = 8192  # pixels that are compared with their neighbours
_VOXELS = 1 << 16  # of a volume, on a lattice
_MOST = (1, 99)  # percentiles between which most values lie; gross errors lie farther out than these are apart


class NeighbourPairs(NamedTuple):
    """Pixels here and there in an image and the next ones along each axis: what its contrast is told from.

    Parameters
    ----------
    flat : ndarray of int, shape ((1 + m) n,)
        Flat indices of the pixels, then of the next ones along each axis, in one direction or in both.
    usable : ndarray of bool, shape (m, n)
        Which have a next one there.
    """

    flat: Array
    usable: Array

    @classmethod
    def of(cls, image: Image, count: int = _PAIRS) -> NeighbourPairs:
        """Choose about `count` pixels of an image, the same each time."""
        if count > _PAIRS:
            return cls.after(image, one_in_each_run(image.n_pixels, count, default_rng(0)))
        return _pairs(image.shape, count)

    @classmethod
    def after(cls, image: Image, here: Array) -> NeighbourPairs:
        """Take the pixels at these flat indices (n,), and those that follow them."""
        return cls._beside(image.shape, here, (1,))

    @classmethod
    def regular(cls, image: Image) -> NeighbourPairs:
        """Choose valid voxels of a volume in memory, with those on both sides, whatever the order of its axes."""
        valid = image.valid
        known = np.arange(image.n_pixels) if valid is None else np.flatnonzero(valid)
        return cls._beside(image.shape, known[thinned(known, image.shape, _VOXELS)], (-1, 1))

    @classmethod
    def _beside(cls, shape: tuple[int, ...], here: Array, ways: tuple[int, ...]) -> NeighbourPairs:
        steps = np.cumprod((1, *shape[:0:-1]))[::-1]
        place, sides = np.stack(np.unravel_index(here, shape)), np.array(shape)[:, None]
        usable = np.concatenate([(place + way >= 0) & (place + way < sides) for way in ways])
        steps = np.concatenate([way * steps for way in ways])
        moved = [here + np.where(inside, step, 0) for inside, step in zip(usable, steps, strict=True)]
        return cls(np.concatenate([here, *moved]), usable)

    def contrast(
        self, image: Image, recipe: Recipe, taken: Taken, *, fenced: bool = False, known: Array | None = None
    ) -> Array | None:
        """Return the contrast (c,), as `contrast` does, from these pixels; None where too few are valid to tell."""
        recipe, usable, n = recipe.pointwise, self.usable, self.usable.shape[1]
        if taken.valid is not None:
            first, *others = taken.valid.reshape(1 + len(usable), n)
            usable = usable & first & np.stack(others)
        number = int(np.count_nonzero(usable))
        if number < min(n, _PAIRS) // 4 and n < min(image.n_pixels, MOST_LOOKS * _PAIRS):
            return None
        guides = recipe.n_guides(image)
        places = self.flat if known is not None else np.arange(len(self.flat))
        planes = recipe.planes_of(image, taken.values, self.flat) if known is None else known
        places = places.reshape(1 + len(usable), n)
        if fenced:
            usable = _without_errors(planes[:guides, places], usable)
            number = int(np.count_nonzero(usable))
        return np.asarray(kernels.squared_changes(planes[:guides], places, usable) / max(number, 1))


@lru_cache(maxsize=8)  # images of a batch often are of one size
def _pairs(shape: tuple[int, ...], count: int) -> NeighbourPairs:
    found = NeighbourPairs._beside(shape, one_in_each_run(math.prod(shape), count, default_rng(0)), (1,))
    for each in found:
        each.flags.writeable = False
    return found


def _without_errors(planes: Array, usable: Array) -> Array:
    """Return which pairs (m, n) are usable where those with a gross error are not; planes are (c, 1 + m, n)."""
    known = planes[:, 0][:, usable.any(axis=0)]
    if not known.size:
        return usable
    with np.errstate(all="ignore"):
        low, high = np.nanpercentile(known, _MOST, axis=1)[..., None, None]
        reach = high - low
        # What is missing is no error, and neither is anything where nearly all values are one.
        wrong = ((planes < low - reach) | (planes > high + reach)) & (reach > 0)
    first, *others = ~wrong.any(axis=0)
    return np.asarray(usable & first & np.stack(others))


def contrast(image: Image, recipe: Recipe, *, fenced: bool = False, known: Array | None = None) -> Array:
    """Return how much neighbouring pixels differ: the mean squared difference (c,) along any axis, feature by feature.

    Parameters
    ----------
    image : Image
    recipe : Recipe
        Of which the features count that a pixel's own value decides: the rest is smooth, and costs more.
    fenced : bool
        Whether to leave out gross errors, far beyond the values of most pixels: a few would make all else look smooth.
    known : ndarray, shape (d, n_pixels), optional
        The planes of all pixels, where somebody has them.
    """
    if is_regular(image):
        pairs = NeighbourPairs.regular(image)
        found = pairs.contrast(image, recipe, _looked_at(image, pairs.flat, known), fenced=fenced, known=known)
        if found is not None:
            return found
    for count in (_PAIRS, MOST_LOOKS * _PAIRS):
        pairs = NeighbourPairs.of(image, count)
        found = pairs.contrast(image, recipe, _looked_at(image, pairs.flat, known), fenced=fenced, known=known)
        if found is not None:
            return found
    return np.zeros(recipe.pointwise.n_guides(image))


def _looked_at(image: Image, flat: Array, known: Array | None) -> Taken:
    """Take pixels; where their planes are known, and all are valid, nobody asks for their values."""
    if known is not None and image.in_memory and image.valid is None:
        return Taken(flat, np.zeros((0, image.n_channels)), None)
    return take_each(image, [flat])[0]
