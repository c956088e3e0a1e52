"""Regular places of a volume: the same voxels whichever way its axes are turned, ordered or mirrored.

What is learnt at random places, or at every so-manieth index, changes where a scan is stored with another order of its
axes, and so do the volumes of its classes, by up to a quarter. A lattice of an odd step around the centre is its own
image under every such change, whether the axes have an odd or an even number of voxels.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image.image import Image
from gmmseg.image.windows import everything

__all__ = ["in_shells", "is_regular", "on_lattice", "regular_centers", "step_for", "taken_in", "thinned"]

_REGULAR = 1 << 24
"""Voxels of the largest volumes that are looked at regularly: all of them are taken into memory for it."""

_MOST_BYTES = 1 << 28


def is_regular(image: Image) -> bool:
    """Whether an image is a volume that is looked at on lattices."""
    return image.ndim == 3 and image.in_memory and image.n_pixels <= _REGULAR


def taken_in(image: Image) -> Image:
    """Return a volume that may be looked at on lattices in memory, so that a file gives what the same array gives."""
    size = image.n_pixels * image.n_channels * image.pixels.dtype.itemsize
    small = image.ndim == 3 and image.n_pixels <= _REGULAR and size <= _MOST_BYTES
    return image.crop(everything(image.shape)) if small and not image.in_memory else image


def step_for(share: float, ndim: int = 3) -> int:
    """Return the least odd step of a lattice along each of so many axes that takes at most a share of all voxels.

    Examples
    --------
    >>> step_for(1.0), step_for(0.1), step_for(0.037)
    (1, 3, 5)
    """
    step = max(1, math.ceil(float(share) ** (-1.0 / ndim) - 1e-9))
    return int(step if step % 2 else step + 1)


def on_lattice(flat: Array, shape: tuple[int, ...], step: int) -> Array:
    """Tell which flat indices (n,) of a volume lie on the lattice of an odd step around its centre.

    Examples
    --------
    >>> np.flatnonzero(on_lattice(np.arange(9), (9,), 3)), np.flatnonzero(on_lattice(np.arange(10), (10,), 3))
    (array([1, 4, 7]), array([0, 3, 6, 9]))
    """
    # Twice the distance from the centre is even where the number of voxels is odd: then the centre is on it.
    along = [(2 * np.arange(n) - (n - 1)) % (2 * step) == (step if n % 2 == 0 else 0) for n in shape]
    # All voxels of the volume, as bytes, take a tenth of the time of the coordinates of each that is asked for.
    whole = functools.reduce(np.logical_and.outer, along)
    return np.asarray(whole.reshape(-1)[flat])


def thinned(flat: Array, shape: tuple[int, ...], count: int) -> Array:
    """Return positions in flat indices (n,) of a volume of those on a lattice, about `count` or less.

    Examples
    --------
    >>> thinned(np.arange(20, 100), (100,), 30)
    array([ 1,  4,  7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49,
           52, 55, 58, 61, 64, 67, 70, 73, 76, 79])
    """
    long = sum(n > 1 for n in shape)
    step = step_for(count / max(1, len(flat)), max(1, long))
    while True:
        found = np.flatnonzero(on_lattice(flat, tuple(shape), step))
        if len(found) or step == 1 or not len(flat):
            return found
        step -= 2


def in_shells(flat: Array, shape: tuple[int, ...], count: int) -> Array:
    """Return positions in flat indices (n,) of a volume of those in every so-manieth shell, about `count` of them.

    A shell is of voxels that are as many steps along the axes from the centre.

    Examples
    --------
    >>> in_shells(np.arange(9), (9,), 4)
    array([1, 4, 7])
    """
    every = -(-len(flat) // count)
    if every < 2:
        return np.arange(len(flat))
    index = np.unravel_index(flat, shape)
    away = np.sum([np.abs(2 * i - (n - 1)) for i, n in zip(index, shape, strict=True)], axis=0)  # twice as many
    return np.flatnonzero(away // 2 % every == 0)


def regular_centers(shape: tuple[int, ...], sides: tuple[int, ...], step: int) -> Array:
    """Flat indices of the middles of windows of these odd sides, on a lattice of an odd step around the centre.

    Where an axis is as long as its window there is one along it, and where the lattice has none, one at both ends.
    """
    along = []
    for n, side in zip(shape, sides, strict=True):
        inside = np.arange(side // 2, n - side // 2)
        found = inside[on_lattice(inside, (n,), step)]
        ends = np.unique([side // 2, n - 1 - side // 2])
        along.append(found if len(found) else ends if n > side else np.array([n // 2]))
    return np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), shape).ravel()
