"""Rare classes of an image: told by pixels' values alone, for a class of any extent is made of where pixels lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.em import Fit, expectation_maximization
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.rare import with_rare_classes
from gmmseg.mixture.search import Seeding
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.survey import Survey

__all__ = ["with_rare_values"]

# Of EM, in which it shows whether a class is still rare where its pixels' places count too: as far as a whole fit goes.
_ITERATIONS, _TOLERANCE = 300, 1e-5
_LOOKED_AT = 32_768  # pixels, or values
_LEAST, _MOST = 5e-4, 0.02  # of the pixels: of less, and of more, nobody asks for a class
# How sure it is of its pixels at least, on average: of an object eight deviations away .99; of highlights and shades of
# photographs that fade into another class, and of a photograph's double are others, at most .93.
_APART = 0.97


def with_rare_values(survey: Survey, start: Mixture, seeding: Seeding) -> Mixture:
    """Return a start in which a class is where pixels of an image have values far from all others, if there are such.

    Parameters
    ----------
    survey : Survey
    start : Mixture
        Of the features of its sample.
    seeding : Seeding
        How the start was found.
    """
    planes, weights = survey.sample.planes, survey.sample.relative_weights
    d, n = planes.shape
    rows = np.flatnonzero(np.array(survey.groups) >= 0)
    if not len(rows) or start.n_components < 2:
        return start
    some = slice(None, None, max(1, n // _LOOKED_AT))
    values = np.ascontiguousarray(planes[rows, some])
    own = None if weights is None else np.ascontiguousarray(weights[some])
    of_values = start if len(rows) == d else start.marginal(rows)
    noise = seeding.noise[rows] if isinstance(seeding.noise, np.ndarray) else seeding.noise
    how = seeding._replace(noise=noise)

    def climb(samples: Array | SortedSamples, own: Array | None, mixture: Mixture, iterations: int) -> Fit:
        return expectation_maximization(samples, mixture, how.iteration(iterations), weights=own)

    stand_for = None if survey.sample.weights is None else float(survey.sample.weights.sum())
    found = with_rare_classes(of_values, values, own, climb, least=_LEAST, most=_MOST, n=stand_for)
    if found is of_values or not _is_apart(found, values, own):
        return start
    if len(rows) < d:
        labels, k = found.classify(planes[rows], threads=seeding.threads), start.n_components
        moved = from_labels(fill_in(planes), labels, k, start.covariance, weights, seeding.noise)
        if moved.n_components < k:
            return start
        shares = moved.weights * (1 - start.outlier_weight)
        moved = replace(start, weights=shares, means=moved.means, covariances=moved.covariances)
    else:
        moved = found
    rare = int(found.weights.argmin())
    iteration = seeding.iteration(_ITERATIONS)._replace(tolerance=_TOLERANCE)
    mixture = expectation_maximization(planes, moved, iteration, weights=weights).mixture
    stays = mixture.n_components == start.n_components and mixture.weights[rare] <= _MOST
    return mixture if stays else start


def _is_apart(mixture: Mixture, values: Array, weights: Array | None) -> bool:
    """Whether pixels are either of the rarest class or not."""
    share = mixture.posterior(values)[mixture.weights.argmin()].astype(np.float64)
    mass = share if weights is None else share * weights
    return bool((mass * share).sum() >= _APART * mass.sum())  # no product of BLAS, whose threads would spin
