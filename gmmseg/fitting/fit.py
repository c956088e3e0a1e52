"""Fitting a model: a sample of images, its scaling, how many classes it supports, EM, and the order of the classes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gmmseg.errors import DataWarning, ParameterError
from gmmseg.fitting.hmrf import fit_neighbourhood
from gmmseg.fitting.sampling import Sample
from gmmseg.fitting.survey import NOISE, Survey
from gmmseg.mixture.covariance import family
from gmmseg.mixture.em import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import seed_from_classes, seed_mixture
from gmmseg.model import Model
from gmmseg.spatial.smoothing import TYPICAL

if TYPE_CHECKING:
    from gmmseg.spatial.bias import BiasField

__all__ = ["class_names", "fit_model"]

Array = NDArray[Any]

_TOLERANCE, _MAX_ITERATIONS = 1e-5, 300


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
    if not found.sample.planes.shape[1]:
        warnings.warn(f"{found.image.name}: no pixel is valid; every label is 0", DataWarning, stacklevel=4)
    elif bias_field:
        from gmmseg.fitting.bias_estimation import fit_shading  # here, because most runs have none

        numbered = ordered or found.sample.classes is not None
        shaded = fit_shading(found.scenes[0], mixture, rng, regularization=NOISE, numbered=numbered, threads=threads)
        mixture, shading = shaded.mixture, shaded.shading
        if shading is None:
            message = f"{found.image.name}: no bias field was taken out: {shaded.reason}"
            warnings.warn(message, DataWarning, stacklevel=4)
    if found.scenes and strength != 0 and mixture.n_components > 1:
        mixture, strength = fit_neighbourhood(
            found.scenes, mixture, strength, regularization=NOISE, shading=shading, threads=threads
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
        second = np.ones((k, d)) if rules.diagonal else np.tile(np.eye(d), (k, 1, 1))
        estimate = rules.estimate(np.ones(k), second, np.zeros(d))
        return Mixture(np.full(k, 1 / k), np.zeros((k, d)), estimate, covariance)
    weights = None if found.weights is None else (found.weights / found.weights.mean()).astype(np.float32)
    if found.classes is not None:
        start = seed_from_classes(
            planes, found.classes, k, rng, covariance=covariance, regularization=NOISE, outliers=outliers
        )
    else:
        start = seed_mixture(
            planes,
            k,
            rng,
            covariance=covariance,
            weights=weights,
            noise=NOISE,
            outliers=outliers,
            starts=2 if k <= 6 else None,  # a photograph has more local maxima than most data
            rounds=1,  # pixels are many, even where their values are few
            threads=threads,
        )
    return expectation_maximization(
        planes,
        start,
        weights=weights,
        noise=NOISE,
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
