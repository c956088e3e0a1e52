"""Grounds that noise has cut: of a few photons, or clipped at black, the pixels with none are a class of their own.

Of two classes the other one then holds the rest of the ground and the objects. Three tell: two of the ground, whose
pixels lie at random among each other, and the objects high above both.
"""

from __future__ import annotations

import math

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.independence import are_one
from gmmseg.fitting.rims import LEAST_HALF, Classes, Seen, half_level, with_rim
from gmmseg.mixture.parameters import Mixture

__all__ = ["may_be_cut", "with_ground_joined"]

_ROWS = 4  # of which one tells whether there is anything to look for
_AMONG = 0.3  # of unlike neighbours, in parts of what chance expects: .05 where objects are regions


def may_be_cut(mixture: Mixture, seen: Seen) -> bool:
    """Whether pixels of two classes of one feature lie among each other more than those of ground and objects do."""
    values, known = (each.reshape(seen.shape)[:, ::_ROWS] for each in (seen.values, seen.known))
    labels = mixture.labels(values.reshape(1, -1)).reshape(known.shape) * known
    return are_one(labels, 1, 2, _AMONG)


def with_ground_joined(mixture: Mixture, finer: Mixture, seen: Seen, *, noise: Array) -> tuple[Mixture, Array] | None:
    """Return three classes as ground and objects; None where two of them are no ground that was cut.

    Parameters
    ----------
    mixture, finer : Mixture
        Of two and of three Gaussians of one feature.
    seen : Seen
        In squares of one size, and large enough that objects are seen from side to side.
    noise : ndarray, shape (1,)
        Least variance.

    Returns
    -------
    mixture : Mixture
        The finer one; of one more component where objects have rims.
    memberships : ndarray, shape (2, 3) or (2, 4)
    """
    least = float(noise[0])
    three = Classes.of(finer, seen, least)
    if three is None or len(three.borders) < 2 or three.places[1] > LEAST_HALF * three.places[2]:
        return None
    first, second, objects = (three.outward + 1).tolist()
    labels = three.labels.reshape(seen.shape)
    if not are_one(labels, first, second) or are_one(labels, second, objects):
        return None
    two = Classes.of(mixture, seen, least)
    if two is not None and _agreement(two, seen, 0, least) >= _agreement(three, seen, 1, least):
        return None
    found, memberships = with_rim(finer, seen, noise=noise)
    if memberships is None:
        memberships = np.eye(3)
    rows = memberships[three.outward]
    return found, np.array([rows[0] + rows[1], rows[2]])


def _agreement(classes: Classes, seen: Seen, of: int, noise: float) -> float:
    """How nearly one height is half that of the objects, above one of the classes."""
    base = float(classes.places[of])
    heights = (classes.heights - np.float32(base)).reshape(seen.shape)
    border = max(0.0, classes.borders[of] - base)
    return half_level(heights, seen.known.reshape(seen.shape), border, math.sqrt(12 * noise), seen.depth)[1]
