"""Results of images that stay in their file: window by window, reading ahead while computing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image
from gmmseg.image.sources import Source
from gmmseg.image.windows import Tile, Window, shape_of, strips
from gmmseg.labelling.layers import Layer, Progress, empty_layer, halo_of
from gmmseg.labelling.tiles import visit
from gmmseg.model import Model
from gmmseg.spatial.guidance import Guidance

if TYPE_CHECKING:
    from gmmseg.spatial.bias import BiasField

__all__ = ["Part", "stream"]

Array = NDArray[Any]

_IN_FLIGHT = 16  # windows that the memory has room for; some six are there at once, the rest is the program itself


@dataclass(frozen=True, eq=False)
class Part:
    """The result of one window.

    Parameters
    ----------
    window : tuple of slice
        In the coordinates of the image.
    values : ndarray, shape (*window), or (K, *window) for probabilities
    pixels : ndarray, shape (*window, n_channels)
    """

    window: Window
    values: Array
    pixels: Array


def stream(
    image: Image,
    model: Model,
    layer: Layer,
    *,
    variation: Array,
    guidance: Guidance | None = None,
    bias: BiasField | None = None,
    memory: int,
    threads: int = 1,
    progress: Progress | None = None,
) -> Iterator[Part]:
    """Compute one layer of an image that is read from its file, in windows that follow one another.

    Parameters
    ----------
    image : Image
        Its pixels are a `Source`.
    model : Model
    layer : str
    variation : ndarray, shape (d,)
        Contrast of the whole image, see `gmmseg.features.contrast.contrast`.
    guidance : Guidance, optional
    bias : BiasField, optional
        Taken out of the pixels before they are classified.
    memory : int
        Bytes that all windows at work may take together, about.
    threads : int
        They, and the memory, do not change the result.
    progress : callable, optional
        Called with the number of windows done and of all windows.

    Yields
    ------
    Part
    """
    source: Any = image.pixels
    halo = halo_of(model, layer, image)
    bytes_a_pixel = max(source.dtype.itemsize * image.n_channels, 4 * model.k if layer == "probabilities" else 4)
    found = list(strips(image.shape, source.blocks, source.sweep, memory // (_IN_FLIGHT * bytes_a_pixel), halo))
    count = sum(map(len, found))
    with ThreadPoolExecutor(1) as pool:
        crops = _crops(image, source, found)
        following = pool.submit(next, crops, None)
        done = 0
        while (item := following.result()) is not None:
            following = pool.submit(next, crops, None)
            tile, crop = item
            values = empty_layer(layer, model, shape_of(tile.inner))
            visit(
                crop,
                model,
                layer,
                values,
                guidance=guidance,
                variation=variation,
                bias=bias,
                within=tile.local,
                threads=threads,
            )
            done += 1
            if progress is not None:
                progress(done, count)
            yield Part(tile.inner, values, crop.array[tile.local])


def _crops(image: Image, source: Source, found: list[list[Tile]]) -> Iterator[tuple[Tile, Image]]:
    """Read the outer windows; what two of a strip share is kept from one to the next."""
    axis = source.sweep
    for strip in found:
        crop, end = None, 0
        for tile in strip:
            along = tile.outer[axis]
            if crop is None or along.start >= end:
                crop = image.crop(tile.outer)
            else:
                fresh = image.crop((*tile.outer[:axis], slice(end, along.stop), *tile.outer[axis + 1 :]))
                crop = _joined(crop, fresh, axis, end - along.start)
            end = along.stop
            yield tile, crop


def _joined(before: Image, after: Image, axis: int, shared: int) -> Image:
    """Return the last `shared` rows of a window together with the window that follows it."""
    n, origin = before.shape[axis], before.origin or ()
    kept: Window = tuple(slice(n - shared if a == axis else 0, length) for a, length in enumerate(before.shape))
    valid = None
    if before.valid is not None or after.valid is not None:
        parts = [np.ones(i.shape, bool) if i.valid is None else i.valid for i in (before, after)]
        valid = np.concatenate([parts[0][kept], parts[1]], axis=axis)
    pixels = _concatenated(before.array[kept], after.array, axis)
    start = tuple(o + s.start for o, s in zip(origin, kept, strict=True))
    return replace(after, pixels=pixels, valid=valid, origin=start)


def _concatenated(a: Array, b: Array, axis: int) -> Array:
    """Concatenate in the memory order of the second, so that bands that lie apart stay apart."""
    order = np.argsort([-abs(step) for step in b.strides], kind="stable")
    back = np.argsort(order)
    return np.concatenate([a.transpose(order), b.transpose(order)], axis=int(back[axis])).transpose(back)
