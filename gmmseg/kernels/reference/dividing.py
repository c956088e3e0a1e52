"""Components that are divided in two, one at a time and where that helps most."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.reference.climbing import Components, climb, factors_of, hasten
from gmmseg.kernels.reference.mixture import posterior

__all__ = ["climb_halves", "divide", "divisions"]


def divide(
    planes: Array,
    start: tuple[Array, Array, Array, str],
    k: int,
    ways: tuple[int, bool, float],
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    alone: tuple[int, float, int, int, float],
    rounds: tuple[tuple[int, int], ...],
    threads: int,
) -> Components | None:
    """Return the mixture of k components that dividing one of a mixture's components leads to, again and again.

    The `ways` are those of `divisions`: ranks, whether in scale, and share. Their halves climb alone at first, see
    `climb_halves`, among the first so many samples that see them as far as the mixture says, of which less than such a
    part is none, for so many iterations; the best go on, at most so many for each component and those that gain no less
    than such a part of what the best one does, or all as they were where no halves can climb. Then all components
    climb, with momentum, in `rounds` of so many iterations each, after which so many go on. None where none is left.
    All else is as of `climb`, without weights and for families that share no covariance.
    """
    (few, least, iterations, kept, little), (ranks, in_scale, share), (*own, family) = alone, ways, start
    some = np.ascontiguousarray(planes[:, :few])
    now: Any = own
    while len(now[0]) < k:
        shares = _shares(some, now, family)
        if shares is None:
            return None
        starts: Any = divisions(now[0], now[1], now[2], family, ranks, in_scale, share)
        halves = starts[0], starts[1], starts[2], family
        *climbed, gains = climb_halves(some, shares, halves, (added, noise, limits, threads), least, iterations)
        best = _largest(gains, kept * len(now[0]))
        if len(best):
            best = best[np.append(True, gains[best[1:]] >= little * gains[best[0]])]
            starts = [found.reshape(each.shape)[best] for found, each in zip(climbed, starts, strict=True)]
        for most, left in rounds:
            how = added, noise, limits, threads
            runs = [hasten(planes, None, (*each, family), how, most) for each in zip(*starts, strict=True)]
            best = _largest(np.array([reached for _, reached in runs]), left)
            if not len(best):
                return None
            starts = [np.stack(each) for each in zip(*(runs[row][0] for row in best), strict=True)]
        now = [each[0] for each in starts]
    return now[0], now[1], now[2]


def _largest(values: Array, most: int) -> Array:
    """Which of the numbers are the largest, those that are finite alone, at most so many of them."""
    order = (-values).argsort(kind="stable")
    return np.asarray(order[np.isfinite(values[order])][:most])


def _shares(planes: Array, components: Components, family: str) -> Array | None:
    """The shares (K, n) that components have in samples; None where one is degenerate."""
    (weights, means, _), (factors, bad) = components, factors_of(components, family)
    if bad.any():
        return None
    diagonals = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
    constants = np.log(weights) + np.log(diagonals).sum(axis=1) - 0.5 * len(planes) * np.log(2 * np.pi)
    out = np.empty((len(weights), planes.shape[1]), planes.dtype)
    posterior(planes, Densities(constants, means, factors), out, None, 1)
    return out


def climb_halves(
    planes: Array,
    shares: Array,
    starts: tuple[Array, Array, Array, str],
    how: tuple[Array, Array | None, tuple[float, float, float], int],
    least: float,
    iterations: int,
) -> tuple[Array, Array, Array, Array]:
    """Return mixtures whose last two components have climbed by themselves, and what each gains by it `(m,)`.

    `starts` are those of `divisions`, in its order, of a family that shares no covariance: each component in turn is
    divided in two, which come last. These two climb with momentum, and see the samples as far as the one that was
    divided has a part in them: `shares` `(K, n)`, of the planes' dtype, of which less than `least` is none. They gain
    what they have before their last M step, in nats a sample of all, over one component of those samples' moments; -inf
    where one became lighter than the least weight, or degenerate, and they stay as they were. `how` they climb is told
    as to `climb`: what is added to the variances, what of it is noise, the limits and the threads.
    """
    (added, noise, limits, threads), (*found, family) = how, starts
    weights, means, covariances = (np.array(each) for each in found)
    gains, k = np.full(len(weights), -np.inf), len(shares)

    def begun(row: int, parts: int) -> tuple[Array, Array, Array, str]:
        first = slice(weights.shape[1] - 2, weights.shape[1] - 2 + parts)
        return np.full(parts, 1 / parts), means[row, first], covariances[row, first], family

    for row in range(len(weights)):
        seen = np.flatnonzero(shares[row % k] >= least)
        if not len(seen):
            continue
        some, mass = np.ascontiguousarray(planes[:, seen]), shares[row % k][seen]
        both = 0.0, *limits[1:]
        *_, history, _, _, done, _, _ = climb(some, mass, begun(row, 1), added, noise, both, 2, 0, threads)
        halves, reached = hasten(some, mass, begun(row, 2), how, iterations)
        if done == 2 and np.isfinite(reached):
            gains[row] = (reached - history[-1]) * float(mass.sum(dtype=np.float64)) / planes.shape[1]
            weights[row, -2:] = weights[row, -2:].sum() * halves[0]
            means[row, -2:], covariances[row, -2:] = halves[1:]
    return weights, means, covariances.reshape(len(weights), -1), gains


def divisions(
    weights: Array, means: Array, covariances: Array, family: str, ranks: int, in_scale: bool, share: float
) -> Components:
    """Return weights `(m, K + 1)`, means and covariances of the mixtures in which one component is divided in two.

    They are divided across their longest axis, each in turn, then across the second longest and so on, `ranks` times,
    at a share of their standard deviations there, and then, if `in_scale`, into a narrow and a wide one. The halves
    come last, the one on the side of the feature that is most of the axis at the very end. They keep mean and
    covariance, as far as those of the family do; one common to all components stays, and comes once a mixture.
    """
    k, d = means.shape
    dense = covariances
    if family in ("diag", "spherical"):
        dense = np.broadcast_to(covariances.reshape(k, -1), (k, d))[:, :, None] * np.eye(d)
    lengths, axes = np.linalg.eigh(np.broadcast_to(dense, (k, d, d)))
    axes = np.moveaxis(axes, 2, 0)[: -1 - ranks : -1]
    axes = axes * np.where(np.take_along_axis(axes, np.abs(axes).argmax(axis=2)[..., None], axis=2) < 0, -1, 1)
    steps = share * np.sqrt(np.maximum(lengths.T[: -1 - ranks : -1], 0))[..., None] * axes
    halves = np.concatenate([means - steps, means + steps], axis=1).reshape(ranks, 2, k, d)
    taken = {"full": steps[..., None] * steps[..., None, :], "diag": steps**2, "spherical": (steps**2).mean(axis=2)}
    own = None if family == "tied" else np.repeat((covariances - taken[family])[:, None], 2, axis=1)
    if in_scale:
        halves = np.concatenate([halves, [[means, means]]])
        own = None if own is None else np.concatenate([own, [[0.25 * covariances, 1.75 * covariances]]])
    others = np.array([[*range(row), *range(row + 1, k)] for row in range(k)], np.intp)

    def joined(whole: Array, halves: Array) -> Array:
        out = np.empty((ranks + in_scale, k, k + 1, *whole.shape[1:]))
        out[:, :, : k - 1] = whole[others]
        out[:, :, k - 1 :] = np.swapaxes(halves, 1, 2)
        return out.reshape(-1, *out.shape[2:])

    shares = joined(weights, np.broadcast_to(weights / 2, (1, 2, k)))
    every = np.stack([covariances] * len(shares)) if own is None else joined(covariances, own)
    return shares, joined(means, halves), every
