"""A volume as one picture: cuts in three planes, through where its classes are."""

from __future__ import annotations

import numpy as np

from gmmseg.image import Image
from gmmseg.image.cuts import Cuts

__all__ = ["mosaic"]

_SLICES = 7  # of each plane
_LONGEST = 256  # pixels of a cut along its longer side


def mosaic(image: Image, labels: np.ndarray) -> tuple[Image, np.ndarray]:
    """Lay out a volume and its labels as a picture.

    Parameters
    ----------
    image : Image
        Of 3 spatial axes.
    labels : ndarray of integers from 0, shape of the image

    Returns
    -------
    Image
        Seven cuts in each of three planes, evenly spread over the extent of the labels: of a patient axial, coronal and
        sagittal ones, upright, else in the file's order of axes. Sides of voxels are as long as in space.
    ndarray
        The labels of its pixels.
    """
    cuts = Cuts.of(image, _LONGEST)
    places = [_spread(labels, axis) for axis in cuts.order]
    values = cuts.in_rows(image.array, places)
    valid = None if image.valid is None else cuts.in_rows(image.valid, places)
    picture = Image(values, color=image.color, valid=valid, name=image.name)
    return picture, cuts.in_rows(labels, places)


def _spread(labels: np.ndarray, axis: int) -> list[int]:
    """Return places along an axis, in the middle of equal parts of where there are labels."""
    others = tuple(each for each in range(labels.ndim) if each != axis)
    found = np.flatnonzero((labels > 0).any(axis=others))
    first, stop = (int(found[0]), int(found[-1]) + 1) if len(found) else (0, labels.shape[axis])
    n = min(_SLICES, stop - first)
    return [first + (2 * number + 1) * (stop - first) // (2 * n) for number in range(n)]
