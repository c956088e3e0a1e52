"""Components with no border between them, such as two halves of a sky: together they are one class of a picture.

A mixture needs several Gaussians for what is textured, because its values are many, and for what is shaded, because
they spread. Values alone do not tell these from classes, but where the pixels lie does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array
from gmmseg.mixture.unimodality import Group, Moments, line_between, merged

__all__ = ["Borders", "without_borders"]

# On 200 images of classes at least 4 standard deviations apart (`scripts/benchmark_choose.py`) steps are 0.41 and more,
# nearly all 0.8 and more; letters and stars have 0.95. On 50 photographs masks agree better with what people have drawn
# than those of single components do, for 0.035 to 0.05 and 0.25 to 0.4.
_AMONG, _STEP, _EDGE = 0.04, 0.3, 0.9
_FEWEST = 20  # pairs that tell a border, or samples of a class


@dataclass(frozen=True, eq=False)
class Borders:
    """Pairs of pixels along the axes of an image, by the two components that they are of.

    Parameters
    ----------
    near : ndarray, shape (2, K, K)
        How many pairs one pixel apart, and two pixels apart, are of these components.
    far : ndarray, shape (K, K)
        How many pairs are that lie far enough apart for a border to lie between them, however soft it is.
    steps : ndarray, shape (K, K, d)
        Sums of their differences, the first's features less the second's.
    """

    near: Array
    far: Array
    steps: Array

    def among(self, a: Group, b: Group) -> float:
        """Return which part of the pixels around those of one group is of the other two pixels away, less one away.

        It is the geometric mean of both groups' parts, and grows with how much border they have in common. Pixels that
        are of the other by chance, because values overlap, are as many at either distance.
        """
        ends = self.near.sum(axis=1) + self.near.sum(axis=2)
        both = self.near[:, a][:, :, b].sum(axis=(1, 2)) + self.near[:, b][:, :, a].sum(axis=(1, 2))
        one, two = both / np.maximum(np.sqrt(ends[:, a].sum(axis=1) * ends[:, b].sum(axis=1)), 1.0)
        return float(two - one)

    def step(self, a: Group, b: Group) -> Array | None:
        """Return the mean step (d,) across borders from the second group to the first; None where too few tell."""
        there, back = np.ix_(a, b), np.ix_(b, a)
        n = self.far[there].sum() + self.far[back].sum()
        return (self.steps[there].sum(axis=(0, 1)) - self.steps[back].sum(axis=(0, 1))) / n if n >= _FEWEST else None


def without_borders(parts: Sequence[Array], borders: Borders) -> tuple[int, list[Group]]:
    """Merge components that have no border between them, and return how many by their places, and all groups.

    Two groups are one where they pass into each other: the step from a pixel of the one to a pixel of the other, some
    way off, is small beside the difference of their means, as in a shading. Also where their pixels lie among each
    other, as those of a texture do, and the step is not all of the difference, as it is of classes that have edges.

    Parameters
    ----------
    parts : sequence of ndarray
        Samples (d, m) of each of the K components.
    borders : Borders

    Notes
    -----
    Those that lie among each other are merged first, and a shading may be of groups then.
    """
    moments = [Moments.of(part) for part in parts]

    def by_place(a: Group, b: Group) -> float:
        part = borders.among(a, b)
        return _AMONG / part if part > _AMONG and _step(moments, borders, a, b) < _EDGE else math.inf

    def by_step(a: Group, b: Group) -> float:
        return _step(moments, borders, a, b) / _STEP

    groups = merged([[i] for i in range(len(parts))], by_place)
    return len(parts) - len(groups), merged(groups, by_step)


def _step(moments: Sequence[Moments], borders: Borders, a: Group, b: Group) -> float:
    """How large the step across borders is beside the difference of the means, along the line that tells both apart."""
    one, two = (Moments.of_all(moments, group) for group in (a, b))
    step = borders.step(a, b)
    if step is None or min(one.n, two.n) < _FEWEST:
        return math.inf
    line = line_between(one, two)
    whole = float(line @ (one.mean - two.mean))
    return max(float(line @ step) / whole, 0.0) if whole > 0 else math.inf
