"""Conjugate priors: what is known of the components before any sample is seen, as samples that were never taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.mixture.parameters import Mixture

__all__ = ["Prior"]

_STRENGTHS = ("weight_strength", "mean_strength", "covariance_strength")


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a mixture's K components beforehand, as if so many samples had been seen already.

    Means and covariances have normal-inverse-Wishart priors, the weights a Dirichlet prior. Strengths count in samples:
    at strength s a component of n samples lies at `(s prior + n estimate) / (s + n)`, which is where the posterior is
    highest (Gauvain and Lee 1994). Each strength is one number or one a component; at 0 the prior says nothing.

    Parameters
    ----------
    mixture : Mixture
        Weights, means and covariances that are expected.
    weight_strength, mean_strength, covariance_strength : float or ndarray, shape (K,)

    Examples
    --------
    >>> from gmmseg import GaussianMixture, Mixture
    >>> expected = Mixture(np.array([0.5, 0.5]), np.array([[0.0], [9.0]]), np.ones((2, 1, 1)), "full")
    >>> prior = Prior(expected, mean_strength=100)  # as if 100 samples of each had been seen
    >>> GaussianMixture(2, prior=prior, random_state=0).fit([[1.0], [2.0], [3.0]]).means_.ravel().round(1).tolist()
    [0.1, 8.9]
    """

    mixture: Mixture
    weight_strength: Array | float = 0.0
    mean_strength: Array | float = 0.0
    covariance_strength: Array | float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.mixture, Mixture):
            raise ParameterError(f"mixture is of type {type(self.mixture).__name__}; give a gmmseg.Mixture")
        k = self.mixture.n_components
        for name in _STRENGTHS:
            try:
                value = np.broadcast_to(np.asarray(getattr(self, name), np.float64), (k,))
                usable = bool((np.isfinite(value) & (value >= 0)).all())
            except (TypeError, ValueError, OverflowError):
                usable = False
            if not usable:
                found = repr(getattr(self, name))
                raise ParameterError(f"{name}={found} is not usable; give a number of samples, or one for each of {k}")
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Say how strong it is, on one line."""
        strengths = (f"{name}={_range(getattr(self, name))}" for name in _STRENGTHS)
        return f"Prior({self.mixture!r}, {', '.join(strengths)})"

    def transform(self, scale: Array, shift: Array) -> Prior:
        """Return the prior for samples that become `scale * x + shift`, both (d,)."""
        return Prior(
            self.mixture.transform(scale, shift), self.weight_strength, self.mean_strength, self.covariance_strength
        )

    def update(self, counts: Array, mass: Array, means: Array, second: Array) -> tuple[Array, Array, Array, Array]:
        """Return what an M step goes by when the prior is heard too.

        That is counts for the weights, counts for the covariances, means and second moments of the highest posterior.
        `counts` (K,) are sums of responsibilities, `mass` (K,) those behind the means (K, d), `second` the mean second
        moments about the means, (K, d, d) or (K, d).
        """
        own, shape = self.mixture, (-1, *[1] * (second.ndim - 1))
        pull = np.asarray(self.mean_strength)
        total = np.maximum(pull + mass, np.finfo(np.float64).tiny)
        moved = (pull[:, None] * own.means + mass[:, None] * means) / total[:, None]
        gap = means - own.means
        spread = gap**2 if second.ndim == 2 else gap[:, :, None] * gap[:, None, :]
        stiff = np.asarray(self.covariance_strength)
        between = (pull * mass / total).reshape(shape) * spread
        expected = own.family.dense(own.covariances, own.n_components, own.n_features)
        expected = np.diagonal(expected, axis1=1, axis2=2) if second.ndim == 2 else expected
        held = np.maximum(counts + stiff, np.finfo(np.float64).tiny)
        second = (counts.reshape(shape) * second + between + stiff.reshape(shape) * expected) / held.reshape(shape)
        return counts + self.weight_strength * own.weights, held, moved, second

    def log_density(self, mixture: Mixture) -> float:
        """Logarithm of the prior's density at a mixture, in nats, up to a constant."""
        own = self.mixture
        dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
        expected = own.family.dense(own.covariances, own.n_components, own.n_features)
        precision = np.linalg.inv(dense)
        gap = mixture.means - own.means
        distance = np.einsum("ki,kij,kj->k", gap, precision, gap)
        volume = np.linalg.slogdet(dense)[1] + np.einsum("kij,kji->k", precision, expected)
        log_weights = np.log(np.maximum(mixture.weights, np.finfo(np.float64).tiny))
        return float(
            self.weight_strength @ (own.weights * log_weights)
            - 0.5 * (self.mean_strength @ distance)
            - 0.5 * (self.covariance_strength @ volume)
        )


def _range(values: Array) -> str:
    """The number that all are, or the least and the most."""
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
