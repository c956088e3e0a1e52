"""Label maps as images: their numbers, with the place and what else a file says, whole or in windows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.checks import MEMORY, path_of
from gmmseg.errors import GmmsegError
from gmmseg.image import Image
from gmmseg.io.formats import identify
from gmmseg.io.reading import as_file, as_labels, read_with
from gmmseg.io.request import MAX_PIXELS, Reading, require_limit

if TYPE_CHECKING:
    from gmmseg.image.windows import Window

__all__ = ["label_windows", "open_labels", "read_labels"]


def read_labels(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, memory: int = MEMORY) -> np.ndarray:
    """Read a label map; the numbers are those in the file, palette or not.

    Parameters
    ----------
    path : path-like
        PNG, TIFF, BMP, GIF, .npy, .npz (one array, or the one named "labels"), NIfTI or DICOM SEG.
    max_pixels, memory : int
        The most pixels that may be decoded, and the bytes that reading may take.

    Returns
    -------
    ndarray of uint8, uint16 or uint32, shape (*spatial)
        The smallest of these that the stored dtype fits in; 64-bit and signed integers by their largest value.

    Raises
    ------
    InputError
        The file cannot be read, has several channels, or values that are not whole numbers from 0 to 4294967295.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(f"{folder}/labels.png", np.array([[0, 1], [2, 2]]))
    ...     io.read_labels(f"{folder}/labels.png").tolist()
    [[0, 1], [2, 2]]
    """
    require_limit(max_pixels)
    reading = Reading(max_pixels=max_pixels, budget=memory)
    with as_file(path_of(path), reading) as file:
        return as_labels(file, identify(file).read_labels(file, reading))


def open_labels(path: str | os.PathLike[str], reading: Reading | None = None) -> Image:
    """Open a label map as an image of one channel, its numbers, with the place of its pixels.

    Parameters
    ----------
    path : path-like
        As for `gmmseg.io.read_labels`.
    reading : Reading, optional
        Numbers that take more than its `memory` stay in the file, where its format can be read window by window.

    Returns
    -------
    Image
        Of any unsigned or signed integers; `label_windows` goes through the labels.

    Raises
    ------
    InputError
        The file cannot be read, or is no label map.
    """
    path, reading = path_of(path), reading or Reading()
    header: Image | None = None
    labels: np.ndarray | None = None
    with suppress(GmmsegError):  # whatever is wrong with the labels is said below
        header = read_with(path, replace(reading, mask=None, channels=None, channel_axis="auto", indices=True))
    if header is not None and header.n_channels == 1 and header.pixels.dtype.kind in "ui":
        if not header.in_memory:
            return header
        with as_file(path, reading) as file:
            exact = identify(file).is_exact()
        labels = as_labels(path, header.array[..., 0]) if exact else None
    if labels is None:
        labels = read_labels(path, max_pixels=reading.max_pixels, memory=reading.budget)
    if header is None or header.shape != labels.shape:
        return Image(labels[..., None], name=str(path))
    valid = header.valid if header.in_memory else None
    known = {name: getattr(header, name) for name in ("spacing", "metadata", "place", "time")}
    return Image(labels[..., None], name=str(path), valid=valid, **known)


def label_windows(image: Image) -> Iterator[tuple[Window, np.ndarray]]:
    """Go through the labels of an image of `open_labels`, window by window; 0 where the file has no data."""
    for window in image.windows():
        part = image.crop(window)
        labels = part.array[..., 0]
        yield window, labels if part.valid is None else np.where(part.valid, labels, labels.dtype.type(0))
