"""How unusual a sample is under a mixture: the tail probability of its distance from the components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.mixture.patterns import Arguments, patterns

__all__ = ["p_values"]

Array = NDArray[Any]


def p_values(planes: Array, arguments: Arguments, *, threads: int = 1) -> Array:
    """Probability that a sample of its component lies as far from the mean as this one, or farther.

    The components' tail probabilities are averaged by the sample's posteriors. For samples of a Gaussian mixture the
    result is about evenly spread from 0 to 1, exactly so where the components do not overlap.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        NaN is a feature that is not known.
    arguments : callable
        Gives the mixture of some features, None for all, as the kernels take it.
    threads : int

    Returns
    -------
    ndarray, shape (n,)
        Of the planes' dtype; NaN for samples without any feature.

    Notes
    -----
    The squared Mahalanobis distance of a Gaussian sample of d features follows the chi-square distribution of d degrees
    of freedom. Student-t components are taken by it too, as Gaussian cores: what their tails were given for is unusual.
    """
    out = np.full(planes.shape[1], np.nan, planes.dtype)
    for observed, index in patterns(planes):
        part = np.ascontiguousarray((planes if observed is None else planes[observed])[:, index])
        out[index] = _of_part(part, arguments(observed), threads)
    return out


def _of_part(planes: Array, densities: kernels.Densities, threads: int) -> Array:
    from scipy.special import chdtrc

    d, n = planes.shape
    soft, distance = np.empty((len(densities.means), n), planes.dtype), np.empty(n, planes.dtype)
    kernels.posterior(planes, densities, soft, None, threads)
    result = np.zeros(n)
    for share, mean, factor in zip(soft, densities.means, densities.factors, strict=True):
        alone = kernels.Densities(np.zeros(1), mean[None], factor[None])
        kernels.posterior(planes, alone, None, distance, threads)
        squared = -2 * distance.astype(np.float64)  # the log density of a component without normaliser
        result += share * chdtrc(d, squared)
    return result.clip(0, 1).astype(planes.dtype)
