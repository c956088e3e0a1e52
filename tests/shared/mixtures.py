"""Mixtures of every covariance family."""

import numpy as np
import pytest

from gmmseg import Mixture

FAMILIES = ["full", "tied", "diag", "spherical"]
families = pytest.mark.parametrize("covariance", FAMILIES)


def mixture_of(covariance, k=3, d=2):
    rng = np.random.default_rng(3)
    tilted = np.stack([m @ m.T + np.eye(d) for m in rng.normal(size=(k, d, d))])
    covariances = {
        "full": tilted,
        "tied": tilted[0],
        "diag": rng.uniform(0.5, 2, (k, d)),
        "spherical": rng.uniform(0.5, 2, k),
    }
    return Mixture(np.array([0.5, 0.3, 0.2]), rng.normal(0, 2, (k, d)), covariances[covariance], covariance)
