"""Which classes a bias field goes with, where values leave it open: neighbours tell.

In noise two fits of classes and a field are often equally good, of which one takes what lies between two tissues for a
tissue, and two tissues for one that the field makes darker outside than inside. Classes of it are wrong by half, and
hardly any voxel has neighbours of its own class that it would not have with the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.bias_estimation import DEGREES, Shaded
from gmmseg.fitting.hmrf import START, Tied
from gmmseg.fitting.scene import Scene
from gmmseg.fitting.shading import Shading
from gmmseg.mixture.parameters import Mixture

__all__ = ["likeliest"]

# Nats a voxel by which neighbours make other classes clearly likelier: on brains of 2 mm it is .01 to .1 where they are
# right, and .002 between fields of the same classes. From a field of degree 2 to one of 4 classes gain up to .0025 if
# right, on brains of 1 mm always, and .007 to .04 if wrong.
_CLEAR = 0.005
# Expected share of voxels in the wrong class by their values alone, from which on these leave it open. Of brains of 1
# and 2 mm right fits have .11 at most where noise is a sixth of the step between tissues, wrong ones .2 and more.
_OPEN = 0.15
_ITERATIONS = 8  # that tell them apart
_MANY = 3 << 15  # voxels in cubes, of which a third is asked first: those of brains of 1 mm, not of 2


class _Settled(NamedTuple):
    """Classes, and the field that followed them, as neighbours left them."""

    mixture: Mixture
    strength: float
    followed: Shading | None
    tied: Tied

    def likelihood(self, few: Scene) -> float:
        return self.tied.likelihood(few, self.mixture, self.strength, self.followed)


def likeliest(
    scene: Scene,
    without: Mixture,
    first: Shaded,
    strength: float | None,
    *,
    noise: Callable[[Array], Array],
    threads: int = 1,
) -> Shaded:
    """Return the classes, with their field, that are likeliest given the classes of their neighbours (Besag 1975).

    Where values tell classes apart, the first are taken. Elsewhere a field is found that follows classes which were
    heard with their neighbours before there was any (Van Leemput et al. 1999); it is taken where that of a higher
    degree makes them no likelier. If it does, classes may have been wrong for want of the field, and others are tried.

    Parameters
    ----------
    scene : Scene
        Of regular patches, of which the small cubes are asked.
    without : Mixture
        As it was fitted without a field.
    first : Shaded
        Taken where there is no field. Of several that are tried, taken unless another is clearly likelier.
    strength : float, optional
        Of the smoothing, 0 to 1; estimated where None.
    noise : callable
        Of planes (d, n), what is added to the variances (d,).
    threads : int
    """
    if first.shading is None or first.mixture.expected_error() < _OPEN:
        return first

    def settled(few: Scene, start: Mixture, begun: float, shading: Shading | None) -> _Settled:
        planes = scene.planes() if shading is None else shading.planes
        followed = None if shading is None else shading.among(few)
        tied = Tied(start.weights, start.expected_error(), strength, noise(planes), None, threads)
        mixture, chosen = tied.settle([few], start, begun, followed, iterations=_ITERATIONS)
        return _Settled(start if mixture is None else mixture, chosen, followed, tied)

    cubes = scene.in_cubes
    n = len(cubes.patches.flat)
    for few in (cubes.in_patches(-(-n // 3)), cubes) if n > _MANY else (cubes,):
        course, shading = [settled(few, without, START, None)], first.shading.even()
        for degree in DEGREES:
            shading.degree, own = degree, course[-1]
            course.append(settled(few, own.mixture, own.strength, shading))
            shading.field = shading.field if course[-1].followed is None else course[-1].followed.field
        heard = Shaded(course[-1].mixture, shading.limited())
        plainer, likelihood = (own.likelihood(few) for own in course[-2:])
        if likelihood < plainer + _CLEAR:
            return heard
    each = [first, *first.others, heard]
    found = [settled(cubes, fit.mixture, START, fit.shading).likelihood(cubes) for fit in each[:-1]]
    best = int(np.argmax([*found, likelihood]))
    return first if max(*found, likelihood) < found[0] + _CLEAR else each[best]
