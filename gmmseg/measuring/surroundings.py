"""Objects on uneven ground: told by what lies around them, where one level for all would miss or swallow them."""

from __future__ import annotations

import math

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.measuring.splitting import typical

__all__ = ["told_by_surroundings"]

_SMOOTH = 0.05  # of noise, in parts of the typical object's half width
_FAR = 0.1  # weight of the contrast of all objects, in parts of the weight of those that are near
_ROUNDS, _SCALES = 10, 6
_SAME = 0.1  # by which half widths may differ to be the same
_WIDEST = 1 / 8  # half widths of objects, in parts of the image's longest side
_BINS, _STRAY = 1024, 0.2
_BETTER = 0.9
_SOLID, _APART = 0.8, 3  # share of a frame's pixels with four of its own beside them; ground above it, in its darkest
_ALIKE = 0.95  # Dice of both ways from which the class serves as well


def told_by_surroundings(inside: Array, image: Image) -> Array:
    """Find what is brighter (or darker) than its surroundings, where the ground of an image is uneven.

    Parameters
    ----------
    inside : ndarray of bool, shape (*spatial)
        Where objects are by one level for the whole image.
    image : Image

    Returns
    -------
    ndarray of bool, shape (*spatial)
        Where objects are; `inside` itself where one level does: the ground is even, the image has several channels, or
        what is inside is neither the brightest nor the darkest.

    Notes
    -----
    Two classes whose means change from place to place, by Gaussian windows as wide as half an object: the mean of the
    ground, and by how much objects differ from it, of logarithms, because light that is uneven is so by a factor. A
    pixel belongs to the nearer one (the local means of Li, Kao, Gore and Ding 2008, without their contours). Windows
    follow the objects that are found, until these keep their width. The result is taken where it leaves a tenth less of
    the variance about these means than one level does, and is not nearly what is inside already, as where a bias field
    was taken out.
    """
    if image.n_channels != 1 or not inside.any() or inside.all():
        return inside
    values, known = _logarithms(image, inside)
    if not known.any() or not _extreme(values[known], inside[known]):
        return inside
    if values[inside & known].mean() < values[~inside & known].mean():
        values = -values
    steps = image.spacing or (1.0,) * image.ndim
    widest = _WIDEST * max(n * step for n, step in zip(image.shape, steps, strict=True))
    width = min(_half_width(inside, steps), widest)
    for _ in range(_SCALES):
        near = _Near(inside.shape, width, steps)
        smooth = near.smoothed(values)
        found = _local(smooth, known, near)
        before, width = width, _half_width(found, steps) if found.any() else width
        if width > widest:  # what would be an object has no surroundings in the image
            return inside
        if abs(width - before) < _SAME * before:
            break
    if 2 * np.count_nonzero(found & inside) > _ALIKE * (np.count_nonzero(found) + np.count_nonzero(inside)):
        return inside
    even = min(_left(smooth, each, known, near) for each in (inside & known, _global(smooth, known)))
    return found if found.any() and _left(smooth, found, known, near) < _BETTER * even else inside


def _logarithms(image: Image, inside: Array) -> tuple[Array, Array]:
    """Logarithms of brightness above the darkest, and which of them are known."""
    values = image.array[..., 0].astype(np.float32)
    known = np.isfinite(values) if image.valid is None else np.isfinite(values) & image.valid
    if not known.any():
        return values, known
    known = _without_frame(values, known, inside)
    low, middle, high = np.percentile(values[known], (0.1, 50, 99.9))
    if low == high:
        return values, np.zeros_like(known)
    offset = max(middle - low, (high - low) / 100)
    return np.log(np.where(known, np.maximum(values - low, 0), 0) + np.float32(offset)), known


def _without_frame(values: Array, known: Array, inside: Array) -> Array:
    """Pixels without those of one number far below all others, as around what was stitched or turned.

    It would make the ground uneven. Such pixels lie side by side, and most of the ground is of others. Photons that are
    few are 0 here and there; a ground that is cut off at a number has others close above it.
    """
    from scipy.ndimage import binary_erosion

    low = values[known].min()
    frame = known & (values == low)
    ground = known & ~frame & ~inside
    if not ground.any() or (frame & inside).any() or 2 * np.count_nonzero(ground) < np.count_nonzero(known & ~inside):
        return known
    if np.count_nonzero(binary_erosion(frame, border_value=1)) < _SOLID * np.count_nonzero(frame):
        return known
    lowest, middle = np.percentile(values[ground], (1, 50))
    step = np.diff(np.unique(values[ground])).min(initial=np.inf)
    apart = lowest - low > max((middle - low) / _APART, _APART * step)
    return known & ~frame if apart else known


def _extreme(values: Array, inside: Array) -> bool:
    """Whether a single level tells the inside from the outside, but for some."""
    span = values.min(), values.max()
    own, others = (np.cumsum(np.histogram(values[each], _BINS, span)[0]) for each in (inside, ~inside))
    if not own[-1] or not others[-1]:
        return False
    strays = own + others[-1] - others
    of_all = own[-1] + others[-1]
    return bool(min(strays.min(), of_all - strays.max()) < _STRAY * min(own[-1], others[-1]))


def _half_width(inside: Array, steps: tuple[float, ...]) -> float:
    """Half the width of the typical object, in the unit of the steps."""
    from scipy import ndimage
    from skimage.measure import label

    whole = np.asarray(ndimage.binary_fill_holes(inside), bool)
    parts, n_parts = label(whole, return_num=True, connectivity=1)
    depth = ndimage.distance_transform_edt(whole, sampling=steps)
    widest = np.asarray(ndimage.maximum(depth, parts, np.arange(1, n_parts + 1)))
    return typical(widest, np.bincount(parts.ravel())[1:])


class _Near:
    """Means over Gaussian windows, computed on cells of a quarter of their width.

    Parameters
    ----------
    shape : tuple of int
    width : float
        Standard deviation of the window.
    steps : tuple of float
        Size of a pixel along each axis, in the unit of the width.
    """

    def __init__(self, shape: tuple[int, ...], width: float, steps: tuple[float, ...]) -> None:
        self.shape, self._sigmas = shape, [width / step for step in steps]
        self._sides = [max(1, min(n, int(sigma / 4))) for n, sigma in zip(shape, self._sigmas, strict=True)]

    def smoothed(self, values: Array) -> Array:
        """Return values without what is much smaller than a window."""
        from scipy.ndimage import gaussian_filter

        return np.asarray(gaussian_filter(values, [_SMOOTH * sigma for sigma in self._sigmas], mode="nearest"))

    def sums(self, values: Array) -> Array:
        """Return what lies in the window around each cell, per pixel."""
        from scipy.ndimage import gaussian_filter

        values = values.astype(np.float32, copy=False)
        for axis, side in enumerate(self._sides):
            if side == 1:  # every cell is a pixel; here and below that saves a fifth to a third of the time
                continue
            starts = np.arange(0, self.shape[axis], side)
            lengths = np.diff(starts, append=self.shape[axis]).astype(np.float32)
            across = [1] * values.ndim
            across[axis] = -1
            values = np.add.reduceat(values, starts, axis, np.float32) / lengths.reshape(across)
        sigmas = [sigma / side for sigma, side in zip(self._sigmas, self._sides, strict=True)]
        return np.asarray(gaussian_filter(values, sigmas, truncate=3, mode="nearest"))

    def everywhere(self, cells: Array) -> Array:
        """Return values of cells at each pixel, those between by lines."""
        for axis, (n, side) in enumerate(zip(self.shape, self._sides, strict=True)):
            if side == 1:
                continue
            place = np.clip((np.arange(n, dtype=np.float32) + 0.5) / side - 0.5, 0, cells.shape[axis] - 1)
            first = np.minimum(place.astype(int), max(0, cells.shape[axis] - 2))
            across = [1] * cells.ndim
            across[axis] = -1
            share = (place - first).reshape(across)
            second = np.minimum(first + 1, cells.shape[axis] - 1)
            cells = cells.take(first, axis) * (1 - share) + cells.take(second, axis) * share
        return cells

    def mean(self, values: Array, where: Array) -> Array:
        """Return the mean about each pixel of the values where they count; of all of these, where none is near."""
        every = values[where].mean(dtype=np.float64).astype(np.float32)
        parted = self.sums(np.where(where, values - every, np.float32(0))) / (self.sums(where) + np.float32(1e-3))
        return np.asarray(self.everywhere(parted) + every)


def _local(values: Array, known: Array, near: _Near) -> Array:
    """Return what is nearer to objects than to the ground around it."""
    from skimage.filters import threshold_otsu

    above = values - near.mean(values, known)
    found = np.asarray(known & (above > threshold_otsu(above[known])))
    for _ in range(_ROUNDS):
        if not found.any():
            break
        above = values - near.mean(values, known & ~found)
        far = np.float32(_FAR * found.mean())
        every = above[found].mean(dtype=np.float64).astype(np.float32)
        sums = near.sums(np.where(found, above, np.float32(0))) + far * every
        contrast = near.everywhere(sums / (near.sums(found) + far))
        before, found = found, known & (above > contrast / 2)
        if np.count_nonzero(found != before) < 1e-4 * found.size:
            break
    return found


def _global(values: Array, known: Array) -> Array:
    """Return what lies above one level that parts all values best."""
    from skimage.filters import threshold_otsu

    return np.asarray(known & (values > threshold_otsu(values[known])))


def _left(values: Array, found: Array, known: Array, near: _Near) -> float:
    """Squares that are left about the local means of what is found and of what is not."""
    parts = found, known & ~found
    if not all(part.any() for part in parts):
        return math.inf
    return sum(float(((values - near.mean(values, part))[part] ** 2).sum(dtype=np.float64)) for part in parts)
