"""How many components: mixtures of 1, 2, ... components grown from one another, and judged.

N is the effective number of samples, L the mean log-likelihood a sample in nats, p the number of free parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.extras import face
from gmmseg.mixture.covariance import family
from gmmseg.mixture.em import Fit, Iteration, expectation_maximization
from gmmseg.mixture.kmeans import from_labels
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.moves import merge_down, split_lengthwise
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.seeding import Seeding, seed_mixture
from gmmseg.mixture.statistics import measure

__all__ = ["CRITERIA", "DEFAULT_CRITERION", "Candidate", "Choice", "choose", "grow"]

CRITERIA = ("bic", "aic", "icl", "mdl")
DEFAULT_CRITERION = "icl"

_ITERATION = Iteration(tolerance=1e-4)
_TRIAL_SAMPLES, _TRIAL_ITERATIONS = 4096, 5


@dataclass(frozen=True, eq=False)
class Candidate:
    """One mixture, such as that of 3 components, and what speaks for it; of every criterion, lower is better.

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

    def __repr__(self) -> str:
        """Say which mixture it is, and how likely, on one line."""
        found = f"log_likelihood={self.log_likelihood:.4g}, ambiguity={self.ambiguity:.3g}"
        return f"Candidate(k={self.k}, covariance={self.covariance!r}, {found}, effective={self.effective:.6g})"

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
        """Bayesian information criterion, -2 N L + p ln N (Schwarz 1978)."""
        return self.mixture.bic(self.effective * self.log_likelihood, self.effective)

    @property
    def aic(self) -> float:
        """Akaike information criterion, -2 N L + 2 p (Akaike 1974)."""
        return self.mixture.aic(self.effective * self.log_likelihood)

    @property
    def icl(self) -> float:
        """Integrated completed likelihood: BIC plus twice the ambiguity of all samples.

        It is the ICL-BIC of Biernacki, Celeux and Govaert (2000).
        """
        return self.bic + 2.0 * self.effective * self.ambiguity

    @property
    def mdl(self) -> float:
        """Minimum description length: twice the message length, in nats, of Figueiredo and Jain (2002, equation 15).

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
    """The mixtures that were compared, such as those of 1 to 8 components, and which of them was chosen.

    Parameters
    ----------
    candidates : tuple of Candidate
        By family, then by number of components.
    criterion : {"bic", "aic", "icl", "mdl"}
        The one that decides.
    apart : int, optional
        How many classes the components of the best are, where several make up one that has no second bump: no more
        components are chosen.
    groups : tuple of tuple of int, optional
        Which components, from 0, of the chosen mixture make up each class, where that is known.
    among : int
        How many components are of the class of another because their pixels lie among each other; all others that are,
        because they pass into each other without an edge.
    mixed : int
        How many components are what the borders of others mix: so many fewer are chosen than the criterion has.
    """

    candidates: tuple[Candidate, ...]
    criterion: str = DEFAULT_CRITERION
    apart: int | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    among: int = 0
    mixed: int = 0

    def __repr__(self) -> str:
        """Say what was chosen from how much, on one line."""
        best, n = self.best, len(self.candidates)
        tried = "1 candidate" if n == 1 else f"{n} candidates"
        components = f" of {best.k} components" if best.k > self.k else ""
        return f"Choice(k={self.k}{components}, covariance={best.covariance!r}, criterion={self.criterion!r}, {tried})"

    def _repr_html_(self) -> str:
        """Show the criteria in a notebook."""
        return str(face("gmmseg.integrations.notebook.html_views:choice_html")(self))

    def best_by(self, criterion: str) -> Candidate:
        """Return the candidate of least criterion; the first of equals."""
        return min(self.candidates, key=lambda each: float(getattr(each, criterion)))

    @property
    def best(self) -> Candidate:
        """The chosen candidate."""
        few = [each for each in self.candidates if self.apart is None or each.k <= self.apart]
        found = min(few, key=self._value) if few else self.best_by(self.criterion)
        kind = found.covariance, found.k - self.mixed
        return next((each for each in self.candidates if (each.covariance, each.k) == kind), found)

    @property
    def mixture(self) -> Mixture:
        """The chosen mixture."""
        return self.best.mixture

    @property
    def k(self) -> int:
        """The chosen number of classes."""
        return len(self.groups) or self.best.k

    @property
    def effective(self) -> float:
        """Effective number of samples."""
        return self.best.effective

    @property
    def reason(self) -> str:
        """What was chosen, and why neither the next best number nor one component more."""
        merged = self.best.k - self.k
        if not merged:
            return self._of_components
        passing = merged - self.among
        whys = [f"{self.among} by lying among the pixels of another"] * bool(self.among)
        whys += [f"{passing} by passing into another without an edge"] * bool(passing)
        return f"{_classes(self.k)} of {self._of_components[:-1]}; {merged} joined another: {', '.join(whys)}."

    @property
    def _of_components(self) -> str:
        best, name = self.best, self.criterion.upper()
        what = _classes(best.k) if self.k == best.k else f"{best.k} components"
        lowest = self.best_by(self.criterion)
        if self.mixed:
            number = (
                "1 of these is what borders of" if self.mixed == 1 else f"{self.mixed} of these are what borders of"
            )
            return f"{what}: {name} has {best.k + self.mixed} components, but {number} the others mix."
        if lowest is not best:
            return (
                f"{what}: {name} is lowest with {lowest.k} components, but some of these have no gap "
                "between them, and which of them a pixel is of is left to chance."
            )
        start = f"{what}: {name} is lowest ({self._value(best):.0f})"
        others = [c for c in self.candidates if c.k != best.k]
        if not others:
            return f"{start}; no other number was tried."
        second = min(others, key=self._value)
        other = f"{second.k}" if second.covariance == best.covariance else f"{second.k} ({second.covariance})"
        start += f", ahead of {other} by {self._value(second) - self._value(best):.0f}"
        larger = [c for c in self.candidates if c.covariance == best.covariance and c.k > best.k]
        if not larger:
            return f"{start}; no larger number was tried."
        nxt = min(larger, key=lambda c: c.k)
        gain = nxt.log_likelihood - best.log_likelihood
        # The difference of the criteria is 2 N (price - gain).
        price = gain + (self._value(nxt) - self._value(best)) / (2 * best.effective)
        what = "parameters and ambiguity" if self.criterion == "icl" else "parameters"
        verb = "gain" if gain >= 0 else "lose"
        return f"{start}; {nxt.k} would {verb} {abs(gain):.3g} nats a pixel, but cost {price:.3g} in {what}."

    def _value(self, candidate: Candidate) -> float:
        return float(getattr(candidate, self.criterion))


def choose(
    planes: Array,
    ks: Iterable[int],
    families: Sequence[str],
    rng: np.random.Generator,
    *,
    effective: float | Callable[[Mixture], float],
    criterion: str = DEFAULT_CRITERION,
    iteration: Iteration = _ITERATION,
) -> Choice:
    """Fit mixtures of several numbers of components and families, and choose one.

    Parameters
    ----------
    planes : ndarray, shape (d, n), float32 or float64
        At least one sample; NaN is a feature that is not known.
    ks : iterable of int, from 1
        Numbers of components that may be chosen.
    families : sequence of {"full", "tied", "diag", "spherical"}
    rng : numpy.random.Generator
    effective : float or callable
        How many independent samples say as much as these n do; more than n count as n. A callable returns what the
        residuals around a mixture's components tell of it.
    criterion : {"bic", "aic", "icl", "mdl"}
    iteration : Iteration
        Of every fit; by default `Iteration(tolerance=1e-4)`.

    Returns
    -------
    Choice
        Numbers of components that the samples do not support (more than there are distinct samples) are not in it, nor
        are families that with one feature are the same as one before them.

    Raises
    ------
    ParameterError
        An unknown criterion or family, no number or no family to choose from, or an effective number that is not
        positive.

    Notes
    -----
    All criteria are taken of the likelihood of N effective samples, N L: that of n neighbouring pixels counts the same
    observation many times over, and asks for more components the finer the same scene is sampled (Gao and Song 2010
    derive such a BIC for likelihoods of dependent samples).

    Residuals around too few components contain the differences of the classes, and seem too much alike; those around
    too many, too little. So where N is told by residuals, the choice is made with those of the largest number, made
    again with those of the number chosen, and so on, until a number justifies itself. ICL does not mind the first N's
    being too large: the halves of one Gaussian distribution are ambiguous whatever N is.

    ICL decides unless told otherwise. On 200 images of 2 to 8 classes at least 4 standard deviations apart, with full
    covariances (`scripts/benchmark_choose.py --first 5000 --images 200`), it was right on 198, BIC on 182, MDL on 163,
    AIC on 158. BIC counts Gaussian components, and takes two for a class that is not quite Gaussian; ICL counts
    clusters.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> planes = np.concatenate([rng.normal(m, 1, 500) for m in (0, 6, 12)])[None]
    >>> choose(planes, range(1, 6), ["full"], rng, effective=1500).k
    3
    """
    numbers = sorted(set(ks))
    _check(numbers, families, effective, criterion)
    candidates = []
    for name in _distinct(families, len(planes)):
        for mixture in grow(planes, numbers[-1], name, rng, iteration):
            if mixture.n_components in numbers:
                candidates.append(_judge(planes, mixture, iteration))
    n = float(planes.shape[1])
    if not callable(effective):
        return _weigh(candidates, criterion, min(max(effective, 1.0), n))
    assumed = max(candidates, key=lambda each: (each.k, each.log_likelihood))
    while True:
        choice = _weigh(candidates, criterion, min(max(effective(assumed.mixture), 1.0), n))
        if choice.k >= assumed.k:
            return choice
        assumed = choice.best


def _check(numbers: Sequence[int], families: Sequence[str], effective: Any, criterion: str) -> None:
    if not isinstance(criterion, str) or criterion not in CRITERIA:
        raise ParameterError(f"criterion={criterion!r} is not known; use one of {', '.join(CRITERIA)}")
    if not numbers or numbers[0] < 1:
        raise ParameterError(f"ks={numbers} is not usable; give whole numbers of at least 1")
    if not families:
        raise ParameterError("families is empty; give at least one covariance family")
    if not callable(effective) and not effective > 0:
        raise ParameterError(f"effective={effective!r} is not usable; give a number of samples above 0")


def _distinct(families: Sequence[str], d: int) -> list[str]:
    """Return the families that differ: of one feature all that are not tied are one, for which the first stands."""
    found = {family(name).shared if d == 1 else name: name for name in reversed(families)}
    return [name for name in dict.fromkeys(families) if name in found.values()]


def _weigh(candidates: Sequence[Candidate], criterion: str, effective: float) -> Choice:
    return Choice(tuple(replace(each, effective=effective) for each in candidates), criterion)


def grow(
    planes: Array, most: int, covariance: str, rng: np.random.Generator, iteration: Iteration = _ITERATION
) -> list[Mixture]:
    """Fit mixtures of 1 to `most` components, each from its neighbours.

    Parameters
    ----------
    planes, covariance, rng, iteration
        As of `choose`.
    most : int
        Largest number of components; the list is shorter where the samples do not support that many.

    Returns
    -------
    list of Mixture
        In ascending numbers of components.

    Notes
    -----
    On the way up all components of a mixture are split, and merged until one more than before is left; so the part
    that needs it most is what stays split. The last, or a start of its own (`seed_mixture`) where that is likelier, is
    merged one by one on the way back down. At each number the fit of the higher likelihood stays.
    """
    family(covariance)
    fitter = _Fitter(planes, iteration, rng)
    added, alike = iteration.regularization + iteration.noise, np.zeros(planes.shape[1], np.int64)
    start = from_labels(fill_in(planes), alike, 1, covariance, None, added)
    grown = [fitter.fit(start)]
    while len(grown) < most:
        following = fitter.attempt(fitter.split, grown[-1].mixture, len(grown) + 1)
        if following is None:
            break
        grown.append(following)
    for k in range(len(grown), 1, -1):
        if k == len(grown):
            other = fitter.attempt(fitter.seed, grown[-1].mixture, k)
        else:
            other = fitter.attempt(merge_down, grown[k].mixture, k)
        if other is not None and other.history[-1] > grown[k - 1].history[-1]:
            grown[k - 1] = other
    return [fit.mixture for fit in grown]


class _Fitter:
    """EM on one set of samples, and trials on a part of it."""

    def __init__(self, planes: Array, iteration: Iteration, rng: np.random.Generator) -> None:
        n = planes.shape[1]
        chosen: Any = slice(None)
        if n > _TRIAL_SAMPLES:
            chosen = np.sort(rng.choice(n, _TRIAL_SAMPLES, replace=False))
        self.planes, self.some = planes, np.ascontiguousarray(planes[:, chosen])
        self.iteration, self.rng = iteration, rng

    def fit(self, start: Mixture) -> Fit:
        """Run EM on all samples, to its end."""
        return expectation_maximization(self.planes, start, self.iteration)

    def attempt(self, begin: Callable[[Mixture, int], Mixture], mixture: Mixture, k: int) -> Fit | None:
        """Fit from `begin(mixture, k)`; None where the samples do not support k components."""
        try:
            fit = self.fit(begin(mixture, k))
        except np.linalg.LinAlgError:  # of halves without volume
            return None
        return fit if fit.mixture.n_components == k else None

    def split(self, mixture: Mixture, k: int) -> Mixture:
        """Mixture with k components, from all of its components split."""
        few = self.iteration._replace(max_iterations=_TRIAL_ITERATIONS)
        return merge_down(expectation_maximization(self.some, split_lengthwise(mixture), few).mixture, k)

    def seed(self, mixture: Mixture, k: int) -> Mixture:
        """Start of its own for k components of the mixture's family."""
        how = self.iteration
        seeding = Seeding(mixture.covariance, how.regularization, how.noise, threads=how.threads)
        return seed_mixture(self.planes, k, self.rng, seeding)


def _judge(planes: Array, mixture: Mixture, iteration: Iteration) -> Candidate:
    blur = np.broadcast_to(np.asarray(iteration.noise, np.float64), (len(planes),))
    total = measure(planes, mixture, noise=blur, threads=iteration.threads)
    surest = mixture.posterior(planes, threads=iteration.threads).max(axis=0)
    ambiguity = -float(np.log(surest).mean(dtype=np.float64))
    return Candidate(mixture, total.log_likelihood / total.weight, ambiguity, effective=float(planes.shape[1]))


def _classes(k: int) -> str:
    return "1 class" if k == 1 else f"{k} classes"
