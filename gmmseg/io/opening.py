"""Anything that is an image, as an Image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gmmseg.image import Image
from gmmseg.io.reading import read, read_labels

__all__ = ["open_image"]


def open_image(source: Any, *, mask: Any = None, channel_axis: Any = "auto", memory: int | None = None) -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask (an array, or the path of one).

    Pixels of a file that take more than half of `memory` (bytes) stay there.
    """
    if isinstance(source, str | os.PathLike):
        limit = None if memory is None else memory // 2
        return read(Path(source), mask=mask, channel_axis=channel_axis, memory=limit)
    if isinstance(mask, str | os.PathLike):
        mask = read_labels(Path(mask))
    if isinstance(source, Image):
        return source if mask is None else source.with_mask(mask)
    return Image.from_array(source, channel_axis=channel_axis, mask=mask)
