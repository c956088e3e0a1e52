"""What is asked of a reader of files, and the part of the answer that all formats have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError, ParameterError

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.image.channels import Channels

__all__ = ["MAX_PIXELS", "Reading", "chosen", "kept", "require_axis", "require_limit", "require_room"]

MAX_PIXELS = 2_000_000_000


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

    @property
    def memory_unchosen(self) -> int | None:
        """Bytes that pixels may take before channels are chosen: none, so that the others are never decoded."""
        return self.memory if self.channels is None else 0


def chosen(image: Image, reading: Reading) -> Image:
    """Return the channels asked for, of an image with all of its file's."""
    return image if reading.channels is None else kept(image.select(reading.channels), reading)


def kept(image: Image, reading: Reading) -> Image:
    """Return an image in memory, or in its file where its pixels take more than the memory it may have."""
    if image.in_memory:
        return image
    n_bytes = image.n_pixels * image.n_channels * image.pixels.dtype.itemsize
    if reading.memory is not None and n_bytes > reading.memory:
        return image
    require_room(Path(image.name), image.shape, reading.max_pixels)
    from gmmseg.image.windows import everything  # here, because formats are named without images

    return replace(image.crop(everything(image.shape)), origin=None, extent=None)


def require_axis(image: Image, reading: Reading, name: str, *, fits: bool | None = None) -> None:
    """Refuse an axis of channels that contradicts a file which says itself which axes it has.

    Parameters
    ----------
    image : Image
    reading : Reading
    name : str
        Of the format.
    fits : bool, optional
        By default whether the axis is the last one, or not given.

    Raises
    ------
    ParameterError
        It does not fit.
    """
    if not (reading.channel_axis in ("auto", -1, image.ndim) if fits is None else fits):
        raise ParameterError(
            f"channel_axis={reading.channel_axis!r} does not fit {image.name}: {name} says which axes it has; "
            "leave it out"
        )


def require_limit(max_pixels: int) -> None:
    """Refuse a limit that allows nothing."""
    if max_pixels < 1:
        raise ParameterError(f"max_pixels={max_pixels} allows no image; use at least 1")


def require_room(path: Path, shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse an image of more pixels than allowed, before any is decoded.

    Parameters
    ----------
    path : Path
        For the message.
    shape : tuple of int
        Spatial shape.
    max_pixels : int
        The most pixels that may be decoded.

    Raises
    ------
    InputError
        The header promises no pixel or too many.
    """
    n_pixels = 1
    for length in shape:
        n_pixels *= length
    size = " x ".join(str(length) for length in reversed(shape))
    if n_pixels <= 0:
        raise InputError(f"{path} is {size} pixels in size; an image needs at least one pixel")
    if n_pixels > max_pixels:
        raise InputError(f"{path} is {size} = {n_pixels} pixels, above the limit of {max_pixels}; raise max_pixels")
