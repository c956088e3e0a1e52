"""The pixels that a fit sees: a stratified random sample, or all of them where they are few enough values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.errors import warn
from gmmseg.features import Recipe, calm
from gmmseg.features.contrast import NeighbourPairs
from gmmseg.fitting.busiest import busiest_squares
from gmmseg.fitting.counting import (
    LUMA_CHROMA,
    Counts,
    counted_anyway,
    counts_of,
    distinct_values,
    is_luma_chroma,
    merged,
    rounding_of_floats,
    spread_over_intervals,
)
from gmmseg.fitting.one_pass import take_and_look
from gmmseg.fitting.patches import Layout, Patches
from gmmseg.fitting.undeclared_nodata import warn_of_margins
from gmmseg.image import Image
from gmmseg.image.lattice import is_regular
from gmmseg.image.pixels import ENOUGH, Taken, places_alike, sample_and_take, take_each
from gmmseg.io.classes import in_words
from gmmseg.kernels.chance import default_rng
from gmmseg.kernels.intervals import rounding, stepped
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.spatial.guidance import Guidance

__all__ = ["Sample", "SampleRequest", "area_of", "have_rims", "join_samples", "planes_at", "take_sample"]

_POSITION_BLUR = 0.1  # of the longest side, at weight 1
_REPEATING = 16_384  # pixels that tell whether floats repeat
_SLOPES = 4096  # pixels times channels that the slopes of features are taken at
_BOXES = 8  # of a volume in which objects are looked at from side to side
_PLACES = 4096  # pixels around which patches may lie
_FEWEST_ALIKE = (
    4096  # of a quarter of the pixels: as many as asked for would take an icon of 64 x 64 three times as long
)


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
    squares : Patches, optional
        Large ones, of one feature.
    noise : ndarray, shape (d,), or 0
        Variance by which the features are taken to be uncertain, see `take_sample`.
    alike : ndarray, shape (d, m), float32, optional
        Pixels at places that depend neither on chance nor on the size of the image: what a start is looked for in.
    judges : ndarray, shape (d, m), float32, optional
        More such pixels, of a picture of several features, which tell of several starts which is best.
    calm : ndarray, shape (d, m), float32, optional
        Pixels beside the borders of a picture of several features, as `gmmseg.features.calm` has them.
    area : float
        Of the valid pixels, in squares of the image's spacing, or in pixels; 1 unless it was asked for.
    """

    planes: Array
    weights: Array | None = None
    log_prior: Array | None = None
    classes: Array | None = None
    variation: Array | None = None
    patches: Patches | None = None
    squares: Patches | None = None
    noise: Array | float = 0.0
    alike: Array | None = None
    judges: Array | None = None
    calm: Array | None = None
    area: float = 1.0

    def of_all(self, image: Image) -> Array | None:
        """The planes of all pixels of the image, in their order, where the sample is no less."""
        return self.planes if self.weights is None and self.planes.shape[1] == image.n_pixels else None

    @property
    def relative_weights(self) -> Array | None:
        """Weights (n,), float32, of a mean of 1, as EM takes them."""
        return None if self.weights is None else (self.weights / self.weights.mean()).astype(np.float32)


@dataclass(frozen=True, eq=False)
class SampleRequest:
    """Which pixels of an image a fit asks for.

    Parameters
    ----------
    recipe : Recipe
    count : int or None
        Number of pixels; None for all.
    k : int
        Number of classes that they are for.
    by_value : bool
        Take all pixels instead, counted by their values, where the image is of integers with few distinct values.
    patches : int
        Number of images that have the pixels of patches in common; 0 where no patches are asked for.
    squares : int
        About how many pixels in large squares a picture of one feature is asked for, too, or a volume of two classes
        that is no scan.
    alike : int
        About how many pixels at places that are the same in images of any size; fewer of small images.
    judges : int
        How many times as many at more such places.
    calm : int
        About how many pixels beside the borders of a picture of several features; fewer of small images.
    threads : int
    whole : int
        Volumes in memory of at most so many voxels are taken whole, whatever the count.
    fenced : bool
        Whether gross errors are left out of the contrast, see `gmmseg.features.contrast.contrast`.
    unrounded : int
        Integers of a channel of no more different values are classes, and were not rounded.
    """

    recipe: Recipe
    count: int | None
    k: int = 1
    by_value: bool = True
    patches: int = 0
    squares: int = 0
    alike: int = 0
    judges: int = 0
    calm: int = 0
    threads: int = 1
    whole: int = 0
    fenced: bool = False
    unrounded: int = 1


def take_sample(
    image: Image, request: SampleRequest, rng: np.random.Generator, guidance: Guidance | None = None
) -> Sample:
    """Take from an image what a fit sees of it: some pixels, on request with patches of neighbours.

    An image that stays in its file is read once: pixels for the sample, for the patches and for the contrast are asked
    for together. With guidance, pixels whose class is given are added, at most a quarter of the sample.

    Notes
    -----
    Features are uncertain by what rounding to integers took. Position is taken to be uncertain by a tenth of the
    longest side at weight 1, and in inverse proportion to the weight: under a free covariance the scale of a feature
    changes nothing, only what is known less exactly weighs less.
    """
    recipe = request.recipe
    pairs = None if image.in_memory else NeighbourPairs.of(image)  # in memory, looking again costs nothing
    layout = _layout(image, request) if request.patches else None
    rims = request.squares > 0 and have_rims(image, recipe, request.k)
    large = _large_squares(image, request.squares) if rims else None
    asked = [np.zeros(0, np.intp) if each is None else each.flat for each in (pairs, layout, large)]
    whole = is_regular(image) and image.n_pixels <= request.whole
    same_places = min(request.alike, max(_FEWEST_ALIKE, image.n_pixels // 4))
    alike = places_alike(image.shape, 0 if whole else same_places)
    many = request.judges * (
        same_places > _FEWEST_ALIKE and image.ndim == 2 and not whole and len(recipe.groups(image)) > 2
    )
    judges = places_alike(image.shape, same_places * (1 + many))[same_places:]
    # Always the same pixels: what another seed changes shall not be what was looked at.
    count = None if whole else request.count
    counting = request.by_value and guidance is None and recipe.by_value
    seen: Counts | None = None

    def add(part: Counts) -> None:
        nonlocal seen
        seen = part if seen is None else merged([seen, part])

    def counting_too(image: Image, requests: Sequence[Array]) -> list[Taken]:
        return take_and_look(image, requests, counts_of, add)

    take = counting_too if counting and not image.in_memory and counted_anyway(image) else None
    has_borders = request.calm > 0 and count is not None and calm.has_borders(image, recipe)
    beside = places_alike(image.shape, min(request.calm, max(_FEWEST_ALIKE, image.n_pixels // 4)) if has_borders else 0)
    asked += [alike, judges, calm.wanted(image, beside) if has_borders else beside]
    found, (of_pairs, near, wide, same, further, quiet) = sample_and_take(image, count, default_rng(0), asked, take)
    _warn_of_lost_steps(image, found.values)
    warn_of_margins(image, found.values)
    variation = None if pairs is None else pairs.contrast(image, recipe, of_pairs, fenced=request.fenced)
    around = None if layout is None else _patches(image, request, layout, near, found.flat, guidance)
    squares = None if large is None else large.filled(wide.values, wide.valid)
    quiet = calm.calmest(image, beside, quiet).only_valid if has_borders else quiet
    still = recipe.planes_of(image, quiet.values, quiet.flat, threads=request.threads) if len(quiet.flat) else None
    if counting:
        counted = distinct_values(image, found.values, seen)
        if counted is not None:
            own = values_as_sample(image, request, *counted)
            return replace(own, variation=variation, patches=around, squares=squares, calm=still)
    if guidance is not None and guidance.scribbles is not None:
        flat = _with_scribbles(image, guidance, found.flat, rng)
        (found,) = take_each(image, [flat])
    planes = recipe.planes_of(image, found.values, found.flat, threads=request.threads)
    noise = _noise(image, request, found.values)
    if guidance is None:
        sample = Sample(planes, None, None, None, variation, around, squares, noise, calm=still)
        same = same.only_valid
        if whole and request.alike:
            return replace(sample, alike=_evenly(planes, request.alike))
        if len(same.flat):
            sample = replace(sample, alike=planes_at(image, recipe, sample, same, request.threads))
        if len((further := further.only_valid).flat):
            sample = replace(sample, judges=planes_at(image, recipe, sample, further, request.threads))
        return sample
    index = np.unravel_index(found.flat, image.shape)
    prior, classes = guidance.log_prior(request.k, index), guidance.classes(index)
    return Sample(planes, None, prior, classes, variation, around, squares, noise)


def have_rims(image: Image, recipe: Recipe, k: int) -> bool:
    """Whether objects of an image may have rims, which are looked for in large squares: it has one feature."""
    # Of three classes and more of a volume the middle ones may be tissues, which rims of the others are not.
    objects = image.ndim == 2 or (image.ndim == 3 and k == 2 and not image.is_scan)
    return objects and len(recipe.groups(image)) == 1


def _large_squares(image: Image, pixels: int) -> Layout:
    return busiest_squares(image, pixels, _BOXES) if is_regular(image) else Layout.squares(image.shape, pixels)


def planes_at(image: Image, recipe: Recipe, sample: Sample, taken: Taken, threads: int) -> Array:
    """Return the planes of pixels: those of the sample that has them, as that of a small image does."""
    known = sample.of_all(image)
    if known is None:
        return recipe.planes_of(image, taken.values, taken.flat, threads=threads)
    return np.take(known, taken.flat, axis=1)


def _evenly(planes: Array, count: int) -> Array:
    """About `count` of the samples (d, n), evenly from the least to the largest, whatever order they come in; shuffled.

    They are told from each other by the first feature, and by the next ones where that is the same.
    """
    step = max(1, planes.shape[1] // count)
    # One feature is sorted in a thirtieth of the time.
    ordered = np.sort(planes) if len(planes) == 1 else planes[:, np.lexsort(planes[::-1])]
    return np.ascontiguousarray(default_rng(0).permutation(ordered[:, ::step], axis=1))


def area_of(image: Image) -> float:
    """Return the area of the valid pixels, as pixels that are spread evenly tell it."""
    (taken,) = take_each(image, [places_alike(image.shape, _PLACES)])
    share = 1.0 if taken.valid is None else float(taken.valid.mean())
    area = image.n_pixels * share * math.prod(image.spacing or (1.0,))
    if image.place is None:
        return area
    from gmmseg.image.distortion import ground_share  # here, because pictures lie nowhere

    return area * ground_share(image)


def _warn_of_lost_steps(image: Image, values: Array) -> None:
    """Say so where numbers (n, n_channels) differ by less than the steps of float32 around them, as 1e9 and 1e9 + 1."""
    if values.dtype.itemsize < 4 or values.dtype == np.float32:
        return
    for column in values.T:
        known = column if column.dtype.kind != "f" else column[np.abs(column) <= np.finfo(np.float32).max]
        if not len(known):
            continue
        places = [0, len(known) // 4, len(known) // 2, 3 * len(known) // 4, len(known) - 1]
        least, low, middle, high, most = np.partition(known, places)[places].tolist()
        spread = (high - low) or (most - least)
        # What float64 itself rounds is no difference.
        noise = 16 * np.spacing(abs(middle)) if column.dtype.kind == "f" else 0
        if noise < spread < float(np.spacing(np.float32(abs(middle)))):
            warn(
                f"{image.name}: its numbers lie around {middle:.6g} and differ by {spread:.3g}, which float32 does not "
                f"hold; subtract {middle:.6g} from all of them, or multiply them where they are next to 0"
            )
            return


def _noise(image: Image, request: SampleRequest, values: Array) -> Array | float:
    """Variance (d,) by which features of pixels with these values (n, n_channels) are uncertain; 0 where none is.

    Of rounding it is the mean of what the pixels' own channels, each rounded by itself, take by the slopes of the
    features there; and where colours were whole numbers before, as of JPEG, what was taken then.
    """
    recipe = request.recipe
    groups = np.array(recipe.groups(image))
    found = np.where(groups < 0, _POSITION_BLUR**2, 0.0)
    rounded = _rounded(image, values, request.unrounded) if len(values) else None
    if rounded is None:
        return found if found.any() else 0.0
    variances, step, levels = rounded
    every = slice(None, None, -(-len(values) * image.n_channels // _SLOPES))
    stored = image.color and levels.dtype == np.uint8 and is_luma_chroma(levels[every])
    mixing = LUMA_CHROMA.T if stored else np.zeros((0, image.n_channels))
    squares = _squared_slopes(image, recipe, values[every], step, mixing)
    if stored:
        variances = np.append(variances, np.full(3, step**2 / 12))
    found[: squares.shape[1]] += (variances[:, None] * squares).sum(axis=0)
    return found


def _rounded(image: Image, values: Array, k: int) -> tuple[Array, Array | float, Array] | None:
    """What rounding took from each channel (its variance), a step of it, and what was rounded; None where nothing was.

    Colours from 0 to 1 are as uncertain as their copies of 8 bits, which look the same; other floats are so where they
    repeat, as those of a copy of integers do.
    """
    if values.dtype.kind == "f" and not image.color:
        variances = rounding_of_floats(values[:: -(-len(values) // _REPEATING)], k)
        if not variances.any():
            return None
        return variances, np.sqrt(12 * np.where(variances > 0, variances, 1)).astype(values.dtype), values
    if values.dtype.kind not in "fiu":
        return None
    shown = values.dtype.kind == "f"
    step = 1 / 255 if shown else 1
    levels = np.rint(np.nan_to_num(values) / step).astype(np.uint8) if shown else values
    return (kernels.rounding if levels.dtype == np.uint8 else rounding)(levels, k) * step**2, step, levels


def _squared_slopes(image: Image, recipe: Recipe, values: Array, step: Array | float, mixing: Array) -> Array:
    """Mean squared slopes (n_channels + m, d) of features by each channel of values (n, n_channels), and by mixtures.

    Values are moved by a step; `mixing` (m, n_channels) says by how much each mixture changes the channels.
    """
    if values.dtype == np.uint8:
        moved, widths = kernels.stepped(values)
    elif values.dtype.kind == "f":
        moved, widths = stepped(values, step, *((0.0, 1.0) if image.color else (-np.inf, np.inf)))
    else:
        limits = np.iinfo(values.dtype)
        moved, widths = stepped(values, step, limits.min, limits.max)
    n, channels = values.shape
    places = np.zeros(2 * channels * n, np.intp)
    planes = recipe.pointwise.planes_of(image, moved.reshape(-1, channels), places).reshape(-1, 2, channels, n)
    return np.asarray(kernels.squared_slopes(planes, widths, np.ascontiguousarray(mixing)))


def _layout(image: Image, request: SampleRequest) -> Layout:
    """Where patches lie: regularly in a volume, where that costs no further look, or around places anywhere."""
    if is_regular(image):
        return Layout.regular(image.shape, image.valid, request.patches, request.k)
    return Layout.around(image.shape, places_alike(image.shape, _PLACES), request.patches, request.k)


def _patches(
    image: Image, request: SampleRequest, layout: Layout, taken: Taken, sampled: Array, guidance: Guidance | None
) -> Patches:
    """Return patches with their pixels; where many of these hold no data, patches around sampled pixels instead."""
    on_valid = False
    if not is_regular(image) and taken.valid is not None and np.count_nonzero(taken.valid) < ENOUGH * len(taken.valid):
        spread = sampled[places_alike((len(sampled),), _PLACES)] if len(sampled) else sampled
        layout = Layout.around(image.shape, spread, request.patches, request.k)
        on_valid = image.n_pixels > len(layout.flat)
        (taken,) = take_each(image, [layout.flat])
    log_prior = None
    if guidance is not None:
        log_prior = guidance.log_prior(request.k, np.unravel_index(layout.flat, image.shape))
    return layout.filled(taken.values, taken.valid, log_prior, on_valid=on_valid)


def join_samples(parts: Sequence[Sample]) -> Sample:
    """Samples of several images as one, in which each has a say by its area, or the same where all areas are 1."""
    if len(parts) == 1:
        return parts[0]
    planes = np.concatenate([part.planes for part in parts], axis=1)
    alike, quiet = _interleaved([part.alike for part in parts]), _interleaved([part.calm for part in parts])
    noise = np.mean([np.broadcast_to(part.noise, len(planes)) for part in parts], axis=0)
    sizes = [part.planes.shape[1] for part in parts]
    unlike = any(part.area != parts[0].area for part in parts)
    if not unlike and all(part.weights is None for part in parts) and min(sizes) >= ENOUGH * max(sizes):
        return Sample(planes, noise=noise, alike=alike, calm=quiet)
    largest = max(part.area for part in parts) or 1.0
    weights = [
        part.area
        / largest
        * (
            np.full(part.planes.shape[1], 1 / max(1, part.planes.shape[1]))
            if part.weights is None
            else part.weights / max(1.0, part.weights.sum())
        )
        for part in parts
    ]
    return Sample(planes, np.concatenate(weights), noise=noise, alike=None if unlike else alike)


def _interleaved(parts: Sequence[Array | None]) -> Array | None:
    """Planes of several samples, of each of which any first part stands for the whole, as one of which it does."""
    each = [part for part in parts if part is not None]
    if not each:
        return None
    ranks = np.concatenate([np.arange(some.shape[1]) / some.shape[1] for some in each])
    return np.concatenate(each, axis=1)[:, np.argsort(ranks, kind="stable")]


def values_as_sample(image: Image, request: SampleRequest, values: Array, counts: Array) -> Sample:
    """Distinct values (n, channels) as pixels of their own, weighted by how many pixels have them.

    Those of one channel are spread over the intervals that they stand for.
    """
    if image.n_channels == 1:
        spread, counts = spread_over_intervals(values[:, 0], counts)
        values = spread[:, None]
    planes = request.recipe.planes_of(image, values, np.zeros(len(values), np.intp))
    return Sample(planes, counts.astype(np.float64), noise=_noise(image, request, values))


def _with_scribbles(image: Image, guidance: Guidance, flat: Array, rng: np.random.Generator) -> Array:
    """Add pixels of every scribble to the sample, about as many of each class."""
    assert guidance.scribbles is not None
    strokes = guidance.scribbles.reshape(-1)
    drawn = np.flatnonzero(strokes)
    _, valid = image.take(drawn)
    if valid is not None:
        if flat.size:  # else no pixel is valid, which is said of the whole
            _warn_of_unseen(image, guidance, np.setdiff1d(strokes[drawn], strokes[drawn[valid]]).tolist())
        drawn = drawn[valid]
    kinds = np.unique(strokes[drawn])
    most = max(64, len(flat) // (4 * max(1, len(kinds))))
    parts = [flat]
    for kind in kinds:
        own = drawn[strokes[drawn] == kind]
        parts.append(own if len(own) <= most else np.sort(rng.choice(own, most, replace=False)))
    return np.unique(np.concatenate(parts))


def _warn_of_unseen(image: Image, guidance: Guidance, lost: list[int]) -> None:
    """Say which classes have strokes only where there is no data."""
    if lost:
        of = in_words(lost, guidance.names)
        warn(
            f"{image.name}: all strokes of {of} are where there is no data, so nothing says what is of it; draw one "
            "where there is some, or use a smaller k"
        )
