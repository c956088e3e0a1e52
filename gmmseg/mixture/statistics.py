"""Additive sufficient statistics: all that an M step needs to know of the samples.

Sums are taken about an origin for each component, its mean at the time, so that nothing cancels. Statistics of two sets
of samples under one mixture add up to those of both sets, whoever took them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.mixture.covariance import family
from gmmseg.mixture.parameters import Mixture

__all__ = ["Statistics", "m_step", "measure"]

Array = NDArray[Any]


_lower_triangle = cache(np.tril_indices)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over samples of responsibility times powers of (sample - origin), for K components of d features.

    Parameters
    ----------
    origins : ndarray, shape (K, d)
    counts : ndarray, shape (K,)
        Sum of the responsibilities.
    first : ndarray, shape (K, d)
    second : ndarray, shape (K, d, d), or (K, d) for diagonal covariances
    log_likelihood : float
        Of all samples together, in nats, under the mixture that gave the responsibilities.
    weight : float
        Sum of the samples' weights.
    """

    origins: Array
    counts: Array
    first: Array
    second: Array
    log_likelihood: float
    weight: float

    def __add__(self, other: Statistics) -> Statistics:
        """Statistics of both sets of samples; both must have been taken under the same mixture."""
        if not np.array_equal(self.origins, other.origins):
            raise ValueError("statistics taken under different mixtures cannot be added")
        return Statistics(
            self.origins,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.log_likelihood + other.log_likelihood,
            self.weight + other.weight,
        )


def measure(
    planes: Array,
    mixture: Mixture,
    weights: Array | None = None,
    *,
    noise: Array | None = None,
    threads: int = 1,
) -> Statistics:
    """Take the statistics of samples under a mixture: the E step, with nothing kept of size n.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
    mixture : Mixture
    weights : ndarray, shape (n,), of the planes' dtype, optional
        Not negative; one each where None.
    noise : ndarray, shape (d,), optional
        Variance of uncertainty in the samples: densities are then expected logarithms over it.
    threads : int
        Changes the time, never the result.
    """
    constants, means, factors = mixture.arguments
    if noise is not None:
        constants = constants - mixture.blur(noise)
    sums, log_likelihood = kernels.statistics(planes, weights, constants, means, factors, threads)
    k, d = mixture.means.shape
    origins = mixture.means.astype(planes.dtype).astype(np.float64)
    second = sums[:, 1 + d :]
    if mixture.factors.ndim == 3:
        rows, columns = _lower_triangle(d)
        square = np.empty((k, d, d))
        square[:, rows, columns] = second
        square[:, columns, rows] = second
        second = square
    weight = float(planes.shape[1]) if weights is None else float(weights.sum(dtype=np.float64))
    return Statistics(origins, sums[:, 0], sums[:, 1 : 1 + d], second, log_likelihood, weight)


def m_step(statistics: Statistics, covariance: str, regularization: Array) -> Mixture:
    """Return the mixture of highest likelihood given the responsibilities (Dempster, Laird and Rubin 1977).

    `regularization` (d,) is added to the variances. A component with no samples keeps its origin as its mean.
    """
    counts = statistics.counts + 10 * np.finfo(np.float64).eps
    offsets = statistics.first / counts[:, None]
    if statistics.second.ndim == 3:
        second = statistics.second / counts[:, None, None] - offsets[:, :, None] * offsets[:, None, :]
    else:
        second = statistics.second / counts[:, None] - offsets**2
    covariances = family(covariance).estimate(counts, second, regularization)
    return Mixture(counts / counts.sum(), statistics.origins + offsets, covariances, covariance)
