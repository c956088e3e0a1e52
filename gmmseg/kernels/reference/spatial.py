"""Mean-field smoothing by whole-array shifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.neighbours import BLIND, Neighbourhood, fading, overlap, support

__all__ = ["smooth"]

Array = NDArray[Any]

_STEPS = np.float32(255)


def _edges(guide: Array, valid: Array | None, neighbourhood: Neighbourhood) -> list[Array]:
    """Return the weights of the edges at each offset, in 255 steps of the strongest that there can be."""
    edges, (offsets, strengths, sharpness, _) = [], neighbourhood
    for offset, strength in zip(offsets, strengths * (_STEPS / _strongest(strengths)), strict=True):
        here, there = overlap(offset)
        left = fading(guide, sharpness, offset)
        steps = np.floor(strength * BLIND + strength * (1 - BLIND) * left + np.float32(0.5))
        edges.append(steps if valid is None else np.where(valid[here] & valid[there], steps, np.float32(0)))
    return edges


def _strongest(strengths: Array) -> np.float32:
    return strengths.max(initial=0) or np.float32(1)


def _evaluate(prior: Array, messages: Array, offsets: Array, edges: list[Array], step: np.float32) -> Array:
    value = prior * np.exp(step * support(messages, offsets, edges))
    return np.asarray(value / value.sum(axis=0))


def _message(q: Array) -> Array:
    return np.rint(q * np.float32(256)) / np.float32(256)


def smooth(
    prior: Array,
    guide: Array,
    valid: Array | None,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Array | None,
    probabilities: Array | None,
) -> None:
    """See gmmseg.kernels.smooth."""
    if valid is not None:
        prior = np.where(valid, prior, np.float32(1 / len(prior)))
        guide = np.where(valid, guide, 0)
    edges, offsets = _edges(guide, valid, neighbourhood), neighbourhood.offsets
    step = _strongest(neighbourhood.strengths) / _STEPS
    messages = _message(prior)
    for _ in range(neighbourhood.sweeps - 1):
        messages = _message(_evaluate(prior, messages, offsets, edges, step))
    q = _evaluate(prior, messages, offsets, edges, step)
    for out in (labels, probabilities):
        if out is not None:
            size = out.shape[-3:]
            inner = tuple(slice(f, f + n) for f, n in zip(inner_first, size, strict=True))
            out[...] = q[:, *inner] if out is probabilities else q[:, *inner].argmax(axis=0) + 1
