"""Classes of several Gaussians: more components than classes are fitted, and then told which class they are of."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.fitting.options import FitOptions
from gmmseg.fitting.survey import Survey
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.memberships import average, by_examples, by_overlap, moments
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, seed_mixture

__all__ = ["fit_components"]

_SAMPLES = 20_000  # enough for a few dozen components
_ITERATION = Iteration(1e-4, 100)


def fit_components(
    found: Survey, k: int, n_components: int, options: FitOptions, rng: Generator, threads: int = 1
) -> tuple[Mixture, Array]:
    """Fit components to a survey, and return them with their memberships (k, K) in the classes.

    Parameters
    ----------
    found : Survey
        With at least one valid pixel.
    k : int
    n_components : int
        More than k; no more than the sampled pixels have distinct colours.
    options : FitOptions
    rng : numpy.random.Generator
    threads : int

    Raises
    ------
    ParameterError
        There are strokes, but not of every class.

    Notes
    -----
    Where strokes tell the classes, fits of a third, two thirds and all of so many components are averaged: few are seen
    by a stroke each, many follow the borders, and what one fit has cut badly the others have not. Without strokes
    components that overlap are merged, and classes are in the order that is asked for.
    """
    sample = found.sample
    planes, weights = sample.planes, sample.relative_weights
    if planes.shape[1] > _SAMPLES:
        chosen = np.sort(rng.choice(planes.shape[1], _SAMPLES, replace=False))
        planes, weights = np.ascontiguousarray(planes[:, chosen]), None if weights is None else weights[chosen]
    family = options.family_of(found.recipe)

    def fit(number: int) -> Mixture:
        seeding = Seeding(family, noise=found.noise, outliers=options.outliers, rounds=1, threads=threads)
        start = seed_mixture(planes, found.supported(number, quiet=True), rng, seeding, weights=weights)
        iteration = _ITERATION._replace(noise=found.noise, threads=threads)
        return expectation_maximization(planes, start, iteration, weights=weights).mixture

    if sample.classes is None:
        mixture = fit(n_components)
        memberships = by_overlap(mixture.posterior(planes, threads=threads), k, weights)
        return mixture, memberships[options.numbered(moments(mixture, memberships).means[:, 0])]
    assert found.guidance is not None
    without = np.setdiff1d(np.arange(1, k + 1), sample.classes)
    if len(without):
        raise ParameterError(
            f"{found.image.name}: components={options.components} needs scribbles of every class, and class "
            f"{without[0]} has none; draw some, or leave components out"
        )
    mixture = average([fit(max(1, number // 3)) for number in (n_components, 2 * n_components, 3 * n_components)])
    drawn = np.flatnonzero(sample.classes)
    posterior = mixture.posterior(np.ascontiguousarray(sample.planes[:, drawn]), threads=threads)
    return mixture, by_examples(posterior, sample.classes[drawn], mixture.weights, found.guidance.outermost())
