"""Objects that touch, told apart by where they are thick."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["SPECK", "compact", "split", "typical"]

SPECK = 0.1
"""Size of the largest speck, in parts of the typical object's."""

_SMOOTH, _NECK = 0.1, 0.1  # in parts of the typical object's half width


def typical(sizes: Array, weights: Array | None = None) -> float:
    """Return the size of the object in which the median pixel lies: however many specks there are, they hold few.

    Parameters
    ----------
    sizes : ndarray, shape (n,)
        Of each object, not empty.
    weights : ndarray, shape (n,), optional
        Its pixels, where the sizes are none.
    """
    order = np.argsort(sizes, kind="stable")
    held = np.cumsum((sizes if weights is None else weights)[order], dtype=np.float64)
    return float(sizes[order[np.searchsorted(held, held[-1] / 2)]])


def split(inside: Array, spacing: tuple[float, ...]) -> Array:
    """Number the objects of a mask, those that touch one by one.

    Parameters
    ----------
    inside : ndarray of bool, shape (*spatial)
        Without holes and specks.
    spacing : tuple of float
        Size of a pixel along each axis.

    Returns
    -------
    ndarray of int32, shape (*spatial)
        0 outside.

    Notes
    -----
    Objects are cut where they are narrow: by the watershed of the distance to the outside (Meyer 1994), from its maxima
    that stand out by a tenth of the typical object's half width (Soille 2003 on h-maxima), after the distance was
    smoothed by as much.
    """
    from scipy import ndimage
    from skimage.measure import label
    from skimage.morphology import local_maxima, reconstruction
    from skimage.segmentation import watershed

    parts, n_parts = label(inside, return_num=True, connectivity=1)
    if n_parts == 0:
        return np.zeros(inside.shape, np.int32)
    depth = ndimage.distance_transform_edt(inside, sampling=spacing).astype(np.float32)
    widest = np.asarray(ndimage.maximum(depth, parts, np.arange(1, n_parts + 1)))
    half = typical(widest, np.bincount(parts.ravel())[1:])
    depth = ndimage.gaussian_filter(depth, [_SMOOTH * half / step for step in spacing], truncate=3) * inside
    tops = local_maxima(reconstruction(depth - _NECK * half, depth)) & inside
    seeds = label(tops, connectivity=inside.ndim)
    found = np.asarray(watershed(-depth, seeds, mask=inside), np.int32)
    # What is too narrow to have a top is an object too.
    left = label(inside & (found == 0), connectivity=1)
    return np.where(left > 0, left + found.max(initial=0), found)


def compact(numbers: Array, kept: Array) -> Array:
    """Renumber objects from 1 in the order of their first pixels, uint32; those that are not kept become 0."""
    flat = numbers.reshape(-1)
    found, first = np.unique(flat, return_index=True)
    chosen = (found > 0) & kept[found]
    order = found[chosen][np.argsort(first[chosen])]
    new = np.zeros(int(found.max(initial=0)) + 1, np.uint32)
    new[order] = np.arange(1, len(order) + 1)
    return new[numbers]
