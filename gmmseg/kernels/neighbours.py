"""Neighbours by whole-array shifts: for the smoothing's reference, and for what its strength is estimated from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLIND", "fading", "overlap", "support"]

Array = NDArray[Any]

BLIND = np.float32(0.2)
"""Part of an edge's weight that no contrast can cut."""


def overlap(offset: Array) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the voxels that have a neighbour at this offset, and of those neighbours."""
    here = tuple(slice(max(0, -o), -o if o > 0 else None) for o in offset)
    there = tuple(slice(max(0, o), o if o < 0 else None) for o in offset)
    return here, there


def fading(guide: Array, sharpness: Array, offset: Array) -> Array:
    """What contrast leaves of the other part: (1 - D/8)^8, 0 from D = 8 on, see `gmmseg.kernels.smooth`.

    `guide` is (c, z, y, x), `sharpness` (c,), float32.
    """
    here, there = overlap(offset)
    difference = sharpness[:, None, None, None] * (guide[:, *here] - guide[:, *there])
    distance = sum(difference * difference, np.zeros(difference.shape[1:], np.float32))
    return np.asarray(np.square(np.square(np.square(np.maximum(1 - distance / 8, 0)))))


def support(q: Array, offsets: Array, edges: Sequence[Array]) -> Array:
    """Sums (K, z, y, x) over both neighbours at each offset of the edge's weight times their q (K, z, y, x)."""
    total = np.zeros_like(q)
    for offset, edge in zip(offsets, edges, strict=True):
        here, there = overlap(offset)
        total[:, *here] += edge * q[:, *there]
        total[:, *there] += edge * q[:, *here]
    return total
