"""The pixels that a fit sees: a stratified random sample, or all of them where they are few enough values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ParameterError
from gmmseg.features import Recipe
from gmmseg.features.contrast import PAIRS, contrast_of_pairs, neighbour_pairs
from gmmseg.fitting.counting import distinct_values
from gmmseg.fitting.patches import Layout, Patches
from gmmseg.image import Image
from gmmseg.image.pixels import ENOUGH, look_at, one_in_each_run
from gmmseg.spatial.guidance import Guidance

__all__ = ["Sample", "blur_position", "join_samples", "take_sample"]

Array = NDArray[Any]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1
_PLACES = 4096  # pixels around which patches may lie


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels of an image, as a fit sees them.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32
        In the features' units.
    weights : ndarray, shape (n,), float64, optional
        Pixels that each stands for; one each where None.
    log_prior : ndarray, shape (k, n), float32, optional
    classes : ndarray, shape (n,), uint8, optional
        Given beforehand, from 1; 0 where free.
    variation : ndarray, shape (c,), optional
        Contrast of the image, where it was taken in the same pass over a file.
    patches : Patches, optional
        Pixels with their neighbours, where these shall be heard.
    """

    planes: Array
    weights: Array | None = None
    log_prior: Array | None = None
    classes: Array | None = None
    variation: Array | None = None
    patches: Patches | None = None


def _cut(there: tuple[Array, Array | None], n: int) -> tuple[Array, Array | None, Array, Array | None]:
    """Values and validity of the first n pixels, and of the others."""
    values, valid = there
    return values[:n], None if valid is None else valid[:n], values[n:], None if valid is None else valid[n:]


def _places(image: Image) -> Array:
    """Flat indices of pixels that patches may lie around, valid or not."""
    return one_in_each_run(image.n_pixels, _PLACES, np.random.default_rng(0))


def take_sample(
    image: Image,
    recipe: Recipe,
    count: int | None,
    rng: np.random.Generator,
    *,
    k: int = 1,
    guidance: Guidance | None = None,
    by_value: bool = True,
    patches: int = 0,
    threads: int = 1,
) -> Sample:
    """Take a sample of `count` pixels, all if None; of integer images of few distinct values, all pixels `by_value`.

    Position is blurred by a tenth of the longest side at weight 1, and in inverse proportion to the weight: under a
    free covariance the scale of a feature changes nothing, only what is known less exactly weighs less. With guidance,
    pixels whose class is given are added, at most a quarter of the sample. `patches` is the number of images that have
    the pixels of patches in common, 0 where none are taken.
    """
    if count is None and not image.in_memory:
        raise ParameterError(f"{image.name} does not fit into the memory allowed; give a number of pixels as sample")
    pairs, usable = (np.zeros(0, np.intp), None) if image.in_memory else neighbour_pairs(image, PAIRS)
    layout = Layout.around(image.shape, _places(image), patches, k) if patches else None
    flat, values, there = look_at(image, count, rng, pairs if layout is None else np.append(pairs, layout.flat))
    pair_values, pair_valid, patch_values, patch_valid = _cut(there, len(pairs))
    variation = (
        None if usable is None else contrast_of_pairs(image, recipe.pointwise, pairs, usable, pair_values, pair_valid)
    )
    around, on_valid = None, False
    if layout is not None:
        if patch_valid is not None and np.count_nonzero(patch_valid) < ENOUGH * len(patch_valid):
            layout, on_valid = Layout.around(image.shape, flat, patches, k), image.n_pixels > len(layout.flat)
            patch_values, patch_valid = image.take(layout.flat)
        log_prior = None if guidance is None else guidance.log_prior(k, np.unravel_index(layout.flat, image.shape))
        around = layout.filled(patch_values, patch_valid, log_prior, on_valid=on_valid)
    if by_value and guidance is None and recipe.by_value:
        counted = distinct_values(image, values)
        if counted is not None:
            return replace(values_as_sample(image, recipe, *counted), variation=variation, patches=around)
    if guidance is not None and guidance.scribbles is not None:
        flat = _with_scribbles(image, guidance.scribbles, flat, rng)
        values, _ = image.take(flat)
    planes = recipe.planes_of(image, values, flat, threads=threads)
    blur_position(planes, recipe.n_guides(image), rng)
    if guidance is None:
        return Sample(planes, variation=variation, patches=around)
    index = np.unravel_index(flat, image.shape)
    return Sample(planes, None, guidance.log_prior(k, index), guidance.classes(index), variation, around)


def blur_position(planes: Array, n_guides: int, rng: np.random.Generator) -> None:
    """Blur the planes of position, those after the guides, in place: see `take_sample`."""
    position = planes[n_guides:]
    position += _POSITION_BLUR * rng.standard_normal(position.shape, np.float32)


def join_samples(parts: Sequence[Sample]) -> Sample:
    """Samples of several images as one, in which each image has the same say."""
    planes = np.concatenate([part.planes for part in parts], axis=1)
    if len(parts) == 1:
        return replace(parts[0], planes=planes)
    sizes = [part.planes.shape[1] for part in parts]
    if all(part.weights is None for part in parts) and min(sizes) >= ENOUGH * max(sizes):
        return Sample(planes)
    equal = [
        np.full(part.planes.shape[1], 1 / max(1, part.planes.shape[1]))
        if part.weights is None
        else part.weights / max(1.0, part.weights.sum())
        for part in parts
    ]
    return Sample(planes, np.concatenate(equal))


def values_as_sample(image: Image, recipe: Recipe, values: Array, counts: Array) -> Sample:
    """Distinct values (n, channels) as pixels of their own, weighted by how many pixels have them."""
    return Sample(recipe.planes_of(image, values, np.zeros(len(values), np.intp)), counts.astype(np.float64))


def _with_scribbles(image: Image, scribbles: Array, flat: Array, rng: np.random.Generator) -> Array:
    """Add pixels of every scribble to the sample, about as many of each class."""
    strokes = scribbles.reshape(-1)
    drawn = np.flatnonzero(strokes)
    _, valid = image.take(drawn)
    drawn = drawn if valid is None else drawn[valid]
    kinds = np.unique(strokes[drawn])
    most = max(64, len(flat) // (4 * max(1, len(kinds))))
    parts = [flat]
    for kind in kinds:
        own = drawn[strokes[drawn] == kind]
        parts.append(own if len(own) <= most else np.sort(rng.choice(own, most, replace=False)))
    return np.unique(np.concatenate(parts))
