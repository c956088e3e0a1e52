"""A label map with what it is of: its images, or at least the place of its own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gmmseg import io
from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.label_maps import label_windows, open_labels

__all__ = ["read_labelled"]

Array = NDArray[Any]


def read_labelled(path: Path, images: Sequence[Path] = (), **reading: Any) -> tuple[Array, Image]:
    """Read a label map and what it is of.

    Parameters
    ----------
    path : Path
    images : sequence of Path
        What was segmented: one file, or several of one grid, whose channels are put side by side.
    **reading
        Of `gmmseg.io.read`, for the images.

    Returns
    -------
    labels : ndarray of uint8, uint16 or uint32, shape (*spatial)
    image : Image
        Of the labels' shape. Its place and spacing are those of the images, or of the label map where these say none;
        without images its pixels are the labels.

    Raises
    ------
    InputError
        A file cannot be read, or the images have another shape or place than the labels.
    """
    known = open_labels(path)
    ((_, labels),) = label_windows(known)
    if not images:
        return labels, known
    image = io.read(list(images), **reading)
    if image.shape != labels.shape:
        raise InputError(
            f"{path} has shape {labels.shape}, but {image.name} has shape {image.shape}; give the image that the "
            "labels are of"
        )
    if known.place is not None and image.place is not None and _elsewhere(known, image):
        raise InputError(f"{path} lies elsewhere than {image.name}; give the image that the labels are of")
    if image.spacing is None and known.spacing is not None:
        image = replace(image, spacing=known.spacing, place=image.place or known.place)
    return labels, image


def _elsewhere(one: Image, two: Image) -> bool:
    """Whether both say where they lie, and differ by more than a hundredth of a pixel."""
    import numpy as np

    assert one.place is not None
    assert two.place is not None
    matrices = one.place.matrix(one.ndim), two.place.matrix(two.ndim)
    if matrices[0] is None or matrices[1] is None or matrices[0].shape != matrices[1].shape:
        return False
    corners = np.array([[0] * one.ndim + [1], [*one.shape, 1]]).T
    step = np.abs(matrices[1][:, :-1]).sum(axis=1)[:, None]
    return bool((np.abs((matrices[0] - matrices[1]) @ corners) > 0.01 * step).any())
