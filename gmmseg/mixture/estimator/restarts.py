"""Restarts: the fits of a GaussianMixture from one start after the other, of which the likeliest stays."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import DataWarning, ParameterError, warn
from gmmseg.kernels.blas import one_blas_thread
from gmmseg.kernels.lines import planes_of
from gmmseg.mixture.em import Fit, Iteration, expectation_maximization, precision_of, with_box, with_outliers
from gmmseg.mixture.estimator.validation import check_finite, generator
from gmmseg.mixture.kmeans import from_labels, nearest, plus_plus
from gmmseg.mixture.missing import fill_in
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import has_missing
from gmmseg.mixture.seeding import Seeding, frame, seed_mixture
from gmmseg.threads import thread_count

if TYPE_CHECKING:
    from gmmseg.mixture.estimator.estimator import GaussianMixture

__all__ = ["Restarts"]

_FEW_ITERATIONS = 10  # who allows for fewer wants k-means and little EM, not the short runs of several starts
_MOST_ITERATIONS = 2**31 - 1  # that the kernels count
_MOST_DOUBLED = 1 << 24  # numbers that may be had in float64 as well, where float32 is too coarse
_A_FEATURE, _LOOKED_AT = 8, 1 << 16  # samples that tell whether covariances are singular: each for itself, and all
_COARSE = 1e-3  # part of a component's least variance, of a unit in the whole, that is rounding in float32


def _fell(fit: Fit, tolerance: float, precision: float) -> bool:
    """Whether the likelihood fell by more than the tolerance: sums in float32 are too coarse then to find its top.

    Without a tolerance it is by more than the part of it that is rounding: at the top every other step is a fall.
    """
    least = tolerance or precision * max(1.0, *map(abs, fit.history))
    return bool((np.diff(fit.history) < -least).any())


def _is_singular(mixture: Mixture, n: float) -> bool:
    """Whether moments of n samples in float32 have too few digits for the narrowest axis of a component.

    Of hardly more samples than features, or where features follow from others, EM in float32 goes round in circles.
    """
    if not mixture.family.diagonal and _share(mixture) * n <= mixture.n_features:
        return True
    try:
        return bool(np.finfo(np.float32).eps * np.square(mixture.factors).max() > _COARSE)
    except np.linalg.LinAlgError:
        return True


def _share(mixture: Mixture) -> float:
    """The least part of the samples that a covariance is of."""
    return 1.0 if mixture.family.shared else float(mixture.weights.min())


def _matched(seeded: Mixture, given: dict[str, Array]) -> tuple[Mixture, dict[str, Array]]:
    """Put a seeded mixture in the order of the values that are given: that by which its samples are likeliest.

    So weights and precisions are those of the components that they suit, and stay where somebody has put them.
    Precisions alone come to the components instead, which are in the order that they have without, as in scikit-learn.
    Likelihoods are expected ones, which are closed for Gaussian samples.
    """
    from scipy.optimize import linear_sum_assignment  # here, because few starts have some of their values given

    if seeded.family.shared and given.keys() == {"covariances"}:
        return seeded, given  # one covariance suits all alike
    k, d = seeded.means.shape
    costs = np.zeros((k, k))  # of what is given, a row each, to the samples of a seeded component
    if "weights" in given:
        costs -= np.log(np.maximum(given["weights"], np.finfo(np.float64).tiny))[:, None]
    shaped = "covariances" in given
    factors = (replace(seeded, covariances=given["covariances"]) if shaped else seeded).factors
    with one_blas_thread(d):
        whole = factors if factors.ndim == 3 else factors[:, :, None] * np.eye(d)
        precisions = np.swapaxes(whole, 1, 2) @ whole
        if shaped:
            spread = seeded.family.dense(seeded.covariances, k, d)
            costs += precisions.reshape(k, -1) @ spread.reshape(k, -1).T / 2
            costs -= np.log(np.diagonal(whole, axis1=1, axis2=2)).sum(axis=1)[:, None]
        if "means" in given:
            away = given["means"][:, None] - seeded.means
            pulled = away @ precisions if shaped else np.swapaxes(np.swapaxes(away, 0, 1) @ precisions, 0, 1)
            costs += (pulled * away).sum(axis=2) / 2
    suits = linear_sum_assignment(costs * seeded.weights)[1]
    if given.keys() == {"covariances"}:
        return seeded, {"covariances": given["covariances"][np.argsort(suits)]}
    return seeded.select(suits), given


class Restarts:
    """The fits of one model to one set of samples, in a frame in which no sum cancels.

    Parameters
    ----------
    model : GaussianMixture
        Its parameters say what is fitted; it is not changed.
    rows : ndarray, shape (n, d)
        Each with some feature that is not NaN.
    weights : ndarray, shape (n,), optional
    given : dict
        The starting values that the model has, as of `initial_values`.
    missing : bool
        Whether any feature of any row is NaN.

    Attributes
    ----------
    center, scale : ndarray, shape (d,)
        Fits are of `(x - center) / scale`.
    unit : float
        What a mean log-likelihood a sample is more in that frame than in the data's units, in nats.
    """

    def __init__(
        self, model: GaussianMixture, rows: Array, weights: Array | None, given: dict[str, Array], *, missing: bool
    ) -> None:
        self.model, self.weights, self.given = model, weights, given
        planes = planes_of(rows)
        self.center, self.scale = frame(planes, weights, common=model.covariance_type == "spherical")
        if not self.center.any():  # as it is where a number is infinite
            check_finite(planes)
        known = np.average(~np.isnan(rows), axis=0, weights=weights) if missing else np.ones(len(planes))
        self.unit = float(known @ np.log(self.scale))
        planes -= self.center.astype(planes.dtype)[:, None]
        planes *= (1 / self.scale).astype(planes.dtype)[:, None]
        self.planes, self.regularization = planes, float(model.reg_covar) / self.scale**2
        self.threads = thread_count(model.threads)

    def best(self, last: Mixture | None) -> Fit:
        """Return the best of `n_init` fits; a warm start, from the model's last mixture, is a single one."""
        rng = generator(self.model.random_state)
        best: Fit | None = None
        for turn in range(self.model.n_init if last is None else 1):
            began = time.perf_counter()
            if self.model.verbose:
                sys.stdout.write(f"Initialization {turn}\n")
            start = (self._start(rng) if last is None else last).transform(1 / self.scale, -self.center / self.scale)
            if last is not None and last.outlier_ranges is not None:
                start = with_box(start, self.planes, self.regularization)
            fit = self._iterate(start, -np.inf if last is None else self.model.lower_bound_ + self.unit)
            self._refuse_collapse(fit.mixture)
            self._tell(fit, time.perf_counter() - began)
            if best is None or (fit.history and fit.history[-1] > best.history[-1]):
                best = fit
        assert best is not None
        return best

    def _iterate(self, start: Mixture, last: float) -> Fit:
        """EM from a start; `last` is the likelihood that a warm start has to gain on."""
        model = self.model
        prior = None if model.prior is None else model.prior.transform(1 / self.scale, -self.center / self.scale)

        def climb(iterations: int) -> Fit:
            iteration = Iteration(
                float(model.tol), min(iterations, _MOST_ITERATIONS), self.regularization, threads=self.threads
            )
            given = partial(expectation_maximization, iteration=iteration, prior=prior, frozen=model.frozen)
            one_step = partial(given, iteration=iteration._replace(max_iterations=1))
            coarse = self.planes.dtype == np.float32 and self.planes.size <= _MOST_DOUBLED
            singular = coarse and (_is_singular(start, self.planes.shape[1]) or self._gets_singular(start, one_step))
            found = None if singular else given(self.planes, start, weights=self.weights)
            tolerance = model.tol if self.regularization.any() else 0.0  # without, nothing but rounding explains a fall
            if found is None or (coarse and _fell(found, tolerance, precision_of(self.planes))):
                weights = None if self.weights is None else self.weights.astype(np.float64)
                begun = start if found is None else found.mixture
                found = given(self.planes.astype(np.float64), begun, weights=weights)
            return found.warned(DataWarning)  # that one did not converge is said by `fit`, of the best of n_init

        if np.isfinite(last) and model.max_iter > 0:
            first = climb(1)
            if abs(first.history[0] - last) < model.tol:
                return replace(first, converged=True)
        return climb(model.max_iter)

    def _gets_singular(self, start: Mixture, one_step: Callable[..., Fit]) -> bool:
        """Whether EM makes a component singular at once, as it does of rows that mostly repeat others."""
        step = max(1, int(self.planes.shape[1] * _share(start) / (_A_FEATURE * start.n_features)))
        some = np.ascontiguousarray(self.planes[:, ::step])
        if start.family.diagonal or some.shape[1] > _LOOKED_AT or has_missing(some):
            return False
        own = None if self.weights is None else self.weights[::step]
        return _is_singular(one_step(some, start, weights=own).mixture, np.inf)

    def _refuse_collapse(self, mixture: Mixture) -> None:
        """Components may be lost only where variances are regularised: without, the likelihood has no bound."""
        model = self.model
        if model.reg_covar == 0 and mixture.n_components < model.n_components:
            raise ParameterError(
                "Fitting the mixture model failed because some components have ill-defined empirical covariance (for "
                "instance caused by singleton or collapsed samples). Try to decrease the number of components, "
                f"increase reg_covar, or scale the input data. (n_components={model.n_components}, but only "
                f"{mixture.n_components} can be told apart, and reg_covar=0)"
            )

    def _start(self, rng: np.random.Generator) -> Mixture:
        """Starting mixture in the data's units: seeded, with the initial values that were given put in place."""
        model, given = self.model, self.given
        k, d = model.n_components, len(self.planes)
        start = Mixture(np.full(k, 1 / k), np.zeros((k, d)), np.empty(0), model.covariance_type)
        if len(given) < 3:
            start = self._seed(rng).transform(self.scale, self.center)
        self._refuse_collapse(start)
        if start.n_components < k:
            warn(
                f"n_components={k}, but the samples have only {start.n_components} distinct values; "
                f"{start.n_components} components were fitted",
                DataWarning,
            )
            return start
        if 0 < len(given) < 3:
            start, given = _matched(start, given)
        if len(given) == 3 and model.outliers is not None:
            in_units = np.asarray(self.planes * self.scale[:, None] + self.center[:, None])
            start = with_outliers(start, model.outliers, in_units, model.reg_covar)
        if model.dof_init is not None:
            start = replace(start, dof=np.array(np.broadcast_to(model.dof_init, k), np.float64))
        return replace(
            start,
            weights=given["weights"] * (1 - start.outlier_weight) if "weights" in given else start.weights,
            means=given.get("means", start.means),
            covariances=given.get("covariances", start.covariances),
        )

    def _seed(self, rng: np.random.Generator) -> Mixture:
        """Starting mixture in the frame, as `init_params` says."""
        model, planes, weights, k = self.model, self.planes, self.weights, self.model.n_components
        if model.init_params == "kmeans":
            seeding = Seeding(
                model.covariance_type,
                self.regularization,
                outliers=model.outliers,
                moves=model.max_iter >= _FEW_ITERATIONS,
                judged=True,
                units=self.scale,
                threads=self.threads,
            )
            return seed_mixture(planes, k, rng, seeding, weights=weights)
        complete = fill_in(planes, weights)
        if model.init_params == "random":
            labels = rng.permutation(np.arange(planes.shape[1]) % k)
        else:
            drawn = rng.choice(planes.shape[1], k, replace=False)
            plain = model.init_params == "random_from_data"
            centers = complete[:, drawn].T if plain else plus_plus(complete, k, rng, weights)
            labels = nearest(complete, centers.astype(np.float64))
        start = from_labels(complete, labels, k, model.covariance_type, weights, self.regularization)
        return with_outliers(start, model.outliers, planes, self.regularization)

    def _tell(self, fit: Fit, seconds: float) -> None:
        """Write to stdout how a fit went, as far as `verbose` asks."""
        verbose, interval = self.model.verbose, self.model.verbose_interval
        if not verbose:
            return
        gains = np.diff(fit.history, prepend=-np.inf)
        detailed, share = verbose >= 2, seconds / max(1, len(gains))
        for turn in range(interval, len(gains) + 1, interval):
            detail = f"\t time lapse {share * interval:.5f}s\t ll change {gains[turn - 1]:.5f}"
            sys.stdout.write(f"  Iteration {turn}{detail if detailed else ''}\n")
        if fit.history:
            detail = f" time lapse {seconds:.5f}s\t lower bound {fit.history[-1] - self.unit:.5f}."
            verdict = "converged" if fit.converged else "did not converge"
            sys.stdout.write(f"Initialization {verdict}.{detail if detailed else ''}\n")
