"""Densities: a mixture as the kernels take it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array

__all__ = ["Densities"]


class Densities(NamedTuple):
    """The weighted densities of a mixture's K components in d features: arrays, contiguous, float64 but for the last.

    Parameters
    ----------
    log_constants : ndarray, shape (K,)
        Logarithm of the weight plus that of the density's normaliser.
    means : ndarray, shape (K, d)
    factors : ndarray, shape (K, d, d) or (K, d)
        Lower triangular factors P with P (x - mean) white; (K, d) for diagonal covariances.
    dof : ndarray, shape (K,), optional
        Degrees of freedom: the components are Student-t distributions, whose normaliser is in `log_constants`.
    per_class : ndarray, shape (k,), int64, optional
        How many of the components, in their order, each class is made of: posteriors and labels are of the classes
        then. Where None, each component is a class.
    """

    log_constants: Array
    means: Array
    factors: Array
    dof: Array | None = None
    per_class: Array | None = None

    @property
    def n_classes(self) -> int:
        """How many classes have posteriors."""
        return len(self.means if self.per_class is None else self.per_class)

    def of_classes(self, of_components: Array) -> Array:
        """Return sums (k, n) over the components of each class of numbers (K, n) of components."""
        if self.per_class is None:
            return of_components
        ends = self.per_class.cumsum().tolist()
        begins = (0, *ends[:-1])
        return np.stack([of_components[i:j].sum(axis=0) for i, j in zip(begins, ends, strict=True)])
