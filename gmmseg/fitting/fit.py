"""Fitting a model: a sample of images, its scaling, how many classes it supports, EM, and the order of the classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gmmseg.errors import DataWarning, ParameterError
from gmmseg.features import Recipe
from gmmseg.fitting.hmrf import fit_neighbourhood
from gmmseg.fitting.sampling import Sample, blur_position, contrast, join_samples, location_and_scale, take_sample
from gmmseg.fitting.scene import Scene
from gmmseg.image import Image
from gmmseg.mixture.covariance import family
from gmmseg.mixture.em import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_from_classes, seed_mixture
from gmmseg.model import Model
from gmmseg.spatial.guidance import Guidance
from gmmseg.spatial.smoothing import TYPICAL

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Choice
    from gmmseg.spatial.bias import BiasField

__all__ = ["Survey", "class_names", "fit_model", "survey"]

Array = NDArray[Any]

_NOISE = 1e-4  # variance, in scaled units: about what rounding to 8 bits leaves
_TOLERANCE, _MAX_ITERATIONS = 1e-5, 300


class Survey(NamedTuple):
    """What is known of images before classes are fitted: their kind, and a scaled sample of them.

    Parameters
    ----------
    image : Image
        The first one; the others are of its kind.
    n_images : int
    recipe : Recipe
    sample : Sample
        Its planes are centred and scaled.
    center, scale : ndarray, shape (d,)
    scenes : tuple of Scene
        Of each image, where patches were asked for.
    """

    image: Image
    n_images: int
    recipe: Recipe
    sample: Sample
    center: Array
    scale: Array
    scenes: tuple[Scene, ...] = ()

    @property
    def groups(self) -> tuple[int, ...]:
        """For each plane the number of the group that shares one scale with it; -1 for position."""
        return self.recipe.groups(self.image)

    def choose(
        self, max_k: int, families: Sequence[str], rng: Generator, threads: int, *, criterion: str = "icl"
    ) -> Choice:
        """Choose how many classes, 1 to max_k, and of which family."""
        from gmmseg.fitting.choosing_k import choose_classes  # here, because most runs never choose

        return choose_classes(
            self.image,
            self.recipe,
            self.sample.planes,
            self.center,
            self.scale,
            rng,
            max_k=max_k,
            families=families,
            criterion=criterion,
            n_images=self.n_images,
            noise=_NOISE,
            threads=threads,
        )

    def supported(self, k: int, *, quiet: bool = False) -> int:
        """k, or the number of distinct colours where that is less."""
        colors = self.sample.planes[[row for row, group in enumerate(self.groups) if group >= 0]]
        if colors.shape[1] == 0:
            warnings.warn(f"{self.image.name}: no pixel is valid; every label is 0", DataWarning, stacklevel=4)
            return 1
        colors = np.nan_to_num(colors, nan=np.inf)  # missing once is like missing again
        for part in (colors[:, :1024], colors):
            ordered = part[:, np.lexsort(part)]
            distinct = 1 + int((ordered[:, 1:] != ordered[:, :-1]).any(axis=0).sum())
            if distinct >= k:
                return k
        if quiet:
            return distinct
        found = "only 1 distinct colour" if distinct == 1 else f"only {distinct} distinct colours"
        warnings.warn(
            f"{self.image.name}: k={k} classes were asked for, but the sampled pixels have {found}; "
            f"k={distinct} was used",
            DataWarning,
            stacklevel=4,
        )
        return distinct


def survey(
    images: Iterable[Image],
    recipe: Recipe | None,
    count: int | None,
    rng: Generator,
    *,
    k: int = 1,
    guide: Callable[[Image], Guidance | None] | None = None,
    by_value: bool = True,
    seen: Callable[[Image, Recipe], None] | None = None,
    patches: int = 0,
    threads: int = 1,
) -> Survey:
    """Sample images of one kind, one after the other; of `count` pixels each, all if None.

    Parameters
    ----------
    recipe : Recipe or None
        By default what suits the first image.
    k, guide, by_value
        As of `gmmseg.fitting.sampling.take_sample`; `guide` gives each image's guidance.
    seen : callable, optional
        Called with each image.
    patches : int
        Number of images, where patches of them are taken; 0 where none are.
    threads : int
    """
    first, parts, scenes = None, [], []
    for image in images:
        first = image if first is None else first
        recipe = Recipe.default(image) if recipe is None else recipe
        recipe.check(image)
        if recipe.groups(image) != recipe.groups(first) or image.color != first.color:
            raise ParameterError(f"{image.name} and {first.name} are of different kinds; fit one model to each kind")
        if seen is not None:
            seen(image, recipe)
        guidance = None if guide is None else guide(image)
        found = take_sample(
            image, recipe, count, rng, k=k, guidance=guidance, by_value=by_value, patches=patches, threads=threads
        )
        around, variation = found.patches, found.variation
        if around is not None:
            variation = contrast(image, recipe) if variation is None else variation
            features = recipe.planes_of(image, around.values, around.flat, threads=threads)
            blur_position(features, recipe.n_guides(image), np.random.default_rng(0))
            scenes.append((image if patches == 1 else image.without_pixels(), around, features, variation))
        parts.append(replace(found, variation=variation))
    if first is None or recipe is None:
        raise ParameterError("images is empty; give at least one image")
    sample = join_samples(parts)
    center, scale = location_and_scale(sample.planes, recipe.groups(first), sample.weights)
    sample.planes[...] -= center.astype(np.float32)[:, None]
    sample.planes[...] /= scale.astype(np.float32)[:, None]
    ready = tuple(
        Scene(image, recipe, around, features, center, scale, variation)
        for image, around, features, variation in scenes
    )
    return Survey(first, len(parts), recipe, sample, center, scale, ready)


def fit_model(
    found: Survey,
    k: int,
    rng: Generator,
    *,
    covariance: str,
    outliers: str | None,
    names: Sequence[str],
    strength: float | None,
    ordered: bool,
    bias_field: bool = False,
    threads: int,
) -> tuple[Model, BiasField | None]:
    """Fit a model of k classes to a survey, and on request the bias field of its one image.

    `ordered` where the classes have their numbers already; the strength of the smoothing is estimated where it is None.
    """
    mixture = _fit_mixture(found.sample, k, covariance, outliers, rng, threads)
    shading = None
    if bias_field:
        from gmmseg.fitting.bias_estimation import fit_shading  # here, because most runs have none

        numbered = ordered or found.sample.classes is not None
        shaded = fit_shading(found.scenes[0], mixture, rng, regularization=_NOISE, numbered=numbered, threads=threads)
        if isinstance(shaded, str):
            message = f"{found.image.name}: no bias field was taken out: {shaded}"
            warnings.warn(message, DataWarning, stacklevel=4)
        else:
            mixture, shading = shaded
    if found.scenes and strength != 0 and mixture.n_components > 1:
        mixture, strength = fit_neighbourhood(
            found.scenes, mixture, strength, regularization=_NOISE, shading=shading, threads=threads
        )
    field = None if shading is None else shading.field
    order = _order(mixture, found.sample.classes, fixed=ordered)
    model = Model(
        found.recipe,
        found.recipe.names(found.image),
        found.groups,
        found.center,
        found.scale,
        mixture.select(order),
        tuple(names)[: mixture.n_components],
        TYPICAL if strength is None else strength,
        found.image.n_channels,
        found.image.color,
    )
    return model, field


def _fit_mixture(found: Sample, k: int, covariance: str, outliers: str | None, rng: Generator, threads: int) -> Mixture:
    planes = found.planes
    d, n = planes.shape
    if n == 0:
        rules = family(covariance)
        second = np.ones((1, d)) if rules.diagonal else np.eye(d)[None]
        return Mixture(np.ones(1), np.zeros((1, d)), rules.estimate(np.ones(1), second, np.zeros(d)), covariance)
    weights = None if found.weights is None else (found.weights / found.weights.mean()).astype(np.float32)
    if found.classes is not None:
        start = seed_from_classes(
            planes, found.classes, k, rng, covariance=covariance, regularization=_NOISE, outliers=outliers
        )
    else:
        start = seed_mixture(
            planes,
            k,
            rng,
            covariance=covariance,
            weights=weights,
            noise=_NOISE,
            outliers=outliers,
            starts=2 if k <= 6 else None,  # a photograph has more local maxima than most data
            rounds=1,  # pixels are many, even where their values are few
            threads=threads,
        )
    return expectation_maximization(
        planes,
        start,
        weights=weights,
        noise=_NOISE,
        tolerance=_TOLERANCE,
        max_iterations=_MAX_ITERATIONS,
        threads=threads,
        log_prior=found.log_prior,
    ).mixture


def _order(mixture: Mixture, classes: Array | None, *, fixed: bool) -> Array:
    """Components in the order of their labels: those that were given stay, the rest go up in the first feature."""
    order = np.arange(mixture.n_components)
    if fixed:
        return order
    free = order if classes is None else np.setdiff1d(order, classes.astype(np.intp) - 1)
    order[free] = free[np.argsort(mixture.means[free, 0], kind="stable")]
    return order


def class_names(names: Sequence[str] | None, k: int) -> tuple[str, ...]:
    """Return names of k classes: those given, checked, or numbers."""
    if names is None:
        return tuple(f"class {i + 1}" for i in range(k))
    if isinstance(names, str) or len(names) != k or not all(isinstance(name, str) and name.strip() for name in names):
        raise ParameterError(f"class_names={names!r} are not {k} names; give one a class, in the order of the labels")
    return tuple(name.strip() for name in names)
