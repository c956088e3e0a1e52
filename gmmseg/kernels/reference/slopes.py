"""How much features change with the channels of pixels, for what rounding took from these, and from pixel to pixel."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["mean_cosine", "squared_changes", "squared_slopes"]


def mean_cosine(levels: Array, factors: Array) -> float:
    """Return the mean cosine of the phases, in turns, that sums of the channels `(n, c)` by some factors have."""
    return float(np.cos(2 * np.pi * np.einsum("c,nc->n", factors, levels)).mean())


def squared_changes(planes: Array, places: Array, usable: Array) -> Array:
    """Return the sums of squared differences of planes `(d, n)` between pixels and others, `(d,)`.

    The first row of `places` `(1 + m, p)` are the pixels, the next ones others, which are `usable` `(m, p)` or not.
    What is NaN does not differ, and nothing by more than float32 holds.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        differences = np.nan_to_num(planes[:, places[1:]] - planes[:, places[:1]])
    return np.asarray((differences.astype(np.float64) ** 2 * usable).sum(axis=(1, 2)))


def squared_slopes(planes: Array, widths: Array, mixing: Array) -> Array:
    """Return the mean squared slopes of features by each channel, and by mixtures of channels, `(c + m, d)`.

    `planes` `(d, 2, c, n)`, float32, are features of samples with one channel at a time below and above what it is, by
    `widths` `(c, n)` together; `mixing` `(m, c)` says by how much each mixture changes the channels. Slopes that are
    NaN are left out; the mean of none is 0.
    """
    slopes = ((planes[:, 1] - planes[:, 0]) / widths).swapaxes(0, 1)
    slopes = np.concatenate([slopes, np.einsum("mc,cdn->mdn", mixing, slopes)])
    known = ~np.isnan(slopes)
    return np.asarray((np.where(known, slopes, 0.0) ** 2).sum(axis=2) / np.maximum(known.sum(axis=2), 1))
