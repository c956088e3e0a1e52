"""Calm pixels: what a fit to several features sees instead of pixels on the borders of classes.

A pixel on a border holds something of both sides, as a sensor or a lens mixes them. Where such pixels are many, a wide
component that takes those of all borders is likelier than one of the classes that people mean, and two of these become
one; and where one class varies, it takes its borders, so that objects are too large. So each pixel that is sampled is
moved to the calmest one next to it, whose neighbours on opposite sides differ least: from a border to one of its sides,
inside of a texture to another pixel of that. How often classes are seen stays as it is, as it would not if pixels on
borders were left out, of which textures are full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.features.recipe import Recipe
from gmmseg.features.scaling import location_and_scale
from gmmseg.image import Image
from gmmseg.image.pixels import Taken, take_each

__all__ = ["around", "has_borders", "take_calm"]

Array = NDArray[Any]

_MOST_CHANNELS = 16  # of spectra most pixels are mixtures, and borders the least of it
_SIDE = 5  # of what is looked at around a pixel
_TELLING = 4096  # pixels that tell the scale of channels
_IN_PLACE = np.uint8, np.uint16, np.float32, np.float64


def has_borders(image: Image, recipe: Recipe) -> bool:
    """Whether pixels on borders are told by more than one feature: of a picture, and not of spectra."""
    few = image.n_channels <= _MOST_CHANNELS and recipe.pca is None and not recipe.unlearned
    return few and image.ndim == 2 and recipe.n_guides(image) > 1


def take_calm(image: Image, requests: Sequence[Array]) -> list[Taken]:
    """Take pixels as `take_each` does, but those of the first and the last asker at the calmest place near each.

    Parameters
    ----------
    image : Image
        Of two spatial axes.
    requests : sequence of ndarray of int, shape (n,)
        Flat indices that each asker wants, in any order.

    Returns
    -------
    list of Taken
        One a request; the flat indices say where calm pixels were found.
    """
    ends = 0, len(requests) - 1
    if image.in_memory and image.array.flags.c_contiguous and image.pixels.dtype in _IN_PLACE:
        scale = _scale(image, *image.take(requests[0][:: _step(requests[0])]))
        places = list(requests)
        for end in ends:
            places[end] = kernels.calmest(image.array, image.valid, requests[end].astype(np.int64), scale)
        return take_each(image, places)
    wide = {end: around(image.shape, requests[end]) for end in ends}
    found = take_each(image, [wide[i][0] if i in wide else flat for i, flat in enumerate(requests)])
    middles = slice(_SIDE**2 // 2, None, _SIDE**2 * _step(requests[0]))
    scale = _scale(image, found[0].values[middles], None if found[0].valid is None else found[0].valid[middles])
    for end, (_, inside) in wide.items():
        found[end] = _calmest_of(found[end], inside, scale)
    return found


def _step(flat: Array) -> int:
    """Return which of these pixels tell the scale of channels: the first of each so many."""
    return max(1, len(flat) // _TELLING)


def _scale(image: Image, values: Array, valid: Array | None) -> Array:
    """Units (n_channels,) in which the channels of pixels (n, n_channels) differ alike; 1 of colours."""
    if image.color:
        return np.ones(image.n_channels)
    known = (values if valid is None else values[valid]).T.astype(np.float64)
    return location_and_scale(known, tuple(range(image.n_channels)))[1]


def around(shape: tuple[int, ...], flat: Array) -> tuple[Array, Array]:
    """Return flat indices (25 n,) of the 5 x 5 pixels around each, and which of them are in the image."""
    steps = np.indices((_SIDE, _SIDE)).reshape(2, -1) - _SIDE // 2
    near = np.stack(np.unravel_index(flat, shape))[:, :, None] + steps[:, None]
    sides = np.array(shape)[:, None, None]
    inside = ((near >= 0) & (near < sides)).all(axis=0)
    return np.ravel_multi_index(tuple(np.clip(near, 0, sides - 1)), shape).ravel(), inside.ravel()


def _calmest_of(taken: Taken, inside: Array, scale: Array) -> Taken:
    """Of the 5 x 5 pixels around each, which lie one after the other, return the calmest of the inner ones."""
    n, channels = len(taken.flat) // _SIDE**2, taken.values.shape[1]
    valid = inside if taken.valid is None else inside & taken.valid
    values = taken.values if taken.values.dtype in _IN_PLACE else taken.values.astype(np.float64)
    middles = np.arange(n, dtype=np.int64) * _SIDE**2 + _SIDE**2 // 2
    # As a picture five pixels wide, in which what is looked at around one never reaches the next one's.
    chosen = kernels.calmest(
        values.reshape(n * _SIDE, _SIDE, channels), valid.reshape(n * _SIDE, _SIDE), middles, scale
    )
    return Taken(taken.flat[chosen], taken.values[chosen], None if taken.valid is None else taken.valid[chosen])
