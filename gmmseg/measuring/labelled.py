"""A label map with what it is of: its images, or at least the place of its own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmmseg import io
from gmmseg.arrays import Array
from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.spacing import with_spacing
from gmmseg.io.label_maps import label_windows, open_labels
from gmmseg.io.same_place import turn_of

__all__ = ["read_labelled"]


def read_labelled(path: Path, images: Sequence[Path] = (), **reading: Any) -> tuple[Array, Image]:
    """Read a label map and what it is of.

    Parameters
    ----------
    path : Path
    images : sequence of Path
        What was segmented: one file, or several of one grid, whose channels are put side by side.
    **reading
        Of `gmmseg.io.read`, for the images; `spacing` and `unit` are of the label map where there are none.

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
    if not images:
        known = with_spacing(known, reading.get("spacing"), reading.get("unit"))
    ((_, labels),) = label_windows(known)
    if not images:
        return labels, known
    image = io.read(list(images), **reading)
    turn = turn_of(image, known)
    if turn is not None:
        labels = turn.of(labels)
    if image.shape != labels.shape:
        raise InputError(
            f"{path} has shape {labels.shape}, but {image.name} has shape {image.shape}; give the image that the "
            "labels are of"
        )
    if image.spacing is None and known.spacing is not None:
        image = replace(image, spacing=known.spacing, place=image.place or known.place)
    return labels, image
