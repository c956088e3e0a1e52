"""How many components: mixtures of 1, 2, ... components grown from one another, and judged.

N is the effective number of samples, L the mean log-likelihood a sample in nats, p the number of free parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.errors import ConvergenceWarning, DataWarning, ParameterError
from gmmseg.mixture.covariance import family
from gmmseg.mixture.fitting import expectation_maximization
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import from_labels
from gmmseg.mixture.statistics import measure

__all__ = ["CRITERIA", "DEFAULT_CRITERION", "Candidate", "Choice", "choose", "grow"]

Array = NDArray[Any]

CRITERIA = ("bic", "aic", "icl", "mdl")
DEFAULT_CRITERION = "icl"

_TOLERANCE, _MAX_ITERATIONS = 1e-4, 100
_TRIED = 3  # components that are split on trial
_TRIAL_SAMPLES, _TRIAL_ITERATIONS = 4096, 8


@dataclass(frozen=True, eq=False)
class Candidate:
    """One mixture and what speaks for and against it; of every criterion, lower is better.

    Parameters
    ----------
    mixture : Mixture
    log_likelihood : float
        Mean a sample, in nats.
    ambiguity : float
        Mean of -ln(largest responsibility) over the samples, in nats: 0 where every sample is surely of one component.
    effective : float
        Effective number of samples.
    """

    mixture: Mixture
    log_likelihood: float
    ambiguity: float
    effective: float

    @property
    def k(self) -> int:
        """Number of components."""
        return self.mixture.n_components

    @property
    def covariance(self) -> str:
        """Covariance family."""
        return self.mixture.covariance

    @property
    def n_parameters(self) -> int:
        """Free parameters."""
        return self.mixture.n_parameters

    @property
    def bic(self) -> float:
        """-2 N L + p ln N (Schwarz 1978)."""
        return self.mixture.bic(self.effective * self.log_likelihood, self.effective)

    @property
    def aic(self) -> float:
        """-2 N L + 2 p (Akaike 1974)."""
        return self.mixture.aic(self.effective * self.log_likelihood)

    @property
    def icl(self) -> float:
        """BIC plus twice the ambiguity of all samples (Biernacki, Celeux and Govaert 2000, their ICL-BIC)."""
        return self.bic + 2.0 * self.effective * self.ambiguity

    @property
    def mdl(self) -> float:
        """Twice the message length, in nats, of Figueiredo and Jain (2002, equation 15).

        A parameter of one component is stated as exactly as the samples of that component alone allow, N times its
        weight of them: small components cost less than in BIC. Parameters that components share (tied covariances)
        are stated as exactly as all samples allow. No logarithm counts for less than 0.
        """
        k, d = self.k, self.mixture.n_features
        all_covariances = self.mixture.family.n_parameters(k, d)
        shared = all_covariances if self.mixture.family.shared else 0
        own = d + (all_covariances - shared) / k

        def cost(samples: Any) -> Any:
            return np.log(np.maximum(samples / 12.0, 1.0))

        length = own * cost(self.effective * self.mixture.weights).sum() + (k + shared) * cost(self.effective)
        return float(length + k * (own + 1) + shared - 2.0 * self.effective * self.log_likelihood)


@dataclass(frozen=True, eq=False)
class Choice:
    """Every candidate, and the one of least criterion.

    Parameters
    ----------
    candidates : tuple of Candidate
        By family, then by number of components.
    criterion : {"bic", "aic", "icl", "mdl"}
        The one that decides.
    """

    candidates: tuple[Candidate, ...]
    criterion: str = DEFAULT_CRITERION

    def best_by(self, criterion: str) -> Candidate:
        """Return the candidate of least criterion; the first of equals."""
        return min(self.candidates, key=lambda each: float(getattr(each, criterion)))

    @property
    def best(self) -> Candidate:
        """The chosen candidate."""
        return self.best_by(self.criterion)

    @property
    def mixture(self) -> Mixture:
        """The chosen mixture."""
        return self.best.mixture

    @property
    def k(self) -> int:
        """The chosen number of components."""
        return self.best.k

    @property
    def effective(self) -> float:
        """Effective number of samples."""
        return self.best.effective

    @property
    def reason(self) -> str:
        """One sentence: what was chosen, and why not one component more."""
        best, name = self.best, self.criterion.upper()
        start = f"{_classes(best.k)}: {name} is lowest ({getattr(best, self.criterion):.0f})"
        larger = [c for c in self.candidates if c.covariance == best.covariance and c.k > best.k]
        if not larger:
            return f"{start}, and no larger number was tried."
        nxt = min(larger, key=lambda c: c.k)
        gain = nxt.log_likelihood - best.log_likelihood
        # The difference of the criteria is 2 N (price - gain).
        price = gain + (getattr(nxt, self.criterion) - getattr(best, self.criterion)) / (2 * best.effective)
        what = "their parameters and ambiguity cost" if self.criterion == "icl" else "their parameters cost"
        verb = "gain" if gain >= 0 else "lose"
        return f"{start}; {nxt.k} would {verb} {abs(gain):.3g} nats a pixel, and {what} {price:.3g}."


def choose(
    planes: Array,
    ks: Iterable[int],
    families: Sequence[str],
    rng: np.random.Generator,
    *,
    effective: float,
    criterion: str = DEFAULT_CRITERION,
    noise: Array | float = 0.0,
    threads: int = 1,
) -> Choice:
    """Fit mixtures of several numbers of components and families, and choose one.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        At least one sample.
    ks : iterable of int, from 1
        Numbers of components that may be chosen.
    families : sequence of {"full", "tied", "diag", "spherical"}
    rng : numpy.random.Generator
    effective : float
        How many independent samples say as much as these n do; more than n count as n.
    criterion : {"bic", "aic", "icl", "mdl"}
    noise : float or ndarray, shape (d,)
        As of `expectation_maximization`.
    threads : int
        Changes the time, never the result.

    Returns
    -------
    Choice
        Numbers of components that the samples do not support (more than there are distinct samples) are not in it.

    Raises
    ------
    ParameterError
        An unknown criterion or family, no number or no family to choose from, or an effective number that is not
        positive.

    Notes
    -----
    All criteria are taken of the likelihood of N effective samples, N L: that of n neighbouring pixels counts the same
    observation many times over, and asks for more components the finer the same scene is sampled.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> planes = np.concatenate([rng.normal(m, 1, 500) for m in (0, 6, 12)])[None]
    >>> choose(planes, range(1, 6), ["full"], rng, effective=1500).k
    3
    """
    numbers = sorted(set(ks))
    if criterion not in CRITERIA:
        raise ParameterError(f"criterion={criterion!r} is not known; use one of {', '.join(CRITERIA)}")
    if not numbers or numbers[0] < 1:
        raise ParameterError(f"ks={numbers} is not usable; give whole numbers of at least 1")
    if not families:
        raise ParameterError("families is empty; give at least one covariance family")
    if not effective > 0:
        raise ParameterError(f"effective={effective!r} is not usable; give a number of samples above 0")
    size = float(min(max(effective, 1.0), planes.shape[1]))
    candidates = []
    for name in families:
        for mixture in grow(planes, numbers[-1], name, rng, noise=noise, threads=threads):
            if mixture.n_components in numbers:
                candidates.append(_judge(planes, mixture, size, noise, threads))
    return Choice(tuple(candidates), criterion)


def grow(
    planes: Array,
    most: int,
    covariance: str,
    rng: np.random.Generator,
    *,
    noise: Array | float = 0.0,
    threads: int = 1,
) -> list[Mixture]:
    """Fit mixtures of 1 to `most` components, each from the last.

    Parameters
    ----------
    planes, covariance, rng, noise, threads
        As of `choose`.
    most : int
        Largest number of components; the list is shorter where the samples do not support that many.

    Returns
    -------
    list of Mixture
        In ascending numbers of components.

    Notes
    -----
    On the way up the component whose split gains most in a short EM is split, among those that a test of two halves
    likes best (after Vlassis and Likas 2002). On the way back down, the two components whose union by moments loses
    least (Runnalls 2007) are merged; at each number the fit of the higher likelihood stays.
    """
    family(covariance)
    fitter = _Fitter(planes, noise, threads, rng)
    grown = [fitter.fit(from_labels(planes, np.zeros(planes.shape[1], np.int64), 1, covariance, None, noise))]
    while len(grown) < most:
        start = fitter.split(grown[-1][0])
        following = None if start is None else fitter.fit(start)
        if following is None or following[0].n_components != len(grown) + 1:
            break
        grown.append(following)
    for index in range(len(grown) - 2, 0, -1):
        merged = fitter.fit(_merge(grown[index + 1][0]))
        if merged[1] > grown[index][1] and merged[0].n_components == index + 1:
            grown[index] = merged
    return [mixture for mixture, _ in grown]


class _Fitter:
    """EM on one set of samples, and trials on a part of it."""

    def __init__(self, planes: Array, noise: Array | float, threads: int, rng: np.random.Generator) -> None:
        d, n = planes.shape
        chosen: Any = slice(None)
        if n > _TRIAL_SAMPLES:
            chosen = np.sort(rng.choice(n, _TRIAL_SAMPLES, replace=False))
        self.planes, self.some = planes, np.ascontiguousarray(planes[:, chosen])
        self.noise, self.threads = np.broadcast_to(np.asarray(noise, np.float64), (d,)), threads

    def fit(
        self, start: Mixture, planes: Array | None = None, iterations: int = _MAX_ITERATIONS
    ) -> tuple[Mixture, float]:
        """Mixture and mean log-likelihood."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", DataWarning)  # a component that is dropped ends the growth
            fit = expectation_maximization(
                self.planes if planes is None else planes,
                start,
                noise=self.noise,
                tolerance=_TOLERANCE,
                max_iterations=iterations,
                threads=self.threads,
            )
        return fit.mixture, fit.history[-1]

    def split(self, mixture: Mixture) -> Mixture | None:
        """Mixture with its worst component split; None where no component has two distinct samples."""
        owner = mixture.classify(self.some, threads=self.threads)
        halves = [self._halves(mixture, k, owner == k) for k in range(mixture.n_components)]
        best = sorted((half for half in halves if half is not None), key=lambda half: -half[0])[:_TRIED]
        trials = [self.fit(start, self.some, _TRIAL_ITERATIONS) for _, start in best]
        trials = [trial for trial in trials if trial[0].n_components == mixture.n_components + 1]
        return max(trials, key=lambda trial: trial[1])[0] if trials else None

    def _halves(self, mixture: Mixture, k: int, inside: Array) -> tuple[float, Mixture] | None:
        """What is gained, in nats, by a mixture with component k as two, and that mixture."""
        samples = self.some[:, inside]
        d, n = samples.shape
        if n < 2 * (d + 1):
            return None
        centred = samples - samples.mean(axis=1, dtype=np.float64)[:, None]
        _, axes = np.linalg.eigh(centred @ centred.T / n + np.diag(self.noise))
        found = None
        for axis in axes.T:
            along = axis @ centred
            threshold = _valley(along)
            side = (along > threshold).astype(np.int64)
            if not 0 < side.sum() < n:
                continue
            pair = from_labels(samples, side, 2, mixture.covariance, None, self.noise)
            whole = from_labels(samples, np.zeros(n, np.int64), 1, mixture.covariance, None, self.noise)
            gain = sum(
                sign * measure(samples, each, noise=self.noise).log_likelihood
                for sign, each in ((1, pair), (-1, whole))
            )
            if found is None or gain > found[0]:
                found = gain, pair
        return None if found is None else (found[0], _replace(mixture, [k], found[1]))


def _valley(values: Array) -> float:
    """Threshold between the two halves of least variance (Otsu 1979)."""
    ordered = np.sort(values.astype(np.float64))
    n = len(ordered)
    below = np.arange(1, n)
    total = np.cumsum(ordered)
    between = (total[:-1] * n - total[-1] * below) ** 2 / (below * (n - below))
    cut = int(np.argmax(between))
    return float((ordered[cut] + ordered[cut + 1]) / 2)


def _replace(mixture: Mixture, removed: Sequence[int], added: Mixture) -> Mixture:
    """Mixture with some components replaced by those of another, which get their weight."""
    kept = np.setdiff1d(np.arange(mixture.n_components), removed)
    weights = np.concatenate([mixture.weights[kept], added.weights * mixture.weights[list(removed)].sum()])
    covariances = mixture.covariances
    if not mixture.family.shared:
        covariances = np.concatenate([covariances[kept], added.covariances])
    return Mixture(
        weights / weights.sum(), np.concatenate([mixture.means[kept], added.means]), covariances, mixture.covariance
    )


def _union(mixture: Mixture, i: int, j: int) -> tuple[Array, Array, float]:
    """Mean, covariance matrix and weight of two components together."""
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    weight = mixture.weights[i] + mixture.weights[j]
    share = mixture.weights[[i, j]] / max(weight, np.finfo(float).tiny)
    step = mixture.means[i] - mixture.means[j]
    covariance = share[0] * dense[i] + share[1] * dense[j] + share[0] * share[1] * np.outer(step, step)
    return share @ mixture.means[[i, j]], covariance, float(weight)


def _merge(mixture: Mixture) -> Mixture:
    """Mixture with the two components that lose least by it made one."""
    k, d = mixture.n_components, mixture.n_features
    dense = mixture.family.dense(mixture.covariances, k, d)
    spread = np.linalg.slogdet(dense)[1]
    weights = mixture.weights

    def loss(pair: tuple[int, int]) -> float:
        i, j = pair
        _, covariance, weight = _union(mixture, i, j)
        return float(weight * np.linalg.slogdet(covariance)[1] - weights[i] * spread[i] - weights[j] * spread[j])

    i, j = min(((i, j) for i in range(k) for j in range(i)), key=loss)
    mean, covariance, weight = _union(mixture, i, j)
    if mixture.family.shared:
        own = mixture.covariances
    elif mixture.family.diagonal:
        own = mixture.family.estimate(np.array([weight]), np.diagonal(covariance)[None], np.zeros(d))
    else:
        own = covariance[None]
    return _replace(mixture, [i, j], Mixture(np.ones(1), mean[None], own, mixture.covariance))


def _judge(planes: Array, mixture: Mixture, effective: float, noise: Array | float, threads: int) -> Candidate:
    blur = np.broadcast_to(np.asarray(noise, np.float64), (len(planes),))
    total = measure(planes, mixture, noise=blur, threads=threads)
    surest = mixture.posterior(planes, threads=threads).max(axis=0)
    ambiguity = -float(np.log(surest).mean(dtype=np.float64))
    return Candidate(mixture, total.log_likelihood / total.weight, ambiguity, effective)


def _classes(k: int) -> str:
    return "1 class" if k == 1 else f"{k} classes"
