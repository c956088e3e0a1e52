"""How far the surfaces of a segmented and of the true structure lie apart, in physical units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError

__all__ = ["SurfaceDistance", "surface_distance"]


@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces lie apart, and how two volumes differ; lengths in the unit of the spacing.

    Parameters
    ----------
    hausdorff95 : float
        What 95 % of a surface lie within of the other, for the surface that is farther off. Infinite where one of both
        is empty.
    average : float
        Mean distance of the voxels of both surfaces from the other one.
    volume, true_volume : float
        Of a picture the areas.
    difference : float
        Volume less true volume, as a share of the true one; infinite where that is 0.

    Examples
    --------
    >>> found = surface_distance([[1, 1, 0, 0]], [[1, 1, 1, 1]], spacing=(1, 0.5))
    >>> found.volume, found.true_volume, found.difference
    (1.0, 2.0, -0.5)
    """

    hausdorff95: float
    average: float
    volume: float
    true_volume: float
    difference: float


def surface_distance(inside: ArrayLike, truth: ArrayLike, *, spacing: Sequence[float] | None = None) -> SurfaceDistance:
    """Compare two structures.

    Parameters
    ----------
    inside, truth : array_like of bool, shape (*spatial)
        Whether each voxel belongs to the structure.
    spacing : sequence of float, optional
        Size of a voxel along each axis; 1 by default.

    Returns
    -------
    SurfaceDistance

    Raises
    ------
    ParameterError
        Shapes differ, or the spacing is not one size above 0 an axis.

    Notes
    -----
    The surface are the voxels with a neighbour outside, across a face; beyond the border of the image is outside. Only
    the box around both structures is looked at: about 20 bytes for each of its voxels.

    Examples
    --------
    >>> found = surface_distance([[1, 1, 0, 0]], [[1, 1, 1, 1]], spacing=(1, 0.5))
    >>> round(found.hausdorff95, 3), found.volume, found.difference
    (0.925, 1.0, -0.5)
    """
    ours, theirs = np.asarray(inside, bool), np.asarray(truth, bool)
    if ours.shape != theirs.shape:
        raise ParameterError(f"labels have shape {ours.shape}, the truth has {theirs.shape}; compare the same pixels")
    steps = (1.0,) * ours.ndim if spacing is None else tuple(map(float, spacing))
    if len(steps) != ours.ndim or not all(0 < step < math.inf for step in steps):
        raise ParameterError(f"spacing={spacing} is not usable; give one size above 0 for each of {ours.ndim} axes")
    voxel = math.prod(steps)
    volume, true_volume = float(ours.sum() * voxel), float(theirs.sum() * voxel)
    difference = (volume - true_volume) / true_volume if true_volume else 0.0 if volume == 0 else math.inf
    if not (volume and true_volume):
        apart = 0.0 if volume == true_volume else math.inf
        return SurfaceDistance(apart, apart, volume, true_volume, difference)
    box = _box(ours | theirs)
    there, back = _distances(ours[box], theirs[box], steps), _distances(theirs[box], ours[box], steps)
    return SurfaceDistance(
        hausdorff95=float(max(np.percentile(there, 95), np.percentile(back, 95))),
        average=float(np.concatenate([there, back]).mean()),
        volume=volume,
        true_volume=true_volume,
        difference=difference,
    )


def _box(inside: Array) -> tuple[slice, ...]:
    axes = range(inside.ndim)
    found = [np.flatnonzero(inside.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return tuple(slice(int(places[0]), int(places[-1]) + 1) for places in found)


def _distances(ours: Array, theirs: Array, steps: tuple[float, ...]) -> Array:
    """Distance of each voxel of our surface from theirs."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~_surface(theirs), sampling=steps)[_surface(ours)])


def _surface(inside: Array) -> Array:
    from scipy.ndimage import binary_erosion

    return np.asarray(inside & ~binary_erosion(inside))
