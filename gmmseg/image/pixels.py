"""Some pixels of an image, evenly spread and chosen at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image

__all__ = ["ENOUGH", "MOST_LOOKS", "look_at", "one_in_each_run", "sample_pixels"]

Array = NDArray[Any]

ENOUGH = 0.9  # of the pixels that were asked for
MOST_LOOKS = 64  # pixels looked at for one that is asked for


def sample_pixels(image: Image, count: int | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Choose about `count` valid pixels, one at random in each of runs of equal length; all if None or fewer.

    Where many pixels are not valid, more runs are taken in a second look, up to 64 times as many.

    Returns
    -------
    flat : ndarray of int, shape (n,)
        Indices into the flattened spatial axes, ascending.
    values : ndarray, shape (n, n_channels)
    """
    flat, values, _ = look_at(image, count, rng, np.zeros(0, np.intp))
    return flat, values


def look_at(
    image: Image, count: int | None, rng: np.random.Generator, more: Array
) -> tuple[Array, Array, tuple[Array, Array | None]]:
    """Sample pixels as `sample_pixels` does, and take `more` of them, valid or not, in the same pass."""
    n = image.n_pixels
    wanted = n if count is None else min(count, n)
    flat = one_in_each_run(n, wanted, rng)
    values, valid = image.take(np.concatenate([flat, more]) if more.size else flat)
    others = values[len(flat) :], None if valid is None else valid[len(flat) :]
    values, valid = values[: len(flat)], None if valid is None else valid[: len(flat)]
    kept = len(flat) if valid is None else int(np.count_nonzero(valid))
    if wanted < n and kept < ENOUGH * wanted:
        wanted = min(n, MOST_LOOKS * wanted, -(-wanted * wanted // max(kept, 1)))
        flat = one_in_each_run(n, wanted, rng)
        values, valid = image.take(flat)
    return (flat, values, others) if valid is None else (flat[valid], values[valid], others)


def one_in_each_run(n: int, count: int, rng: np.random.Generator) -> Array:
    """Return `count` of the numbers from 0 to n - 1, ascending: one at random in each of runs of equal length."""
    if count >= n:
        return np.arange(n)
    edges = np.arange(count + 1) * n // count
    return np.asarray(edges[:-1] + (rng.random(count) * np.diff(edges)).astype(np.int64))
