"""What is asked of a reader of files, and the part of the answer that all formats have in common."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.checks import MEMORY, number_within, single
from gmmseg.errors import InputError, ParameterError
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.image.channels import Channels

__all__ = [
    "MAX_PIXELS",
    "Reading",
    "chosen",
    "complex_numbers",
    "kept",
    "require_axis",
    "require_bytes",
    "require_limit",
    "require_room",
]

MAX_PIXELS = 512_000_000
"""Pixels that may be decoded into memory unless a caller says otherwise."""

_LEAST_BUDGET = 64 << 20  # bytes: less is not enough for a tile of every ordinary file


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
    budget : int
        Bytes that a reader may take for one file: for what it decodes or inflates at a time, and for the image where
        it is read whole. Each asks `require_bytes` or `require_room` before it takes them.
    axes : str, optional
        A letter for each axis, as of `gmmseg.image.Image.from_array`, instead of `channel_axis`.
    spacing : sequence of float, optional
        Size of a pixel along each axis of space, in place of what the file or array says.
    unit : str, optional
        Of the spacing.
    resolution : float, optional
        Width of a pixel of a satellite scene, in metres; by default that of its finest band.
    nodata : float or sequence of (float or None), optional
        What stands for no data besides what the file declares: in every channel, or one number a channel.
    mask_values : str, optional
        As of `gmmseg.io.mask_rule.MaskRule.parse`.
    magnitude : bool
        Whether complex numbers of a raster are taken by their magnitude; they are refused otherwise.
    allow_remote : bool
        Whether images may be fetched from the network.
    indices : bool
        Whether numbers that a palette or a colour table gives colours are read as numbers, as of label maps.
    series : str, optional
        Which series of a folder of DICOM files: its number, its identifier or its description. "3/2" is the second
        volume of series 3, where that has several.
    mask_threshold : float, optional
        From which on the numbers of a mask mean that a pixel is used; by default all but 0 do.
    overlapping : bool
        Whether segments may overlap, as in a mask, of which no more is asked than whether there is one.
    """

    mask: Any = None
    channel_axis: ChannelAxis = "auto"
    channels: Channels | None = None
    max_pixels: int = MAX_PIXELS
    memory: int | None = None
    budget: int = MEMORY
    axes: str | None = None
    spacing: Sequence[float] | None = None
    unit: str | None = None
    resolution: float | None = None
    nodata: float | Sequence[float | None] | None = None
    mask_values: str | None = None
    magnitude: bool = False
    allow_remote: bool = False
    indices: bool = False
    series: str | None = None
    mask_threshold: float | None = None
    overlapping: bool = False

    def __post_init__(self) -> None:
        """Allow what any ordinary file needs, however little memory there is for pixels."""
        if self.axes is not None and self.channel_axis != "auto":
            raise ParameterError(
                f"axes={self.axes!r} and channel_axis={self.channel_axis} are both given; leave one of them out"
            )
        object.__setattr__(self, "budget", max(self.budget, _LEAST_BUDGET))
        if self.resolution is not None:
            wanted = "is no width of a pixel; use metres, as in 10"
            number_within("resolution", self.resolution, math.ulp(0.0), sys.float_info.max, wanted)
        if self.mask_threshold is not None:
            number_within("mask_threshold", self.mask_threshold, -math.inf, math.inf, "is no number; use one as in 0.5")
        for name in ("channel_axis", "axes", "unit", "series"):
            single(name, getattr(self, name))

    @property
    def memory_unchosen(self) -> int | None:
        """Bytes that pixels may take before channels are chosen: none, so that the others are never decoded."""
        return self.memory if self.channels is None else 0

    @property
    def plain(self) -> Reading:
        """The same for a file that belongs to an image, such as its mask: all of it, as it is."""
        return Reading(max_pixels=self.max_pixels, memory=self.memory, budget=self.budget)


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
    require_room(Path(image.name), image.shape, reading, image.n_channels * image.pixels.dtype.itemsize)
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
    """Refuse a limit that allows nothing, or is no number."""
    if number_within("max_pixels", max_pixels, -math.inf, math.inf, "is no number of pixels") < 1:
        raise ParameterError(f"max_pixels={max_pixels} allows no image; use at least 1")


def complex_numbers(path: Path | str, dtype: str) -> InputError:
    """Return what is said of a raster of complex numbers whose magnitude is not asked for."""
    return InputError(
        f"{path} holds complex numbers ({dtype}); take their magnitude by --magnitude (magnitude=True of "
        "gmmseg.io.read)"
    )


def require_bytes(path: Path | str, n_bytes: int, reading: Reading, what: str) -> None:
    """Refuse what takes more memory than a reader may take, before it is allocated or inflated.

    Parameters
    ----------
    path : path or str
        For the message.
    n_bytes : int
        What it takes.
    reading : Reading
        Whose `budget` is the limit.
    what : str
        In the plural, as in "its pixels".

    Raises
    ------
    InputError
        It is above the limit.
    """
    if n_bytes > reading.budget:
        raise InputError(
            f"{path}: {what} take {-(-n_bytes >> 20)} MiB, above the limit of {reading.budget >> 20} MiB; raise memory"
        )


def require_room(path: Path, shape: tuple[int, ...], reading: Reading, pixel_bytes: int = 0) -> None:
    """Refuse an image of more pixels or bytes than allowed, before any is decoded.

    Parameters
    ----------
    path : Path
        For the message.
    shape : tuple of int
        Spatial shape.
    reading : Reading
        Whose `max_pixels` and `budget` are the limits.
    pixel_bytes : int
        What a decoded pixel takes, all channels together.

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
    if n_pixels > reading.max_pixels:
        raise InputError(
            f"{path} is {size} = {n_pixels} pixels, above the limit of {reading.max_pixels}; raise max_pixels"
        )
    require_bytes(path, n_pixels * pixel_bytes, reading, f"its {size} pixels")
