"""Mean-field smoothing by whole-array shifts."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import BLIND, Neighbourhood, fading, overlap, support
from gmmseg.kernels.reference.mixture import posterior

__all__ = ["agreement", "smooth", "smooth_planes"]

_STEPS = 511  # in which all edges that a voxel can have together are counted
_MESSAGES = np.float32(64)
_UNITS = 210  # in which margins are counted: all that a voxel's neighbours can say, but for rounding
_NEARLY_CERTAIN = 2.9444390  # log odds of .95
_DUST = 3e-4  # of a unit, more than what rounding can do


def _edges(guide: Array, valid: Array | None, neighbourhood: Neighbourhood) -> list[Array]:
    """Return the weights of the edges at each offset, in steps."""
    edges, (offsets, strengths, sharpness, _) = [], neighbourhood
    for offset, strength in zip(offsets, strengths * np.float32(1 / _step(strengths)), strict=True):
        here, there = overlap(offset)
        left = fading(guide, sharpness, offset)
        steps = np.floor(strength * BLIND + np.float32(0.5) + strength * (1 - BLIND) * left)
        edges.append(steps if valid is None else np.where(valid[here] & valid[there], steps, np.float32(0)))
    return edges


def _step(strengths: Array) -> float:
    """Return the weight of one step, in nats; each edge may be rounded up by half of one."""
    return (2 * float(strengths.sum(dtype=np.float64)) or 1.0) / (_STEPS - len(strengths))


def _evaluate(prior: Array, messages: Array, offsets: Array, edges: list[Array], step: np.float32) -> Array:
    value = prior * np.exp(step * support(messages, offsets, edges))
    return np.asarray(value / value.sum(axis=0))


def _message(q: Array) -> Array:
    return np.rint(q * _MESSAGES) / _MESSAGES


def _held(prior: Array, valid: Array | None, neighbourhood: Neighbourhood) -> Array:
    """Return which voxels (z, y, x) no neighbours talk out of their likeliest class the first two times.

    Against it speak neighbours of other classes, and the second time those who may have been talked out of it.
    """
    best, strengths = prior.argmax(axis=0), neighbourhood.strengths
    total = 2 * float(strengths.sum(dtype=np.float64))
    # Heard as certain: half of what neighbours can say has to make it nearly that.
    own = max(_NEARLY_CERTAIN - total / 2, 0)
    units = np.float32(_UNITS / (total + own))  # of a nat
    least = 1 + np.floor(own * float(units) + (1 - _DUST))
    weights = np.floor(strengths * units + (1 - _DUST))
    slack = _UNITS * len(strengths) / (_STEPS - len(strengths))  # edges may be rounded up by half a step
    second, first = np.sort(prior, axis=0)[-2:] if len(prior) > 1 else (np.zeros_like(prior[0]), prior[0])
    ahead = np.log(np.maximum(first, 1e-37) / np.maximum(second, 1e-37))
    margin = np.floor(np.maximum(ahead * units - slack, 0))
    held = np.ones(best.shape, bool)
    for _ in range(2):
        against = np.full(best.shape, least)
        for offset, weight in zip(neighbourhood.offsets, weights, strict=True):
            here, there = overlap(offset)
            for a, b in ((here, there), (there, here)):
                differs = (best[a] != best[b]) | ~held[b]
                against[a] += weight * (differs if valid is None else differs & (valid[b] != 0))
        held = margin >= against
    return np.asarray(held)


def smooth(
    prior: Array,
    guide: Array,
    valid: Array | None,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Array | None,
    probabilities: Array | None,
) -> None:
    """Smooth class probabilities `prior` `(K, z, y, x)` by mean field; write labels (from 1) or probabilities or both.

    Neighbours are at `offsets` and opposite. An edge weighs `strengths` times 0.2 + 0.8 (1 - D/8)^8 (0.2 from D = 8
    on), in steps of which all edges of a voxel have up to 511, where D is the sum of the squares of `sharpness` times
    the differences of `guide` `(c, z, y, x)`; it weighs nothing where `valid` `(z, y, x)`, uint8 or None, is 0. All
    edges of a voxel weigh at most 32 nats. Neighbours hear of probabilities in steps of 1/64. The outputs are filled
    from the part of the tile that starts at `inner_first`.
    """
    if valid is not None:
        prior = np.where(valid, prior, np.float32(1 / len(prior)))
        guide = np.where(valid, guide, 0)
    edges, offsets = _edges(guide, valid, neighbourhood), neighbourhood.offsets
    step = np.float32(_step(neighbourhood.strengths))
    messages, open_prior = _message(prior), prior
    if neighbourhood.sweeps > 2:
        held = _held(prior, valid, neighbourhood)
        certain = np.arange(len(prior))[:, None, None, None] == prior.argmax(axis=0)
        open_prior = np.where(held, certain.astype(np.float32), prior)
        messages = np.where(held, certain.astype(np.float32), messages)
    for _ in range(neighbourhood.sweeps - 3):
        messages = _message(_evaluate(open_prior, messages, offsets, edges, step))
    q = _evaluate(prior, messages, offsets, edges, step)
    for out in (labels, probabilities):
        if out is not None:
            size = out.shape[-3:]
            inner = tuple(slice(f, f + n) for f, n in zip(inner_first, size, strict=True))
            out[...] = q[:, *inner] if out is probabilities else q[:, *inner].argmax(axis=0) + 1


def smooth_planes(
    planes: Array,
    places: tuple[Array, ...],
    densities: Densities,
    valid: Array | None,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: Array,
) -> bool:
    """Write the labels that `smooth` gives for the posteriors of `planes` `(d, z, y, x)`, float32 and contiguous.

    Features that change along one axis only follow the planes: one array of `places` for each, of what they are along
    x, y and z, as far as there are any. The guide is the first planes, one for each `sharpness`. Posteriors are
    computed where they are needed. Returns False, and writes nothing, where it is not certain that all features of all
    samples are finite numbers, and for mixtures of many features, along the axes or with long tails.
    """
    prior = np.empty((densities.n_classes, *planes.shape[1:]), np.float32)
    across = [place.reshape(-1, *[1] * axis) for axis, place in enumerate(places)]
    planes = np.concatenate([planes, *(np.broadcast_to(place, (1, *planes.shape[1:])) for place in across)])
    if not posterior(planes.reshape(len(planes), -1), densities, prior.reshape(len(prior), -1), None, 1):
        return False
    smooth(prior, planes[: len(neighbourhood.sharpness)], valid, neighbourhood, inner_first, labels, None)
    return True


def agreement(
    q: Array,
    guide: Array,
    valid: Array,
    counted: Array,
    offsets: Array,
    strengths: Array,
    sharpness: Array,
    total: float,
    most: float,
    settled: float,
    steps: int,
) -> float:
    """Return the total strength, up to `most`, at which classes have the highest pseudo-likelihood (Besag 1975).

    `q` `(K, p, z, y, x)` and `guide` `(c, p, z, y, x)` are of p patches, between which nothing is heard; voxels that
    are `valid` `(p, z, y, x)`, uint8, are heard, and of those `counted` the probabilities count. Neighbours are at
    `offsets` and opposite, and edges weigh what those of `smooth` do before these are rounded to steps. By so many
    `steps` of Newton's method from `total`, fewer where one changes it by less than `settled`; 0 where nobody has a
    neighbour.
    """
    said = _said(q, guide, valid.astype(bool), offsets, strengths, sharpness)
    own = counted.astype(bool).reshape(-1)
    if not own.any() or not said.any():
        return 0.0
    said, q = (x.reshape(len(x), -1).compress(own, axis=1) for x in (said, q))
    said -= said.max(axis=0)
    given = float((q * said).sum(dtype=np.float64))
    for _ in range(steps):
        p = np.exp(np.float32(total) * said)
        p *= said / p.sum(axis=0)
        mean = p.sum(axis=0)
        p *= said
        curvature = float((p.sum(axis=0) - mean**2).sum(dtype=np.float64))
        step = (given - float(mean.sum(dtype=np.float64))) / max(curvature, 1e-9)
        total, before = min(max(total + step, 0.0), most), total
        if abs(total - before) < settled:
            break
    return total


def _said(q: Array, guide: Array, known: Array, offsets: Array, strengths: Array, sharpness: Array) -> Array:
    """What each voxel hears of the classes: sums over its neighbours of edge times their q."""
    edges = []
    for offset, strength in zip(offsets, strengths, strict=True):
        here, there = overlap(offset)
        left = BLIND + (1 - BLIND) * fading(guide, sharpness, offset)
        edges.append(strength * left * (known[here] & known[there]))
    return support(q, offsets, edges)
