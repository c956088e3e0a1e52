"""Data that the tests of the mixture share."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def blobs():
    """Make samples of k tilted clusters: (n, d, k, seed, apart) -> (rows (n, d), component of each)."""

    def make(n=600, d=3, k=4, *, seed=0, apart=4.0):
        rng = np.random.default_rng(seed)
        centers = rng.normal(0, apart, (k, d))
        shapes = rng.normal(0, 0.4, (k, d, d)) + np.eye(d)
        component = rng.integers(k, size=n)
        return centers[component] + np.einsum("nij,nj->ni", shapes[component], rng.normal(size=(n, d))), component

    return make
