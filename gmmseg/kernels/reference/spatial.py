"""Mean-field smoothing by whole-array shifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["smooth"]

Array = NDArray[Any]

_BLIND = 0.2


def _overlap(offset: Array) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the voxels that have a neighbour at this offset, and of those neighbours."""
    here = tuple(slice(max(0, -o), -o if o > 0 else None) for o in offset)
    there = tuple(slice(max(0, o), o if o < 0 else None) for o in offset)
    return here, there


def _edges(guide: Array, valid: Array | None, offsets: Array, strengths: Array, sharpness: Array) -> list[Array]:
    edges = []
    for offset, strength in zip(offsets, strengths, strict=True):
        here, there = _overlap(offset)
        difference = sharpness[:, None, None, None] * (guide[:, *here] - guide[:, *there])
        distance = (difference * difference).sum(axis=0)
        fading = np.maximum(1 - distance / 8, 0) ** 8
        weight = strength * (_BLIND + (1 - _BLIND) * fading)
        edges.append(weight if valid is None else np.where(valid[here] & valid[there], weight, 0).astype(np.float32))
    return edges


def _evaluate(prior: Array, messages: Array, offsets: Array, edges: list[Array]) -> Array:
    support = np.zeros_like(prior)
    for offset, edge in zip(offsets, edges, strict=True):
        here, there = _overlap(offset)
        support[:, *here] += edge * messages[:, *there]
        support[:, *there] += edge * messages[:, *here]
    value = prior * np.exp(support)
    return np.asarray(value / value.sum(axis=0))


def _message(q: Array) -> Array:
    return np.rint(q * np.float32(256)) / np.float32(256)


def smooth(
    prior: Array,
    guide: Array,
    valid: Array | None,
    offsets: Array,
    strengths: Array,
    sharpness: Array,
    sweeps: int,
    inner_first: tuple[int, int, int],
    labels: Array | None,
    probabilities: Array | None,
) -> None:
    """See gmmseg.kernels.smooth."""
    if valid is not None:
        prior = np.where(valid, prior, np.float32(1 / len(prior)))
        guide = np.where(valid, guide, 0)
    edges = _edges(guide, valid, offsets, strengths, sharpness)
    messages = _message(prior)
    for _ in range(sweeps - 1):
        messages = _message(_evaluate(prior, messages, offsets, edges))
    q = _evaluate(prior, messages, offsets, edges)
    for out in (labels, probabilities):
        if out is not None:
            size = out.shape[-3:]
            inner = tuple(slice(f, f + n) for f, n in zip(inner_first, size, strict=True))
            out[...] = q[:, *inner] if out is probabilities else q[:, *inner].argmax(axis=0) + 1
