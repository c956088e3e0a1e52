"""Borders that are too many: classes are then fitted to the pixels beside them.

A pixel on a border holds something of both sides, as a sensor or a lens mixes them. Where such pixels are many, a wide
component that takes those of all borders is likelier than one of the classes that people mean, and two of these become
one; and where one class varies, it takes its borders, so that objects are too large. Photographs have textures rather,
of which calm pixels are part: classes that are fitted to these hold the others, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.fitting.starting import start_samples
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.survey import Survey
    from gmmseg.mixture.parameters import Mixture

__all__ = ["beside_borders", "mixed_components", "taken_borders"]

# Nats a pixel by which a few iterations for calm pixels make all pixels less likely: of 24 made scenes of mixed
# pixels .12 and more, of 24 made tissues .01 to .53, of 200 fits to 50 photographs .09 at most and above this in 4.
_MIXED, _MOST, _ITERATIONS, _TOLERANCE = 0.06, 20.0, 5, 1e-4
# Share of a class whose calm pixels are of another, less those the other way; and of the first, as many as the latter.
# Of 48 made tissues .07 to .24, and .31 at most; photographs that are alike in this are told by their heights.
_LOST, _BACK = 0.07, 1 / 3
_OPPOSITE = -0.5  # cosine of directions to others: of 70 components of mixed pixels of made pictures -.71 and less


def beside_borders(found: Survey, mixture: Mixture, threads: int) -> Survey | None:
    """Return a survey whose sample are calm pixels, where a mixture is one of borders, too; None where it is not.

    Parameters
    ----------
    found : Survey
        With calm pixels in its sample where borders may be too many.
    mixture : Mixture
        As it was fitted to all.
    threads : int
        They do not change the result.
    """
    sample, noise, calm = found.sample, found.noise, found.sample.calm
    if calm is None:
        return None
    planes, weights = start_samples(sample)
    iteration = Iteration(_TOLERANCE, _ITERATIONS, noise=noise, threads=threads)
    moved = expectation_maximization(calm, mixture, iteration).mixture
    # Held to a most, because a few pixels of a rare class that has no calm ones are not many borders.
    fall = np.clip(mixture.log_density(planes) - moved.log_density(planes), -_MOST, _MOST)
    if np.average(fall, weights=weights) < _MIXED:
        return None
    return found._replace(sample=replace(sample, planes=calm, weights=None, alike=calm, judges=None, calm=None))


def taken_borders(mixture: Mixture, found: Survey) -> tuple[int, int] | None:
    """Return two classes, of which the second takes the borders of both; None where there are none.

    Many pixels of that class have their calm ones in the first class, and few of the first have theirs in it.

    Parameters
    ----------
    mixture : Mixture
    found : Survey
        With calm pixels in its sample where borders are looked for.
    """
    moves = None if found.n_images > 1 else _moves(mixture, found)
    if moves is None:
        return None
    lost = (moves - moves.T) / np.maximum(moves.sum(axis=1, keepdims=True), 1)
    lost[_BACK * moves < moves.T] = 0
    high, low = map(int, np.unravel_index(int(lost.argmax()), lost.shape))
    return (low, high) if lost[high, low] > _LOST else None


def mixed_components(mixture: Mixture, found: Survey) -> Array:
    """Return which components (K,) hold what the borders of others mix.

    They lie between two others, and most of their pixels have their calm ones in others.

    Parameters
    ----------
    mixture : Mixture
        Perhaps of the first features only.
    found : Survey
        With calm pixels in its sample where borders are looked for.
    """
    moves = _moves(mixture, found)
    if moves is None:
        return np.zeros(mixture.n_components, bool)
    steps = mixture.means - mixture.means[:, None]
    steps /= np.maximum(np.linalg.norm(steps, axis=2, keepdims=True), np.finfo(np.float64).tiny)
    between = np.einsum("iad,ibd->iab", steps, steps).min(axis=(1, 2)) < _OPPOSITE
    return np.asarray(between & (2 * moves.diagonal() < moves.sum(axis=1)))


def _moves(mixture: Mixture, found: Survey) -> Array | None:
    """How many pixels of each component have their calm one in each (K, K); None where no calm ones are known."""
    alike, calm, k, d = found.sample.alike, found.sample.calm, mixture.n_components, mixture.n_features
    if calm is None or alike is None or calm.shape != alike.shape:
        return None
    return np.bincount(mixture.classify(alike[:d]) * k + mixture.classify(calm[:d]), minlength=k * k).reshape(k, k)
