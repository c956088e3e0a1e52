"""Anything that is an image -- a path, an array, an Image -- as an Image."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.image import Image
from gmmseg.io.reading import MAX_PIXELS, read, read_labels

if TYPE_CHECKING:
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.image.channels import Channels

__all__ = ["Reading", "open_image"]


@dataclass(frozen=True, eq=False)
class Reading:
    """How an image is taken from its file or array: the parameters of `gmmseg.io.read`, under the same names.

    Parameters
    ----------
    mask : path or array_like of bool or integer, shape (*spatial), optional
        Non-zero where pixels are used.
    channel_axis : int, None or "auto"
        Axis of the channels; None where every axis is spatial.
    channels : str, int or sequence of (int or str), optional
        Which channels, in which order; all by default.
    max_pixels : int
        The most pixels that may be decoded.
    memory : int, optional
        Bytes: pixels of a file that take more stay there. None: whole images.
    """

    mask: Any = None
    channel_axis: ChannelAxis = "auto"
    channels: Channels | None = None
    max_pixels: int = MAX_PIXELS
    memory: int | None = None


_AS_IT_IS = Reading()


def open_image(source: Any, reading: Reading = _AS_IT_IS) -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask (an array, or the path of one).

    Parameters
    ----------
    source : path-like, array_like or Image
        An Image is taken as it is, but for the mask and the channels.
    reading : Reading

    Raises
    ------
    InputError
        It cannot be read, or is no image.
    ParameterError
        A parameter does not fit the image.
    """
    if isinstance(source, str | os.PathLike):
        return read(
            Path(source),
            max_pixels=reading.max_pixels,
            mask=reading.mask,
            channel_axis=reading.channel_axis,
            memory=reading.memory,
            channels=reading.channels,
        )
    image = source if isinstance(source, Image) else Image.from_array(source, channel_axis=reading.channel_axis)
    mask = read_labels(Path(reading.mask)) if isinstance(reading.mask, str | os.PathLike) else reading.mask
    image = image if mask is None else image.with_mask(mask)
    return image if reading.channels is None else image.select(reading.channels)
