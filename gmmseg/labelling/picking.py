"""A layer of a segmentation at some pixels, such as those of a preview: nothing is held whole that stays in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.windows import everything, holding
from gmmseg.labelling.layers import layer_named

if TYPE_CHECKING:
    from gmmseg.labelling.result import Segmentation
    from gmmseg.spatial.bias import BiasField

__all__ = ["picked", "without_bias"]


def picked(found: Segmentation, name: str, flat: Array) -> Array:
    """Return a layer with one number a pixel at some pixels.

    Parameters
    ----------
    found : Segmentation
    name : {"labels", "uncertainty", "anomaly", "log_density"}
    flat : ndarray of int, shape (n,)
        Indices into the flattened spatial axes.

    Returns
    -------
    ndarray, shape (n,)
        Of an image that stays in its file, computed window by window.
    """
    if found.image.in_memory or name in found.__dict__:
        return np.asarray(getattr(found, name).reshape(-1)[flat])
    layer = layer_named(name)
    out = np.zeros(len(flat), layer.dtype)
    index = np.stack(np.unravel_index(flat, found.image.shape))
    for window, values in found._windows(layer):
        for _, here in holding([window], index):
            place = tuple(index[axis, here] - part.start for axis, part in enumerate(window))
            out[here] = values[place]
    return np.nan_to_num(out, copy=False) if name == "uncertainty" else out


def without_bias(image: Image, bias: BiasField | None) -> Image:
    """Return an image in memory as its model knows it: without the bias field, where one was taken out."""
    return image if bias is None or not image.in_memory else bias.correct(image.crop(everything(image.shape)))
