"""Memberships: classes made of several components, and to which of the classes each component belongs.

Memberships are `(k, K)` arrays: the probability of each of k classes given each of K components.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import replace

__all__ = ["ROUNDING", "average", "by_examples", "by_overlap", "by_votes", "moments"]

ROUNDING = 1e-6
"""By so much the memberships of a component may miss 1."""

_REST = 0.1  # of all that there is, which the class of the rest has beside what its examples show


def average(mixtures: Sequence[Mixture]) -> Mixture:
    """Return one mixture whose density is the mean of the densities of several, with the components of all.

    A common covariance is then one a component.
    """
    first = mixtures[0]
    if first.family.shared:
        dense = [each.family.dense(each.covariances, each.n_components, each.n_features) for each in mixtures]
        covariances, covariance = np.concatenate(dense), "full"
    else:
        covariances, covariance = np.concatenate([each.covariances for each in mixtures]), first.covariance
    return replace(
        first,
        weights=np.concatenate([each.weights for each in mixtures]) / len(mixtures),
        means=np.concatenate([each.means for each in mixtures]),
        covariances=covariances,
        covariance=covariance,
        dof=None if first.dof is None else np.concatenate([np.asarray(each.dof) for each in mixtures]),
        outlier_weight=float(np.mean([each.outlier_weight for each in mixtures])),
    )


def by_examples(posterior: Array, classes: Array, weights: Array, rest: int) -> Array:
    """Return memberships told by samples whose class is known.

    Parameters
    ----------
    posterior : ndarray, shape (K, n)
        Responsibilities of the components for these samples.
    classes : ndarray, shape (n,), of integers
        1 to k; there is a sample of every class.
    weights : ndarray, shape (K,)
        Of the components.
    rest : int
        The class that takes what no example has shown.

    Notes
    -----
    Each component belongs to the classes in proportion to the share of their examples that it explains, as if classes
    were equally frequent. The class of the rest is taken to be its examples and a tenth of everything: a component that
    no example touches is of that class, however many there are of the others.
    """
    shares = np.stack([posterior[:, classes == c].mean(axis=1, dtype=np.float64) for c in range(1, classes.max() + 1)])
    shares[rest - 1] += _REST * weights + np.finfo(np.float64).tiny
    return np.asarray(shares / shares.sum(axis=0))


def by_overlap(posterior: Array, k: int, weights: Array | None = None) -> Array:
    """Return memberships in k classes, each of one or several whole components that overlap.

    Parameters
    ----------
    posterior : ndarray, shape (K, n)
        Responsibilities of the components for some samples.
    k : int
    weights : ndarray, shape (n,), optional
        Of the samples.

    Notes
    -----
    One pair is merged after the other: the one whose samples are freed of most doubt by it, as the entropy of the
    responsibilities says (Baudry, Raftery, Celeux, Lo and Gottardo 2010). It counts a sample of the pair: by the sum
    over all samples one class would swallow the others, because large ones have most neighbours.
    """
    shares = posterior.astype(np.float64)
    mass = np.ones(shares.shape[1]) if weights is None else np.asarray(weights, np.float64)

    def total(values: Array) -> Array:
        return np.asarray(np.einsum("kn,n->k", values, mass))

    def price(i: int, others: Array) -> None:
        freed = own[i] + own[others] - total(_doubt(shares[i] + shares[others]))
        gains[i, others] = gains[others, i] = freed / np.maximum(sizes[i] + sizes[others], np.finfo(np.float64).tiny)

    own, sizes, owned = total(_doubt(shares)), total(shares), np.eye(len(shares))
    gains = np.full((len(shares), len(shares)), -np.inf)
    left = np.arange(len(shares))
    for i in left[:-1]:
        price(i, left[i + 1 :])
    while len(left) > k:
        i, j = map(int, np.unravel_index(np.argmax(gains), gains.shape))
        shares[i] += shares[j]
        owned[i] += owned[j]
        own[i], sizes[i] = total(_doubt(shares[[i]]))[0], sizes[i] + sizes[j]
        gains[j], gains[:, j] = -np.inf, -np.inf
        left = left[left != j]
        price(i, left[left != i])
    return np.asarray(owned[left])


def by_votes(components: Array, classes: Array, n_components: int, weights: Array | None = None) -> Array:
    """Return memberships of components in the classes that most of their samples are of; no class is without any.

    Parameters
    ----------
    components, classes : ndarray, shape (n,), of integers
        Of some samples, from 0.
    n_components : int
        How many there are: one that is nowhere the likeliest has no samples, and is of the first class.
    weights : ndarray, shape (n,), optional
        Of the samples.
    """
    votes = np.zeros((classes.max() + 1, n_components))
    np.add.at(votes, (classes, components), 1.0 if weights is None else weights)
    found = np.eye(len(votes))[:, votes.argmax(axis=0)]
    return np.asarray(found[found.any(axis=1)])


def _doubt(shares: Array) -> Array:
    return -shares * np.log(np.maximum(shares, np.finfo(np.float64).tiny))


def moments(mixture: Mixture, memberships: Array) -> Mixture:
    """Return the Gaussian mixture of k components that has the classes' shares, means and covariances."""
    joint = memberships * mixture.weights
    weights = joint.sum(axis=1)
    parts = joint / np.maximum(weights, np.finfo(np.float64).tiny)[:, None]
    means = parts @ mixture.means
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    steps = mixture.means - means[:, None]
    covariances = np.einsum("kj,jab->kab", parts, dense) + np.einsum("kj,kja,kjb->kab", parts, steps, steps)
    return Mixture(weights, means, covariances, outlier_weight=mixture.outlier_weight)
