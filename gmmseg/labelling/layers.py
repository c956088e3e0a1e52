"""Layers: what can be computed of each pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image
from gmmseg.model import Model
from gmmseg.spatial.smoothing import HALO

__all__ = ["Layer", "Progress", "empty_layer", "halo_of", "smoothing_halo"]

Array = NDArray[Any]

Progress = Callable[[int, int], None]
Layer = Literal["labels", "probabilities", "log_density", "anomaly"]


def empty_layer(layer: Layer, model: Model, shape: tuple[int, ...]) -> Array:
    """Return an array for a layer of this shape, filled with what stands for no data."""
    if layer == "labels":
        return np.zeros(shape, np.uint8)
    if layer == "probabilities":
        return np.zeros((model.k, *shape), np.float32)
    return np.full(shape, np.nan, np.float32)


def halo_of(model: Model, layer: Layer, image: Image) -> int:
    """How many pixels around a window the layer there depends on, those for its features counted."""
    return smoothing_halo(model, layer) + model.recipe.context(image)


def smoothing_halo(model: Model, layer: Layer) -> int:
    """How many pixels around a window are computed for the layer there."""
    return HALO if model.strength > 0 and model.k > 1 and layer in ("labels", "probabilities") else 0
