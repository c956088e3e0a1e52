"""The pixels that a fit sees: a stratified random sample, the same for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.image import Image

__all__ = ["contrast", "sample_pixels", "sample_planes"]

Array = NDArray[Any]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1


def sample_pixels(image: Image, count: int | None, rng: np.random.Generator) -> tuple[Array, ...]:
    """Choose `count` valid pixels, one at random in each of `count` runs of equal length; all where None or fewer.

    Returns one index array a spatial axis, in the order of the image.
    """
    allowed = None if image.valid is None else np.flatnonzero(image.valid)
    n = image.n_pixels if allowed is None else len(allowed)
    if count is None or count >= n:
        flat = np.arange(n) if allowed is None else allowed
    else:
        flat = ((np.arange(count) + rng.random(count)) * (n / count)).astype(np.int64).clip(max=n - 1)
        flat = flat if allowed is None else allowed[flat]
    return np.unravel_index(flat, image.shape)


def sample_planes(image: Image, recipe: Recipe, count: int | None, rng: np.random.Generator) -> Array:
    """Planes (d, n) of a sample, in the features' units.

    Position is blurred by a tenth of the longest side at weight 1, and in inverse proportion to the weight: under a
    free covariance the scale of a feature changes nothing, only what is known less exactly weighs less.
    """
    planes = recipe.planes_at(image, sample_pixels(image, count, rng))
    position = [row for row, group in enumerate(recipe.groups(image)) if group < 0]
    planes[position] += rng.normal(0, _POSITION_BLUR, (len(position), planes.shape[1])).astype(np.float32)
    return planes


def contrast(image: Image, recipe: Recipe, center: Array, scale: Array, *, pairs: int = 16_384) -> float:
    """Mean squared difference of neighbouring pixels' scaled features, position left out."""
    guide = [row for row, group in enumerate(recipe.groups(image)) if group >= 0]
    index = sample_pixels(image, pairs, np.random.default_rng(0))
    here = _scaled(recipe.planes_at(image, index), center, scale)[guide]
    total, count = 0.0, 0
    for axis, n in enumerate(image.shape):
        moved = (*index[:axis], np.minimum(index[axis] + 1, n - 1), *index[axis + 1 :])
        usable = index[axis] + 1 < n
        if image.valid is not None:
            usable &= image.valid[moved]
        there = _scaled(recipe.planes_at(image, moved), center, scale)[guide]
        total += float(((here - there)[:, usable].astype(np.float64) ** 2).sum())
        count += int(usable.sum())
    return total / max(count, 1)


def _scaled(planes: Array, center: Array, scale: Array) -> Array:
    return np.asarray((planes - center[:, None]) / scale[:, None])
