"""Patches: small windows at random places of an image, on which neighbours are heard while a mixture is fitted."""

from __future__ import annotations

import itertools
import math

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image.lattice import regular_centers, step_for
from gmmseg.records import dataclass, replace

__all__ = ["SQUARES", "Layout", "Patches", "few_of_squares", "side_by_side", "squares_over"]

_SIDES = {1: (64,), 2: (8, 16), 3: (8, 8, 16)}  # pixels; a register of the kernels along the last axis
_PIXELS = {1: 1 << 16, 2: 1 << 16, 3: 1 << 18}  # in all patches together, by the number of axes
_VOXELS, _CUBE = 3 << 18, 15  # in all regular patches together, and along each side of one
_SMALL, _TOLD, _TELLING = 7, 1 << 16, 1 << 13  # along each side of cubes that tell the strength; in all, and in parts
_NUMBERS = 1 << 23  # probabilities of classes in all patches together
_LEAST_SHARE = 0.2  # of valid pixels in a patch; those with fewer weigh no more
_SCATTERED = 0.1  # of what is expected: the 0s of dim noise have .4 to 1, what surrounds a brain .01 or so
_SQUARE, _BOXES = 127, 8  # pixels along each side of a square; boxes of a volume
_APART = 8  # pixels, of those that tell how much the pixels of a square differ
SQUARES = 1 << 20
"""Pixels in all large squares together."""
_MARGIN = 1  # voxels at the faces of a patch of a volume, which miss too many neighbours to be counted


@dataclass(frozen=True, eq=False)
class Patches:
    """Pixels of windows of one image, the windows one after the other.

    Parameters
    ----------
    shape : tuple of int
        Three axes: pictures lie one after the other along the first; so do volumes, with a plane that is not valid
        after each. The smoothing takes them in `parts`.
    depth : int
        Length of a patch along the first axis.
    axes : tuple of ndarray of int, each of shape (patches, length)
        Coordinates of each patch along each axis of the image.
    flat : ndarray of int, shape (n,)
        Indices into the image's flattened spatial axes.
    values : ndarray, shape (n, n_channels)
    valid : ndarray of bool, shape (n,)
    weights : ndarray, shape (n,), float32
        How much each pixel says of the classes: 0 where it is not valid or misses too many neighbours, elsewhere in
        inverse proportion to the chance that a patch lies on it.
    log_prior : ndarray, shape (k, n), optional
        Of the classes at each pixel.
    told : ndarray of int, shape (cubes, depth + 1, rows, columns), optional
        Of regular patches, those of the pixels that the strength of neighbours is estimated from; the last plane of
        each cube keeps it from the next one.
    """

    shape: tuple[int, int, int]
    depth: int
    axes: tuple[Array, ...]
    flat: Array
    values: Array
    valid: Array
    weights: Array
    log_prior: Array | None = None
    told: Array | None = None

    def _by_patch(self) -> Array:
        """Return the indices of the pixels of each patch: (number of patches, z, y, x)."""
        return np.arange(len(self.flat)).reshape(-1, self.depth, *self.shape[1:])

    def telling(self) -> tuple[Array, Array, Array]:
        """Some of the pixels: indices (n, z, y, x), which are valid, and which of these see enough of their neighbours.

        The last plane of each of several is not valid, as of patches.
        """
        if self.told is None:
            index = self._by_patch()
            step = max(1, min(len(index), len(self.flat) // _TELLING))  # from all over the picture
            part = index[step // 2 :: step].reshape(-1, *self.shape[1:])
            return part[None], self.valid[part[None]], self.valid[part[None]]
        _, depth, *plane = self.told.shape
        valid, inner = self.valid[self.told], np.zeros(self.told.shape, bool)
        valid[:, -1] = False
        inner[(slice(None), *(slice(n > 2, n - (n > 2)) for n in (depth - 1, *plane)))] = True
        return self.told, valid, valid & inner

    def scattered(self, chosen: Array, n_axes: int) -> bool:
        """Whether some of the pixels (n,) lie among the others as if at random, not in regions of their own.

        Then about as many of them lie between two others as if all pixels had been shuffled.
        """
        valid, own = self.valid.reshape(self.shape), chosen.reshape(self.shape) & self.valid.reshape(self.shape)
        share, found, expected = float(own.sum()) / max(1.0, float(valid.sum())), 0, 0.0
        for axis in range(len(self.shape) - n_axes, len(self.shape)):
            known, mine = (np.moveaxis(each, axis, 0) for each in (valid, own))
            three = known[:-2] & known[1:-1] & known[2:]
            found += int(np.count_nonzero(three & mine[1:-1] & ~mine[:-2] & ~mine[2:]))
            expected += float(three.sum()) * share * (1 - share) ** 2
        return found > _SCATTERED * expected

    def in_cubes(self, told: Array) -> Patches:
        """Return patches of the pixels that are `told` alone."""
        index, valid, counted = (each.reshape(-1) for each in self.telling())
        axes = []
        for axis, along in enumerate(self.axes):
            line = told[(slice(None), *(slice(None) if each == axis else 0 for each in range(3)))]
            plane, *within = np.unravel_index(line, self.shape)
            patch, above = np.divmod(plane, self.depth)  # the plane between patches has no place of its own
            axes.append(along[patch, np.minimum((above, *within)[axis], along.shape[1] - 1)])
        cubes, depth, rows, columns = told.shape
        return Patches(
            (cubes * depth, rows, columns),
            depth,
            tuple(axes),
            self.flat[index],
            self.values[index],
            valid,
            self.weights[index] * counted,
            None if self.log_prior is None else np.ascontiguousarray(self.log_prior[:, index]),
            np.arange(len(index)).reshape(told.shape),
        )

    def some(self, most: int) -> tuple[Patches, Array]:
        """Return about so many pixels, in whole patches, and the indices (m,) of these pixels.

        They are every second shell around the middle, or third and so on: the same ones whatever the order of the axes.
        """
        plane, twice = self.shape[1] * self.shape[2], [along[:, 0] + along[:, -1] for along in self.axes]
        away = np.sum([np.abs(2 * each - each.min() - each.max()) for each in twice], axis=0)
        shell = np.unique(away, return_inverse=True)[1].reshape(-1)
        chosen = np.flatnonzero(shell % max(1, -(-len(self.flat) // most)) == 0)
        index = (chosen[:, None] * self.depth * plane + np.arange(self.depth * plane)).reshape(-1)
        told = self.told
        if told is not None:
            own = told[:, 0, 0, 0] // (self.depth * plane)  # the patch of each cube
            earlier = (own - np.searchsorted(chosen, own)) * self.depth * plane
            told = (told - earlier[:, None, None, None])[np.isin(own, chosen)]
        return Patches(
            (len(chosen) * self.depth, *self.shape[1:]),
            self.depth,
            tuple(along[chosen] for along in self.axes),
            self.flat[index],
            self.values[index],
            self.valid[index],
            self.weights[index],
            None if self.log_prior is None else np.ascontiguousarray(self.log_prior[:, index]),
            told,
        ), index

    def parts(self, count: int) -> list[Array]:
        """Cut into about so many parts of whole patches, the same for any number of threads: indices (z, y, x) of each.

        Pictures lie one after the other along the first axis. Volumes lie side by side along the last one, where they
        fill the registers of the kernels: smoothing cubes of 7 takes two fifths of the time, cubes of 15 two thirds.
        """
        index = self._by_patch()
        number = len(index)
        edges = sorted({i * number // count for i in range(count + 1)})
        cut = [index[a:b] for a, b in itertools.pairwise(edges)]
        if len(self.axes) < 3 or number == 1:
            return [part.reshape(-1, *self.shape[1:]) for part in cut]
        return [side_by_side(part) for part in cut]


def side_by_side(volumes: Array) -> Array:
    """Volumes (n, depth + 1, rows, columns) as one (depth, rows, n * (columns + 1)).

    What was in the last plane of each, which is not valid, is then in its last column.

    Examples
    --------
    >>> side_by_side(np.array([[[[1, 2]], [[0, 0]]], [[[3, 4]], [[0, 0]]]]))
    array([[[1, 2, 0, 3, 4, 0]]])
    """
    n, depth, rows, columns = volumes.shape
    between = np.broadcast_to(volumes[:, -1:, :, :1], (n, depth - 1, rows, 1))
    wide = np.concatenate([volumes[:, :-1], between], axis=3)
    return wide.transpose(1, 2, 0, 3).reshape(depth - 1, rows, n * (columns + 1))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where patches lie; as of `Patches`, before any pixel is looked at.

    Parameters
    ----------
    sides : tuple of int
        Of a patch, with the plane after it.
    axes : tuple of ndarray of int, each of shape (patches, length)
    usable, inner : ndarray of bool, shape (n,)
        Which pixels are in their patch, and which of those see enough neighbours.
    flat : ndarray of int, shape (n,)
    told : ndarray of int, shape (m,), optional
    """

    sides: tuple[int, ...]
    axes: tuple[Array, ...]
    usable: Array
    inner: Array
    flat: Array
    told: Array | None = None

    @classmethod
    def regular(cls, shape: tuple[int, ...], valid: Array | None, share: int, k: int = 1) -> Layout:
        """Lay patches on a lattice where a volume has valid voxels: the same ones whatever the order of its axes.

        Parameters
        ----------
        shape : tuple of int
        valid : ndarray of bool, shape (*shape), optional
        share, k : int
            As of `around`.
        """
        most, size = min(_VOXELS, _NUMBERS // k) // share, math.prod(shape)
        if size <= most:
            small = tuple(min(_SMALL, n) for n in shape)
            cubes = regular_centers(shape, small, max(_SMALL, step_for(_TOLD / (size * _SMALL**3))))
            return replace(cls._whole(shape), told=_cubes(shape, small, cubes))
        sides = tuple(min(_CUBE, n) for n in shape)
        known = size if valid is None else max(1, int(np.count_nonzero(valid)))
        long = sum(n > side for n, side in zip(shape, sides, strict=True))
        step = max(_CUBE, step_for(most / (known * _CUBE**long), max(1, long)))
        centers = regular_centers(shape, sides, step)
        axes, usable, inner = _windows(shape, sides, centers)
        if valid is not None:
            hold = (valid.reshape(-1)[_flat(axes, shape)] & usable).reshape(len(centers), -1).any(axis=1)
            centers = centers[hold] if hold.any() else centers[:1]
            axes, usable, inner = _windows(shape, sides, centers)
        deep = (sides[0] + 1, *sides[1:])
        middles = np.arange(len(centers)) * math.prod(deep) + np.ravel_multi_index([side // 2 for side in sides], deep)
        together = (len(centers) * deep[0], *deep[1:])
        told = _cubes(together, tuple(min(_SMALL, n) for n in sides), middles)
        return cls(deep, axes, usable, inner, _flat(axes, shape), told)

    @classmethod
    def squares(cls, shape: tuple[int, ...], most: int = SQUARES) -> Layout:
        """Lay large squares of about so many pixels on a lattice of a picture, whatever the order of its axes.

        Those of a volume are boxes: planes alone cut many objects near their ends.
        """
        size = math.prod(shape)
        if size <= most:
            return cls._whole(shape)
        sides = _square_sides(shape, most)
        long = [side for side, n in zip(sides, shape, strict=True) if side < n]
        step = max(*long, step_for(most / (size * math.prod(long)), len(long))) if long else 1
        return cls.squares_at(shape, most, regular_centers(shape, sides, step))

    @classmethod
    def squares_at(cls, shape: tuple[int, ...], most: int, places: Array) -> Layout:
        """Lay those squares around pixels."""
        sides = _square_sides(shape, most)
        axes, usable, inner = _windows(shape, sides, places)
        return cls((sides[0] + (len(shape) == 3), *sides[1:]), axes, usable, inner, _flat(axes, shape))

    @classmethod
    def _whole(cls, shape: tuple[int, ...]) -> Layout:
        whole = np.ones(math.prod(shape), bool)
        return cls(shape, tuple(np.arange(n)[None] for n in shape), whole, whole, np.arange(whole.size))

    @classmethod
    def around(cls, shape: tuple[int, ...], centers: Array, share: int, k: int = 1) -> Layout:
        """Lay patches around some of these pixels; over the whole image if it is no larger than all of them together.

        Parameters
        ----------
        shape : tuple of int
            Of the image.
        centers : ndarray of int, shape (n,)
            Flat indices, of which any first part stands for the whole; as many are taken as there is room for.
        share : int
            Number of images that have the pixels of all patches in common.
        k : int
            Number of classes, which are fewer pixels each where they are many.
        """
        pixels = min(_PIXELS[len(shape)], _NUMBERS // k) // share
        if math.prod(shape) <= pixels:
            return cls._whole(shape)
        sides = tuple(min(side, n) for side, n in zip(_SIDES[len(shape)], shape, strict=True))
        number = max(1, min(len(centers), pixels // math.prod(sides)))
        axes, usable, inner = _windows(shape, sides, np.sort(centers[:number]))
        return cls((sides[0] + (len(shape) == 3), *sides[1:]), axes, usable, inner, _flat(axes, shape))

    def filled(
        self, values: Array, valid: Array | None, log_prior: Array | None = None, *, on_valid: bool = False
    ) -> Patches:
        """Return the patches, given their pixels (n, n_channels) and which of these are valid.

        Where patches were laid `on_valid` pixels alone, those with fewer of them around are the rarer.
        """
        depth, rows, columns = (1,) * (3 - len(self.sides)) + self.sides
        usable = self.usable if valid is None else valid & self.usable
        shape = len(self.flat) // (rows * columns), rows, columns
        weights = (usable & self.inner).astype(np.float32)
        if on_valid and weights.size:
            number = len(self.axes[0])
            share = usable.reshape(number, -1).mean(axis=1) / self.usable.reshape(number, -1).mean(axis=1)
            weights *= np.repeat(1 / np.maximum(share, _LEAST_SHARE), len(weights) // number).astype(np.float32)
        return Patches(shape, depth, self.axes, self.flat, values, usable, weights, log_prior, self.told)


def squares_over(shape: tuple[int, ...], most: int) -> Array:
    """Flat indices of the middles of large squares that cover an image."""
    along = []
    for n, side in zip(shape, _square_sides(shape, most), strict=True):
        number = -(-n // side)
        along.append(side // 2 + np.arange(number) * (n - side) // max(1, number - 1))
    return np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), shape).ravel()


def few_of_squares(shape: tuple[int, ...], most: int, places: Array) -> Array:
    """Flat indices (squares, n) of pixels at even distances in large squares around pixels."""
    middles = zip(np.unravel_index(places, shape), _square_sides(shape, most), strict=True)
    axes = tuple(middle[:, None] + np.arange(-(side // 2), side - side // 2, _APART) for middle, side in middles)
    return _flat(axes, shape).reshape(len(places), -1)


def _square_sides(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Sides of the squares of a picture, or of boxes of a volume, of which there is room for several."""
    side = _SQUARE
    while len(shape) == 3 and _BOXES * math.prod(min(side, n) for n in shape) > most and side > _CUBE:
        side -= 2
    return tuple(min(side, n) for n in shape)


def _windows(shape: tuple[int, ...], sides: tuple[int, ...], centers: Array) -> tuple[tuple[Array, ...], Array, Array]:
    """Coordinates of windows around pixels, which of their pixels are in the window, and which in its inner part."""
    volume = len(shape) == 3
    place = np.unravel_index(centers, shape)
    axes, usable, inner = [], np.ones((), bool), np.ones((), bool)
    for axis, (n, side, middle) in enumerate(zip(shape, sides, place, strict=True)):
        step = np.arange(side + (volume and axis == 0))
        first = np.clip(middle - side // 2, 0, n - side)
        axes.append(np.minimum(first[:, None] + step, n - 1))
        margin = _MARGIN if volume and side > 4 * _MARGIN else 0
        usable = usable[..., None] & (step < side)
        inner = inner[..., None] & ((step >= margin) & (step < side - margin))
    return tuple(axes), np.tile(usable.ravel(), len(centers)), np.tile(inner.ravel(), len(centers))


def _cubes(shape: tuple[int, ...], sides: tuple[int, ...], centers: Array) -> Array:
    """Flat indices (cubes, depth + 1, rows, columns) of cubes around some voxels."""
    return _flat(_windows(shape, sides, centers)[0], shape).reshape(-1, sides[0] + 1, *sides[1:])


def _flat(axes: tuple[Array, ...], shape: tuple[int, ...]) -> Array:
    """Flat indices of all pixels of windows."""
    index: Array = np.zeros((), np.intp)
    for axis, (n, along) in enumerate(zip(shape, axes, strict=True)):
        lengths = [along.shape[1] if a == axis else 1 for a in range(len(shape))]
        index = index * n + along.reshape(len(along), *lengths)
    return index.ravel()
