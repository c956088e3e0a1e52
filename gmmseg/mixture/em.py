"""Expectation-maximisation: iterate, watch the objective, stop."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.errors import ConvergenceWarning, DataWarning, GmmsegWarning, ParameterError, warn
from gmmseg.mixture.degenerate import above, as_before, degenerate, raised, spread_of, without
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import Samples, m_step, measure
from gmmseg.mixture.words import OUTLIERS
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.mixture.choosing import Choice
    from gmmseg.mixture.prior import Prior

__all__ = [
    "Course",
    "Fit",
    "Iteration",
    "Starts",
    "expectation_maximization",
    "goes_by_itself",
    "is_plain",
    "precision_of",
    "short_runs",
    "with_box",
    "with_outliers",
]

# With no more, the kernel iterates by itself: Python's part of an iteration takes .2 ms, and the kernel's as long with
# 10 000 samples (a whole `gmmseg segment` of 512 x 512 takes .8 of the time).
_MOST_FEATURES = 256
_START_DOF = 8.0
_START_OUTLIERS = 0.05


class Iteration(NamedTuple):
    """How EM iterates, and when it stops.

    Parameters
    ----------
    tolerance : float
        Stop when an iteration gains less than this, in nats a sample. A fall beyond rounding is reported, and never
        taken for convergence.
    max_iterations : int
    regularization : float or ndarray, shape (d,)
        Added to the variances at every M step, though no maximum of the likelihood asks for it; it can make the
        likelihood fall by no more than its own share in it.
    noise : float or ndarray, shape (d,)
        Variance by which the samples are known to be uncertain, such as that of rounding. Added to the variances, and
        part of the objective, which is the likelihood expected over the noise; it never falls.
    threads : int
        Changes the time, never the result.
    """

    tolerance: float = 1e-3
    max_iterations: int = 100
    regularization: Array | float = 0.0
    noise: Array | float = 0.0
    threads: int = 1

    def variances(self, n_features: int) -> tuple[Array, Array | None]:
        """What is added to the variances, and what part of it is noise, None for none; both (d,)."""
        noise = self.noise
        if not isinstance(noise, np.ndarray) or noise.shape != (n_features,):
            noise = np.zeros(n_features) + noise
        noise = np.ascontiguousarray(noise, np.float64)  # as kernels read it
        alone = isinstance(self.regularization, float) and not self.regularization
        return noise if alone else noise + self.regularization, noise if noise.any() else None


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of EM; it holds no samples.

    Parameters
    ----------
    mixture : Mixture
    history : tuple of float
        Mean log-likelihood a sample before each M step, in nats; with a prior, plus the logarithm of its density.
        Only of the steps since a component was last set up anew, at which it may fall.
    converged : bool
        Whether the last step gained less than the tolerance.
    rescued : int
        How often an emptied or degenerate component was set up anew.
    remarks : tuple of GmmsegWarning
        What there is to say of the result; `warned` says it. Of a trial nobody needs to hear.
    """

    mixture: Mixture
    history: tuple[float, ...]
    converged: bool
    rescued: int = 0
    remarks: tuple[GmmsegWarning, ...] = ()

    @classmethod
    def of_run(cls, run: tuple[Any, ...], covariance: str) -> Self:
        """Return the fit that a run of the kernels comes to, told as by `kernels.climb`."""
        weights, means, covariances, factors, history, converged, _, _, rescued, _ = run
        mixture = Mixture.factored(weights, means, covariances, covariance, factors)
        return cls(mixture, tuple(history), converged, rescued)

    def __repr__(self) -> str:
        """Say how EM went, on one line."""
        reached = f", {self.history[-1]:.4g} nats a sample" if self.history else ""
        verdict = "converged" if self.converged else "not converged"
        return f"Fit({self.mixture!r}, {len(self.history)} iterations, {verdict}{reached}, rescued={self.rescued})"

    def warned(self, kind: type[GmmsegWarning] = GmmsegWarning) -> Self:
        """Give the remarks of a kind as warnings, of the line that called the caller, and return the fit."""
        for remark in self.remarks:
            if isinstance(remark, kind):
                warn(remark)
        return self


@dataclass(frozen=True, eq=False)
class Course:
    """How the classes of an image were found, for who reports it.

    Parameters
    ----------
    k : int or "auto"
        Number of classes that was asked for.
    seed : int
    fit : Fit, optional
        By EM, before neighbours were heard; None where the classes are of several components.
    choice : Choice, optional
        Of the number of classes, where that was "auto".
    """

    k: int | str
    seed: int
    fit: Fit | None = None
    choice: Choice | None = None


class Starts(NamedTuple):
    """Several mixtures of Gaussian components to start EM from, of as many components each.

    Parameters
    ----------
    weights : ndarray, shape (m, K)
    means : ndarray, shape (m, K, d)
    covariances : ndarray, shape (m, ...)
    covariance : str
        The covariance family.
    """

    weights: Array
    means: Array
    covariances: Array
    covariance: str

    def mixture(self, row: int) -> Mixture:
        """Return one of them."""
        return Mixture(self.weights[row], self.means[row], self.covariances[row], self.covariance)

    def select(self, rows: Array) -> Starts:
        """Return some of them, in this order."""
        return Starts(self.weights[rows], self.means[rows], self.covariances[rows], self.covariance)


def expectation_maximization(
    planes: Array | Samples | SortedSamples,
    start: Mixture,
    iteration: Iteration | None = None,
    *,
    weights: Array | None = None,
    log_prior: Array | None = None,
    prior: Prior | None = None,
    frozen: Sequence[int] = (),
) -> Fit:
    """Fit a mixture by EM from a given start.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64, or Samples, or SortedSamples with their weights
        NaN is a feature that is not known. Squares are summed: numbers of more than 1e15 do not go into float32, nor
        those of more than 1e140 into float64. Samples elsewhere have neither weights nor prior probabilities.
    start : Mixture
        With Student-t components or outliers, where there shall be such: see `with_outliers`.
    iteration : Iteration, optional
        `Iteration()` by default.
    weights : ndarray, shape (n,), optional
        Samples' weights, of the planes' dtype.
    log_prior : ndarray, shape (K, n), of the planes' dtype, optional
        Logarithms of each sample's prior probabilities of the components; very low where a component is ruled out.
    prior : Prior, optional
        Of the parameters: the posterior's highest point is sought.
    frozen : sequence of int
        Components that keep their mean and covariance.

    Raises
    ------
    ParameterError
        Components of one common covariance cannot be frozen.

    Notes
    -----
    A component that holds less than the lightest sample, or whose covariance is degenerate, is put on one half of the
    widest component instead; if that does not help it is dropped, with a DataWarning among the remarks. Where something
    is known of the components one by one (a prior of either kind, frozen ones) it stays as it was. Where all are
    degenerate, no covariance may be less than a part of the spread from there on, as a DataWarning says: the likelihood
    has no bound otherwise, as of Student-t components where enough of the samples are equal. Where outliers are
    likelier than any component everywhere, components stay as they were too.
    """
    how = iteration or Iteration()
    noise, tolerance = how.noise, how.tolerance
    added, uncertain = how.variances(start.n_features)
    if start.dof is not None:
        uncertain = None  # only for Gaussian components is the expected logarithm that simple
    slack = added if uncertain is None else added - noise
    precision = precision_of(planes)
    samples: Samples | SortedSamples = (
        planes if not isinstance(planes, np.ndarray) else _sorted_samples(planes, start, weights, log_prior, frozen)
    )
    if isinstance(samples, SortedSamples) and not samples.all_parts:
        return Fit(start, (), True)
    known = log_prior is not None or prior is not None or len(frozen) > 0
    mixture, rescued, fall = start, 0, 0.0
    history: list[float] = []
    remarks: list[GmmsegWarning] = []
    comparable = converged = surely = empty = False
    floor: Array | None = None
    left = how.max_iterations
    alone = samples if isinstance(samples, SortedSamples) and not known and goes_by_itself(samples, start) else None
    limits = tolerance, precision, samples.least
    while left > 0 and not converged:
        if alone is not None and not comparable:  # until components have to be dropped or known all at once
            most = left, start.n_components - rescued
            course = _climb(alone, mixture, (added, uncertain), limits, most, how.threads)
            mixture, history, converged, fell, done, times, anew = course
            comparable, fall, left, rescued = not anew and done > 0, max(fall, fell), left - done, rescued + times
            if comparable or not left:
                continue
        left -= 1
        statistics = measure(samples, mixture, noise=uncertain, threads=how.threads)
        objective = statistics.log_likelihood + (0.0 if prior is None else prior.log_density(mixture))
        history = history if comparable else []
        history.append(objective / max(statistics.weight, np.finfo(float).tiny))
        gain = history[-1] - history[-2] if comparable else np.inf
        beyond = _unexplained(gain, history[-1], mixture, precision, (slack, uncertain))
        again = beyond > 0 and start.dof is not None and not surely
        if again:  # the step before, shorter
            history.pop()
            gain = np.inf
        else:
            fall, before = max(fall, beyond), (statistics, mixture)
        statistics, previous = before
        surely = again or floor is not None
        step = partial(m_step, statistics, start.covariance, added, previous=previous, prior=prior, frozen=frozen)
        mixture = above(step(surely=surely), floor)
        bad = degenerate(mixture, statistics, samples.least)
        empty = start.outlier_ranges is not None and bool((statistics.counts < 0.999 * samples.least).all())
        kept = empty or (known and not (start.family.shared and bad.all()))
        comparable = kept or not bad.any()
        if kept and bad.any():
            mixture = as_before(mixture, previous, bad)
        elif bad.all():
            remarks.append(DataWarning("every component was degenerate; their variances were raised"))
            unit = spread_of(samples, previous, statistics, how.threads)
            mixture, floor = raised(step(surely=True), statistics, unit, samples.least, previous)
            alone = None  # the kernel knows no floor
        elif bad.any():
            mixture, lost = without(mixture, bad, rescued < start.n_components)
            remarks += lost
        rescued += not comparable
        converged = bool(comparable and abs(gain) < tolerance and not beyond)
    remarks += [DataWarning("every sample is likelier an outlier than of a component")] * empty
    remarks += _verdict(fall, converged or not tolerance, tolerance, how.max_iterations)
    return Fit(mixture, tuple(history), converged, rescued, tuple(remarks))


def _unexplained(
    gain: float, reached: float, mixture: Mixture, precision: float, variances: tuple[Array, Array | None]
) -> float:
    """Return by how much the objective fell, where neither rounding nor the slack in variances explains it, or 0.

    The `variances` are the slack, and what is noise. Log densities are constants less distances, which are rounded
    before they cancel: that the objective is small says nothing of them. The constants are no more than they are, and
    the distances no more than both together.
    """
    if gain >= 0:
        return 0.0
    slack, noise = variances
    constants = mixture.densities.log_constants - (0.0 if noise is None else mixture.blur(noise))
    some = mixture.weights > 0
    terms = mixture.weights[some] @ np.abs(constants[some])
    explained = precision * (max(1.0, abs(reached)) + terms) + mixture.weights @ mixture.blur(slack)
    return -gain if -gain > explained else 0.0


def short_runs(
    planes: Array | SortedSamples, starts: Starts, iteration: Iteration, *, weights: Array | None = None
) -> tuple[Starts, Array]:
    """Iterate from each of several starts.

    Parameters
    ----------
    planes : ndarray or SortedSamples
        As of `expectation_maximization`.
    weights : ndarray, optional
        Likewise.
    starts : Starts
    iteration : Iteration

    Returns
    -------
    starts : Starts
        What each has come to.
    reached : ndarray, shape (m,)
        Mean log-likelihood a sample before the last step, in nats; -inf where a component had to be set up anew.
    """
    samples = planes if isinstance(planes, SortedSamples) else SortedSamples.of(planes, weights)
    if is_plain(samples, starts.means.shape[2]):
        limits = iteration.tolerance, precision_of(planes), samples.least
        added, noise = iteration.variances(samples.n_features)
        (part,) = samples.parts
        shares, means, covariances, reached = kernels.climb_each(
            part.planes, part.weights, starts, added, noise, limits, iteration.max_iterations, iteration.threads
        )
        return Starts(shares, means, covariances.reshape(starts.covariances.shape), starts.covariance), reached
    runs = [_run(samples, starts.mixture(row), iteration) for row in range(len(starts.weights))]
    found = Starts(
        np.stack([each.weights for each, _ in runs]),
        np.stack([each.means for each, _ in runs]),
        np.stack([each.covariances for each, _ in runs]),
        starts.covariance,
    )
    return found, np.array([reached for _, reached in runs])


def _run(samples: SortedSamples, start: Mixture, iteration: Iteration) -> tuple[Mixture, float]:
    """As `short_runs`, from one start."""
    try:
        fit = expectation_maximization(samples, start, iteration)
    except np.linalg.LinAlgError:  # of components without volume
        return start, -np.inf
    if fit.rescued or fit.mixture.n_components < start.n_components:
        return start, -np.inf
    return fit.mixture, fit.history[-1]


def precision_of(planes: Array | Samples | SortedSamples) -> float:
    """Part of the objective, and of the terms that cancel in it, that is rounding in the difference of two.

    In float32 each is off by .96e-6 of them at most, in 12 670 fits of small pictures of all kinds.
    """
    return 2e-6 if planes.dtype == np.float32 else 1e-10


def goes_by_itself(samples: SortedSamples, start: Mixture) -> bool:
    """Whether the kernel iterates by itself: samples without gaps of Gaussian components need nothing else."""
    return start.dof is None and start.outlier_ranges is None and is_plain(samples, start.n_features)


def is_plain(samples: SortedSamples, d: int) -> bool:
    """Whether samples have no gaps, and no more than so many features."""
    if samples.scattered is not None or len(samples.parts) != 1 or samples.parts[0].observed is not None:
        return False
    return d <= _MOST_FEATURES


def _climb(
    samples: SortedSamples,
    mixture: Mixture,
    variances: tuple[Array, Array | None],
    limits: tuple[float, float, float],
    most: tuple[int, int],
    threads: int,
) -> tuple[Mixture, list[float], bool, float, int, int, bool]:
    """Return the mixture that the kernel comes to and, as of `kernels.climb`, history and how it went.

    The `variances` are what is added and what of it is noise; `most` are iterations and rescues.
    """
    part, start = samples.parts[0], (mixture.weights, mixture.means, mixture.covariances, mixture.covariance)
    weights, means, covariances, factors, history, settled, fall, done, times, anew = kernels.climb(
        part.planes, part.weights, start, *variances, limits, *most, threads
    )
    if done:
        mixture = Mixture(weights, means, covariances, mixture.covariance)
        vars(mixture)["factors"] = factors
    return mixture, history, settled, fall, done, times, anew


def _sorted_samples(
    planes: Array, start: Mixture, weights: Array | None, log_prior: Array | None, frozen: Sequence[int]
) -> SortedSamples:
    if start.family.shared and len(frozen):
        raise ParameterError(f"frozen={list(frozen)} does not go with covariance='tied'; use 'full'")
    if log_prior is not None and start.outlier_ranges is not None:
        log_prior = np.append(log_prior, np.zeros((1, planes.shape[1]), planes.dtype), axis=0)
    return SortedSamples.of(planes, weights, log_prior)


def _verdict(fall: float, settled: bool, tolerance: float, iterations: int) -> list[ConvergenceWarning]:
    words = []
    if fall > 0:
        words.append(
            f"the log-likelihood fell by {fall:.2g} nats a sample during EM; check the data for extreme values"
        )
    if not settled:
        words.append(
            f"EM stopped after {iterations} iterations before the log-likelihood settled within {tolerance:g}; "
            "allow more iterations or a larger tolerance"
        )
    return [ConvergenceWarning(each) for each in words]


def with_outliers(mixture: Mixture, kind: str | None, planes: Array, noise: Array | float = 0.0) -> Mixture:
    """Return a mixture to start EM from that allows for outliers.

    Parameters
    ----------
    mixture : Mixture
    kind : {"uniform", "student"} or None
        A uniform component beside the others, over the range of the samples, or Student-t components.
    planes : ndarray, shape (d, n)
        The samples; NaN where a feature is not known.
    noise : float or ndarray, shape (d,)
        Variance by which the samples are uncertain: it widens their range, as it does the components.
    """
    if kind is None:
        return mixture
    if kind == "student":
        return replace(mixture, dof=np.full(mixture.n_components, _START_DOF))
    if kind != "uniform":
        raise ParameterError(f"outliers={kind!r} is not known; use {' or '.join(OUTLIERS)}, or None")
    few = replace(mixture, weights=mixture.weights * (1 - _START_OUTLIERS), outlier_weight=_START_OUTLIERS)
    return with_box(few, planes, noise)


def with_box(mixture: Mixture, planes: Array, noise: Array | float = 0.0) -> Mixture:
    """Return a mixture whose outliers are uniform over the range of samples, as of `with_outliers`."""
    # As nanmax and nanmin, which warn of a feature that no sample has.
    high, low = (each.reduce(planes, axis=1).astype(np.float64) for each in (np.fmax, np.fmin))
    ranges = np.sqrt((high - low) ** 2 + 12 * np.asarray(noise))  # the variance of a uniform distribution is a twelfth
    center = np.where(np.isnan(low), 0.0, low + (high - low) / 2)
    return replace(mixture, outlier_ranges=np.where(ranges > 0, ranges, 1.0), outlier_center=center)
