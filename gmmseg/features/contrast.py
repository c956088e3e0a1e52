"""Contrast of an image: how much the features of neighbouring pixels differ, as a measure of what is an edge in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.image.pixels import MOST_LOOKS, one_in_each_run

__all__ = ["PAIRS", "contrast", "contrast_of_pairs", "neighbour_pairs"]

Array = NDArray[Any]

PAIRS = 8192  # pixels that are compared with their neighbours


def contrast(image: Image, recipe: Recipe) -> Array:
    """Mean squared difference between neighbouring pixels, of each plane such as L, a and b.

    Returns
    -------
    ndarray, shape (c,)
        In squared units of the features: one number for each of the c planes that a pixel's own value decides.
    """
    recipe = recipe.pointwise  # the rest is smooth, and costs more
    for count in (PAIRS, MOST_LOOKS * PAIRS):
        flat, usable = neighbour_pairs(image, count)
        found = contrast_of_pairs(image, recipe, flat, usable, *image.take(flat))
        if found is not None:
            return found
    return np.zeros(recipe.n_guides(image))


def neighbour_pairs(image: Image, count: int) -> tuple[Array, Array]:
    """Choose n = `count` pixels of an image, or all, to be compared with the next one along each axis.

    Returns
    -------
    flat : ndarray of int, shape ((1 + ndim) n,)
        Indices into the flattened spatial axes: of the pixels, then of their neighbours along each axis.
    usable : ndarray of bool, shape (ndim, n)
        Which pixels have a neighbour along each axis; the others stand for themselves there.
    """
    here = one_in_each_run(image.n_pixels, count, np.random.default_rng(0))
    steps = np.cumprod((1, *image.shape[:0:-1]))[::-1]
    usable = np.stack(np.unravel_index(here, image.shape)) + 1 < np.array(image.shape)[:, None]
    moved = [here + np.where(inside, step, 0) for inside, step in zip(usable, steps, strict=True)]
    return np.concatenate([here, *moved]), usable


def contrast_of_pairs(
    image: Image, recipe: Recipe, flat: Array, usable: Array, values: Array, valid: Array | None
) -> Array | None:
    """Contrast (c,) by the pixels that `neighbour_pairs` chose; None where too few of them are valid to tell.

    `values` and `valid` are theirs, as `Image.take` returns them.
    """
    n = usable.shape[1]
    if valid is not None:
        first, *others = valid.reshape(-1, n)
        usable = usable & first & np.stack(others)
    number = int(np.count_nonzero(usable))
    if number < min(n, PAIRS) // 4 and n < min(image.n_pixels, MOST_LOOKS * PAIRS):
        return None
    guides = recipe.n_guides(image)
    planes = recipe.planes_of(image, values, flat)[:guides].reshape(guides, 1 + len(usable), n)
    change = np.nan_to_num(planes[:, 1:] - planes[:, :1]).astype(np.float64) ** 2  # what is missing does not differ
    return np.asarray((change * usable).sum(axis=(1, 2), dtype=np.float64) / max(number, 1))
