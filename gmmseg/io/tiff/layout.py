"""Axes of a TIFF series: which are spatial, which holds the channels, and what the samples are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.named_axes import Lettered
from gmmseg.io.meaning import Meaning
from gmmseg.io.request import Reading

if TYPE_CHECKING:
    from gmmseg.image.image import ChannelAxis

__all__ = ["CHANNEL_AXES", "SeriesLayout", "layout_of"]

CHANNEL_AXES = frozenset("SC")
_TIME = "T"
# Z, planes; Q and I, axes of which the file says only that there are several pages.
_SPATIAL = frozenset("ZQIYX")
_LAB = (8, 9, 10)  # of CIE, ICC and ITU, which differ in where a* and b* begin
_WHITE_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 2, 3, 5, 6
_ALPHA = (1, 2)  # associated and unassociated; 0 is "something else", such as near infrared


@dataclass(frozen=True, eq=False)
class SeriesLayout:
    """Where time, space and channels are in the array of a series.

    Parameters
    ----------
    stored : tuple of int
        Shape of the series.
    spatial : tuple of int
        Axes, in the order of the series, but time first.
    channel : int, optional
        Axis of the channels; None for a single one. Axes that are neither this nor spatial have length 1.
    letters : str
        tifffile's letters of the spatial axes, time left out.
    meaning : Meaning
    time : bool
        Whether the first of the axes is time.
    """

    stored: tuple[int, ...]
    spatial: tuple[int, ...]
    channel: int | None
    letters: str
    meaning: Meaning
    time: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_stored_channels)."""
        n_channels = 1 if self.channel is None else self.stored[self.channel]
        return (*(self.stored[axis] for axis in self.spatial), n_channels)

    @property
    def axes(self) -> tuple[tuple[int, ...], int | None]:
        """Spatial axes, and that of the channels."""
        return self.spatial, self.channel

    @property
    def in_order(self) -> bool:
        """Whether time and space follow one another as they are stored."""
        return list(self.spatial) == sorted(self.spatial)

    def place(self, index: tuple[int, ...]) -> str:
        """Return where along the axes of pages a page is, in words: "frame 3, plane 2"."""
        words = ["frame"] * self.time + ["plane" if letter == "Z" else "page" for letter in self.letters[:-2]]
        return ", ".join(f"{word} {i + 1}" for word, i in zip(words, index, strict=False))

    def arrange(self, array: np.ndarray) -> np.ndarray:
        """Return the series' array as (*spatial, n_stored_channels), a view."""
        kept = [*self.spatial, *([] if self.channel is None else [self.channel])]
        order = [axis for axis in range(len(self.stored)) if axis not in kept] + kept
        return array.reshape(self.stored).transpose(order).reshape(self.shape)


def layout_of(path: Path, series: Any, reading: Reading) -> SeriesLayout:
    """Return the layout of a tifffile series.

    Raises
    ------
    InputError
        It has axes beside time, space and channels, and the caller does not say how to take them; or colours that are
        not read.
    ParameterError
        What the caller says of its axes does not fit.
    """
    shape, axes, page = tuple(series.shape), series.axes, series.keyframe
    channel_axis: ChannelAxis = reading.channel_axis
    inverted = int(page.photometric) == _WHITE_IS_ZERO
    if int(page.photometric) in _LAB:
        raise InputError(f"{path} has its colours in CIELAB, of which nothing is read; save it in RGB, or as PNG")
    if reading.axes is not None:
        lettered = Lettered.of(reading.axes, shape, f"{path} (axes {axes})")
        if "S" in axes and lettered.channel != axes.index("S"):
            raise ParameterError(
                f"axes={reading.axes!r} does not fit {path}, whose axes are {axes}: S is of the samples of a pixel; "
                "name the others, and leave S where it is"
            )
        n_channels = 1 if lettered.channel is None else shape[lettered.channel]
        letters = "".join(lettered.letters[axis] for axis in lettered.spatial)[lettered.time :]
        return SeriesLayout(
            shape, lettered.spatial, lettered.channel, letters, _meaning(page, n_channels), lettered.time
        )
    if channel_axis != "auto":
        # Checks the axis; an array of one number in any shape takes no memory.
        probe = Image.from_array(np.broadcast_to(np.uint8(0), shape), channel_axis=channel_axis, name=str(path))
        channel = None if channel_axis is None else channel_axis % len(shape)
        spatial = tuple(axis for axis in range(len(shape)) if axis != channel)
        meaning = Meaning(color=probe.color and int(page.photometric) in (_RGB, _YCBCR), inverted=inverted)
        return SeriesLayout(shape, spatial, channel, "".join(axes[axis] for axis in spatial), meaning)
    channels = [i for i, axis in enumerate(axes) if axis in CHANNEL_AXES and shape[i] > 1]
    spatial = tuple(i for i, axis in enumerate(axes) if i not in channels and (shape[i] > 1 or axis in "YX"))
    time = tuple(axis for axis in spatial if axes[axis] == _TIME)
    spatial = tuple(axis for axis in spatial if axis not in time)
    letters = "".join(axes[axis] for axis in spatial)
    if len(channels) > 1 or not set(letters) <= _SPATIAL:
        raise _too_many_axes(path, shape, axes, channels)
    channel = channels[0] if channels else None
    meaning = _meaning(page, 1 if channel is None else shape[channel])
    if meaning.palette is not None and len(meaning.palette) < 2**page.bitspersample:
        raise InputError(
            f"{path} has a palette of {len(meaning.palette)} colours for numbers of {page.bitspersample} bits; "
            "export the TIFF file again"
        )
    return SeriesLayout(shape, (*time, *spatial), channel, letters, meaning, bool(time))


def _meaning(page: Any, n_stored: int) -> Meaning:
    """Return what the samples of a page are by its tags."""
    photometric = int(page.photometric)
    palette = None
    if photometric == _PALETTE and page.colormap is not None and n_stored == 1:
        # Palettes hold 16 bits; the upper 8 are what every program shows.
        palette = (page.colormap.T >> 8).astype(np.uint8)
    extra = [int(each) for each in page.extrasamples]
    alpha = bool(extra) and extra[-1] in _ALPHA and n_stored > 1
    inks = photometric == _SEPARATED and n_stored - alpha == 4 and page.dtype.kind == "u"
    color = photometric in (_RGB, _YCBCR) or palette is not None or inks
    return Meaning(color, alpha, photometric == _WHITE_IS_ZERO, inks, palette)


def _too_many_axes(path: Path, shape: tuple[int, ...], axes: str, channels: list[int]) -> InputError:
    known = {*_SPATIAL, *CHANNEL_AXES, _TIME}
    other = next((i for i, axis in enumerate(axes) if shape[i] > 1 and axis not in known), None)
    if other is None:
        found, axis = "two axes of channels", channels[0]
    else:
        found, axis = f"{shape[other]} images along axis {axes[other]}", other
    return InputError(
        f"{path} has {found} (axes {axes}, shape {shape}), but time, space and channels are all that one image has; "
        f"save one of them as a file, or take them as channels with channel_axis={axis}"
    )
