"""Where EM begins: a few classes by dividing them, so that luck hardly matters, others by k-means++; or by strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.rare_values import with_rare_values
from gmmseg.fitting.sampling import Sample
from gmmseg.fitting.survey import Survey
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.kernels.chance import default_rng
from gmmseg.mixture.dividing import divide, divide_and_settle, divide_widely, regroup
from gmmseg.mixture.em import Fit, Iteration, expectation_maximization, with_outliers
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import Trials, split_and_merge
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.seeding import Seeding, loneliness, seed_from_classes, seed_mixture
from gmmseg.mixture.statistics import measure

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["ALIKE", "JUDGED", "JUDGES", "MOST_DIVIDED", "begin", "begin_from_classes", "start_samples"]

_TOLERANCE = 1e-4
# A start without luck takes time that grows with the third power of the number of classes.
MOST_DIVIDED, ALIKE, _SEEDED = 6, 16_384, 4096
# Nats a pixel by which another start is likelier: of 50 photographs and 60 icons at 2 of 320 with 3 to 6 classes, where
# later divisions make up for the first. Textures need it with four.
_MISSED = 0.1
# It is looked for only where splits and mergers of the first one gain as much among fewer samples, for a quarter of the
# time: of 950 crops, icons and photographs it was far better in 9, and 8 of these gained twice that, as 1 of 40 others.
_LED_ON, _GLANCED, _PROMISING, _SETTLED = 20, 1024, 0.05, 4
# With two, where it was at 12 of 110, one is divided and two are merged instead, if that is likelier by more than this:
# of 50 photographs the masks of 2 of 250 crops by one to three pixels agree by less than 0.8; of 7 with k-means++, of 8
# with no such limit, of 5 with one of 0.05.
_GAIN = 0.02
# Of so few classes of so many features other maxima are looked for, too. Taken is the best by likelihood, less so many
# nats times the share of the variance within classes, if it is better by more than so many: of maxima that are about as
# likely a crop would prefer another, but hardly one whose classes are less apart. JUDGES times as many samples tell.
# Of 175 photographs in four classes the masks of 37 of 350 crops agree by less than 0.8, of 51 without, for 1.2 of the
# time of a fit; with six it gains nothing, and loses masks of enlarged pictures.
JUDGED, JUDGES, _SEVERAL, _APART, _CLEARLY, _CLIMBED = range(3, 5), 3, range(3, 9), 0.1, 0.003, 15
# Where outliers are expected, two starts are found without these shares of the samples, those that lie most alone:
# fewer than so many together. After some iterations they are compared, in nats a pixel.
_LEFT_OUT, _TOGETHER, _TRIALS, _FAR_OUT = (0.01, 0.2), 41, 50, 0.005


def begin(survey: Survey, k: int, rng: Generator, seeding: Seeding, *, prior: bool) -> Mixture:
    """Return where EM begins: from what strokes show, unless they only say what has been found without them."""
    sample, weights = survey.sample, survey.sample.relative_weights
    planes, classes = sample.planes, sample.classes
    shown = 0 if classes is None else len(np.unique(classes[classes > 0]))
    if classes is None or (shown < k <= MOST_DIVIDED and not prior and seeding.outliers is None):
        few = k <= MOST_DIVIDED
        found = _few(sample, k, seeding) if few else seed_mixture(planes, k, rng, seeding, weights=weights)
        if sample.log_prior is None:
            found = with_rare_values(survey, found, seeding)
        if classes is None or shown == 0:
            return found
        if (start := _told_apart(found, planes, classes)) is not None:
            return start
    return begin_from_classes(planes, classes, k, rng, seeding)


def begin_from_classes(planes: Array, classes: Array, k: int, rng: Generator, seeding: Seeding) -> Mixture:
    """Return a mixture of k components that begins with the samples of known classes; see `seed_from_classes`."""
    return seed_from_classes(
        planes, classes, k, rng, covariance=seeding.covariance, regularization=seeding.noise, outliers=seeding.outliers
    )


def _told_apart(found: Mixture, planes: Array, classes: Array) -> Mixture | None:
    """Return a mixture that was found without strokes, numbered by them; None where they do not tell so.

    Strokes of some classes that only say what has been found leave it as it is: a start from the pixels of the strokes
    cuts their class in two wherever these do not show all of it, and the other classes with it.
    """
    drawn = np.flatnonzero(classes)
    q = found.posterior(np.ascontiguousarray(planes[:, drawn]))
    told = {int(c): q[:, classes[drawn] == c].mean(axis=1) for c in np.unique(classes[drawn])}
    own = {c: int(shares.argmax()) for c, shares in told.items() if shares.max() > 0.5}
    if len(set(own.values())) < len(told) or max(told) > found.n_components:
        return None
    free = iter(i for i in range(found.n_components) if i not in own.values())
    return found.select([own[c] if c in own else next(free) for c in range(1, found.n_components + 1)])


def _few(sample: Sample, k: int, seeding: Seeding) -> Mixture:
    """Return a start of a few classes, which hardly depends on luck.

    Where outliers are expected it is found without those samples that lie most alone: few of them, unless a start
    without many is likelier by far. Without many a class that is rare and wide is lost, and the outliers take it.
    """
    planes, own = start_samples(sample)
    if seeding.outliers is None:
        return _divided(planes, own, k, seeding, sample.judges)
    order = np.argsort(loneliness(fill_in(planes, own), _TOGETHER, own), kind="stable")
    each = np.ones(len(order)) if own is None else own[order].astype(np.float64)
    mass = np.cumsum(each)
    iteration = Iteration(_TOLERANCE, _TRIALS, noise=seeding.noise, threads=seeding.threads)
    fits = []
    for share in _LEFT_OUT:
        near = np.sort(order[mass - each < (1 - share) * mass[-1]])
        its_own = None if own is None else own[near]
        found = _divided(np.ascontiguousarray(planes[:, near]), its_own, k, seeding._replace(outliers=None))
        start = with_outliers(found, seeding.outliers, sample.planes, seeding.noise)
        fits.append(expectation_maximization(planes, start, iteration, weights=own))
    one, two = fits
    return (one if one.history[-1] > two.history[-1] - _FAR_OUT else two).mixture


def _divided(planes: Array, own: Array | None, k: int, seeding: Seeding, judges: Array | None = None) -> Mixture:
    """Return a start without luck, or one of k-means++ where the values say that it is better by far; never of two."""
    iteration = Iteration(_TOLERANCE, noise=seeding.noise, threads=seeding.threads)
    most = iteration._replace(max_iterations=_LED_ON)

    def seeded() -> Mixture:
        # Their first part: places come in fours, mirrored, and samples drawn at equal steps would be of one quarter.
        some, its_own = np.ascontiguousarray(planes[:, :_SEEDED]), None if own is None else own[:_SEEDED]
        # A photograph has more local maxima than most data, so two.
        return seed_mixture(some, k, default_rng(0), seeding._replace(starts=2), weights=its_own)

    def led_to(start: Mixture) -> Fit:
        return expectation_maximization(planes, start, most, weights=own)

    with one_blas_thread(len(planes)):
        settled = None
        if own is None and k > 2:
            settled = divide_and_settle(planes, k, seeding.covariance, most, _GLANCED, seeding.iteration(_SETTLED))
        if settled is None:
            found = divide(planes, k, seeding.covariance, iteration, weights=own)
            if found is None:
                return seeded()
            if k == 2 and own is None:
                return regroup(planes, found, iteration, gain=_GAIN)
            if judges is not None and len(planes) in _SEVERAL:
                found = _best_of_several(found, planes, judges, iteration)
            one = led_to(found)
            settled = one, np.inf if own is not None else _gained_by_moves(planes, one.mixture, seeding)
        one, gained = settled
        if gained < _PROMISING:
            return one.mixture
        two = led_to(seeded())
    missed = _MISSED if own is None else 0  # with weights they are all of the values
    return (one if one.history[-1] > two.history[-1] - missed else two).mixture


def _best_of_several(given: Mixture, planes: Array, judges: Array, iteration: Iteration) -> Mixture:
    """Return a mixture that is clearly better than the one that was given, if there is one: likelier, or more apart."""
    several = divide_widely(planes, given.n_components, given.covariance, iteration)
    first = expectation_maximization(planes, given, iteration._replace(max_iterations=_CLIMBED)).mixture
    mixtures = [first, *(several.mixture(row) for row in range(len(several.weights)))]
    noise = iteration.variances(len(planes))[1]

    def worth(mixture: Mixture) -> float:
        each = [measure(some, mixture, noise=noise, threads=iteration.threads) for some in (planes, judges)]
        likelihood = sum(one.log_likelihood for one in each) / sum(one.weight for one in each)
        return likelihood - _APART * _within(mixture) + (_CLEARLY if mixture is first else 0)

    return max(mixtures, key=worth)


def _within(mixture: Mixture) -> float:
    """Share of the variance of all features that is within components, which is what k-means minimises."""
    weights, means = mixture.weights, mixture.means
    dense = mixture.family.dense(mixture.covariances, *means.shape)
    own = float(np.einsum("k,kii", weights, dense))
    return own / (own + float(weights @ ((means - weights @ means) ** 2).sum(axis=1)))


def _gained_by_moves(planes: Array, mixture: Mixture, seeding: Seeding) -> float:
    """Nats a sample by which splits and mergers make some of the samples likelier: much, where a class was missed."""
    samples = SortedSamples.of(np.ascontiguousarray(planes[:, :_GLANCED]), None)

    def climb(start: Mixture, iterations: int) -> Fit:
        return expectation_maximization(samples, start, seeding.iteration(iterations))

    fit, n = climb(mixture, _SETTLED), min(planes.shape[1], _GLANCED)
    moved = split_and_merge(fit, climb, n, Trials(patient=False), given=(samples, seeding.iteration(0)))
    return moved.history[-1] - fit.history[-1]


def start_samples(sample: Sample) -> tuple[Array, Array | None]:
    """Samples (d, m) of which any first part stands for the whole, and their weights."""
    n, alike, weights = sample.planes.shape[1], sample.alike, sample.relative_weights
    if alike is not None and alike.shape[1] >= min(ALIKE // 4, n // 8):
        return alike, None
    order = default_rng(0).permutation(n)[:ALIKE]
    return np.ascontiguousarray(sample.planes[:, order]), None if weights is None else weights[order]
