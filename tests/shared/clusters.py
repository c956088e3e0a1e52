"""Clusters on a lattice, and partitions of them."""

import numpy as np


def clusters(n=60, k=6, apart=30.0, seed=0):
    """Round clusters on a grid, and the cluster of each sample."""
    rng = np.random.default_rng(seed)
    centers = apart * np.stack(np.unravel_index(np.arange(k), (2, 3)))
    component = np.repeat(np.arange(k), n)
    return centers[:, component] + rng.normal(size=(2, n * k)), component


def same_partition(a, b):
    """Whether two labellings differ in their names only."""
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))
