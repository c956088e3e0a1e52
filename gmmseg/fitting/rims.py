"""Rims: pixels on the blurred borders of objects, of a picture in two classes.

What lies between an even ground and objects that vary holds something of both. A Gaussian as wide as the objects takes
nearly all of it, so that masks are too large. It belongs to the side that it has more of, as the half maximum has it:
one level is found that agrees best with half the height of each object, and what the wide Gaussian has below it becomes
a component of its own, of the ground's class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import kernels
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.scene import Scene
    from gmmseg.spatial.bias import BiasField

__all__ = ["half_level", "with_rim"]

Array = NDArray[Any]

_FEW = 32  # pixels that a rim and what is left of the objects have at least
_STEPS = 1024  # of the level, between the border and the half of the highest object
_TRIED = 32  # levels from there to the border
_GRID = 256  # heights at which it is seen to that the border is where it belongs


def with_rim(
    mixture: Mixture, squares: Scene, field: BiasField | None, *, noise: Array
) -> tuple[Mixture, Array | None]:
    """Return two classes of one feature with the rims of the wider one, and the memberships (2, 3) of the components.

    Parameters
    ----------
    mixture : Mixture
        Of two Gaussians.
    squares : Scene
        Large enough that objects are seen from side to side.
    field : BiasField, optional
        That is taken out.
    noise : ndarray, shape (1,)
        Least variance.

    Returns
    -------
    mixture : Mixture
        Of three components: the two classes, then the rim; as it was where there is none.
    memberships : ndarray, shape (2, 3), or None
    """
    gain = None if field is None else field.within(squares.patches.axes)
    shape, known = squares.patches.shape, squares.patches.valid
    deviations = np.sqrt(mixture.family.dense(mixture.covariances, 2, 1)[:, 0, 0])
    ground = int(np.argmin(deviations))
    both = [ground, 1 - ground]
    middle, other = mixture.means[both, 0].tolist()
    sign = 1.0 if other > middle else -1.0
    # From here on the ground lies at 0 and the objects above.
    heights = squares.planes(gain)[0]
    heights -= np.float32(middle)
    heights *= np.float32(sign)
    far, border = _between(abs(other - middle), deviations[both].tolist(), mixture.weights[both].tolist())
    if not 0 < border < abs(other - middle):
        return mixture, None
    level = half_level(heights.reshape(shape), known.reshape(shape), border)
    inside = heights[known & ((heights > border) | (heights < far))]
    share = len(inside) / max(1, int(np.count_nonzero(known)))
    # Lower levels where three Gaussians cannot have this one: what hardly differs shall not get another border.
    for lower in np.linspace(level, border, _TRIED, endpoint=False).tolist():
        rim = (inside > 0) & (inside <= lower)
        n_rim = int(np.count_nonzero(rim))
        if lower - border < deviations[ground] or min(n_rim, len(inside) - n_rim) < _FEW or share == 1:
            return mixture, None  # no farther than the ground varies by itself
        parts = _Parts.of(deviations[ground], inside[rim], inside[~rim], share, noise)
        weights = parts.shared_at(lower)
        levels = np.linspace(0, max(lower, abs(other - middle)), _GRID)
        if weights is not None and np.array_equal(parts.are_objects(levels, weights), levels > lower):
            break
    else:
        return mixture, None
    order = [0, 2, 1] if ground == 0 else [2, 0, 1]
    found = replace(
        mixture,
        weights=weights[order],
        means=(middle + sign * parts.means)[order][:, None].astype(mixture.means.dtype),
        covariances=np.square(parts.deviations)[order][:, None, None].astype(mixture.means.dtype),
        covariance="full",
    )
    memberships = np.zeros((2, 3))
    memberships[[0, 1], [0, 1]] = memberships[ground, 2] = 1
    return found, memberships


def half_level(heights: Array, valid: Array, border: float) -> float:
    """Return the height above which pixels are most nearly those above half the height of their objects.

    Parameters
    ----------
    heights : ndarray, shape (squares, rows, columns)
        Above the ground.
    valid : ndarray of bool, shape (squares, rows, columns)
    border : float
        Above which pixels are taken for those of objects.

    Returns
    -------
    level : float
        At least the border.

    Notes
    -----
    How nearly is said by Dice's coefficient. Where objects are, means of 3 x 3 pixels tell: noise is no border. The
    height of a run of pixels along a row or column is the mean of their heights, each counted by itself, which is
    nearly that of its inner part, however wide its rims are. The object of a pixel is as high as the higher one of its
    two runs: one of them may lie in a rim all along.

    Examples
    --------
    >>> row = np.array([0, 0, 1, 4, 7, 8, 8, 8, 7, 4, 1, 0, 0.0])
    >>> square = np.repeat(row[None, None], 9, axis=1)
    >>> 1 < half_level(square, np.ones(square.shape, bool), 0.5) < 4  # 4 is half the height of 8
    True
    """
    heights, valid = (np.ascontiguousarray(each, dtype) for each, dtype in ((heights, np.float32), (valid, bool)))
    # Counted between even steps: sorting takes five times as long.
    counts, highest = kernels.half_counts(heights, valid, border, _STEPS)
    if highest <= border:
        return border
    others, right = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    agreement = 2 * right[1:] / (others + right + right[0])[1:]
    return border + float(np.argmax(agreement)) * (highest - border) / _STEPS


def _between(mean: float, deviations: list[float], weights: list[float]) -> tuple[float, float]:
    """Between which heights a Gaussian at 0 is likelier than a wider one at `mean`; NaN where it is nowhere."""
    (narrow, wide), (one, two) = deviations, weights
    bend, slope = (narrow**-2 - wide**-2) / 2, mean / wide**2
    least = np.log(two * narrow / (one * wide)) - mean * slope / 2
    if bend * mean**2 < 1e-9:
        return -np.inf, float(-least / slope)
    root = np.sqrt(np.maximum(slope**2 - 4 * bend * least, 0)) if slope**2 > 4 * bend * least else np.nan
    return float((-slope - root) / (2 * bend)), float((-slope + root) / (2 * bend))


class _Parts:
    """The ground, a rim and objects: three Gaussians of one feature.

    Parameters
    ----------
    means, deviations : ndarray, shape (3,)
    share : float
        Of all pixels, that rim and objects have together.
    """

    def __init__(self, means: Array, deviations: Array, share: float) -> None:
        self.means, self.deviations, self.share = means, deviations, share

    @classmethod
    def of(cls, ground: float, rim: Array, objects: Array, share: float, noise: Array) -> _Parts:
        """Estimate them from pixels, but for the deviation of the ground."""
        both = [np.asarray(part, np.float64) for part in (rim, objects)]
        spreads = [float(np.sqrt(max(part.var(), float(noise[0])))) for part in both]
        return cls(np.array([0.0, *(part.mean() for part in both)]), np.array([ground, *spreads]), share)

    def shared_at(self, level: float) -> Array | None:
        """Weights (3,) that put the border of the objects at a level; None where none do.

        Rim and objects keep the pixels that they have together.
        """
        ground, rim, objects = self._densities(np.array([level]), np.array([1 - self.share, 1, 1]))[:, 0].tolist()
        own = (ground + self.share * rim) / max(rim + objects, float(np.finfo(np.float64).tiny))
        return np.array([1 - self.share, self.share - own, own]) if own < self.share < 1 else None

    def are_objects(self, heights: Array, weights: Array) -> Array:
        """Whether pixels (n,) are likelier of the objects than of ground and rim."""
        ground, rim, objects = self._densities(heights, weights)
        return np.asarray(objects > ground + rim)

    def _densities(self, heights: Array, weights: Array) -> Array:
        each = zip(self.means.tolist(), self.deviations.tolist(), weights.tolist(), strict=True)
        return np.asarray(np.exp([_log_density(heights, *of_one) for of_one in each]))


def _log_density(heights: Array, mean: float, deviation: float, weight: float) -> Array:
    """Logarithm of a weighted Gaussian density, less a constant."""
    return np.asarray(np.log(weight / deviation) - np.square((heights - mean) / deviation) / 2)
