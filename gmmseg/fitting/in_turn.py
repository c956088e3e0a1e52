"""The images of one fit: how many there are, the mask of each, and each opened when its turn comes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from gmmseg.errors import ParameterError
from gmmseg.fitting.options import FitOptions
from gmmseg.image import Image
from gmmseg.io.opening import Reading, is_one_image, open_image
from gmmseg.model.adapting import overhearing

__all__ = ["InTurn", "counted", "masks_of"]


def counted(images: Any) -> tuple[int, Iterable[Any]]:
    """Return how many images there are, and the images, which can be gone through more than once."""
    if is_one_image(images):
        return 1, [images]
    if not hasattr(images, "__len__"):
        images = list(images)
    return len(images), images


def masks_of(mask: Any, n_images: int) -> list[Any]:
    """Return the mask of each image: those of a list of paths, arrays and None, or the one of all."""
    if not isinstance(mask, list | tuple) or not all(_is_mask(each) for each in mask):
        return [mask] * n_images
    if len(mask) != n_images:
        raise ParameterError(f"mask has {len(mask)} entries, but there are {n_images} images; give one an image")
    return [*mask]


def _is_mask(entry: Any) -> bool:
    """Whether an entry of a list is a mask by itself, not a row of numbers."""
    return entry is None or isinstance(entry, str | os.PathLike) or hasattr(entry, "__array__")


class InTurn:
    """Images that are opened one after the other, each time that they are gone through.

    Grey values stored as colour are one channel where none of the images has colours.
    """

    def __init__(self, sources: Iterable[Any], readings: list[Reading], options: FitOptions) -> None:
        self.sources, self.readings, self.options = sources, readings, options
        self.grey: bool | None = None

    def __iter__(self) -> Iterator[Image]:
        for image in self._opened(0):
            if self.grey is None:
                others = self._opened(1)
                # All are opened once more for this, but only where the first holds grey values stored as colour.
                self.grey = not (image.color and any(self.options.view(each).color for each in chain([image], others)))
            # What is remembered of each is overheard as it is sampled.
            yield overhearing(self.options.view(image) if self.grey else image)
            del image  # before the next is opened

    def _opened(self, first: int) -> Iterator[Image]:
        # Not strict: sources may leave out what turns out to be empty.
        for source, reading in islice(zip(self.sources, self.readings, strict=False), first, None):
            yield open_image(source, reading)
