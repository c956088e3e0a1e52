"""The pixels that a fit sees: a stratified random sample, the same for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.image import Image

__all__ = ["contrast", "location_and_scale", "sample_pixels", "sample_planes"]

Array = NDArray[Any]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1


def sample_pixels(image: Image, count: int | None, rng: np.random.Generator) -> tuple[Array, ...]:
    """Choose `count` valid pixels, one at random in each of `count` runs of about equal length; all if None or fewer.

    Returns one index array a spatial axis, in the order of the image.
    """
    allowed = None if image.valid is None else np.flatnonzero(image.valid)
    n = image.n_pixels if allowed is None else len(allowed)
    if count is None or count >= n:
        flat = np.arange(n) if allowed is None else allowed
    else:
        edges = np.arange(count + 1) * n // count
        flat = edges[:-1] + (rng.random(count) * np.diff(edges)).astype(np.int64)
        flat = flat if allowed is None else allowed[flat]
    return np.unravel_index(flat, image.shape)


def sample_planes(image: Image, recipe: Recipe, count: int | None, rng: np.random.Generator) -> Array:
    """Planes (d, n) of a sample, in the features' units.

    Position is blurred by a tenth of the longest side at weight 1, and in inverse proportion to the weight: under a
    free covariance the scale of a feature changes nothing, only what is known less exactly weighs less.
    """
    planes = recipe.planes_at(image, sample_pixels(image, count, rng))
    position = [row for row, group in enumerate(recipe.groups(image)) if group < 0]
    planes[position] += _POSITION_BLUR * rng.standard_normal((len(position), planes.shape[1]), np.float32)
    return planes


def location_and_scale(planes: Array, groups: tuple[int, ...]) -> tuple[Array, Array]:
    """Median and quartile-based spread (standard deviation, or 1, where that is 0) of each plane, shared in a group."""
    d, n = planes.shape
    center, scale = np.zeros(d), np.ones(d)
    for group in set(groups):
        rows = [row for row, g in enumerate(groups) if g == group]
        if group < 0:
            scale[rows] = 1 / np.sqrt(12)  # a position spread evenly over a side of length 1, at weight 1
        elif n:
            spread = deviation = 0.0
            for row in rows:
                known = planes[row][~np.isnan(planes[row])]
                if m := len(known):
                    quarters = [m // 4, m // 2, 3 * m // 4]
                    low, center[row], high = np.partition(known, quarters)[quarters]
                    spread = max(spread, float(high - low) / 1.349)
                    deviation = max(deviation, float(known.std(dtype=np.float64)))
            spread = spread if spread > 0 else deviation
            scale[rows] = spread if spread > 0 else 1.0
    return center, scale


def contrast(image: Image, recipe: Recipe, scale: Array, *, pairs: int = 8192) -> float:
    """Mean squared difference of neighbouring pixels' features, each divided by its scale, position left out."""
    guides = sum(group >= 0 for group in recipe.groups(image))
    index = sample_pixels(image, pairs, np.random.default_rng(0))
    here = recipe.planes_at(image, index)[:guides]
    total, count = 0.0, 0
    for axis, n in enumerate(image.shape):
        moved = (*index[:axis], np.minimum(index[axis] + 1, n - 1), *index[axis + 1 :])
        usable = index[axis] + 1 < n
        if image.valid is not None:
            usable &= image.valid[moved]
        there = recipe.planes_at(image, moved)[:guides]
        change = np.nan_to_num((here - there)[:, usable])  # what is missing does not differ
        total += float(((change / scale[:guides, None]) ** 2).sum(dtype=np.float64))
        count += int(usable.sum())
    return total / max(count, 1)
