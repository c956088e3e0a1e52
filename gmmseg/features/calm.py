"""Calm pixels: those beside borders, in place of what borders mix.

A pixel on a border holds something of both sides, as a sensor or a lens mixes them. Each pixel is moved to the calmest
of those at its corners, whose neighbours on opposite sides differ least: from a border to one of its sides, inside of a
texture to another pixel of that. How often classes are seen stays as it is, as it would not if pixels on borders were
left out, of which textures are full.
"""

from __future__ import annotations

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.features.recipe import Recipe
from gmmseg.features.scaling import location_and_scale
from gmmseg.image import Image
from gmmseg.image.pixels import Taken

__all__ = ["calmest", "has_borders", "wanted"]

_MOST_CHANNELS = 16  # of spectra most pixels are mixtures, and borders the least of it
# Smaller pictures have few calm pixels; icons of 64 x 64 took a fifth more (`scripts/benchmark_batch.py --icons`).
_FEWEST = 1 << 13
_SIDE = 5  # of what is looked at around a pixel
_TELLING = 4096  # pixels that tell the scale of channels
_IN_PLACE = np.uint8, np.uint16, np.float32, np.float64


def has_borders(image: Image, recipe: Recipe) -> bool:
    """Whether pixels on borders are told by more than one feature: not of icons and spectra, nor by surroundings.

    Examples
    --------
    >>> picture = Image.from_array(np.zeros((99, 99, 3), np.uint8))
    >>> has_borders(picture, Recipe.parse("rgb")), has_borders(picture, Recipe.parse("intensity"))
    (True, False)
    """
    few = image.n_channels <= _MOST_CHANNELS and recipe.pca is None and not (recipe.unlearned or recipe.has_texture)
    return few and image.ndim == 2 and image.n_pixels >= _FEWEST and recipe.n_guides(image) > 1


def wanted(image: Image, flat: Array) -> Array:
    """Return which pixels have to be taken from an image to have the calm ones near others.

    Parameters
    ----------
    image : Image
        A picture.
    flat : ndarray of int, shape (n,)
        Flat indices of the others.

    Returns
    -------
    ndarray of int, shape (m,)
        Flat indices: of the calm pixels, n, where the image is held in memory, else of all that may be, 25 n.

    Examples
    --------
    >>> image = Image.from_array(np.tile(np.uint8([0, 0, 0, 90, 90, 90]), (5, 1)))
    >>> wanted(image, np.array([14])).tolist()  # in row 2 and column 2, beside the border
    [7]
    """
    if not _held(image):
        return _around(image.shape, flat)[0]
    scale = _scale(image, *image.take(flat[:: _step(flat)]))
    return kernels.calmest(image.array, image.valid, flat.astype(np.int64), scale)


def calmest(image: Image, flat: Array, taken: Taken) -> Taken:
    """Return the calm pixels near others.

    Parameters
    ----------
    image : Image
        A picture.
    flat : ndarray of int, shape (n,)
        Flat indices of the others.
    taken : Taken
        The pixels that were `wanted` for that.

    Returns
    -------
    Taken
        One for each of the others, in their order.
    """
    if _held(image):
        return taken
    inside, middles = _around(image.shape, flat)[1], slice(_SIDE**2 // 2, None, _SIDE**2)
    step = slice(None, None, _step(flat))
    valid = inside if taken.valid is None else inside & taken.valid
    scale = _scale(image, taken.values[middles][step], None if taken.valid is None else taken.valid[middles][step])
    values = taken.values if taken.values.dtype in _IN_PLACE else taken.values.astype(np.float64)
    rows = len(flat) * _SIDE
    # As a picture five pixels wide, in which what is looked at around one never reaches the next one's.
    picture, known = values.reshape(rows, _SIDE, -1), valid.reshape(rows, _SIDE)
    chosen = kernels.calmest(picture, known, np.arange(rows * _SIDE)[middles].copy(), scale)
    return Taken(taken.flat[chosen], taken.values[chosen], None if taken.valid is None else taken.valid[chosen])


def _held(image: Image) -> bool:
    """Whether its pixels can be looked at where they are."""
    if not image.in_memory or image.pixels.dtype not in _IN_PLACE:
        return False
    return all(each is None or each.flags.c_contiguous for each in (image.array, image.valid))


def _step(flat: Array) -> int:
    """Return which of these pixels tell the scale of channels: the first of each so many."""
    return max(1, len(flat) // _TELLING)


def _scale(image: Image, values: Array, valid: Array | None) -> Array:
    """Units (n_channels,) in which the channels of pixels (n, n_channels) differ alike; 1 of colours."""
    if image.color:
        return np.ones(image.n_channels)
    known = (values if valid is None else values[valid]).T.astype(np.float64)
    return location_and_scale(known, tuple(range(image.n_channels)))[1]


def _around(shape: tuple[int, ...], flat: Array) -> tuple[Array, Array]:
    """Return flat indices (25 n,) of the 5 x 5 pixels around each, and which of them are in the image."""
    steps = np.indices((_SIDE, _SIDE)).reshape(2, -1) - _SIDE // 2
    near = np.stack(np.unravel_index(flat, shape))[:, :, None] + steps[:, None]
    sides = np.array(shape)[:, None, None]
    inside = ((near >= 0) & (near < sides)).all(axis=0)
    return np.ravel_multi_index(tuple(np.clip(near, 0, sides - 1)), shape).ravel(), inside.ravel()
