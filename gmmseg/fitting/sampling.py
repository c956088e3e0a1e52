"""The pixels that a fit sees: a stratified random sample, or all of them where they are few enough values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ParameterError
from gmmseg.features import Recipe
from gmmseg.fitting.patches import Layout, Patches
from gmmseg.image import Image
from gmmseg.spatial.guidance import Guidance

__all__ = ["Sample", "blur_position", "contrast", "join_samples", "location_and_scale", "sample_pixels", "take_sample"]

Array = NDArray[Any]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1
_FEW = 0.3  # a sample with more distinct values a pixel than this stands for too many values to count them all
_AT_ONCE = 1 << 20  # pixels whose values are counted together
_ENOUGH = 0.9  # of the pixels that were asked for
_PLACES = 4096  # pixels around which patches may lie
_PAIRS = 8192  # pixels that are compared with their neighbours
_MOST_LOOKS = 64  # pixels looked at for one that is asked for


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


def sample_pixels(image: Image, count: int | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Choose about `count` valid pixels, one at random in each of runs of equal length; all if None or fewer.

    Where many pixels are not valid, more runs are taken in a second look, up to 64 times as many.

    Returns
    -------
    flat : ndarray of int, shape (n,)
        Indices into the flattened spatial axes, ascending.
    values : ndarray, shape (n, n_channels)
    """
    flat, values, _ = _look_at(image, count, rng, np.zeros(0, np.intp))
    return flat, values


def _look_at(
    image: Image, count: int | None, rng: np.random.Generator, more: Array
) -> tuple[Array, Array, tuple[Array, Array | None]]:
    """Sample pixels as `sample_pixels` does, and take `more` of them, valid or not, in the same pass."""
    n = image.n_pixels
    wanted = n if count is None else min(count, n)
    flat = _one_in_each_run(n, wanted, rng)
    values, valid = image.take(np.concatenate([flat, more]) if more.size else flat)
    others = values[len(flat) :], None if valid is None else valid[len(flat) :]
    values, valid = values[: len(flat)], None if valid is None else valid[: len(flat)]
    kept = len(flat) if valid is None else int(np.count_nonzero(valid))
    if wanted < n and kept < _ENOUGH * wanted:
        wanted = min(n, _MOST_LOOKS * wanted, -(-wanted * wanted // max(kept, 1)))
        flat = _one_in_each_run(n, wanted, rng)
        values, valid = image.take(flat)
    return (flat, values, others) if valid is None else (flat[valid], values[valid], others)


def _cut(there: tuple[Array, Array | None], n: int) -> tuple[Array, Array | None, Array, Array | None]:
    """Values and validity of the first n pixels, and of the others."""
    values, valid = there
    return values[:n], None if valid is None else valid[:n], values[n:], None if valid is None else valid[n:]


def _places(image: Image) -> Array:
    """Flat indices of pixels that patches may lie around, valid or not."""
    return _one_in_each_run(image.n_pixels, _PLACES, np.random.default_rng(0))


def _one_in_each_run(n: int, count: int, rng: np.random.Generator) -> Array:
    if count >= n:
        return np.arange(n)
    edges = np.arange(count + 1) * n // count
    return np.asarray(edges[:-1] + (rng.random(count) * np.diff(edges)).astype(np.int64))


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
    pairs, usable = (np.zeros(0, np.intp), None) if image.in_memory else _pairs(image, _PAIRS)
    layout = Layout.around(image.shape, _places(image), patches, k) if patches else None
    flat, values, there = _look_at(image, count, rng, pairs if layout is None else np.append(pairs, layout.flat))
    pair_values, pair_valid, patch_values, patch_valid = _cut(there, len(pairs))
    variation = None if usable is None else _variation(image, recipe.pointwise, pairs, usable, pair_values, pair_valid)
    around, on_valid = None, False
    if layout is not None:
        if patch_valid is not None and np.count_nonzero(patch_valid) < _ENOUGH * len(patch_valid):
            layout, on_valid = Layout.around(image.shape, flat, patches, k), image.n_pixels > len(layout.flat)
            patch_values, patch_valid = image.take(layout.flat)
        log_prior = None if guidance is None else guidance.log_prior(k, np.unravel_index(layout.flat, image.shape))
        around = layout.filled(patch_values, patch_valid, log_prior, on_valid=on_valid)
    if by_value and guidance is None and recipe.by_value:
        counted = _distinct_values(image, values)
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
    if all(part.weights is None for part in parts) and min(sizes) >= _ENOUGH * max(sizes):
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


def _distinct_values(image: Image, sample: Array) -> tuple[Array, Array] | None:
    """Distinct values of all valid pixels, (n, channels), and their numbers (n,); None where they are many.

    `sample` holds the values of some pixels, which tell whether it is worth the while.
    """
    dtype = image.pixels.dtype
    depth = dtype.itemsize * 8
    bits = depth * image.n_channels
    if dtype.kind != "u" or bits > 64:
        return None
    shifts = np.arange(image.n_channels, dtype=np.uint64) * np.uint64(depth)

    def codes(pixels: Array) -> Array:
        if image.n_channels == 1:
            return np.asarray(pixels[:, 0])
        whole: Array = np.zeros(len(pixels), np.uint32 if bits <= 32 else np.uint64)
        for channel, shift in zip(pixels.T, shifts.astype(whole.dtype), strict=True):
            whole |= channel.astype(whole.dtype) << shift
        return whole

    if bits > 16 and len(np.unique(codes(sample))) > _FEW * len(sample):
        return None
    found: Array = np.zeros(0, np.uint64)
    numbers: Array = np.zeros(1 << bits if bits <= 16 else 0, np.int64)
    for pixels in _valid_pixels(image):
        some = codes(pixels)
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
    return values.astype(dtype), numbers


def _valid_pixels(image: Image) -> Iterator[Array]:
    """All valid pixels, (n, n_channels) at a time."""
    for window in image.windows():
        part = image.crop(window)
        pixels = part.array.reshape(-1, image.n_channels)
        valid = None if part.valid is None else part.valid.reshape(-1)
        for start in range(0, len(pixels), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            yield pixels[some] if valid is None else pixels[some][valid[some]]


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


def contrast(image: Image, recipe: Recipe) -> Array:
    """Mean squared difference (c,), between neighbours along any axis, of features that a pixel's own value decides."""
    recipe = recipe.pointwise  # the rest is smooth, and costs more
    for count in (_PAIRS, _MOST_LOOKS * _PAIRS):
        flat, usable = _pairs(image, count)
        found = _variation(image, recipe, flat, usable, *image.take(flat))
        if found is not None:
            return found
    return np.zeros(recipe.n_guides(image))


def _pairs(image: Image, count: int) -> tuple[Array, Array]:
    """Flat indices ((1 + ndim) n,) of pixels and their next ones along each axis, and which have one (ndim, n)."""
    here = _one_in_each_run(image.n_pixels, count, np.random.default_rng(0))
    steps = np.cumprod((1, *image.shape[:0:-1]))[::-1]
    usable = np.stack(np.unravel_index(here, image.shape)) + 1 < np.array(image.shape)[:, None]
    moved = [here + np.where(inside, step, 0) for inside, step in zip(usable, steps, strict=True)]
    return np.concatenate([here, *moved]), usable


def _variation(
    image: Image, recipe: Recipe, flat: Array, usable: Array, values: Array, valid: Array | None
) -> Array | None:
    """The contrast from pixels of `_pairs`; None where too few of them are valid to tell."""
    n = usable.shape[1]
    if valid is not None:
        first, *others = valid.reshape(-1, n)
        usable = usable & first & np.stack(others)
    number = int(np.count_nonzero(usable))
    if number < min(n, _PAIRS) // 4 and n < min(image.n_pixels, _MOST_LOOKS * _PAIRS):
        return None
    guides = recipe.n_guides(image)
    planes = recipe.planes_of(image, values, flat)[:guides].reshape(guides, 1 + len(usable), n)
    change = np.nan_to_num(planes[:, 1:] - planes[:, :1]).astype(np.float64) ** 2  # what is missing does not differ
    return np.asarray((change * usable).sum(axis=(1, 2), dtype=np.float64) / max(number, 1))
