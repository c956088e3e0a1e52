"""How unusual a sample is under a mixture: the tail probability of its distance from the components."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.mixture.covariance import inverse_of_lower
from gmmseg.mixture.parameters import densities_of
from gmmseg.mixture.patterns import Arguments, patterns

__all__ = ["p_values"]

_DRAWS, _LEAST_DRAWS = 16_384, 1024  # of up to 16 components together
_FAR, _LEAST = 0.01, 1e-12  # tail probability from which on draws are equally many in each tenth of it, and its end


def p_values(planes: Array, arguments: Arguments, *, threads: int = 1) -> Array:
    """Probability that a sample of the mixture lies as far out as this one, or farther.

    How far out a sample lies is the probability that one of its component lies as far from the mean, averaged over the
    components by the sample's posteriors. For samples of the mixture the result is evenly spread from 0 to 1.

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
    of freedom, that of a Student-t sample, divided by d, the F distribution of d and its own degrees of freedom. Where
    components overlap the average follows neither: how it is spread is told by some thousand samples of the mixture,
    the same ones each time, some of them as far out as one in 1e12. They lie in directions that are spread evenly (by
    the additive recurrence of Roberts 2018), which halves the error of random ones.
    """
    out = np.full(planes.shape[1], np.nan, planes.dtype)
    for observed, index in patterns(planes):
        part = np.ascontiguousarray((planes if observed is None else planes[observed])[:, index])
        densities = arguments(observed)
        # Of many features nearly every sample may lack others: few draws for each, whose errors even out.
        draws = _DRAWS if observed is None else max(_DRAWS >> (len(planes) - 1), _LEAST_DRAWS)
        out[index] = _calibrated(_averaged(part, densities, threads), densities, draws).clip(0, 1)
    return out


def _averaged(planes: Array, densities: kernels.Densities, threads: int) -> Array:
    """Tail probabilities of the distances from the components, averaged by the posteriors (n,)."""
    d, n = planes.shape
    soft, distance = np.empty((len(densities.means), n), planes.dtype), np.empty(n, planes.dtype)
    kernels.posterior(planes, densities, soft, None, threads)
    result = np.zeros(n)
    for k, share in enumerate(soft):
        alone = kernels.Densities(np.zeros(1), densities.means[[k]], densities.factors[[k]])
        kernels.posterior(planes, alone, None, distance, threads)
        squared = -2 * distance.astype(np.float64)  # the log density of a component without normaliser
        result += share * _tail(squared, d, None if densities.dof is None else densities.dof[k])
    return np.minimum(result, 1)


def _tail(squared: Array, d: int, dof: float | None) -> Array:
    """Probability of a larger squared Mahalanobis distance."""
    from scipy.special import betainc, chdtrc

    if dof is None:
        return np.asarray(chdtrc(d, squared))
    return np.asarray(betainc(dof / 2, d / 2, dof / (dof + squared)))


def _distance(tail: Array, d: int, dof: float | None) -> Array:
    """Mahalanobis distance that is exceeded with this probability."""
    from scipy.special import betaincinv, chdtri

    if dof is None:
        return np.asarray(np.sqrt(chdtri(d, tail)))
    part = np.maximum(betaincinv(dof / 2, d / 2, tail), np.finfo(np.float64).tiny)
    return np.asarray(np.sqrt(dof * (1 - part) / part))


def _calibrated(averages: Array, densities: kernels.Densities, draws: int) -> Array:
    """Probabilities (n,) that a sample of the mixture has an average as small as each of these, or smaller."""
    if len(densities.means) == 1:
        return averages
    parts = (None if each is None else (each.shape, each.dtype.str, each.tobytes()) for each in densities)
    levels, ratios = _spread(draws, *parts)
    with np.errstate(divide="ignore"):
        logs = np.log(averages)
    return np.asarray(averages * np.exp(np.interp(logs, levels, ratios)))


@lru_cache(maxsize=64)  # asked for by every tile and every frame, of one mixture
def _spread(draws: int, *parts: tuple[tuple[int, ...], str, bytes] | None) -> tuple[Array, Array]:
    """How averages are spread under a mixture of these parts: logarithms of levels, and of what is below over them."""
    arrays: Any = (None if part is None else np.frombuffer(part[2], part[1]).reshape(part[0]) for part in parts)
    densities = kernels.Densities(*arrays)
    m = draws // min(len(densities.means), 16)
    levels = np.concatenate([np.geomspace(_LEAST, _FAR, m // 4, endpoint=False), np.linspace(_FAR, 1, m - m // 4)])
    planes, mass = _drawn(densities, levels)
    place = np.searchsorted(levels, _averaged(planes, densities, 1))
    below = np.cumsum(np.bincount(place, mass, m + 1)[:m])
    reached = below > 0
    # Interpolated is the logarithm of the ratio: 0 where components do not overlap, and a constant far out.
    return np.log(levels[reached]), np.log(below[reached] / levels[reached])


def _even_normals(first: Array, m: int) -> Array:
    """For each first place (k, d) in the unit cube m points (k, d, m) that fill it evenly, as normal deviates."""
    from scipy.special import ndtri

    d, root = first.shape[1], 2.0
    for _ in range(64):  # of x**(d + 1) = x + 1: its powers are the least close to fractions
        root = (1 + root) ** (1 / (d + 1))
    steps = root ** -np.arange(1.0, d + 1)
    places = (first[:, :, None] + steps[:, None] * np.arange(m)) % 1
    return np.asarray(ndtri(places.clip(1e-12, 1 - 1e-12)))


def _drawn(densities: kernels.Densities, levels: Array) -> tuple[Array, Array]:
    """Samples (d, K m) of a mixture and their mass (K m,): of each component one between each two of m tail levels."""
    constants, means, factors, dof, *_ = densities
    k, d = means.shape
    rng = np.random.default_rng(0)
    widths = np.diff(levels, prepend=0)
    tails = levels - rng.random(len(levels)) * widths
    far = [_distance(tails, d, shape) for shape in ([None] if dof is None else dof)]
    white = _even_normals(rng.random((k, d)), len(levels))
    white *= np.stack(far)[:, None] / np.sqrt((white**2).sum(axis=1, keepdims=True))
    offsets = white / factors[:, :, None] if factors.ndim == 2 else inverse_of_lower(factors) @ white
    planes = np.ascontiguousarray(np.moveaxis(offsets + means[:, :, None], 0, 1).reshape(d, -1))
    weights = np.exp(constants - densities_of(np.ones(k), means, factors, dof).log_constants)
    return planes, np.outer(weights / weights.sum(), widths).ravel()
