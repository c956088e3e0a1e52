"""Splitting and merging components: moves from one local maximum of the likelihood to a better one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.mixture.em import Fit, Iteration, Starts, goes_by_itself, precision_of
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples

__all__ = [
    "APART",
    "Trials",
    "divisions",
    "glance",
    "merge_down",
    "merge_pairs",
    "split_and_merge",
    "split_in_scale",
    "split_lengthwise",
]

APART = 0.8
"""Of halves from their middle, in standard deviations of the whole there."""

_QUARTERED = 8  # up to so many components, trials split each into four: dear, and worth it while they are few
_WORTHWHILE = 5e-4  # least gain of a move, in nats a sample
_PROMISING = 0.01  # gain after which the same move is tried again
_REACH = 0.02  # what a move may be short of after four iterations to be given eight more, in nats a sample
_FIRST, _THEN, _FURTHER = (5, 4), (12, 4), 8  # iterations of parts, and of what they merge to: patient or not


class Trials(NamedTuple):
    """How moves are tried.

    Parameters
    ----------
    patient : bool
        False ends trials that lag behind after four iterations, and moves that gain little: half the time.
    strict : bool
        For few samples, on which EM is slow and may fit by chance: parts that merge to the same wholes again are no
        move, though EM went on meanwhile; a trial ends where mergers leave a component of far too few samples; and
        components are split in four only where samples are enough for these.
    """

    patient: bool = True
    strict: bool = False

    @property
    def steps(self) -> tuple[int, int, int]:
        """Iterations of parts, of what they merge to, and of that where it does not lag behind."""
        return _FIRST[not self.patient], _THEN[not self.patient], _FURTHER

    def passes(self, k: int, halvings: int) -> int:
        """Iterations of one component that a trial of k components, halved so often or once in scale, may take."""
        first, then, further = self.steps
        return k * ((first << max(halvings, 1)) + then + (0 if self.patient else further))


_PLAIN = Trials()


def split_and_merge(
    fit: Fit,
    climb: Callable[[Mixture, int], Fit],
    n: int,
    trials: Trials = _PLAIN,
    *,
    judge: Callable[[Mixture], float] | None = None,
    given: tuple[SortedSamples, Iteration] | None = None,
    afford: Callable[[int, float], bool] = lambda passes, gained: True,
) -> Fit:
    """Improve a fit by splitting all its components, a short EM, and merging down to as many as there were.

    Parameters
    ----------
    fit : Fit
        Of K components.
    climb : callable
        Takes a mixture and a number of iterations and returns the Fit of so many iterations of EM.
    n : int
        Samples that `climb` fits.
    trials : Trials
    judge : callable, optional
        Tells how likely samples are under a mixture, more of them than `climb` fits: what these alone like, such as a
        component for the few that lie far out, is not kept.
    given : tuple of SortedSamples and Iteration, optional
        What `climb` fits, and how: a trial is one call of the kernels then, where these iterate by themselves. That is
        .9 of the time of a fit to few samples.
    afford : callable
        Asked before each trial, how many iterations of one component it may take and what moves have gained so far, in
        nats a sample, whether it is worth that; the first is made anyway.

    Notes
    -----
    Ueda, Nakano, Ghahramani and Hinton (2000) split one component and merge two, chosen by heuristics, at a time. Here
    EM with all of them split shows at once which halves differ, and merging the pairs that cost least, halves or not,
    makes all promising moves together. Splits across the longest axis and into a narrow and a wide component take
    turns; a result is kept where its likelihood is higher and was not bought by a component of very few samples: of
    fewer than three times those that a covariance needs, which for one common covariance is a single one.
    """
    k, d = fit.mixture.means.shape
    needed = 1 if fit.mixture.family.shared else d + 1
    least = min(3 * needed / n, fit.mixture.weights.min())
    most = _QUARTERED if trials.patient else _QUARTERED - 3
    quartered = k <= most and not (trials.strict and n < 4 * k * (d + 1))
    splits = (2 if quartered else 1, 0)  # how often in halves, lengthwise; 0 is once in scale
    given = given if given is not None and goes_by_itself(given[0], fit.mixture) else None
    failures, reached, began = 0, None, fit.history[-1]
    for turn in range(4 + 2 * k):
        if not afford(trials.passes(k, splits[failures]), fit.history[-1] - began) and turn:
            break
        settled, moved = False, None
        if given is not None:
            settled, moved = _attempted(fit, splits[failures], given, least, trials)
        if not settled:
            moved = _moved(fit, splits[failures], climb, least, trials)
        failures += 1
        if moved is not None:
            other, again = moved
            better = other.history[-1] > fit.history[-1] + _WORTHWHILE
            if better and judge is not None:
                reached, now = judge(fit.mixture) if reached is None else reached, judge(other.mixture)
                better = now > reached
                reached = now if better else reached
            if better:
                enough = again or (not trials.patient and other.history[-1] < fit.history[-1] + _PROMISING)
                fit, failures = other, failures if enough else 0
        if failures == len(splits):
            break
    return fit


def _moved(
    fit: Fit, halvings: int, climb: Callable[[Mixture, int], Fit], least: float, trials: Trials
) -> tuple[Fit, bool] | None:
    """What splitting, a short EM and mergers come to, and whether the parts merged to the same wholes again.

    None where a component would have less than the least weight, or halves have no volume.
    """
    k, (first, then, further) = fit.mixture.n_components, trials.steps
    with contextlib.suppress(np.linalg.LinAlgError):
        parts = fit.mixture if halvings else split_in_scale(fit.mixture)
        for _ in range(halvings):
            parts = split_lengthwise(parts)
        merged, into = merge_pairs(climb(parts, first).mixture, k)
        again = trials.strict and _same_as_before(into, k)
        if trials.strict and merged.weights.min() < least / 4:
            return None
        other = climb(merged, then)
        if not (trials.patient or again) and other.history[-1] > fit.history[-1] - _REACH:
            other = climb(other.mixture, further)
        if other.mixture.n_components == k and other.mixture.weights.min() >= least:
            return other, again
    return None


def _attempted(
    fit: Fit, halvings: int, given: tuple[SortedSamples, Iteration], least: float, trials: Trials
) -> tuple[bool, tuple[Fit, bool] | None]:
    """Whether the kernels get by alone, in one call, and what `_moved` returns then."""
    samples, iteration = given
    mixture, (part,) = fit.mixture, samples.parts
    start = mixture.weights, mixture.means, mixture.covariances, mixture.covariance
    limits = iteration.tolerance, precision_of(samples), samples.least
    bounds = least / 4 if trials.strict else 0.0, least, np.inf if trials.patient else fit.history[-1] - _REACH
    how = *iteration.variances(samples.n_features), limits, trials.steps, bounds, trials.strict, iteration.threads
    found = kernels.attempt(part.planes, part.weights, start, halvings, *how)
    if not isinstance(found, tuple):
        return found is None, None
    run, again = found
    return True, (Fit.of_run(run, mixture.covariance), again)


def glance(k: int, few: int, iterations: int, trial: Iteration) -> tuple[Any, Any, Any]:
    """Return what `kernels.begin` asks of EM, and of moves of k components, not patient, among the first samples."""
    halvings = 2 if k <= _QUARTERED - 3 else 1
    looks = iterations, few, trial.max_iterations, halvings, trial.tolerance
    return looks, Trials(patient=False).steps, (_WORTHWHILE, _PROMISING, _REACH)


def split_lengthwise(mixture: Mixture) -> Mixture:
    """Return 2 K components, two for each that together keep its mean and covariance, side by side on its longest axis.

    Axes are long in units of the standard deviations of the whole, so the units of the features do not matter.
    """
    return _of_moments(mixture, *kernels.split(mixture.weights, mixture.means, _second(mixture), APART))


def divisions(mixture: Mixture, ranks: int, *, in_scale: bool) -> Starts:
    """Return the mixtures in which one of the components is divided in two, as `gmmseg.kernels.divisions` does.

    Axes are long in the features' own units: for features that are scaled already.
    """
    family = mixture.covariance
    weights, means, covariances = kernels.divisions(
        mixture.weights, mixture.means, mixture.covariances, family, ranks, in_scale, APART
    )
    return Starts(weights, means, covariances, family)


def split_in_scale(mixture: Mixture) -> Mixture:
    """Return 2 K components, a narrow and a wide one for each, that together keep its mean and covariance."""
    second = _second(mixture)
    return _doubled(mixture, (mixture.means, mixture.means), (0.25 * second, 1.75 * second))


def _doubled(mixture: Mixture, means: tuple[Array, Array], second: tuple[Array, Array]) -> Mixture:
    return _of_moments(mixture, np.tile(mixture.weights / 2, 2), np.concatenate(means), np.concatenate(second))


def _second(mixture: Mixture) -> Array:
    """Second moments of each component about its mean: of diagonal families (K, d), of others (K, d, d)."""
    k, d = mixture.means.shape
    if mixture.family.diagonal:
        return np.ascontiguousarray(np.broadcast_to(mixture.covariances.reshape(k, -1), (k, d)))
    return mixture.family.dense(mixture.covariances, k, d)


def _of_moments(mixture: Mixture, weights: Array, means: Array, second: Array) -> Mixture:
    """The mixture of the same family with such moments of its components."""
    covariances = mixture.family.estimate(weights, second, np.zeros(mixture.n_features))
    return Mixture(weights, means, covariances, mixture.covariance)


def merge_down(mixture: Mixture, k: int) -> Mixture:
    """Merge pairs of components, at each step that of least cost, until k are left.

    Notes
    -----
    The cost is the bound of Runnalls (2007) on the divergence that a merger of moments brings: it needs no samples,
    takes no notice of units, and is 0 for equal components. Volumes are those of the family: of balls, where the
    components are balls. Time O(K**2 d**3).
    """
    return merge_pairs(mixture, k)[0]


def merge_pairs(mixture: Mixture, k: int) -> tuple[Mixture, Array]:
    """What `merge_down` returns, and into which component each one went (K,)."""
    balls = mixture.covariance == "spherical"
    weights, means, second, into = kernels.merge(mixture.weights, mixture.means, _second(mixture), k, balls)
    return _of_moments(mixture, weights / weights.sum(), means, second), np.array(into)


def _same_as_before(into: Array, k: int) -> bool:
    """Whether the parts of k components, in as many runs of all k, were merged to the wholes again."""
    return len(into) % k == 0 and bool((into.reshape(-1, k) == into[:k]).all()) and len(np.unique(into[:k])) == k
