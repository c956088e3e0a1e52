"""Rims of a picture of several features: pixels on blurred borders that a wide class takes from the one around it.

As `gmmseg.fitting.rims` has it of one feature: what lies on the border of an object belongs to the side that it has
more of. Heights are told along the line between two classes, of which one takes the borders of both, and its pixels up
to half the height of its objects become a component of their own, of the other class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.fitting.patches import Layout
from gmmseg.fitting.rims import half_level
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.survey import Survey
    from gmmseg.mixture.parameters import Mixture

__all__ = ["with_rim_of_bands"]

_BEGINS, _FARTHER = 3.0, 0.5  # deviations above the ground, where objects begin; and by which a border has to move
# Coefficient of Dice of pixels above the level and above half their objects' height: of 48 made tissues .916 and more,
# of 250 fits to photographs that come this far less in all but four.
_AGREEMENT = 0.91
_FEW = 32  # pixels that a rim and what is left have at least
_PIXELS = 1 << 18  # that are looked at, in large squares


def with_rim_of_bands(
    mixture: Mixture, found: Survey, pair: tuple[int, int], threads: int = 1
) -> tuple[Mixture, Array | None]:
    """Return classes of several features with a rim apart, and the memberships of their components.

    Parameters
    ----------
    mixture : Mixture
        Of k Gaussians, two or more.
    found : Survey
        Of one image.
    pair : tuple of int
        The class that a rim is given to, and the one that has it, as `gmmseg.fitting.mixed_pixels.taken_borders` has
        them.
    threads : int
        They do not change the result.

    Returns
    -------
    mixture : Mixture
        Of one more component: the classes, then what one of them gives away; as it was where none does.
    memberships : ndarray, shape (k, k + 1), or None
    """
    image, (low, high) = found.image, pair
    layout = Layout.squares(image.shape, _PIXELS)
    patches = layout.filled(*image.take(layout.flat))
    planes = found.recipe.planes_of(image, patches.values, patches.flat, threads=threads)
    planes -= found.center.astype(np.float32)[:, None]
    planes /= found.scale.astype(np.float32)[:, None]
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
    return np.asarray(np.einsum("d,dn->n", weights, planes) - np.float32(direction @ means[low]))


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
