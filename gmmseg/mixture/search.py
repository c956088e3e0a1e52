"""The search for a start of EM: k-means++, short runs of Lloyd and EM, and splits and mergers where they help."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.budget import Budget, work_of_pass
from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.kmeans import clustered, from_labels
from gmmseg.mixture.moves import Trials, split_and_merge
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples, has_missing

__all__ = ["NO_DOUBT", "PER_FEATURE", "SUBSET", "Samples", "Search", "Seeding", "doubt"]

SUBSET = 4096
"""Samples to start from."""
PER_FEATURE = 2
"""Samples a component and feature; with fewer, what is likeliest is what fits by chance."""

# Rounds on few samples: of fits of 3 to 5 components to 150 to 569 samples, 1 % instead of 12 % stay more than 0.1 %
# below the likelihood of R's mclust (data: tests/mixture/test_against_mclust.py), for 5 times the time of one round.
_MOST_ROUNDS = 6
# Where EM settles within a first start, or a mixture has more parameters than samples, the likeliest of many maxima is
# one of chance, and a start of scikit-learn's is done in a few milliseconds: rounds may take as long there. The work of
# one is about that of K + 4 components, each with its sums over the samples and what takes as long as so many of these.
# Elsewhere rounds may take three times as long: without a bound fits to samples with long tails take up to 1.4 times as
# long for .001 nats.
_WORK, _MOST_WORK = 540_000, 1_600_000
# What two starts reach (nats a sample), the best of all, and without doubt of its samples, is what rounds would find;
# and from what two of them reach, moves lead to the same.
_AS_HIGH, NO_DOUBT = 1e-4, 1e-3
_SAME = 1e-3  # of what rounds came to: EM stops at such a gain
_NO_DOUBT_AT_ALL = 1e-4  # after moves: no component is split there, so none is missing elsewhere
_DOUBTED = 256
# Moves that gain more, in nats a sample, show long tails: what is slow elsewhere gains up to .4.
_TAILS = 0.5
_CLUSTERING = 3  # iterations of EM that take as long as k-means
# Iterations of every start where there are many, of the better half of these, and of the best.
_SHORT, _LONG, _LAST = 2, 4, 6


class Seeding(NamedTuple):
    """How a start of EM is looked for.

    Parameters
    ----------
    covariance : {"full", "tied", "diag", "spherical"}
    regularization, noise : float or ndarray, shape (d,)
        As of `Iteration`.
    outliers : {"uniform", "student"}, optional
        As of `with_outliers`: the start is then found without the fifth of the samples that lie most alone.
    starts : int, optional
        Independent starts on a subset, the best of which is improved: by default 1, with few samples 2, from 7
        components on 4.
    moves : bool
        False returns the first start as it is, without any EM.
    rounds : int, optional
        How often all of that is done, the best being kept: by default as often as few samples allow for.
    subset : int, optional
        Samples to start from: by default 4096, or 256 a component where that is more.
    judged : bool
        Whether moves are judged on up to 32 768 samples where these are more than a subset and no feature is missing,
        and rare classes looked for among as many. Of photographs that costs a seventh of a fit and changes next to
        nothing.
    units : ndarray, shape (d,), optional
        What 1 in the planes is in the data's own units, in which k-means may start too where features are many.
    threads : int
        Changes the time, never the result.
    """

    covariance: str = "full"
    regularization: Array | float = 0.0
    noise: Array | float = 0.0
    outliers: str | None = None
    starts: int | None = None
    moves: bool = True
    rounds: int | None = None
    subset: int | None = None
    judged: bool = False
    units: Array | None = None
    threads: int = 1

    def iteration(self, iterations: int) -> Iteration:
        """Return so many iterations of EM, of a trial."""
        return Iteration(
            max_iterations=iterations, regularization=self.regularization, noise=self.noise, threads=self.threads
        )


class Samples(NamedTuple):
    """What a start is found with: samples (d, n), as they are, filled in and in two spaces, and what is known of them.

    Parameters
    ----------
    given, complete : ndarray, shape (d, n)
    spaces : pair of ndarray, shape (m, n)
        In which k-means starts, by turns.
    weights : ndarray, shape (n,), optional
    found : Mixture, optional
        A start that was found already.
    judges : pair of ndarray, shape (d, m), and ndarray, shape (m,), or None, optional
        More samples and their weights, on which moves are judged.
    """

    given: Array
    complete: Array
    spaces: tuple[Array, Array]
    weights: Array | None
    found: Mixture | None = None
    judges: tuple[Array, Array | None] | None = None


class Search:
    """The search for the start that leads highest.

    Parameters
    ----------
    samples : Samples
    k : int
        Components.
    rng : numpy.random.Generator
    how : Seeding
    budget : Budget, optional
        Without a bound by default.
    """

    def __init__(
        self, samples: Samples, k: int, rng: np.random.Generator, how: Seeding, budget: Budget | None = None
    ) -> None:
        d, n = samples.given.shape
        self._budget = budget or Budget()
        self._pass = work_of_pass(n, d, how.covariance)
        self._samples, self._k, self._rng, self._how = samples, k, rng, how
        self._sorted = SortedSamples.of(samples.given, samples.weights)
        self._few, self._enough = n < SUBSET, n > PER_FEATURE * k * d
        self._rounds = how.rounds or (min(max(SUBSET // n, 1), _MOST_ROUNDS) if self._enough else 1)
        many = k > 6 or (how.judged and (not self._enough or (self._few and self._rounds == 1 and k > 2)))
        self._starts = how.starts or (4 if many else 2 if self._few and samples.found is None else 1)
        self._settled = False  # EM from the first start within its iterations
        self._reached: list[float] = []  # by starts
        self._doubtful: list[float] = []  # of these, those that leave samples in doubt
        self._moved: list[tuple[float, Fit]] = []  # likelihoods that moves began at, and what they led to

    def best(self) -> tuple[Mixture, bool]:
        """Return the best of a few starts after short fits and moves, and whether it is certain to be the best."""
        if self._k == 1 or not self._how.moves:
            return self._begin(0), False
        before = self._budget.spent
        found, certain = self._round()
        taken = self._budget.spent - before
        scores = [_score(found)]
        for _ in range(self._rounds_worth(found.mixture) - 1):
            # With more components there are more lower maxima that may come again.
            agreed = np.count_nonzero(np.subtract(max(scores), scores) < _SAME) == 2 * (self._k - 1)
            if certain or agreed or not self._budget.affords(taken):
                break
            other, certain = self._round()
            scores.append(_score(other))
            found = max(found, other, key=_score)
        return found.mixture, certain

    def _rounds_worth(self, mixture: Mixture) -> int:
        """How many rounds are worth their time, after a first one that came to a mixture."""
        if not self._how.judged:
            return self._rounds
        by_chance = self._settled or self._samples.given.shape[1] < mixture.count_parameters()
        work = _WORK if by_chance else _MOST_WORK
        return min(self._rounds, int(work // (self._pass * (self._k + 4))))

    def _round(self) -> tuple[Fit, bool]:
        """Return the best of some starts, after moves, and whether it is certain to be the best of all."""
        best, certain = self._best_start()
        if certain:
            return best, True
        fit = self._climb(best.mixture, _LAST)
        self._settled |= fit.converged and not self._moved
        self._budget.bound |= self._settled
        if self._is_certain(best):
            return fit, True
        if not self._enough:
            return fit, False
        for score, led_to in self._moved:
            if abs(score - _score(fit)) < _AS_HIGH:
                return led_to, False
        few, judge = self._few, None if self._samples.judges is None else self._likelihood
        n, trials = self._samples.given.shape[1], Trials(self._rounds == _MOST_ROUNDS, few and self._how.judged)
        given = self._sorted, self._how.iteration(0)
        moved = split_and_merge(fit, self._climb, n, trials, judge=judge, given=given, afford=self._afford)
        self._moved.append((_score(fit), moved))
        return moved, few and doubt(moved.mixture, self._samples.given) < _NO_DOUBT_AT_ALL

    def _best_start(self) -> tuple[Fit, bool]:
        """Return the best of some starts, and whether there is no need to go on.

        Many start with half as many iterations, and the better half of them goes on (Jamieson and Talwalkar 2016).
        """
        known = () if self._samples.found is None else (self._samples.found,)
        short = _SHORT if self._how.judged and self._starts > 2 else _LONG
        tried: list[Fit] = []
        # Half as many look for what is better than what a first round came to.
        starts = self._starts // 2 if short < _LONG and self._moved else self._starts
        if known and not self._budget.affords(starts * self._k * (_CLUSTERING + short) * self._pass):
            starts = 0
        for start in (*known, *map(self._begin, range(starts))):
            tried.append(self._climb(start, short))
            self._reached.append(_score(tried[-1]))
            best = max(tried, key=_score)
            if self._how.judged and self._is_certain(best):
                return best, True
        if short < _LONG:
            half = sorted(tried, key=_score)[len(tried) // 2 :]
            tried = [self._climb(fit.mixture, _LONG - short) for fit in half]
            self._reached.extend(map(_score, tried))
            best = max(tried, key=_score)
        return best, False

    def _begin(self, turn: int) -> Mixture:
        how, samples, weights = self._how, self._samples, self._samples.weights
        space = samples.spaces[turn % 2]
        self._budget.spend(self._k * _CLUSTERING * self._pass)
        labels, k = clustered(space, self._k, self._rng, weights, threads=how.threads)
        added = how.regularization + how.noise
        return from_labels(samples.complete, labels, k, how.covariance, weights, added)

    def _climb(self, mixture: Mixture, iterations: int) -> Fit:
        # Of a trial nothing is said; the fit that follows warns where there is need.
        iteration = self._how.iteration(iterations)
        fit = expectation_maximization(self._sorted, mixture, iteration)
        self._budget.spend(mixture.n_components * len(fit.history) * self._pass)
        return fit

    def _afford(self, passes: int, gained: float) -> bool:
        """Whether a trial of so many iterations of one component may follow moves that gained so much; it counts."""
        self._budget.bound |= gained > _TAILS
        affordable = self._budget.affords(passes * self._pass)
        self._budget.spend(passes * self._pass)
        return affordable

    def _likelihood(self, mixture: Mixture) -> float:
        """Mean log-likelihood of a sample, of those that judge."""
        planes, weights = self._samples.judges or (self._samples.given, self._samples.weights)
        return expectation_maximization(planes, mixture, self._how.iteration(1), weights=weights).history[0]

    def _is_certain(self, fit: Fit) -> bool:
        """Whether two starts came to the best of all, which leaves no doubt of its samples."""
        again = np.count_nonzero(np.subtract(max(self._reached), self._reached) < _AS_HIGH) > 1
        if not (self._few and again and _score(fit) == max(self._reached)):
            return False
        if self._doubtful and np.abs(np.subtract(self._doubtful, _score(fit))).min() < _AS_HIGH:
            return False
        certain = doubt(fit.mixture, self._samples.given) < NO_DOUBT
        self._doubtful += [] if certain else [_score(fit)]
        return certain


def doubt(mixture: Mixture, planes: Array) -> float:
    """Mean probability that a sample is of another component than its likeliest; of some where features are missing."""
    if has_missing(planes):  # each of another pattern, perhaps: 2000 samples would take longer than all of the start
        planes = planes[:, :: max(1, planes.shape[1] // _DOUBTED)]
    return 1 - float(mixture.posterior(planes).max(axis=0).mean())


def _score(fit: Fit) -> float:
    return fit.history[-1]
