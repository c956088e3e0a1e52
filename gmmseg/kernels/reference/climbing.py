"""Runs of EM without a word of what is out of the ordinary, and moves of components."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.reference.mixture import statistics

__all__ = ["Components", "attempt", "climb", "climb_each", "factors_of", "hasten", "merge", "split"]

Components = tuple[Array, Array, Array]
"""Weights, means, covariances."""

_MOST_PRECISE = 1e15
_FLAT = 1e-14
_TURNS = 20
_MOMENTUM = 0.7
_NONE = 10 * np.finfo(np.float64).eps
_APART, _NARROW, _WIDE = 0.8, 0.25, 1.75  # halves from their middle, and variances of those in scale


def climb(
    planes: Array,
    weights: Array | None,
    start: tuple[Array, Array, Array, str],
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    iterations: int,
    rescues: int,
    threads: int,
) -> tuple[Array, Array, Array, Array | None, list[float], bool, float, int, int, bool]:
    """Return a mixture after iterations of EM, with precision factors, history, and how it went.

    `start` holds weights, means and covariances, float64, and the name of their family; `added` `(d,)` is added to the
    variances, of which `noise` `(d,)`, or None, are uncertainty of the samples. `limits` are the tolerance, the part of
    the objective that is rounding, and the least weight of a sample: EM settles when an iteration gains less than the
    first. Components that become lighter than the last, or degenerate, are each put on one half of the one with the
    most spread samples, so often as `rescues` says; EM stops before a step after which that would be needed once more.
    How it went is whether EM settled, the worst fall, the number of iterations and of rescues, and whether the last
    iteration ended with one; the history is that since the one before.
    """
    *now, family = start
    tolerance, precision, least = limits
    slack = added if noise is None else added - noise
    history: list[float] = []
    factors, bad = factors_of(now, family)
    settled, anew, fall, done, rescued = False, False, 0.0, 0, 0
    while factors is not None and not bad.any() and done < iterations and not settled:
        following, light, value = _passed(planes, weights, (now, factors, family), added, noise, least, threads)
        next_factors, next_bad = factors_of(following, family)
        next_bad = next_bad | light
        whole = not next_bad.any()
        if not whole:
            if next_bad.all() or family == "tied" or rescued >= rescues:
                break
            following = _rescued(following, next_bad)
            next_factors, still = factors_of(following, family)
            if still.any():
                break
        history = [] if anew else history
        anew, rescued, done = not whole, rescued + (not whole), done + 1
        history.append(value)
        gain = history[-1] - history[-2] if len(history) > 1 else np.inf
        rounded = max(1.0, abs(history[-1])) + _terms(now[0], factors, noise)
        explained = precision * rounded + float(now[0] @ _blur(factors, slack))
        fall = max(fall, -gain if -gain > explained else 0.0)
        settled = bool(whole and abs(gain) < tolerance and -gain <= explained)
        now, factors = list(following), next_factors
    return now[0], now[1], now[2], factors, history, settled, fall, done, rescued, anew


def _passed(
    planes: Array,
    weights: Array | None,
    at: tuple[Any, Array, str],
    added: Array,
    noise: Array | None,
    least: float,
    threads: int,
) -> tuple[Components, Array, float]:
    """What an iteration makes of components `at`, with factors and family, which become light, and the objective."""
    now, factors, family = at
    constants = _constants(now[0], factors, noise)
    sums, reached = statistics(planes, weights, Densities(constants, now[1], factors), threads)
    total = float(planes.shape[1] if weights is None else weights.sum(dtype=np.float64))
    following = _step(sums, now[1].astype(planes.dtype).astype(np.float64), family, added)
    return following, sums[:, 0] < 0.999 * least, reached / max(total, np.finfo(float).tiny)


def climb_each(
    planes: Array,
    weights: Array | None,
    starts: tuple[Array, Array, Array, str],
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    iterations: int,
    threads: int,
) -> tuple[Array, Array, Array, Array]:
    """Return the mixtures that EM comes to from several starts, side by side, and the objective of each.

    As `climb`, but weights, means and covariances, of the starts `(m, K, ...)` as of the results, have one more axis in
    front, and the covariances that come back are `(m, -1)`. The objective, `(m,)`, is that before the last M step; of a
    start from which a component became lighter than the least weight, or degenerate, it is -inf.
    """
    *each, family = starts
    found, reached = [], []
    for own in zip(*each, strict=True):
        *components, _, history, settled, _, done, _, _ = climb(
            planes, weights, (*own, family), added, noise, limits, iterations, 0, threads
        )
        found.append(components)
        reached.append(history[-1] if settled or done == iterations else -np.inf)
    shares, means, covariances = (np.stack(values) for values in zip(*found, strict=True))
    return shares, means, covariances.reshape(len(found), -1), np.array(reached)


def hasten(
    planes: Array,
    weights: Array | None,
    start: tuple[Array, Array, Array, str],
    how: tuple[Array, Array | None, tuple[float, float, float], int],
    iterations: int,
) -> tuple[Components, float]:
    """Return what EM with momentum comes to from one start, and the objective, as of `climb_each`.

    What EM comes to is left behind by a part of the way since the iteration before (after Nesterov 1983): seven
    iterations come about as far as fourteen without. Where samples are less likely there, or components too light or
    degenerate, the next iteration starts from what EM came to, and that is what comes back in the end. `how` it
    climbs is told as to `climb`: what is added to the variances, what of it is noise, the limits and the threads.
    """
    (added, noise, (tolerance, _, least), threads), (*own, family) = how, start
    now: Any = own
    (factors, bad), at, before, beyond = factors_of(now, family), now, -np.inf, False
    for _ in range(iterations):
        if bad.any():
            return now, -np.inf
        following, light, value = _passed(planes, weights, (at, factors, family), added, noise, least, threads)
        gain = value - before
        if not beyond or (gain >= 0 and not light.any()):
            if light.any():
                return now, -np.inf
            at = tuple(to + _MOMENTUM * (to - since) for to, since in zip(following, now, strict=True))
            now, before = following, value
            if abs(gain) < tolerance:
                break
            factors, bad = factors_of(at, family)
            beyond = not (bad.any() or (at[0] <= 0).any())
        else:
            beyond = False
        if not beyond:
            at, (factors, bad) = now, factors_of(now, family)
    return now, -np.inf if factors_of(now, family)[1].any() else before


def factors_of(components: Any, family: str) -> tuple[Array, Array]:
    """Return lower precision factors (K, d, d), or diagonals (K, d), and which components (K,) are degenerate."""
    _, means, covariances = components
    k, d = means.shape
    bad = ~np.isfinite(means).all(axis=1)
    if family in ("diag", "spherical"):
        variances = np.broadcast_to(covariances if family == "diag" else covariances[:, None], (k, d))
        usable = np.isfinite(variances) & (variances > 0)
        factors = np.where(usable, 1 / np.sqrt(np.where(usable, variances, 1)), np.inf)
    else:
        factors = np.full((k, d, d), np.inf)
        for factor, covariance in zip(factors, np.broadcast_to(covariances, (k, d, d)), strict=True):
            with contextlib.suppress(np.linalg.LinAlgError):
                inverse = np.tril(np.linalg.solve(np.linalg.cholesky(covariance), np.eye(d)))
                if (inverse**2 * np.diagonal(covariance) < 1 / (_FLAT * d)).all():
                    factor[...] = inverse
    precise = np.abs(factors) < _MOST_PRECISE
    return factors, bad | ~precise.reshape(k, -1).all(axis=1)


def _rescued(components: Components, bad: Array) -> Components:
    """Bad components on one half each of the good one with the most spread samples."""
    weights, means, covariances = (np.array(each) for each in components)
    total, good = weights.sum(), np.flatnonzero(~bad)
    found = [_longest(covariances[c], means.shape[1]) for c in good]
    for c in np.flatnonzero(bad):
        widest = int(np.argmax([weights[g] * length for g, (length, _) in zip(good, found, strict=True)]))
        donor, (length, axis) = good[widest], found[widest]
        weights[c] = weights[donor] = weights[donor] / 2
        step = np.sqrt(max(length, 0.0)) * axis
        means[c], means[donor] = means[donor] + step, means[donor] - step
        covariances[c] = covariances[donor]
    return weights * (total / weights.sum()), means, covariances


def _longest(covariance: Array, d: int) -> tuple[float, Array]:
    """Variance along the longest axis of a component, and that axis (d,)."""
    variances = np.diagonal(covariance) if covariance.ndim == 2 else np.broadcast_to(covariance, d)
    axis = np.eye(d)[int(np.argmax(variances))]
    length = float(variances.max())
    for _ in range(_TURNS if covariance.ndim == 2 else 0):
        turned = covariance @ axis
        length = float(np.linalg.norm(turned))
        if not length > 0:
            break
        axis = turned / length
    return length, axis


def _blur(factors: Array, noise: Array) -> Array:
    return np.asarray(0.5 * ((factors**2 if factors.ndim == 2 else (factors**2).sum(axis=1)) @ noise))


def _constants(weights: Array, factors: Array, noise: Array | None) -> Array:
    """Logarithms of weighted densities at the means, less what noise takes from them."""
    diagonals = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
    constants = np.log(weights) + np.log(diagonals).sum(axis=1) - 0.5 * diagonals.shape[1] * np.log(2 * np.pi)
    return np.asarray(constants if noise is None else constants - _blur(factors, noise))


def _terms(weights: Array, factors: Array, noise: Array | None) -> float:
    """How large the constants are in the mean: what is rounded, and cancels in the objective."""
    some = weights > 0
    return float(weights[some] @ np.abs(_constants(weights[some], factors[some], noise)))


def _step(sums: Array, origins: Array, family: str, added: Array) -> Components:
    k, d = origins.shape
    counts = sums[:, 0] + _NONE
    offsets = sums[:, 1 : 1 + d] / counts[:, None]
    weights, means = counts / counts.sum(), origins + offsets
    if family in ("diag", "spherical"):
        variances = sums[:, 1 + d :] / counts[:, None] - offsets**2 + added
        return weights, means, variances if family == "diag" else variances.mean(axis=1)
    square = np.zeros((k, d, d))
    rows, columns = np.tril_indices(d)
    square[:, rows, columns] = square[:, columns, rows] = sums[:, 1 + d :]
    square = square / counts[:, None, None] - offsets[:, :, None] * offsets[:, None]
    if family == "tied":
        square = np.einsum("k,kij->ij", weights, square)
    return weights, means, square + np.diag(added)


def merge(
    weights: Array, means: Array, second: Array, k: int, spherical: bool
) -> tuple[Array, Array, Array, list[int]]:
    """Return weights, means and second moments of components merged down to k, pair by pair, cheapest first.

    The fourth is a list of K numbers: into which of the k each component went. Costs are those of Runnalls (2007).
    Second moments are `(K, d, d)`, or `(K, d)` for components along the axes, whose volumes are those of balls where
    they are `spherical`.
    """
    weights, means, second = weights.copy(), means.copy(), second.copy()
    d, diagonal = means.shape[1], second.ndim == 2

    def log_volume(moments: Array) -> Array:
        with np.errstate(divide="ignore"):
            if not diagonal:
                return np.asarray(np.linalg.slogdet(moments)[1])
            return np.asarray(d * np.log(moments.mean(axis=1)) if spherical else np.log(moments).sum(axis=1))

    def joined(i: Any, j: Any) -> Components:
        """Weights, means and second moments of the components that mergers of i with j would make."""
        weight = weights[i] + weights[j]
        share = (weights[j] / weight)[:, None]
        step = means[j] - means[i]
        outer = step**2 if diagonal else step[:, :, None] * step[:, None, :]
        part = share if diagonal else share[:, :, None]
        moments = (1 - part) * second[i] + part * second[j] + part * (1 - part) * outer
        return weight, means[i] + share * step, moments

    def price(i: Array, j: Array) -> None:
        weight, _, moments = joined(i, j)
        with np.errstate(invalid="ignore"):  # of components without volume
            value = weight * log_volume(moments) - weights[i] * volumes[i] - weights[j] * volumes[j]
        costs[i, j] = costs[j, i] = np.fmin(value, np.finfo(np.float64).max)  # infinite are those that are gone

    volumes = log_volume(second)
    costs = np.full((len(weights), len(weights)), np.inf)
    price(*np.triu_indices(len(weights), 1))
    left = np.arange(len(weights))
    into = left.copy()
    while len(left) > k:
        i, j = np.divmod(np.argmin(costs), len(costs))
        weights[i], means[i], second[i] = (values[0] for values in joined(np.array([i]), np.array([j])))
        volumes[i] = log_volume(second[[i]])[0]
        costs[j], costs[:, j] = np.inf, np.inf
        left = left[left != j]
        into[into == j] = i
        others = left[left != i]
        price(np.full(len(others), i), others)
    return weights[left], means[left], second[left], np.searchsorted(left, into).tolist()


def split(weights: Array, means: Array, second: Array, share: float) -> Components:
    """Return weights, means and second moments of 2 K components, two for each that together keep its moments.

    They lie to both sides of its mean, along its longest axis, at a share of its standard deviation there; axes are
    long in units of the standard deviations of the whole. The last K are on the side of the feature that is most of the
    axis. Second moments are `(K, d, d)`, or `(K, d)` for components along the axes.
    """
    d, diagonal = means.shape[1], second.ndim == 2
    offsets = means - weights @ means
    variances = weights @ ((second if diagonal else np.diagonal(second, axis1=1, axis2=2)) + offsets**2)
    unit = np.sqrt(np.where(variances > 0, variances, 1))
    if diagonal:
        widest = (second / unit**2).argmax(axis=1)
        steps = np.where(np.arange(d) == widest[:, None], share * np.sqrt(np.maximum(second, 0)), 0)
        halves = second - steps**2
    else:
        lengths, axes = np.linalg.eigh(second / unit[:, None] / unit)
        longest = axes[:, :, -1]
        longest *= np.sign(np.take_along_axis(longest, np.abs(longest).argmax(axis=1)[:, None], axis=1))
        steps = share * np.sqrt(np.maximum(lengths[:, [-1]], 0)) * longest * unit
        halves = second - steps[:, :, None] * steps[:, None, :]
    return np.tile(weights / 2, 2), np.concatenate([means - steps, means + steps]), np.concatenate([halves, halves])


def attempt(
    planes: Array,
    weights: Array | None,
    start: tuple[Array, Array, Array, str],
    halvings: int,
    added: Array,
    noise: Array | None,
    limits: tuple[float, float, float],
    steps: tuple[int, int, int],
    bounds: tuple[float, float, float],
    strict: bool,
    threads: int,
) -> tuple[tuple[Any, ...], bool] | bool | None:
    """Return what a mixture comes to by a trial, and whether its parts were merged to the same wholes again.

    Its components are split lengthwise, so often as `halvings` says, or in scale where that is 0; the parts climb,
    are merged down to as many as there were, and these climb in turn. The first is as of `climb`, as are all arguments
    before and after. The `steps` are the iterations of parts, of wholes, and of wholes that reach more than the last of
    the `bounds`. None where a component weighs less than the first of these after the mergers, or than the second in
    the end; False where a run ended early. Only where `strict` is it told that wholes are the same, and are these not
    given more iterations.
    """
    (first, then, further), (light, least, enough), family = steps, bounds, start[3]

    def climbs(components: Any, iterations: int) -> tuple[tuple[Any, ...], bool]:
        k = len(components[0])
        given = *components[:3], family
        run = climb(planes, weights, given, added, noise, limits, iterations, k, threads)
        return run, run[5] or run[7] == iterations

    parts: Any = start
    for _ in range(max(halvings, 1)):
        shares, means, second = parts[0], parts[1], _second(parts, family)
        if halvings:
            halves = split(shares, means, second, _APART)
        else:
            both = np.concatenate([_NARROW * second, _WIDE * second])
            halves = np.tile(shares / 2, 2), np.tile(means, (2, 1)), both
        parts = _of_moments(*halves, family)
    run, whole = climbs(parts, first)
    if not whole:
        return False
    shares, means, second, into = merge(run[0], run[1], _second(run, family), len(start[0]), family == "spherical")
    merged = _of_moments(shares, means, second, family)
    places = np.reshape(into, (-1, len(start[0])))
    again = strict and bool((places == places[0]).all()) and len(np.unique(places[0])) == len(start[0])
    if merged[0].min() < light:
        return None
    run, whole = climbs(merged, then)
    if whole and not again and run[4][-1] > enough:
        run, whole = climbs(run, further)
    if not whole:
        return False
    return (run, again) if run[0].min() >= least else None


def _second(components: Any, family: str) -> Array:
    """Second moments of each component, (K, d, d), or (K, d) along the axes."""
    _, means, covariances = components[:3]
    if family in ("diag", "spherical"):
        return np.array(np.broadcast_to(covariances.reshape(len(covariances), -1), means.shape))
    return np.array(np.broadcast_to(covariances, (*means.shape, means.shape[1])))


def _of_moments(weights: Array, means: Array, second: Array, family: str) -> Components:
    """Components of a family with such moments."""
    shares = weights / weights.sum()
    if family == "tied":
        second = np.einsum("k,kij->ij", shares, second)
    return shares, means, second.mean(axis=1) if family == "spherical" else second
