"""Mixture: the parameters of a Gaussian mixture, and everything that follows from them.

K is the number of components, d of features, n of samples. Planes are `(d, n)` arrays, float32 or float64.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.kernels import Densities
from gmmseg.kernels.blas import product
from gmmseg.kernels.chance import default_rng
from gmmseg.mixture import patterns
from gmmseg.mixture.covariance import (
    Family,
    count_parameters,
    factors_of_precisions,
    factors_of_roots,
    family,
    inverse_of_lower,
)
from gmmseg.mixture.incomplete import imputed, workable
from gmmseg.records import dataclass, replace

__all__ = ["Mixture", "densities_of", "log_density"]

_DRAWS = 4096  # samples that tell how often components are taken for one another


def densities_of(weights: Array, means: Array, factors: Array, dof: Array | None = None) -> Densities:
    """Return a mixture as the kernels take it, from weights (K,), means (K, d) and lower precision factors."""
    k, d = means.shape
    if weights.shape != (k,) or factors.shape[0] != k or factors.shape[1] != d:
        raise ParameterError(
            f"weights {weights.shape}, means {means.shape} and precision factors {factors.shape} differ in their "
            "numbers of components or features; give one of each for every component"
        )
    diagonals = factors if factors.ndim == 2 else factors.diagonal(axis1=1, axis2=2)
    with np.errstate(divide="ignore"):
        constants = np.log(weights) + np.log(diagonals).sum(axis=1) - 0.5 * d * math.log(2 * math.pi)
    if dof is not None:
        ratio = [math.lgamma((shape + d) / 2) - math.lgamma(shape / 2) for shape in dof]
        constants += np.array(ratio) - 0.5 * d * np.log(dof / 2)
    return Densities(
        np.ascontiguousarray(constants, np.float64),
        np.ascontiguousarray(means, np.float64),
        np.ascontiguousarray(factors, np.float64),
        dof,
    )


@lru_cache(4)
def _white(n_features: int) -> Array:
    """Return standard normal numbers (d, n), float32, always the same (Box and Muller 1958)."""
    count = n_features * _DRAWS
    first, second = kernels.uniform([0], 0, count + count % 2).reshape(2, -1)
    radius, angle = np.sqrt(-2 * np.log1p(-first)), 2 * np.pi * second
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
    white = both.reshape(n_features, -1).astype(np.float32)
    white.flags.writeable = False
    return white


def log_density(planes: Array, arguments: patterns.Arguments, box: Array | None, *, threads: int = 1) -> Array:
    """Return the logarithm of the density of each sample (n,), in nats: of the features that are known.

    `arguments` gives the components as the kernels take them. Where there is a `box` (2, d), its lowest and its highest
    corner, the last of them is that of outliers, which is nowhere else.
    """
    out = np.empty(planes.shape[1], planes.dtype)
    patterns.posterior(planes, arguments, None, out, threads=threads)
    if box is None:
        return out
    outside = ((planes < box[0][:, None]) | (planes > box[1][:, None])).any(axis=0)
    if outside.any():

        def without_outliers(observed: Array | None) -> Densities:
            constants, means, factors, dof, *_ = arguments(observed)
            return Densities(constants[:-1], means[:-1], factors[:-1], dof)

        alone = np.empty(np.count_nonzero(outside), planes.dtype)
        patterns.posterior(planes[:, outside], without_outliers, None, alone, threads=threads)
        out[outside] = alone
    return out


@dataclass(frozen=True, eq=False)
class Mixture:
    """A Gaussian mixture, or one of Student-t distributions, perhaps with a component of outliers beside it.

    Parameters
    ----------
    weights : ndarray, shape (K,)
        Not negative, summing to 1 together with `outlier_weight`.
    means : ndarray, shape (K, d)
    covariances : ndarray
        (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical". Of a Student-t distribution
        its scale matrices, which are less than its covariances.
    covariance : str
        The covariance family.
    dof : ndarray, shape (K,), optional
        Degrees of freedom of Student-t components (Peel and McLachlan 2000); Gaussian where None.
    outlier_weight : float
        Weight of a uniform component, whose samples belong to no class (Banfield and Raftery 1993).
    outlier_ranges : ndarray, shape (d,), optional
        Sides of the box in which that component is uniform.
    outlier_center : ndarray, shape (d,), optional
        Middle of the box; by default the mean of the components.

    Examples
    --------
    >>> mixture = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [4.0]]), np.ones((2, 1, 1)))
    >>> mixture.classify(np.array([[0.1, 3.0]]))
    array([0, 1])
    """

    weights: Array
    means: Array
    covariances: Array
    covariance: str = "full"
    dof: Array | None = None
    outlier_weight: float = 0.0
    outlier_ranges: Array | None = None
    outlier_center: Array | None = None

    def __post_init__(self) -> None:
        if self.outlier_ranges is not None and self.outlier_center is None:
            object.__setattr__(self, "outlier_center", self.weights @ self.means / self.weights.sum())

    def __repr__(self) -> str:
        """Say how many components of what kind they are, on one line."""
        heavy = "" if self.dof is None else ", Student-t"
        outliers = "" if self.outlier_ranges is None else f", outlier_weight={self.outlier_weight:.3g}"
        size = f"k={self.n_components}, n_features={self.n_features}"
        return f"Mixture({size}, covariance={self.covariance!r}{heavy}{outliers})"

    @property
    def n_components(self) -> int:
        """Number of components, K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """Number of features, d."""
        return int(self.means.shape[1])

    @property
    def family(self) -> Family:
        """The rules of the covariance family."""
        return family(self.covariance)

    @cached_property
    def factors(self) -> Array:
        """Lower triangular precision factors (K, d, d), or their diagonals (K, d); LinAlgError where degenerate."""
        return np.ascontiguousarray(self.family.factors(self.covariances, self.n_components, self.n_features))

    @cached_property
    def densities(self) -> Densities:
        """The components as the kernels take them."""
        return densities_of(self.weights, self.means, self.factors, self.dof)

    @cached_property
    def all_densities(self) -> Densities:
        """The components as the kernels take them, the one of outliers, if any, as a last one without extent."""
        if self.outlier_ranges is None:
            return self.densities
        constants, means, factors, dof, *_ = self.densities
        with np.errstate(divide="ignore"):
            outliers = np.log(self.outlier_weight) - np.log(self.outlier_ranges).sum()
        return Densities(
            np.append(constants, outliers),
            np.append(means, np.zeros((1, self.n_features)), axis=0),
            np.append(factors, np.zeros((1, *factors.shape[1:])), axis=0),
            dof,
        )

    @property
    def outlier_box(self) -> Array | None:
        """Lowest and highest corner (2, d) of the box of outliers, a millionth wider for rounding; None without."""
        if self.outlier_ranges is None or self.outlier_center is None:
            return None
        half = (0.5 + 1e-6) * self.outlier_ranges
        return np.stack([self.outlier_center - half, self.outlier_center + half])

    def marginal(self, observed: Array | None) -> Mixture:
        """Return the mixture of some of the features, given by their indices; of all where None."""
        if observed is None:
            return self
        dense = self.family.dense(self.covariances, self.n_components, self.n_features)
        if self.family.diagonal:
            covariances, covariance = np.diagonal(dense, axis1=1, axis2=2)[:, observed], "diag"
        else:
            covariances, covariance = dense[:, observed][:, :, observed], "full"
        some = replace(
            self,
            means=self.means[:, observed],
            covariances=covariances,
            covariance=covariance,
            outlier_ranges=None if self.outlier_ranges is None else self.outlier_ranges[observed],
            outlier_center=None if self.outlier_center is None else self.outlier_center[observed],
        )
        try:
            _ = some.factors
        except np.linalg.LinAlgError:  # by rounding, where features nearly depend on each other; their roots keep it
            vars(some)["factors"] = factors_of_roots(inverse_of_lower(self.factors)[:, observed])
        return some

    @classmethod
    def factored(cls, weights: Array, means: Array, covariances: Array, covariance: str, factors: Array) -> Mixture:
        """Return the mixture whose factors are known with its covariances, as kernels return them."""
        mixture = cls(weights, means, covariances, covariance)
        vars(mixture)["factors"] = factors
        return mixture

    @classmethod
    def of(cls, estimator: Any) -> Mixture:
        """Return the mixture of a fitted estimator with scikit-learn's attributes, gmmseg's or scikit-learn's own.

        Of a `BayesianGaussianMixture` it is the mixture of the posterior's expected weights, means and covariances.

        Raises
        ------
        ParameterError
            It has no fitted attributes of a mixture.
        """
        needed = ("weights_", "means_", "covariances_", "covariance_type")
        if not all(hasattr(estimator, name) for name in needed):
            what, remedy = type(estimator).__name__, "give a fitted GaussianMixture"
            if hasattr(estimator, "covariance_type"):
                remedy = "call its fit first"
            raise ParameterError(f"{what} is no fitted mixture; {remedy}")
        weights, means, covariances = (np.asarray(getattr(estimator, name), np.float64) for name in needed[:3])
        further = ("dof", "outlier_weight", "outlier_ranges", "outlier_center")
        held = {name: getattr(estimator, name + "_") for name in further if hasattr(estimator, name + "_")}
        return cls(weights, means, covariances, estimator.covariance_type, **held)

    def conditional(self, sample: Array) -> Mixture:
        """Return the mixture of the features that a sample (d,) lacks, its NaN, given those that it has.

        Notes
        -----
        Each component is conditioned by itself, and weighs as it explains what is known; its mean is linear in that
        (Gaussian mixture regression). A Student-t component gains a degree of freedom for each known feature, and its
        scale grows with the distance of what is known (Ding 2016).

        Examples
        --------
        >>> both = Mixture(np.ones(1), np.array([[0.0, 1.0]]), np.array([[[4.0, 2.0], [2.0, 3.0]]]))
        >>> given = both.conditional(np.array([2.0, np.nan]))
        >>> given.means.tolist(), given.covariances.tolist()
        ([[2.0]], [[[2.0]]])
        """
        values = np.asarray(sample, np.float64)
        if values.shape != (self.n_features,):
            raise ParameterError(
                f"the sample has shape {values.shape}; give {self.n_features} numbers, NaN for unknown"
            )
        missing, observed = np.flatnonzero(np.isnan(values)), np.flatnonzero(~np.isnan(values))
        if not len(missing):
            raise ParameterError("the sample lacks no feature; write NaN for those whose distribution is wanted")
        if not len(observed):
            return self
        known = self.marginal(observed)
        means, slopes, covariances = self._given(known.factors, observed, missing)
        offsets = values[observed] - known.means
        dof = self.dof
        if dof is not None:
            white = [f @ x if f.ndim == 2 else f * x for f, x in zip(known.factors, offsets, strict=True)]
            growth = (dof + np.sum(np.square(white), axis=1)) / (dof + len(observed))
            covariances, dof = covariances * growth[:, None, None], dof + len(observed)
        box = known.outlier_box
        far = box is None or (values[observed] < box[0]).any() or (values[observed] > box[1]).any()
        densities = known.densities if far else known.all_densities
        shares = np.empty((len(densities.means), 1))
        patterns.posterior(values[observed, None], lambda _: densities, shares, None)
        return replace(
            self,
            weights=shares[: self.n_components, 0],
            means=means + np.einsum("kmo,ko->km", slopes, offsets),
            covariances=np.diagonal(covariances, axis1=1, axis2=2) if self.family.diagonal else covariances,
            covariance="diag" if self.family.diagonal else "full",
            dof=dof,
            outlier_weight=float(shares[self.n_components :].sum()),
            outlier_ranges=None if self.outlier_ranges is None else self.outlier_ranges[missing],
            outlier_center=None if self.outlier_center is None else self.outlier_center[missing],
        )

    def _given(self, factors: Array, observed: Array, missing: Array) -> tuple[Array, Array, Array]:
        """Means (K, m) of missing features, their slopes (K, m, o) on the observed, and what these leave (K, m, m).

        The `factors` are those of the observed features alone.
        """
        dense = self.family.dense(self.covariances, self.n_components, self.n_features)
        across = dense[:, missing][:, :, observed]
        roots = across @ np.swapaxes(factors, 1, 2) if factors.ndim == 3 else across * factors[:, None]
        slopes = roots @ factors if factors.ndim == 3 else roots * factors[:, None]
        return self.means[:, missing], slopes, dense[:, missing][:, :, missing] - roots @ np.swapaxes(roots, 1, 2)

    def impute(self, planes: Array, *, threads: int = 1) -> Array:
        """Return samples (d, n) with what is NaN as it is expected from the rest: the means of `conditional`.

        Outliers are taken for samples of the components. With a target as one of the features this is Gaussian mixture
        regression: a target of NaN is predicted.

        Examples
        --------
        >>> both = Mixture(np.ones(1), np.array([[0.0, 1.0]]), np.array([[[4.0, 2.0], [2.0, 3.0]]]))
        >>> both.impute(np.array([[2.0, np.nan], [np.nan, 3.0]])).round(3).tolist()
        [[2.0, 1.333], [2.0, 3.0]]
        """
        if workable(self.densities):
            return imputed(planes, self.densities, self.posterior(planes, threads=threads), threads)
        out = np.array(planes)
        out[:, np.isnan(out).all(axis=0)] = (self.weights @ self.means / self.weights.sum())[:, None]
        for observed, index in patterns.patterns(planes):
            if observed is None:
                continue
            missing = np.setdiff1d(np.arange(len(planes)), observed)
            known = self.marginal(observed)
            means, slopes, _ = self._given(known.factors, observed, missing)
            part = np.ascontiguousarray(planes[np.ix_(observed, index)])
            shares = known.posterior(part, threads=threads)
            found = np.zeros((len(missing), len(index)))
            for share, mean, slope, center in zip(shares, means, slopes, self.means[:, observed], strict=True):
                found += share * (mean[:, None] + slope @ (part - center[:, None]))
            out[np.ix_(missing, index)] = found
        return out

    def of_precisions(self, precisions_cholesky: Array) -> Mixture:
        """Return the mixture with other covariances, told by factors of their inverses, float64.

        They have the shape of `precisions_cholesky`; any square P with P P^T the precision will do.
        """
        if self.family.diagonal:
            return replace(self, covariances=1 / precisions_cholesky**2)
        lower = factors_of_precisions(precisions_cholesky)
        roots = np.linalg.inv(precisions_cholesky)
        mixture = replace(self, covariances=np.swapaxes(roots, -1, -2) @ roots)
        vars(mixture)["factors"] = np.array(np.broadcast_to(lower, (self.n_components, *lower.shape[-2:])))
        return mixture

    def arguments_of(self, observed: Array | None) -> Densities:
        """Return the components as the kernels take them, in some features, such as [0, 2]; in all where None."""
        return self.marginal(observed).densities

    def all_arguments_of(self, observed: Array | None) -> Densities:
        """Return what `arguments_of` does, with the component of outliers, if any, as the last."""
        return self.marginal(observed).all_densities

    @property
    def precisions_cholesky(self) -> Array:
        """Factors of the inverse covariances, as scikit-learn has them.

        Upper triangular U with U U^T the precision, (K, d, d), or (d, d) for "tied"; else inverse deviations.
        """
        if self.covariance == "spherical":
            return self.factors[:, 0]
        upper = self.factors if self.covariance == "diag" else np.swapaxes(self.factors, 1, 2)
        return upper[0] if self.covariance == "tied" else upper

    def blur(self, noise: Array) -> Array:
        """Return the loss (K,) of expected log density, in nats, to noise of variance (d,) in a component's samples."""
        return np.asarray(
            0.5 * (self.factors**2 @ noise if self.factors.ndim == 2 else (self.factors**2).sum(1) @ noise)
        )

    def posterior(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the responsibilities (K, n), in the planes' dtype, summing to 1 over the components.

        NaN in the planes is a feature that is not known; a sample without any has the components' weights. Outliers
        get the components that they would have if they were none.
        """
        out = np.empty((self.n_components, planes.shape[1]), planes.dtype)
        patterns.posterior(planes, self.arguments_of, out, None, threads=threads, whole=True)
        unknown = np.isnan(out[0])
        if unknown.any():
            out[:, unknown] = (self.weights / self.weights.sum())[:, None]
        return out

    def log_density(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the logarithm of the density of each sample (n,), in nats: of the features that are known."""
        return log_density(planes, self.all_arguments_of, self.outlier_box, threads=threads)

    def classify(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the index of the likeliest component of each sample (n,), int64, from 0; 0 where all is missing."""
        out = np.empty(planes.shape[1], np.int64)
        patterns.classify(planes, self.arguments_of, out, 0, threads=threads)
        return out

    def labels(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the class of each sample (n,), uint8, from 1; 0 where all is missing. For up to 255 components."""
        out = np.empty(planes.shape[1], np.uint8)
        patterns.classify(planes, self.arguments_of, out, 1, threads=threads)
        return out

    def sample(self, n: int, rng: Any) -> tuple[Array, Array]:
        """Draw n samples: planes (d, n) and the component of each (n,), in ascending order; outliers, -1, come last.

        `rng` is a numpy Generator or RandomState.
        """
        box = self.outlier_box
        shares = self.weights if box is None else np.append(self.weights, self.outlier_weight)
        counts = rng.multinomial(n, shares / shares.sum())
        components = np.repeat(np.append(np.arange(self.n_components), -1)[: len(counts)], counts)
        dense = self.factors if self.factors.ndim == 3 else self.factors[:, :, None] * np.eye(self.n_features)
        spread = inverse_of_lower(dense)
        parts = []
        for k, count in enumerate(counts[: self.n_components]):
            white = rng.standard_normal((self.n_features, count))
            if self.dof is not None:
                white /= np.sqrt(rng.chisquare(self.dof[k], count) / self.dof[k])
            parts.append(self.means[k][:, None] + product(white.T, spread[k]))
        if box is not None:
            parts.append(rng.uniform(*box, (counts[-1], self.n_features)).T)
        return np.concatenate(parts, axis=1), components

    @property
    def n_parameters(self) -> int:
        """Free parameters: weights, means, covariances, degrees of freedom."""
        return self.count_parameters()

    def count_parameters(self, frozen: int = 0) -> int:
        """Return the free parameters where so many components keep all but their weights."""
        further = (0 if self.dof is None else self.n_components - frozen) + (self.outlier_ranges is not None)
        return count_parameters(self.family, self.n_components, self.n_features, frozen) + further

    def bic(self, log_likelihood: float, n: float, frozen: int = 0) -> float:
        """Bayesian information criterion of n samples of this total log-likelihood (Schwarz 1978); lower is better."""
        return -2.0 * log_likelihood + self.count_parameters(frozen) * float(np.log(n))

    def aic(self, log_likelihood: float, frozen: int = 0) -> float:
        """Akaike information criterion (Akaike 1974); lower is better."""
        return -2.0 * log_likelihood + 2.0 * self.count_parameters(frozen)

    def expected_error(self, memberships: Array | None = None) -> float:
        """Return the share of samples, 0 to 1, whose likeliest component is not theirs, told by some thousand samples.

        `memberships` (k, K) are those of the components in classes; the error is that of the likeliest class then.
        """
        if self.dof is None and self.outlier_ranges is None:
            into = None if memberships is None else np.ascontiguousarray(memberships, np.float64)
            white = _white(self.n_features)
            return float(kernels.expected_error(white, self.weights, self.means, self.factors, into, 1))
        posterior = self.posterior(self.sample(_DRAWS, default_rng(0))[0])
        classes = posterior if memberships is None else memberships @ posterior
        likeliest = classes.max(axis=0) / classes.sum(axis=0)  # of a single class exactly 1, however rounded
        return 1 - float(likeliest.mean(dtype=np.float64))

    def tempered(self, power: float) -> Mixture:
        """Return the mixture with its weights to a power: all are equal at 0, and at 1 they are as here."""
        weights = np.where(self.weights > 0, self.weights, np.finfo(float).tiny) ** power
        return replace(self, weights=weights * (self.weights.sum() / weights.sum()))

    def select(self, components: Any) -> Mixture:
        """Return the mixture of these components, in this order; their weights are scaled to the sum of all."""
        index = np.asarray(components)
        weights = self.weights[index]
        covariances = self.covariances if self.family.shared else self.covariances[index]
        return replace(
            self,
            weights=weights * ((1 - self.outlier_weight) / weights.sum()),
            means=self.means[index],
            covariances=covariances,
            dof=None if self.dof is None else self.dof[index],
        )

    def transform(self, scale: Array, shift: Array) -> Mixture:
        """Return the mixture that `scale * x + shift`, both (d,), follows where x follows this one.

        For "spherical" the scale has to be the same for all features.
        """
        scale = np.asarray(scale, np.float64)
        if self.covariance == "spherical":
            covariances = self.covariances * scale[0] ** 2
        elif self.covariance == "diag":
            covariances = self.covariances * scale**2
        else:
            covariances = self.covariances * scale[:, None] * scale
        mixture = replace(
            self,
            means=self.means * scale + shift,
            covariances=covariances,
            outlier_ranges=None if self.outlier_ranges is None else self.outlier_ranges * np.abs(scale),
            outlier_center=None if self.outlier_center is None else self.outlier_center * scale + shift,
        )
        if "factors" in vars(self) and (scale > 0).all():  # a tenth of a fit to few samples of many features
            vars(mixture)["factors"] = self.factors / scale
        return mixture
