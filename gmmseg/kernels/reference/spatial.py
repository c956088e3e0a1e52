"""Mean-field smoothing by whole-array shifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["smooth"]

Array = NDArray[Any]

_BLIND = np.float32(0.2)
_STEPS = np.float32(255)


def _overlap(offset: Array) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the voxels that have a neighbour at this offset, and of those neighbours."""
    here = tuple(slice(max(0, -o), -o if o > 0 else None) for o in offset)
    there = tuple(slice(max(0, o), o if o < 0 else None) for o in offset)
    return here, there


def _edges(guide: Array, valid: Array | None, offsets: Array, strengths: Array, sharpness: Array) -> list[Array]:
    """Edges in steps, the strongest that there can be having all of them."""
    edges = []
    for offset, strength in zip(offsets, strengths * (_STEPS / _strongest(strengths)), strict=True):
        here, there = _overlap(offset)
        difference = sharpness[:, None, None, None] * (guide[:, *here] - guide[:, *there])
        distance = sum(difference * difference, np.zeros(difference.shape[1:], np.float32))
        fading = np.square(np.square(np.square(np.maximum(1 - distance / 8, 0))))
        steps = np.floor(strength * _BLIND + strength * (1 - _BLIND) * fading + np.float32(0.5))
        edges.append(steps if valid is None else np.where(valid[here] & valid[there], steps, np.float32(0)))
    return edges


def _strongest(strengths: Array) -> np.float32:
    return strengths.max(initial=0) or np.float32(1)


def _evaluate(prior: Array, messages: Array, offsets: Array, edges: list[Array], step: np.float32) -> Array:
    support = np.zeros_like(prior)
    for offset, edge in zip(offsets, edges, strict=True):
        here, there = _overlap(offset)
        support[:, *here] += edge * messages[:, *there]
        support[:, *there] += edge * messages[:, *here]
    value = prior * np.exp(step * support)
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
    step = _strongest(strengths) / _STEPS
    messages = _message(prior)
    for _ in range(sweeps - 1):
        messages = _message(_evaluate(prior, messages, offsets, edges, step))
    q = _evaluate(prior, messages, offsets, edges, step)
    for out in (labels, probabilities):
        if out is not None:
            size = out.shape[-3:]
            inner = tuple(slice(f, f + n) for f, n in zip(inner_first, size, strict=True))
            out[...] = q[:, *inner] if out is probabilities else q[:, *inner].argmax(axis=0) + 1
