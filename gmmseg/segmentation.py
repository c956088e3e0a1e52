"""segment(), fit() and apply(): an image becomes planes, a mixture is fitted, every pixel gets its class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import io, kernels
from gmmseg.errors import DataWarning, ParameterError
from gmmseg.features import Recipe
from gmmseg.image import Image
from gmmseg.mixture.covariance import family
from gmmseg.mixture.fitting import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_mixture
from gmmseg.model import Model
from gmmseg.sampling import contrast, sample_planes
from gmmseg.spatial.smoothing import HALO, Smoothing, strength_of
from gmmseg.tiles import Tile, tile_sides, tiles

__all__ = ["ClassSummary", "Segmentation", "apply", "fit", "segment"]

Array = NDArray[Any]
Progress = Callable[[int, int], None]
Source = Any  # a path, an array or an Image

MOST_CLASSES = 255
_REGULARIZATION = 1e-4  # in scaled units: about the variance that rounding to 8 bits leaves
_TOLERANCE, _MAX_ITERATIONS = 1e-4, 300
_TILE_BYTES = 8 << 20  # working memory of one tile: larger ones leave the cache, smaller ones are mostly halo


def segment(
    image: Source,
    k: int = 4,
    *,
    features: str | None = None,
    covariance: str = "full",
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float = True,
    sample: int | None = 100_000,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one image into k classes.

    Parameters
    ----------
    image : path, array_like or Image
        2-D arrays are one channel, 3-D ones with a last axis of 3 or 4 are colour; anything else needs `channel_axis`.
    k : int, 1 to 255
        Number of classes.
    features : str, optional
        Such as "lab,xy", "lab,xy:0.5", "rgb", "intensity" or "bands"; by default what suits the image.
    covariance : {"full", "tied", "diag", "spherical"}
    mask : array_like, shape (*spatial), optional
        Non-zero where pixels are used.
    channel_axis : int, None or "auto"
        Axis of the channels; None for a volume.
    smooth : bool or float, 0 to 1
        How much neighbours agree; True is 0.5.
    sample : int, optional
        Pixels that the fit sees; None for every pixel.
    seed : int
        Same seed, same input, same version: same result, for any number of threads.
    threads : int, optional
        All processors by default.
    progress : callable, optional
        Called with the number of tiles done and of all tiles.

    Returns
    -------
    Segmentation

    Raises
    ------
    InputError
        The image cannot be read.
    ParameterError
        A parameter has an unusable value.

    Warns
    -----
    DataWarning
        The image has fewer distinct colours than k, or no valid pixel; fewer classes were fitted.

    Notes
    -----
    Time and memory grow with the pixels, and only images and results are held whole: posteriors live in tiles.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[:, 4:] = 200
    >>> segment(image, k=2).labels[0]
    array([1, 1, 1, 1, 2, 2, 2, 2], dtype=uint8)
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis)
    model = fit(
        opened, k, features=features, covariance=covariance, smooth=smooth, sample=sample, seed=seed, threads=threads
    )
    return apply(model, opened, threads=threads, progress=progress)


def fit(
    images: Source | Iterable[Source],
    k: int = 4,
    *,
    features: str | None = None,
    covariance: str = "full",
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float = True,
    sample: int | None = 100_000,
    seed: int = 0,
    threads: int | None = None,
) -> Model:
    """Fit one model to one image or to many of the same kind.

    `images` is a path, an array, an Image, or a list or tuple of these; `sample` pixels are shared out equally among
    them. The other parameters, errors and warnings are those of `segment`.
    """
    k = _checked_integer("k", k, 1, MOST_CLASSES)
    count = None if sample is None else _checked_integer("sample", sample, 1, None)
    rng = np.random.default_rng(_checked_integer("seed", seed, 0, None))
    workers, strength = kernels.thread_count(threads), strength_of(smooth)
    family(covariance)
    recipe = None if features is None else Recipe.parse(features)
    sources = images if isinstance(images, list | tuple) else [images]
    opened = (open_image(source, mask=mask, channel_axis=channel_axis) for source in sources)
    first, recipe, planes = _sample_all(
        opened, recipe, None if count is None else -(-count // max(1, len(sources))), rng
    )
    groups = recipe.groups(first)
    k = _supported_classes(planes, groups, k, first.name)
    center, scale = _location_and_scale(planes, groups)
    planes -= center.astype(np.float32)[:, None]
    planes /= scale.astype(np.float32)[:, None]
    mixture = _fit_mixture(planes, k, covariance, rng, workers)
    return Model(
        recipe,
        recipe.names(first),
        groups,
        center,
        scale,
        mixture.select(np.argsort(mixture.means[:, 0], kind="stable")),
        tuple(f"class {i + 1}" for i in range(mixture.n_components)),
        strength,
        first.n_channels,
        first.color,
    )


def apply(
    model: Model,
    image: Source,
    *,
    mask: Any = None,
    channel_axis: Any = "auto",
    smooth: bool | float | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Segmentation:
    """Segment an image with a model fitted before: the same classes, the same numbers.

    `smooth` is the model's own where None; the other parameters and errors are those of `segment`.
    """
    opened = open_image(image, mask=mask, channel_axis=channel_axis)
    model.check(opened)
    if smooth is not None:
        model = replace(model, strength=strength_of(smooth))
    labels = np.zeros(opened.shape, np.uint8)
    result = Segmentation(labels, opened, model, kernels.thread_count(threads))
    result._visit(labels=labels, progress=progress)
    return result


def open_image(source: Source, *, mask: Any = None, channel_axis: Any = "auto") -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask (an array, or the path of one)."""
    if isinstance(mask, str | os.PathLike):
        mask = io.read_labels(Path(mask))
    if isinstance(source, Image):
        return source if mask is None else source.with_mask(mask)
    if isinstance(source, str | os.PathLike):
        return io.read(Path(source), mask=mask, channel_axis=channel_axis)
    return Image.from_array(source, channel_axis=channel_axis, mask=mask)


# ---------------------------------------------------------------------------------------------------------------------
# The result
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassSummary:
    """One class of a segmentation.

    Parameters
    ----------
    label : int
        Its number in the label map.
    name : str
    share : float
        Of the valid pixels, 0 to 1.
    color : tuple of int or None
        Mean red, green and blue, 0 to 255; None for images that are not colour.
    means : dict of str to float
        Mean of each feature under the model, in its own unit.
    """

    label: int
    name: str
    share: float
    color: tuple[int, int, int] | None
    means: dict[str, float]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels, and on demand everything else that the mixture says of each pixel.

    Parameters
    ----------
    labels : ndarray of uint8, shape (*spatial)
        Classes 1 to k; 0 = no data or masked out.
    image : Image
    model : Model
    threads : int
        Used for what is computed on demand.
    """

    labels: Array
    image: Image
    model: Model
    threads: int = 1

    @cached_property
    def probabilities(self) -> Array:
        """Smoothed posteriors (k, *spatial), float32, summing to 1; all zero where the label is 0."""
        out = np.zeros((self.model.k, *self.image.shape), np.float32)
        self._visit(probabilities=out)
        return out

    @cached_property
    def uncertainty(self) -> Array:
        """1 - the largest probability (*spatial), float32: 0 where the class is certain, at most 1 - 1/k."""
        certain = self.probabilities.max(axis=0)
        return np.where(self.labels > 0, 1 - certain, np.float32(0))

    @cached_property
    def log_density(self) -> Array:
        """Log density of each pixel's features under the mixture (*spatial), float32, nats; NaN where no data."""
        out = np.full(self.image.shape, np.nan, np.float32)
        self._visit(log_density=out)
        return out

    def mask(self, label: int) -> Array:
        """Return the pixels of one class as a boolean array (*spatial)."""
        _checked_integer("label", label, 0, self.model.k)
        return np.asarray(self.labels == label)

    @cached_property
    def classes(self) -> tuple[ClassSummary, ...]:
        """The classes' names, shares, colours and means."""
        counts = _count_labels(self.labels, self.model.k)
        colors = self._mean_colors()
        return tuple(
            ClassSummary(
                label=i + 1,
                name=name,
                share=float(counts[i + 1] / max(1, counts[1:].sum())),
                color=colors[i],
                means={f: float(m) for f, m in zip(self.model.plane_names, self.model.means[i], strict=True)},
            )
            for i, name in enumerate(self.model.class_names)
        )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the labels; the suffix chooses the format (.png, .tif, .npy, .npz), what located the pixels is kept.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is False, the suffix is not known or the folder cannot be written.
        """
        io.write_labels(Path(path), self.labels, image=self.image, overwrite=overwrite)

    def _mean_colors(self) -> list[tuple[int, int, int] | None]:
        """Mean colour of each class over an even sample of about 100 000 pixels."""
        k = self.model.k
        if not self.image.color:
            return [None] * k
        step = max(1, int((self.image.n_pixels / 100_000) ** (1 / self.image.ndim)))
        every = (slice(step // 2, None, step),) * self.image.ndim
        labels = self.labels[every].ravel()
        pixels = self.image.pixels[every].reshape(-1, 3)
        top = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
        counts = np.maximum(np.bincount(labels, minlength=k + 1), 1)
        sums = np.stack([np.bincount(labels, channel, minlength=k + 1) for channel in pixels.T])
        means = np.rint(np.clip(sums / counts / top, 0, 1) * 255).astype(int)
        return [(int(r), int(g), int(b)) for r, g, b in means.T[1:]]

    def _visit(
        self,
        *,
        labels: Array | None = None,
        probabilities: Array | None = None,
        log_density: Array | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Compute the outputs asked for, tile by tile."""
        image, model = self.image, self.model
        smoothing = None
        if model.strength > 0 and model.k > 1 and log_density is None:
            variation = contrast(image, model.recipe, model.center, model.scale)
            spacing = image.spacing or (1.0,) * image.ndim
            smoothing = Smoothing(model.strength, 0.5 / variation if variation > 0 else 0.0, spacing)
        halo = HALO if smoothing else 0
        floats = 5 * model.k + 4 * len(model.scale) + 2 * 3**image.ndim
        sides = tile_sides(image.shape, _TILE_BYTES // (4 * floats), halo)
        jobs = list(tiles(image.shape, sides, halo))

        def work(tile: Tile) -> None:
            _compute_tile(image, model, smoothing, tile, labels, probabilities, log_density)

        with ThreadPoolExecutor(min(self.threads, len(jobs))) as pool:
            for done, _ in enumerate(pool.map(work, jobs), 1):
                if progress is not None:
                    progress(done, len(jobs))


# ---------------------------------------------------------------------------------------------------------------------
# Steps
# ---------------------------------------------------------------------------------------------------------------------


def _compute_tile(
    image: Image,
    model: Model,
    smoothing: Smoothing | None,
    tile: Tile,
    labels: Array | None,
    probabilities: Array | None,
    log_density: Array | None,
) -> None:
    """Fill one tile's part of the outputs."""
    planes = model.planes(image, tile.outer)
    valid = None if image.valid is None else image.valid[tile.outer]
    label_part = None if labels is None else labels[tile.inner]
    soft_part = None if probabilities is None else probabilities[:, *tile.inner]
    if log_density is not None:
        density = model.mixture.log_density(planes) - np.float32(np.log(model.scale).sum())
        log_density[tile.inner] = density.reshape(tile.shape)
    elif smoothing is not None:
        posterior = model.mixture.posterior(planes).reshape(model.k, *tile.shape)
        guide = planes[model.guide].reshape(-1, *tile.shape)
        smoothing.apply(posterior, guide, valid, tile.local, labels=label_part, probabilities=soft_part)
    else:
        if label_part is not None:
            label_part[...] = model.mixture.labels(planes).reshape(tile.shape)
        if soft_part is not None:
            soft_part[...] = model.mixture.posterior(planes).reshape(model.k, *tile.shape)
    if valid is not None:
        missing = ~valid[tile.local]
        for part, empty in ((label_part, 0), (soft_part, 0)):
            if part is not None:
                part[..., missing] = empty
        if log_density is not None:
            log_density[tile.inner][missing] = np.nan


def _sample_all(
    images: Iterable[Image], recipe: Recipe | None, count: int | None, rng: np.random.Generator
) -> tuple[Image, Recipe, Array]:
    """The first image, the recipe (its default where None), and the planes (d, n) of a sample of every image."""
    first, parts = None, []
    for image in images:
        first = image if first is None else first
        recipe = Recipe.default(image) if recipe is None else recipe
        recipe.check(image)
        if recipe.groups(image) != recipe.groups(first) or image.color != first.color:
            raise ParameterError(f"{image.name} and {first.name} are of different kinds; fit one model to each kind")
        parts.append(sample_planes(image, recipe, count, rng))
    if first is None or recipe is None:
        raise ParameterError("images is empty; give at least one image")
    return first, recipe, np.concatenate(parts, axis=1)


def _fit_mixture(planes: Array, k: int, covariance: str, rng: np.random.Generator, threads: int) -> Mixture:
    d, n = planes.shape
    if n == 0:
        rules = family(covariance)
        second = np.ones((1, d)) if rules.diagonal else np.eye(d)[None]
        return Mixture(np.ones(1), np.zeros((1, d)), rules.estimate(np.ones(1), second, np.zeros(d)), covariance)
    start = seed_mixture(planes, k, rng, covariance=covariance, regularization=_REGULARIZATION, threads=threads)
    return expectation_maximization(
        planes,
        start,
        regularization=_REGULARIZATION,
        tolerance=_TOLERANCE,
        max_iterations=_MAX_ITERATIONS,
        threads=threads,
    ).mixture


def _supported_classes(planes: Array, groups: tuple[int, ...], k: int, name: str) -> int:
    """k, or the number of distinct colours where that is less."""
    colors = planes[[row for row, group in enumerate(groups) if group >= 0]]
    if colors.shape[1] == 0:
        warnings.warn(f"{name}: no pixel is valid; every label is 0", DataWarning, stacklevel=4)
        return 1
    for part in (colors[:, :4096], colors):
        distinct = np.unique(part, axis=1).shape[1]
        if distinct >= k:
            return k
    warnings.warn(
        f"{name}: k={k} classes were asked for, but there are {distinct} distinct colours; k={distinct} was used",
        DataWarning,
        stacklevel=4,
    )
    return int(distinct)


def _location_and_scale(planes: Array, groups: tuple[int, ...]) -> tuple[Array, Array]:
    """Median and quartile-based spread (standard deviation, or 1, where that is 0) of each plane, shared in a group."""
    d, n = planes.shape
    center, scale = np.zeros(d), np.ones(d)
    for group in set(groups):
        rows = [row for row, g in enumerate(groups) if g == group]
        if group < 0:
            scale[rows] = 1 / np.sqrt(12)  # a position spread evenly over a side of length 1, at weight 1
        elif n:
            low, center[rows], high = np.percentile(planes[rows], [25, 50, 75], axis=1)
            spread = ((high - low) / 1.349).max()
            spread = spread if spread > 0 else planes[rows].std(axis=1, dtype=np.float64).max()
            scale[rows] = spread if spread > 0 else 1.0
    return center, scale


def _count_labels(labels: Array, k: int) -> Array:
    """Pixels of each label 0 to k."""
    flat = labels.reshape(-1)
    if k <= 8:  # comparisons run at the speed of memory, bincount converts to 64 bits first
        counts = [int(np.count_nonzero(flat == label)) for label in range(1, k + 1)]
        return np.array([flat.size - sum(counts), *counts])
    step = 1 << 20
    parts = [np.bincount(flat[i : i + step], minlength=k + 1) for i in range(0, flat.size, step)]
    return np.asarray(np.sum(parts, axis=0))


def _checked_integer(name: str, value: Any, low: int, high: int | None) -> int:
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if isinstance(value, bool) or number != value or number < low or (high is not None and number > high):
        raise ParameterError(f"{name}={value!r} is not usable; use {wanted}")
    return number
