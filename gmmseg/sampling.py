"""The pixels that a fit sees: a stratified random sample, or all of them where they are few enough values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.features import Recipe
from gmmseg.guidance import Guidance
from gmmseg.image import Image

__all__ = ["Sample", "contrast", "join_samples", "location_and_scale", "sample_pixels", "take_sample"]

Array = NDArray[Any]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1
_FEW = 0.3  # a sample with more distinct values a pixel than this stands for too many values to count them all
_AT_ONCE = 1 << 20  # pixels whose values are counted together


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
    """

    planes: Array
    weights: Array | None = None
    log_prior: Array | None = None
    classes: Array | None = None


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


def take_sample(
    image: Image,
    recipe: Recipe,
    count: int | None,
    rng: np.random.Generator,
    *,
    k: int = 1,
    guidance: Guidance | None = None,
    by_value: bool = True,
) -> Sample:
    """Take a sample of `count` pixels, all if None; of integer images of few distinct values, all pixels `by_value`.

    Position is blurred by a tenth of the longest side at weight 1, and in inverse proportion to the weight: under a
    free covariance the scale of a feature changes nothing, only what is known less exactly weighs less. With guidance,
    pixels whose class is given are added, at most a quarter of the sample.
    """
    index = sample_pixels(image, count, rng)
    position = [row for row, group in enumerate(recipe.groups(image)) if group < 0]
    if by_value and guidance is None and not position:
        values = _distinct_values(image, index)
        if values is not None:
            return values_as_sample(image, recipe, *values)
    if guidance is not None:
        index = _with_scribbles(image, guidance, index, rng)
    planes = recipe.planes_at(image, index)
    if position:
        planes[position] += _POSITION_BLUR * rng.standard_normal((len(position), planes.shape[1]), np.float32)
    if guidance is None:
        return Sample(planes)
    return Sample(planes, None, guidance.log_prior(k, index), guidance.classes(index))


def join_samples(parts: Sequence[Sample]) -> Sample:
    """Samples of several images as one, in which each image has the same say."""
    planes = np.concatenate([part.planes for part in parts], axis=1)
    if len(parts) == 1:
        return replace(parts[0], planes=planes)
    if all(part.weights is None for part in parts):
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
    strip = values.reshape(*[1] * (image.ndim - 1), *values.shape)
    line = replace(image, pixels=strip, valid=None, spacing=None)
    return Sample(recipe.planes(line, tuple(slice(0, n) for n in line.shape)), counts.astype(np.float64))


def _distinct_values(image: Image, index: tuple[Array, ...]) -> tuple[Array, Array] | None:
    """Distinct values of all valid pixels, (n, channels), and their numbers (n,); None where they are many.

    `index` is a sample of the pixels, which tells whether it is worth the while.
    """
    depth = image.pixels.dtype.itemsize * 8
    bits = depth * image.n_channels
    if image.pixels.dtype.kind != "u" or bits > 64:
        return None
    shifts = np.arange(image.n_channels, dtype=np.uint64) * np.uint64(depth)

    def codes(pixels: Array) -> Array:
        flat = pixels.reshape(-1, image.n_channels)
        if image.n_channels == 1:
            return np.asarray(flat[:, 0])
        whole: Array = np.zeros(len(flat), np.uint32 if bits <= 32 else np.uint64)
        for channel, shift in zip(flat.T, shifts.astype(whole.dtype), strict=True):
            whole |= channel.astype(whole.dtype) << shift
        return whole

    n = len(index[0])
    if bits > 16 and len(np.unique(codes(image.pixels[index]))) > _FEW * n:
        return None
    pixels = image.pixels.reshape(-1, image.n_channels)
    valid = None if image.valid is None else image.valid.reshape(-1)
    found: Array = np.zeros(0, np.uint64)
    numbers: Array = np.zeros(0, np.int64)
    if bits <= 16:
        numbers = np.zeros(1 << bits, np.int64)
    for start in range(0, len(pixels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        some = codes(pixels[part] if valid is None else pixels[part][valid[part]])
        if bits <= 16:
            numbers += np.bincount(some, minlength=1 << bits)
            continue
        fresh, number = np.unique(some, return_counts=True)
        found, place = np.unique(np.concatenate([found, fresh.astype(np.uint64)]), return_inverse=True)
        numbers = np.bincount(place, np.concatenate([numbers, number])).astype(np.int64)
    if bits <= 16:
        found = np.flatnonzero(numbers)
        numbers = numbers[found]
    values = (found.astype(np.uint64)[:, None] >> shifts) & np.uint64((1 << depth) - 1)
    return values.astype(image.pixels.dtype), numbers


def _with_scribbles(
    image: Image, guidance: Guidance, index: tuple[Array, ...], rng: np.random.Generator
) -> tuple[Array, ...]:
    """Add pixels of every scribble to the sample, about as many of each class."""
    if guidance.scribbles is None:
        return index
    strokes = guidance.scribbles.reshape(-1)
    drawn = np.flatnonzero(strokes if image.valid is None else strokes * image.valid.reshape(-1))
    kinds = np.unique(strokes[drawn])
    most = max(64, len(index[0]) // (4 * max(1, len(kinds))))
    parts = [np.ravel_multi_index(index, image.shape)]
    for kind in kinds:
        own = drawn[strokes[drawn] == kind]
        parts.append(own if len(own) <= most else np.sort(rng.choice(own, most, replace=False)))
    return np.unravel_index(np.unique(np.concatenate(parts)), image.shape)


def location_and_scale(planes: Array, groups: tuple[int, ...], weights: Array | None = None) -> tuple[Array, Array]:
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
                known = ~np.isnan(planes[row])
                values, mass = planes[row][known], None if weights is None else weights[known]
                if values.size:
                    low, center[row], high = _quarters(values, mass)
                    spread = max(spread, float(high - low) / 1.349)
                    if spread == 0:
                        mean = np.average(values.astype(np.float64), weights=mass)
                        deviation = max(deviation, float(np.sqrt(np.average((values - mean) ** 2, weights=mass))))
            spread = spread if spread > 0 else deviation
            scale[rows] = spread if spread > 0 else 1.0
    return center, scale


def _quarters(values: Array, weights: Array | None) -> Array:
    """The three quartiles of values of which each counts as often as its weight says."""
    if weights is None:
        n = len(values)
        quarters = [n // 4, n // 2, 3 * n // 4]
        return np.asarray(np.partition(values, quarters)[quarters])
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    places = np.searchsorted(cumulated, cumulated[-1] * np.array([0.25, 0.5, 0.75]), side="right")
    return np.asarray(values[order[places.clip(max=len(values) - 1)]])


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
