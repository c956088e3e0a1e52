"""Neighbours of a voxel: which they are and how they are heard, and sums over them by whole-array shifts.

The sums serve the kernels' references.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gmmseg.arrays import Array

__all__ = ["BLIND", "Neighbourhood", "fading", "overlap", "support"]

BLIND = np.float32(0.2)
"""Part of an edge's weight that no contrast can cut."""


class Neighbourhood(NamedTuple):
    """Whom each voxel hears in the smoothing, how loudly, and how often; see `gmmseg.kernels.smooth`.

    Parameters
    ----------
    offsets : ndarray, shape (m, 3), int64
        Where the neighbours are, along z, y and x; only one of each opposite pair.
    strengths : ndarray, shape (m,), float32
        Weight of an edge between voxels of the same guide, in nats.
    sharpness : ndarray, shape (c,), float32
        What differences of the guide's c planes are multiplied by: the larger, the sooner contrast cuts an edge.
    sweeps : int
        How far voxels hear, in neighbours of neighbours. Each hears its own that often; the first two of three or more
        times only those settle whom no others can talk out of their class.
    """

    offsets: Array
    strengths: Array
    sharpness: Array
    sweeps: int


def overlap(offset: Array) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return where voxels have a neighbour at an offset, such as (0, 0, 1), and where those neighbours are.

    They are slices of the last three axes, any others being whole.
    """
    here = tuple(slice(max(0, -o), -o if o > 0 else None) for o in offset)
    there = tuple(slice(max(0, o), o if o < 0 else None) for o in offset)
    return (..., *here), (..., *there)


def fading(guide: Array, sharpness: Array, offset: Array) -> Array:
    """Return what contrast leaves of the part of each edge's weight that it can cut: 1 where there is none, down to 0.

    It is (1 - D/8)^8, and 0 from D = 8 on; see `gmmseg.kernels.smooth`.
    `guide` is (c, ..., z, y, x), `sharpness` (c,), float32.
    """
    here, there = overlap(offset)
    difference = sharpness.reshape(-1, *[1] * (guide.ndim - 1)) * (guide[here] - guide[there])
    distance = sum(difference * difference, np.zeros(difference.shape[1:], np.float32))
    return np.asarray(np.square(np.square(np.square(np.maximum(1 - distance / 8, 0)))))


def support(q: Array, offsets: Array, edges: Sequence[Array]) -> Array:
    """Return what each voxel hears: sums (..., z, y, x) over its neighbours of the edge's weight times their q."""
    total = np.zeros_like(q)
    for offset, edge in zip(offsets, edges, strict=True):
        here, there = overlap(offset)
        total[here] += edge * q[there]
        total[there] += edge * q[here]
    return total
