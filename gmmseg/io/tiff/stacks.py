"""Results as the pages of a TIFF file: where each of its numbers goes, and what is said of their axes and sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gmmseg.image.windows import Window
from gmmseg.io.contents import stored_probabilities
from gmmseg.io.geotiff import TiffPlace
from gmmseg.io.tiff.microscopy import size_attributes

if TYPE_CHECKING:
    from gmmseg.image import Image
    from gmmseg.io.contents import Contents

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = ["Stack", "class_list", "family_of", "native_of", "sizes_of", "stored_attributes"]

_IMAGEJ_DTYPES, _IMAGEJ_BYTES = ("uint8", "uint16", "float32"), 4_000_000_000  # ImageJ knows no BigTIFF
_MICROMETRE = 1e-6


def native_of(image: Image | None) -> TiffPlace:
    """Return what an image says in the words of TIFF of where it lies."""
    native = None if image is None or image.place is None else image.place.native
    return native if isinstance(native, TiffPlace) else TiffPlace()


def family_of(contents: Contents) -> Literal["", "ome", "imagej"]:
    """Return whose files a result is written as: by its name, as the image was, or where plain TIFF fails ImageJ's.

    That has no word for time, nor for how far apart planes are. Where ImageJ's have no room for the numbers of a
    result, it is an OME-TIFF file.
    """
    image = contents.image
    if contents.kind == "picture" or len(contents.shape) < 2:
        return ""
    if contents.target.name.lower().endswith((".ome.tif", ".ome.tiff")):
        return "ome"
    family = native_of(image).family or ("imagej" if image is not None and (image.time or _is_stack(image)) else "")
    stack = Stack.of(contents, "TZCYX")
    if family == "imagej" and (stack.dtype not in _IMAGEJ_DTYPES or stack.n_bytes > _IMAGEJ_BYTES):
        return "ome"
    return family


def _is_stack(image: Image) -> bool:
    """Whether the planes of an image that is no scan of a patient are known to be so far apart."""
    return "Z" in sizes_of(image) and image.place is not None and image.place.affine3d is None


@dataclass(frozen=True)
class Stack:
    """Pages of one size.

    Parameters
    ----------
    axes : str
        Letters, rows and columns last.
    shape : tuple of int
        As long.
    dtype : str
        As stored.
    own : str
        Letters of the axes of a result as it is computed.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: str
    own: str

    @classmethod
    def of(cls, contents: Contents, order: str) -> Stack:
        """Lay out a result: its axes in this order of letters, as far as it has them."""
        time, soft = contents.image is not None and contents.image.time, contents.kind == "soft"
        space = ("T" if time else "") + "ZYX"[time - len(contents.shape) :]
        own = ("C" if soft else "") + space
        lengths = dict(zip(own, ((len(contents.names),) if soft else ()) + contents.shape, strict=True))
        axes = "".join(letter for letter in order if letter in own)
        return cls(axes, tuple(lengths[a] for a in axes), contents.stored_dtype if soft else contents.dtype, own)

    @property
    def n_bytes(self) -> int:
        """Of all numbers."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def boxes(self, windows: Windows) -> Iterator[tuple[Window, np.ndarray]]:
        """Go through windows of the result: where each is in the stack, and its values there as they are stored."""
        order = [self.own.index(letter) for letter in self.axes]
        for window, values in windows:
            soft = "C" in self.own
            stored = stored_probabilities(values, self.dtype) if soft else values.astype(self.dtype, copy=False)
            where = dict(zip(self.own, ((slice(0, len(values)),) if soft else ()) + window, strict=True))
            yield tuple(where[letter] for letter in self.axes), stored.transpose(order)


def class_list(contents: Contents) -> str:
    """Return the names of classes by their numbers, for people: "1 = sky" and, in the next line, "2 = cell"."""
    return "\n".join(f"{number} = {name}" for number, name in enumerate(contents.names, 1))


def sizes_of(image: Image | None) -> dict[str, float]:
    """Return the size of a pixel in µm along each axis of space, as far as it is known and the image is on no map."""
    if image is None:
        return {}
    letters, place = "ZYX"[image.time - image.ndim :], image.place
    if image.spacing is None:
        ome = native_of(image).ome
        return {axis: ome[f"PhysicalSize{axis}"] for axis in letters if f"PhysicalSize{axis}" in ome}
    if place is None or place.metres is None or place.affine is not None:
        return {}
    return {axis: step * (place.metres / _MICROMETRE) for axis, step in zip(letters, image.spacing, strict=True)}


def stored_attributes(image: Image | None) -> dict[str, Any]:
    """Return sizes, and of a time-lapse the interval of frames, as attributes of an OME Pixels element."""
    attributes = size_attributes(sizes_of(image))
    if image is not None and image.time:
        interval = None if image.place is None else image.place.interval
        if interval is not None:
            attributes |= {"TimeIncrement": interval[0], "TimeIncrementUnit": interval[1]}
    return attributes
