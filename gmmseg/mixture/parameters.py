"""Mixture: the parameters of a Gaussian mixture, and everything that follows from them.

K is the number of components, d of features, n of samples. Planes are `(d, n)` arrays, float32 or float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.errors import ParameterError
from gmmseg.mixture.covariance import Family, family

__all__ = ["Mixture", "kernel_arguments"]

Array = NDArray[Any]


def kernel_arguments(weights: Array, means: Array, factors: Array) -> tuple[Array, Array, Array]:
    """Return a mixture as the kernels take it: log constants (K,), means (K, d), precision factors, contiguous."""
    k, d = means.shape
    if weights.shape != (k,) or factors.shape[0] != k or factors.shape[1] != d:
        raise ParameterError(
            f"weights {weights.shape}, means {means.shape} and precision factors {factors.shape} differ in their "
            "numbers of components or features; give one of each for every component"
        )
    diagonals = factors if factors.ndim == 2 else np.diagonal(factors, axis1=1, axis2=2)
    with np.errstate(divide="ignore"):
        constants = np.log(weights) + np.log(diagonals).sum(axis=1) - 0.5 * d * np.log(2 * np.pi)
    return (
        np.ascontiguousarray(constants, np.float64),
        np.ascontiguousarray(means, np.float64),
        np.ascontiguousarray(factors, np.float64),
    )


@dataclass(frozen=True, eq=False)
class Mixture:
    """A Gaussian mixture.

    Parameters
    ----------
    weights : ndarray, shape (K,)
        Not negative, summing to 1.
    means : ndarray, shape (K, d)
    covariances : ndarray
        (K, d, d) for "full", (d, d) for "tied", (K, d) for "diag", (K,) for "spherical".
    covariance : str
        The covariance family.

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
    def arguments(self) -> tuple[Array, Array, Array]:
        """The mixture as the kernels take it: log constants, means, precision factors."""
        return kernel_arguments(self.weights, self.means, self.factors)

    def blur(self, noise: Array) -> Array:
        """Loss (K,) of each component's expected log density, in nats, to noise of variance (d,) in the samples."""
        return np.asarray(
            0.5 * (self.factors**2 @ noise if self.factors.ndim == 2 else (self.factors**2).sum(1) @ noise)
        )

    def posterior(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the responsibilities (K, n), in the planes' dtype, summing to 1 over the components."""
        out = np.empty((self.n_components, planes.shape[1]), planes.dtype)
        kernels.posterior(planes, *self.arguments, out, None, threads)
        return out

    def log_density(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the logarithm of the density of each sample (n,), in nats."""
        out = np.empty(planes.shape[1], planes.dtype)
        kernels.posterior(planes, *self.arguments, None, out, threads)
        return out

    def classify(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the index of the likeliest component of each sample (n,), int64, from 0."""
        out = np.empty(planes.shape[1], np.int64)
        kernels.classify(planes, *self.arguments, out, 0, threads)
        return out

    def labels(self, planes: Array, *, threads: int = 1) -> Array:
        """Return the class of each sample (n,), uint8, from 1; for up to 255 components."""
        out = np.empty(planes.shape[1], np.uint8)
        kernels.classify(planes, *self.arguments, out, 1, threads)
        return out

    def sample(self, n: int, rng: Any) -> tuple[Array, Array]:
        """Draw n samples: planes (d, n) and the component of each (n,), components in ascending order.

        `rng` is a numpy Generator or RandomState.
        """
        counts = rng.multinomial(n, self.weights)
        spread = np.linalg.cholesky(self.family.dense(self.covariances, self.n_components, self.n_features))
        parts = [
            self.means[k][:, None] + spread[k] @ rng.standard_normal((self.n_features, count))
            for k, count in enumerate(counts)
        ]
        return np.concatenate(parts, axis=1), np.repeat(np.arange(self.n_components), counts)

    @property
    def n_parameters(self) -> int:
        """Free parameters: weights, means and covariances."""
        k, d = self.n_components, self.n_features
        return k - 1 + k * d + self.family.n_parameters(k, d)

    def bic(self, log_likelihood: float, n: float) -> float:
        """Bayesian information criterion of n samples of this total log-likelihood (Schwarz 1978); lower is better."""
        return -2.0 * log_likelihood + self.n_parameters * float(np.log(n))

    def aic(self, log_likelihood: float) -> float:
        """Akaike information criterion (Akaike 1974); lower is better."""
        return -2.0 * log_likelihood + 2.0 * self.n_parameters

    def select(self, components: Any) -> Mixture:
        """Return the mixture of these components, in this order, weights scaled to sum to 1."""
        index = np.asarray(components)
        weights = self.weights[index]
        covariances = self.covariances if self.family.shared else self.covariances[index]
        return Mixture(weights / weights.sum(), self.means[index], covariances, self.covariance)

    def transform(self, scale: Array, shift: Array) -> Mixture:
        """Return the mixture of `scale * x + shift`, both (d,); spherical needs one scale for all features."""
        scale = np.asarray(scale, np.float64)
        if self.covariance == "spherical":
            covariances = self.covariances * scale[0] ** 2
        elif self.covariance == "diag":
            covariances = self.covariances * scale**2
        else:
            covariances = self.covariances * scale[:, None] * scale
        return Mixture(self.weights, self.means * scale + shift, covariances, self.covariance)
