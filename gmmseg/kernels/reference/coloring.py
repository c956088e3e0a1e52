"""How many pixels each label has, and what their colours come to."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["add_colors"]


def add_colors(labels: Array, colors: Array, counts: Array, sums: Array) -> None:
    """Add to `counts` `(k,)`, int64, the pixels of each of the labels below k, and to `sums` `(3, k)` their colours.

    `labels` `(n,)` are uint8 and `colors` `(n, 3)` uint8 or float64; all arrays are contiguous.
    """
    k = len(counts)
    counts += np.bincount(labels, minlength=k)[:k]
    for total, channel in zip(sums, colors.T, strict=True):
        total += np.bincount(labels, channel, minlength=k)[:k]
