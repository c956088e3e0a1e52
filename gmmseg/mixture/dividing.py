"""A start without luck: from one component on, the division that helps most, until there are as many as asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.mixture.em import Iteration, Starts, short_runs
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import split_in_scale, splits_lengthwise
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples

__all__ = ["divide"]

Array = NDArray[Any]

# Rounds of trials: the part of the samples they see, how many more iterations each gets, and how many go on.
_ROUNDS = (4, 15, 4), (1, 10, 2), (1, 20, 1)
_FEWEST_SAMPLES = 4096
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
    mixture = from_labels(complete, np.zeros(planes.shape[1], np.intp), 1, covariance, weights, added)
    parts = {share: SortedSamples.of(*_first(planes, weights, share)) for share, _, _ in _ROUNDS}
    while mixture.n_components < k:
        best = _divided(mixture)
        for share, iterations, kept in _ROUNDS:
            runs, reached = short_runs(parts[share], best, iteration._replace(max_iterations=iterations))
            order = np.argsort(-reached, kind="stable")[:kept]
            best = runs.select(order[np.isfinite(reached[order])])
            if not len(best.weights):
                return None
        mixture = best.mixture(0)
    return mixture


def _first(planes: Array, weights: Array | None, share: int) -> tuple[Array, Array | None]:
    """The first of so many equal parts of the samples, or more where these are few."""
    some = slice(max(-(-planes.shape[1] // share), _FEWEST_SAMPLES))
    return np.ascontiguousarray(planes[:, some]), None if weights is None else weights[some]


def _divided(mixture: Mixture) -> Starts:
    """The mixtures in which one of the components is divided in two."""
    k, d = mixture.means.shape
    axes = min(d, max(_FEWEST_AXES, min(d - 2, _MOST_AXES)))
    ways = splits_lengthwise(mixture, axes, scaled=True)
    ways += [split_in_scale(mixture)] * (d < _FEWEST_AXES)
    # Of each the other components, then the two halves.
    others = np.array([[*range(row), *range(row + 1, k)] for row in range(k)], np.intp)
    halves = np.arange(k)[:, None] + [0, k]

    def joined(whole: Array, divided: Sequence[Array]) -> Array:
        return np.concatenate([np.concatenate([whole[others], each[halves]], axis=1) for each in divided])

    shared = mixture.family.shared
    covariances = [each.covariances for each in ways]
    return Starts(
        joined(mixture.weights, [each.weights for each in ways]),
        joined(mixture.means, [each.means for each in ways]),
        np.stack([mixture.covariances] * k * len(ways)) if shared else joined(mixture.covariances, covariances),
        mixture.covariance,
    )
