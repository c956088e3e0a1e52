"""Rims: pixels on the blurred borders of objects, of images of one feature.

What lies between an even ground and objects that vary holds something of both. A Gaussian as wide as the objects takes
nearly all of it, so that masks are too large. It belongs to the side that it has more of, as the half maximum has it:
one level is found that agrees best with half the height of each object, and the border of two classes is put there. Of
the class around the level the lesser part becomes a component of its own: its rims, of the class below; or, where the
class is mostly rims and glow, the lower objects, of the class above.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.fitting.independence import are_one
from gmmseg.mixture.parameters import Mixture
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.fitting.scene import Scene
    from gmmseg.spatial.bias import BiasField

__all__ = ["LEAST_HALF", "Classes", "Seen", "half_level", "with_rim"]

_FEW, _RARELY = 32, 0.005  # pixels that a rim and what is left have at least, and share of both
_FARTHER = 0.5  # deviations of the narrower class, by which a border has to move: less is chance
LEAST_HALF = 1 / 3  # of the height of a class: a lower level is half the height of something else
_ONE_VALUE = 2.0  # variances of rounding: two values side by side have four
_AS_GOOD = 0.002  # of a coefficient of Dice: levels that are worse by this count 1 / e
_STEPS = 1024  # of the level, between the border and the half of the highest object
_TRIED = 32  # levels from there to the border
_GRID = 256  # heights at which it is seen to that the border is where it belongs


def with_rim(mixture: Mixture, seen: Seen, *, noise: Array) -> tuple[Mixture, Array | None]:
    """Return classes of one feature with the rims of objects apart, and the memberships of their components.

    Parameters
    ----------
    mixture : Mixture
        Of k Gaussians, two or more.
    seen : Seen
        In squares of one size, and large enough that objects are seen from side to side.
    noise : ndarray, shape (1,)
        Least variance.

    Returns
    -------
    mixture : Mixture
        Of one more component: the classes, then what one of them gives away; as it was where none does.
    memberships : ndarray, shape (k, k + 1), or None
    """
    step = math.sqrt(12 * float(noise[0]))  # noise is a step's variance
    classes = Classes.of(mixture, seen, float(noise[0]))
    if classes is None:
        return mixture, None
    outward, places, borders = classes.outward, classes.places, classes.borders
    level = classes.level(seen.known, seen.shape, seen.depth, step)
    if level is None:
        return mixture, None
    at, inside, below = classes.around(level)
    # The class around the level gives what is below it to the one before.
    low, high, border, side = at - 1, int(outward[at]), borders[at - 1], 1
    if below:
        # It is what is around objects, and gives what is above the level to the one beyond: the same, seen from there.
        low, border, side = at + 1, borders[at], -1
    low, place = int(outward[low]), float(places[low])
    share = len(inside) / max(1, len(inside) + int(np.count_nonzero(classes.labels == low + 1)))
    if share == 1:
        return mixture, None
    inside = side * (inside - np.float32(place))
    found = _moved(mixture, (low, high), inside, share, side * (border - place), side * (level - place), noise)
    if found is None:
        return mixture, None
    memberships = np.eye(mixture.n_components, mixture.n_components + 1)
    memberships[low, -1] = 1
    return found, memberships


class Seen(NamedTuple):
    """What there is in large squares of images.

    Parameters
    ----------
    values : ndarray, shape (n,), float32
    known : ndarray of bool, shape (n,)
    shape : tuple of int
        Squares, rows, columns.
    depth : int
        Of volumes, whose planes the squares are.
    """

    values: Array
    known: Array
    shape: tuple[int, ...]
    depth: int

    @classmethod
    def of(cls, squares: Sequence[Scene], field: BiasField | None) -> Seen:
        """Take them from squares, less a bias field."""
        patches = [each.patches for each in squares]
        planes = _joined([each.planes(None if field is None else field.within(each.patches.axes)) for each in squares])
        shape = (sum(each.shape[0] for each in patches), *patches[0].shape[1:])
        return cls(planes[0], _joined([each.valid for each in patches]), shape, patches[0].depth)


class Classes(NamedTuple):
    """Classes from the ground on.

    Parameters
    ----------
    outward : ndarray, shape (k,)
        Which they are.
    places : ndarray, shape (k,)
        Their heights.
    borders : list of float
        Heights between them.
    labels : ndarray, shape (n,)
        Of pixels, by the numbers of the classes, from 1; 0 where nothing is known.
    heights : ndarray, shape (n,), float32
    """

    outward: Array
    places: Array
    borders: list[float]
    labels: Array
    heights: Array

    @classmethod
    def of(cls, mixture: Mixture, seen: Seen, noise: float) -> Classes | None:
        """Find them in what is seen, the ground at 0 and objects above; None where they are not told apart."""
        labels = mixture.labels(seen.values[None]) * seen.known
        outward = _outward(mixture, noise)
        means, deviations = mixture.means[:, 0], _deviations(mixture)
        last = outward[:-3:-1]
        # What lies at random among the next class is not the brightest of a clipped picture, but its ground.
        if deviations[last[0]] < deviations[outward[0]] and are_one(labels.reshape(seen.shape), *(last + 1).tolist()):
            outward = outward[::-1]
        ground, sign = float(means[outward[0]]), 1.0 if means[outward[-1]] > means[outward[0]] else -1.0
        heights = (seen.values - np.float32(ground)) * np.float32(sign)
        places = sign * (means[outward] - ground)
        borders = _borders(places, deviations[outward], mixture.weights[outward])
        return cls(outward, places, borders, labels, heights) if borders else None

    def around(self, level: float) -> tuple[int, Array, bool]:
        """Return which class is around a level, its heights, and whether it is not the last and lies mostly below."""
        at = max(1, int(np.searchsorted(self.borders, level)))
        inside = self.heights[self.labels == self.outward[at] + 1]
        return at, inside, at < len(self.borders) and 2 * int(np.count_nonzero(inside <= level)) > len(inside)

    def level(self, known: Array, shape: tuple[int, ...], depth: int, step: float) -> float | None:
        """Return half the height of the objects; above the class around it where that is a second ground.

        The second class is one if noise alone is between it and the first. The class around the level is one where its
        half height would be no half of what is beyond, or where no height at all is one of the ground's, if objects
        beyond agree better with half their height above it. None where that is nothing.
        """

        def half(base: float, border: float) -> tuple[float, float]:
            above = (self.heights - np.float32(base)).reshape(shape)
            level, agreement = half_level(above, known.reshape(shape), border, step, depth)
            return base + level, agreement

        if len(self.borders) > 1 and are_one(self.labels.reshape(shape), *(self.outward[:2] + 1).tolist()):
            second = float(self.places[1])
            return half(second, self.borders[1] - second)[0]
        level, agreement = half(0.0, self.borders[0])
        at, _, below = self.around(level)
        none = level <= self.borders[0]
        if at == len(self.borders) or not (none or (below and level < LEAST_HALF * self.places[at + 1])):
            return level
        base = float(self.places[at])
        higher, better = half(base, 0.0)
        if higher - base <= step or (none and (better <= agreement or higher <= self.borders[at])):
            return None  # it is noise
        return higher


def _joined(each: list[Array]) -> Array:
    """What is known of the pixels of images, along the last axis; a single one, as mostly, is not copied."""
    return each[0] if len(each) == 1 else np.concatenate(each, axis=-1)


def _outward(mixture: Mixture, noise: float) -> Array:
    """Indices of the classes (k,) from the ground on, which is the narrower one of the darkest and the brightest.

    What has one value only is narrow without being even, as the brightest pixels of a picture that is clipped: it is
    the ground only if it has more pixels.
    """
    outward = np.argsort(mixture.means[:, 0], kind="stable")
    first, last = outward[[0, -1]]
    deviations, weights = _deviations(mixture), mixture.weights
    narrow = deviations[last] < deviations[first]
    if deviations[[first, last]].min() ** 2 < _ONE_VALUE * noise:
        narrow = weights[last] > weights[first]
    return outward[::-1] if narrow else outward


def _moved(
    mixture: Mixture, pair: tuple[int, int], inside: Array, share: float, border: float, level: float, noise: Array
) -> Mixture | None:
    """Return a mixture in which the border of a pair of classes lies higher, at a level; None where it cannot.

    `inside` are heights of pixels of the second class above the first one, and `share` is theirs of the pixels of both.
    The last component is what the second one has up to the level.
    """
    low, high = pair
    means, deviations = mixture.means[:, 0], _deviations(mixture)
    away = float(means[high] - means[low])
    few = max(_FEW, _RARELY * len(inside))
    least = border + _FARTHER * min(deviations[low], deviations[high])
    if level < least:
        return None
    # Summed between even steps, so that pixels are passed once for all levels.
    inside = inside.astype(np.float64)
    near = inside[(inside > 0) & (inside <= level)]
    step = np.clip(np.ceil((near - border) * (_TRIED / (level - border))) - 1, 0, _TRIED - 1).astype(np.intp)
    sums = np.cumsum([np.bincount(step, power, _TRIED) for power in (None, near, near * near)], axis=1)
    total = np.array([len(inside), inside.sum(), np.square(inside).sum()])  # a product would start threads of the BLAS
    # Lower levels where this one is not to be had: what hardly differs shall not get another border.
    for i in range(_TRIED - 1, -1, -1):
        lower = border + (i + 1) * (level - border) / _TRIED
        rim, objects = sums[:, i], total - sums[:, i]
        if lower < least or min(rim[0], objects[0]) < few:
            return None
        parts = _Parts.of(deviations[low], rim, objects, share, noise)
        weights = parts.shared_at(lower)
        levels = np.linspace(0, max(lower, abs(away)), _GRID)
        if weights is not None and np.array_equal(parts.are_objects(levels, weights), levels > lower):
            break
    else:
        return None
    own = (weights * (mixture.weights[low] + mixture.weights[high]), means[low] + np.sign(away) * parts.means)
    found = [np.append(each, 0.0) for each in (mixture.weights, means, deviations)]
    for each, of_pair in zip(found, (*own, parts.deviations), strict=True):
        each[[low, -1, high]] = of_pair
    return replace(
        mixture,
        weights=found[0],
        means=found[1][:, None].astype(mixture.means.dtype),
        covariances=np.square(found[2])[:, None, None].astype(mixture.means.dtype),
        covariance="full",
    )


def half_level(heights: Array, valid: Array, border: float, step: float = 0.0, depth: int = 1) -> tuple[float, float]:
    """Return the height above which pixels are nearly those above half their objects' height, and how nearly.

    Parameters
    ----------
    heights : ndarray, shape (squares, rows, columns)
        Above the ground.
    valid : ndarray of bool, shape (squares, rows, columns)
    border : float
        Above which pixels are taken for those of objects.
    step : float
        Of rounding, from a value to the next one.
    depth : int
        Of volumes, whose planes the squares are.

    Returns
    -------
    level : float
        At least the border.
    agreement : float
        Dice's coefficient of both; 0 where there are no objects.

    Notes
    -----
    Where objects are, means of 3 x 3 pixels tell: noise is no border. The
    height of a run of pixels along a row or column is the mean of their heights, each counted by itself, which is
    nearly that of its inner part, however wide its rims are. A run of few pixels is rim for the most part, and that
    mean too low: there each is counted by its square. The object of a pixel is as high as the highest one of its
    runs, along two axes or three: others may lie in a rim all along.

    Examples
    --------
    >>> row = np.array([0, 0, 1, 4, 7, 8, 8, 8, 7, 4, 1, 0, 0.0])
    >>> square = np.repeat(row[None, None], 9, axis=1)
    >>> level, _ = half_level(square, np.ones(square.shape, bool), 0.5)
    >>> 1 < level < 4  # 4 is half the height of 8
    True
    """
    heights, valid = (np.ascontiguousarray(each, dtype) for each, dtype in ((heights, np.float32), (valid, bool)))
    # Counted between even steps: sorting takes five times as long.
    counts, highest = kernels.half_counts(heights, valid, border, _STEPS, depth)
    if highest <= border:
        return border, 0.0
    others, right = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    agreement = 2 * right[1:] / (others + right + right[0])[1:]
    # A mean over what is nearly as good is steadier than the best, where the agreement is flat. Between two values all
    # levels are the same: the lowest stands for them, and half a step further the interval of the lower value ends.
    begins, best = np.flatnonzero(np.diff(agreement, prepend=0)), np.flatnonzero(agreement == agreement.max())
    if best[0] == 0:
        return border, float(agreement[0])
    width = (highest - border) / _STEPS
    place = float(np.average(begins, weights=np.exp((agreement[begins] - agreement.max()) / _AS_GOOD)))
    return border + place * width + min(float(best[-1] - best[0]) * width, step) / 2, float(agreement.max())


def _deviations(mixture: Mixture) -> Array:
    return np.asarray(np.sqrt(mixture.family.dense(mixture.covariances, mixture.n_components, 1)[:, 0, 0]))


def _borders(places: Array, deviations: Array, weights: Array) -> list[float]:
    """Heights at which each class ends and the next one begins, from the ground on, as far as they are told apart.

    A class between may begin beyond its middle, where it is no more than what the one before has too little of.
    """
    found: list[float] = []
    classes = list(zip(places.tolist(), deviations.tolist(), weights.tolist(), strict=True))
    for i, ((place, one, less), (further, other, more)) in enumerate(itertools.pairwise(classes), 2):
        if further <= place or min(less, more) <= 0:
            break
        border = place + _between(further - place, (one, other), (less, more))
        if not max([place, *found[-1:]]) < border or (i == len(places) and border > further):
            break
        found.append(border)
    return found


def _between(mean: float, deviations: tuple[float, float], weights: tuple[float, float]) -> float:
    """Height up to which a Gaussian at 0 is likelier than another one at `mean`; NaN where there is none."""
    (near, far), (one, two) = deviations, weights
    bend, slope = (near**-2 - far**-2) / 2, mean / far**2
    least = math.log(two * near / (one * far)) - mean * slope / 2
    if abs(bend) * mean**2 < 1e-9:
        return -least / slope
    root = slope**2 - 4 * bend * least
    return (math.sqrt(root) - slope) / (2 * bend) if root > 0 else math.nan


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
        """Estimate them from sums (3,) over pixels, of 1, heights and their squares, but for the ground's deviation."""
        means = [part[1] / part[0] for part in (rim, objects)]
        spreads = [max(part[2] / part[0] - mean**2, noise[0]) for part, mean in zip((rim, objects), means, strict=True)]
        return cls(np.array([0.0, *means]), np.array([ground, *np.sqrt(spreads)]), share)

    def shared_at(self, level: float) -> Array | None:
        """Weights (3,) that put the border of the objects at a level; None where none do.

        Rim and objects keep the pixels that they have together.
        """
        ground, rim, objects = self._densities(np.array([level]), np.array([1 - self.share, 1, 1]))[:, 0].tolist()
        own = (ground + self.share * rim) / max(rim + objects, float(np.finfo(np.float64).tiny))
        return np.array([1 - self.share, self.share - own, own]) if 0 < own < self.share < 1 else None

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
