"""A start without luck: from one component on, the division that helps most, until there are as many as asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import split_in_scale, split_lengthwise
from gmmseg.mixture.parameters import Mixture

__all__ = ["divide"]

Array = NDArray[Any]

_TRIAL_SAMPLES, _TRIAL_ITERATIONS = 4096, 15
_ROUNDS = ((4, 10), (2, 20))  # how many trials go on, for so many iterations on all samples
_FEWEST_AXES, _MOST_AXES = 3, 6  # that components are halved across; all but two of up to 8 features


def divide(
    planes: Array, k: int, covariance: str, iteration: Iteration, *, weights: Array | None = None
) -> Mixture | None:
    """Return a mixture to start EM from, which depends on the samples alone; None where they do not support k.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        Of features in comparable units; any first part stands for the whole. NaN is a feature that is not known.
    k : int
        Components.
    covariance : str
        The covariance family.
    iteration : Iteration
        Its noise, regularization, tolerance and threads.
    weights : ndarray, shape (n,), of the planes' dtype, optional
        Samples' weights.

    Notes
    -----
    Each component is halved in turn across each of its three to six longest axes, and in scale where it has fewer; a
    short EM of the whole tells what that is worth. The best trials go on with more samples, and the best of these
    stays. No random number is drawn: images that hardly differ are divided alike. Time grows with the third power of k.
    """
    complete = fill_in(planes, weights)
    added = iteration.regularization + iteration.noise
    start = from_labels(complete, np.zeros(planes.shape[1], np.intp), 1, covariance, weights, added)
    some = np.ascontiguousarray(planes[:, :_TRIAL_SAMPLES])
    some_weights = None if weights is None else np.ascontiguousarray(weights[:_TRIAL_SAMPLES])
    mixture = start
    while mixture.n_components < k:
        found = list(_fits(_divided(mixture), some, some_weights, iteration, _TRIAL_ITERATIONS))
        for kept, iterations in _ROUNDS:
            best = sorted(found, key=_score, reverse=True)[:kept]
            found = list(_fits((fit.mixture for fit in best), planes, weights, iteration, iterations))
        if not found:
            return None
        mixture = max(found, key=_score).mixture
    return mixture


def _score(fit: Fit) -> float:
    return fit.history[-1]


def _fits(
    starts: Iterator[Mixture], planes: Array, weights: Array | None, iteration: Iteration, iterations: int
) -> Iterator[Fit]:
    """Fit from each start whose components all stay."""
    for start in starts:
        with contextlib.suppress(np.linalg.LinAlgError):  # of halves without volume
            how = iteration._replace(max_iterations=iterations)
            fit = expectation_maximization(planes, start, how, weights=weights)
            if fit.rescued == 0 and fit.mixture.n_components == start.n_components:
                yield fit


def _divided(mixture: Mixture) -> Iterator[Mixture]:
    """The mixtures in which one of the components is divided in two."""
    k, d = mixture.means.shape
    ways: list[Callable[[Mixture], Mixture]] = [
        lambda mixture, rank=rank: split_lengthwise(mixture, rank, scaled=True)  # type: ignore[misc]
        for rank in range(min(d, max(_FEWEST_AXES, min(d - 2, _MOST_AXES))))
    ]
    for way in ways + [split_in_scale] * (d < _FEWEST_AXES):
        halves = way(mixture)
        for row in range(k):
            index = [*range(row), *range(row + 1, k)]
            parts = [(mixture, index), (halves, [row, k + row])]
            yield Mixture(
                np.concatenate([each.weights[rows] for each, rows in parts]),
                np.concatenate([each.means[rows] for each, rows in parts]),
                mixture.covariances
                if mixture.family.shared
                else np.concatenate([each.covariances[rows] for each, rows in parts]),
                mixture.covariance,
            )
