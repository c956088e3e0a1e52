"""Rims of a picture of several features: pixels on blurred borders that a wide class takes from the one around it.

As `gmmseg.fitting.rims` has it of one feature: what lies on the border of an object belongs to the side that it has
more of. That a class takes its borders is told by the calm pixels beside those of a sample: many pixels of it have
their calm ones in the other class, and hardly any of that have theirs in it. Heights are then told along the line
between both classes, and the pixels of the class up to half the height of its objects become a component of their own,
of the other class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.fitting.patches import Layout
from gmmseg.fitting.rims import half_level
from gmmseg.kernels.blas import product
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.survey import Survey
    from gmmseg.mixture.parameters import Mixture

__all__ = ["with_rim_of_bands"]

Array = NDArray[Any]

_LOST, _BACK = 0.05, 0.25  # of a class, pixels whose calm ones are of another; and of these, as many the other way
_BEGINS, _FARTHER = 3.0, 0.5  # deviations above the ground, where objects begin; and by which a border has to move
_AGREEMENT = 0.94  # coefficient of Dice of pixels above the level and above half their objects' height
_FEW = 32  # pixels that a rim and what is left have at least
_PIXELS = 1 << 18  # that are looked at, in large squares


def with_rim_of_bands(mixture: Mixture, found: Survey, threads: int = 1) -> tuple[Mixture, Array | None]:
    """Return classes of several features with a rim apart, and the memberships of their components.

    Parameters
    ----------
    mixture : Mixture
        Of k Gaussians, two or more.
    found : Survey
        With calm pixels in its sample.
    threads : int
        They do not change the result.

    Returns
    -------
    mixture : Mixture
        Of one more component: the classes, then what one of them gives away; as it was where none does.
    memberships : ndarray, shape (k, k + 1), or None
    """
    image, pair = found.image, _taking(mixture, found)
    if pair is None:
        return mixture, None
    low, high = pair
    layout = Layout.squares(image.shape, _PIXELS)
    patches = layout.filled(*image.take(layout.flat))
    planes = found.recipe.planes_of(image, patches.values, patches.flat, threads=threads)
    planes = (planes - found.center.astype(np.float32)[:, None]) / found.scale.astype(np.float32)[:, None]
    labels, heights = mixture.labels(planes), _heights(mixture, pair, planes, found)
    known = patches.valid & np.isfinite(heights)
    np.copyto(heights, 0, where=~known)
    inside = known & (labels == high + 1)
    own = inside | (known & (labels == low + 1))
    level, agreement = half_level(heights.reshape(patches.shape), own.reshape(patches.shape), _BEGINS)
    in_rim = heights[inside] <= level
    few = min(np.count_nonzero(in_rim), np.count_nonzero(~in_rim))
    if level < _BEGINS + _FARTHER or agreement < _AGREEMENT or few < _FEW:
        return mixture, None
    memberships = np.eye(mixture.n_components, mixture.n_components + 1)
    memberships[low, -1] = 1
    return _divided(mixture, high, planes[:, inside], in_rim, found.noise), memberships


def _taking(mixture: Mixture, found: Survey) -> tuple[int, int] | None:
    """The class that loses most of its borders to another, and that other before it; None where none does."""
    alike, calm, k = found.sample.alike, found.sample.calm, mixture.n_components
    if calm is None or alike is None or calm.shape != alike.shape or found.n_images > 1:
        return None
    moves = np.zeros((k, k))
    np.add.at(moves, (mixture.labels(alike) - 1, mixture.labels(calm) - 1), 1)
    lost = (moves - moves.T) / np.maximum(moves.sum(axis=1, keepdims=True), 1)
    lost[_BACK * moves < moves.T] = 0
    high, low = map(int, np.unravel_index(int(lost.argmax()), lost.shape))
    return (low, high) if lost[high, low] > _LOST else None


def _heights(mixture: Mixture, pair: tuple[int, int], planes: Array, found: Survey) -> Array:
    """Heights (n,) of pixels above the ground, in its deviations, along what tells both classes best; not position."""
    low, high = pair
    rows = np.flatnonzero(np.array(found.groups) >= 0)
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)[low][rows][:, rows]
    means = mixture.means[:, rows]
    step = means[high] - means[low]
    direction = np.linalg.solve(dense, step)
    direction /= np.sqrt(step @ direction)
    weights = np.zeros(len(planes), np.float32)
    weights[rows] = direction
    return np.asarray(product(planes.T, weights[None])[0] - np.float32(direction @ means[low]))


def _divided(mixture: Mixture, high: int, planes: Array, in_rim: Array, noise: Array) -> Mixture:
    """Return a mixture whose component `high` is those of its pixels (d, n) that are not in its rim; these are last."""
    counts, means, second, _ = kernels.class_moments(planes, in_rim.astype(np.int64), None, 2, False)
    weights = np.append(mixture.weights, 0.0)
    weights[[high, -1]] = mixture.weights[high] * counts / counts.sum()
    dense = mixture.family.dense(mixture.covariances, mixture.n_components, mixture.n_features)
    both = [np.append(each, each[:1], axis=0) for each in (mixture.means, dense)]
    for each, own in zip(both, (means, second + np.diag(noise)), strict=True):
        each[[high, -1]] = own
    return replace(mixture, weights=weights, means=both[0], covariances=both[1], covariance="full")
