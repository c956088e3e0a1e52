"""A start without luck: from one component on, the division that helps most, until there are as many as asked for."""

from __future__ import annotations

import itertools

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.mixture.em import (
    Fit,
    Iteration,
    Starts,
    expectation_maximization,
    goes_by_itself,
    is_plain,
    precision_of,
    short_runs,
)
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.memberships import moments
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import APART, divisions, glance
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples

__all__ = ["divide", "divide_and_settle", "divide_widely", "regroup"]

# Rounds of trials: the part of the samples they see, how many more iterations each gets, and how many go on. After the
# first one all do but those that have gained little of what the best has: .89 of the time of small pictures. Of 550 of
# these and photographs 13 masks agree by less than .99, 4 of them likelier and 6 less likely than without.
_ROUNDS = (4, 6, None), (4, 9, 4), (1, 10, 2), (1, 20, 1)
_LITTLE = 0.3
_FEWEST_SAMPLES = 4096
# With no more samples, without weights, the halves of a component climb alone first, among so many samples of which
# they have at least such a part, and for so long. So many divisions for each component go on: half of the time of
# `divide`, .82 of that of a picture of 64 x 64. Of 900 crops of such pictures by a pixel, with 3 to 6 classes, the
# masks of 141 agree by less than 0.8, of 142 without; the likelihood is the same in the mean, .002 nats lower with 3.
# Photographs would be as stable, but three of 62 fits to them be less likely by .04 to .07 nats. Momentum makes 4 and 7
# iterations as many as 6 and 14: .75 of the time of `divide`, .93 of that of such a picture, and .001 nats more; of
# 1600 pictures as many change with a crop by a pixel. Divisions that gain less than half of what the best one does are
# left: in 2 of 1800 one of these would have become likelier by more than .001 nats; `begin` takes .93 of the time.
_ALONE, _PART, _LONG, _KEPT, _HALF = 1024, 0.01, 10, 2, 0.5
_OF_FEW = (4, 2), (7, 1)
# The same where one component is divided and two are merged; and how often at most.
_DIVIDED, _MERGED, _SETTLED, _MOST_TIMES = (4, 10, 4), (4, 15, 2), (1, 20, 1), 4
_BETTER = 1e-3  # nats a sample by which likelihoods differ where maxima do
_OTHER = 0.02  # the least by which the weight of a component does, in order, where likelihoods do not
# Of several mixtures that are divided further: how many samples see the trials, for how long, and how many go on; how
# many see what that ends in, for how long; and by how much it may be behind the best before, in nats a sample.
_WIDE, _ENDS, _BEHIND = ((2048, 6, 24), (4096, 10, 6)), ((4096, 30), (None, 15)), 0.1
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
    short EM of the whole tells what that is worth, or, of few samples, one of these halves alone at first, with the
    other components as they are. Trials that gain little of what the best does are left early, in the manner of races
    (Maron and Moore 1994); the best go on with more samples, and the best of these stays. No random number is drawn:
    images that hardly differ are divided alike. Time grows with the third power of k.
    """
    complete = fill_in(planes, weights)
    added = iteration.regularization + iteration.noise
    mixture = from_labels(complete, np.zeros(planes.shape[1], np.intp), 1, covariance, weights, added)
    whole = SortedSamples.of(np.ascontiguousarray(planes), weights)
    few = weights is None and planes.shape[1] <= _FEWEST_SAMPLES
    if few and not mixture.family.shared and goes_by_itself(whole, mixture):
        return _divided_alone(whole, mixture, k, iteration)
    parts = {share: SortedSamples.of(*_first(planes, weights, share)) for share, *_ in _ROUNDS if share > 1}
    parts[1] = whole
    rounds = [(parts[share], iteration._replace(max_iterations=most), kept) for share, most, kept in _ROUNDS]
    before = -np.inf
    while mixture.n_components < k:
        best = _divided(mixture)
        for samples, how, kept in rounds:
            best, reached = _best(*short_runs(samples, best, how), kept, before)
            if not len(reached):
                return None
        mixture, before = best.mixture(0), reached[0]
    return mixture


def _divided_alone(samples: SortedSamples, mixture: Mixture, k: int, iteration: Iteration) -> Mixture | None:
    """What `divide` returns of few samples: one call of the kernels, .94 of the time of a picture of 64 x 64."""
    (part,), start = samples.parts, (mixture.weights, mixture.means, mixture.covariances, mixture.covariance)
    limits = iteration.tolerance, precision_of(samples), samples.least
    ways = *_ways(mixture.n_features), APART
    added = iteration.variances(samples.n_features)
    alone = _ALONE, _PART, _LONG, _KEPT, _HALF
    found = kernels.divide(part.planes, start, k, ways, *added, limits, alone, _OF_FEW, iteration.threads)
    return None if found is None else Mixture(*found, mixture.covariance)


def divide_and_settle(
    planes: Array, k: int, covariance: str, iteration: Iteration, few: int, trial: Iteration
) -> tuple[Fit, float] | None:
    """Return what EM comes to from where `divide` leads, and what moves then gain among the first samples.

    That is of `split_and_merge`, not patient, in nats a sample of so `few`, in which EM goes on as a `trial` before.
    All of it is one call of the kernels, .96 of the time of a picture of 64 x 64; None where these do not get by alone.
    """
    samples = SortedSamples.of(planes)
    if covariance != "full" or planes.shape[1] > _FEWEST_SAMPLES or not is_plain(samples, len(planes)):
        return None
    limits = iteration.tolerance, precision_of(samples), samples.least
    found = kernels.begin(
        samples.parts[0].planes,
        k,
        (*_ways(len(planes)), APART),
        *iteration.variances(len(planes)),
        limits,
        (_ALONE, _PART, _LONG, _KEPT, _HALF),
        _OF_FEW,
        *glance(k, few, iteration.max_iterations, trial),
        iteration.threads,
    )
    if found is None:
        return None
    run, gained = found
    return Fit.of_run(run, covariance), gained


def divide_widely(planes: Array, k: int, covariance: str, iteration: Iteration) -> Starts:
    """Return mixtures of k components next to several maxima of the likelihood, the likeliest first.

    As `divide`, but up to six mixtures that differ are divided further instead of the best one: what is best of two
    components need not lead to what is best of four. There is none where the samples (d, n) do not support k.
    """
    added = iteration.regularization + iteration.noise
    whole = from_labels(fill_in(planes, None), np.zeros(planes.shape[1], np.intp), 1, covariance, None, added)
    starts = Starts(whole.weights[None], whole.means[None], whole.covariances[None], covariance)
    counts = {count for count, *_ in _WIDE + _ENDS}
    parts = {count: SortedSamples.of(np.ascontiguousarray(planes[:, :count])) for count in counts}
    reached = np.zeros(1)
    for _ in range(1, k):
        starts = _joined([_divided(starts.mixture(row)) for row in range(len(reached))])
        for count, most, kept in _WIDE:
            how = iteration._replace(max_iterations=most)
            starts, reached = _different(*short_runs(parts[count], starts, how), kept)
            if not len(reached):
                return starts
    for last, most in _ENDS:
        if len(reached):
            starts = starts.select(np.flatnonzero(reached > reached[0] - _BEHIND))
            how = iteration._replace(max_iterations=most)
            starts, reached = _different(*short_runs(parts[last], starts, how), len(reached))
    return starts


def regroup(
    planes: Array, mixture: Mixture, iteration: Iteration, *, gain: float, weights: Array | None = None
) -> Mixture:
    """Return what dividing one component and merging two others leads to, if samples are likelier by more than a gain.

    Parameters
    ----------
    planes : ndarray, shape (d, n)
        As of `divide`.
    mixture : Mixture
    iteration : Iteration
        As of `divide`.
    gain : float
        Nats a sample. Of maxima that are about equally likely another crop of an image would prefer the other; with a
        gain the mixture that was given stays.
    weights : ndarray, shape (n,), of the planes' dtype, optional

    Notes
    -----
    After Ueda, Nakano, Ghahramani and Hinton (2000), who choose which to divide and which to merge beforehand.
    """

    def climbed(starts: Starts, rule: tuple[int, int, int]) -> tuple[Starts, Array]:
        some, own = _first(planes, weights, rule[0])
        runs, reached = short_runs(some, starts, iteration._replace(max_iterations=rule[1]), weights=own)
        return _best(runs, reached, rule[2])

    fit = expectation_maximization(planes, mixture, iteration._replace(max_iterations=_SETTLED[1]), weights=weights)
    given = best = fit.mixture
    first = highest = fit.history[-1]
    for _ in range(_MOST_TIMES):
        starts, reached = climbed(_divided(best), _DIVIDED)
        for rule in (_MERGED, _SETTLED) if len(reached) else ():
            if rule is _MERGED:
                starts = _one_less(starts)
            starts, reached = climbed(starts, rule)
            if not len(reached):
                break
        if not len(reached) or reached[0] < highest + _BETTER:
            break
        best, highest = starts.mixture(0), reached[0]
    return best if highest > first + gain else given


def _best(runs: Starts, reached: Array, kept: int | None, before: float = -np.inf) -> tuple[Starts, Array]:
    """The likeliest of some mixtures, at most so many, and how likely samples are under each.

    Any number is as many as have gained more than a little since `before`.
    """
    order = (-reached).argsort(kind="stable")[:kept]
    order = order[np.isfinite(reached[order])]
    if kept is None and len(order) and reached[order[0]] > before > -np.inf:
        order = order[reached[order] - before >= _LITTLE * (reached[order[0]] - before)]
    return runs.select(order), reached[order]


def _different(runs: Starts, reached: Array, kept: int) -> tuple[Starts, Array]:
    """The likeliest of some mixtures that are not the same, at most so many, and how likely samples are under each."""
    order = (-reached).argsort(kind="stable")
    sizes, found = np.sort(runs.weights, axis=1), list[int]()
    for row in order[np.isfinite(reached[order])]:
        same = np.abs(sizes[found] - sizes[row]).max(axis=1) < _OTHER
        if len(found) < kept and not (same & (reached[found] - reached[row] < _BETTER)).any():
            found.append(int(row))
    return runs.select(np.array(found, np.intp)), reached[found]


def _joined(each: list[Starts]) -> Starts:
    shares, means, covariances, (family, *_) = zip(*each, strict=True)
    return Starts(np.concatenate(shares), np.concatenate(means), np.concatenate(covariances), family)


def _one_less(starts: Starts) -> Starts:
    """The mixtures in which two of the components are merged, each two of each mixture."""
    k, merged = starts.weights.shape[1], []
    for row, (one, other) in itertools.product(range(len(starts.weights)), itertools.combinations(range(k), 2)):
        mixture, into = starts.mixture(row), np.delete(np.eye(k), other, axis=0)
        into[one, other] = 1
        whole, rules = moments(mixture, into), mixture.family
        second = np.diagonal(whole.covariances, axis1=1, axis2=2) if rules.diagonal else whole.covariances
        merged.append((whole.weights, whole.means, rules.estimate(whole.weights, second, np.zeros(whole.n_features))))
    weights, means, covariances = zip(*merged, strict=True)
    return Starts(np.stack(weights), np.stack(means), np.stack(covariances), starts.covariance)


def _first(planes: Array, weights: Array | None, share: int) -> tuple[Array, Array | None]:
    """The first of so many equal parts of the samples, or more where these are few."""
    some = slice(max(-(-planes.shape[1] // share), _FEWEST_SAMPLES))
    return np.ascontiguousarray(planes[:, some]), None if weights is None else weights[some]


def _divided(mixture: Mixture) -> Starts:
    """The mixtures in which one of the components is divided in two."""
    ranks, in_scale = _ways(mixture.n_features)
    return divisions(mixture, ranks, in_scale=in_scale)


def _ways(d: int) -> tuple[int, bool]:
    """Across how many axes a component of so many features is halved, and whether in scale, too."""
    return min(d, max(_FEWEST_AXES, min(d - 2, _MOST_AXES))), d < _FEWEST_AXES
