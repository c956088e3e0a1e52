"""Results of images that stay in their file: window by window, reading ahead while computing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from gmmseg.arrays import Array
from gmmseg.effort import Effort
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource
from gmmseg.image.windows import Tile, Window, everything, shape_of, strips
from gmmseg.labelling.layers import Layer
from gmmseg.labelling.summary import Tally
from gmmseg.labelling.tiles import Rule, empty_layer, visit
from gmmseg.threads import ahead

__all__ = ["Computed", "crops", "stream", "stream_frames"]

_IN_FLIGHT = 16  # windows that the memory has room for; some six are there at once, the rest is the program itself


@dataclass(frozen=True, eq=False)
class Computed:
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

    def sample(self, tally: Tally) -> Array | None:
        """Return the pixels of the window that tell what its classes look like."""
        return tally.sample(self.window, self.pixels)

    def count(self, tally: Tally) -> None:
        """Count the labels of the window."""
        tally.add(self.window, self.values, self.sample(tally))

    def in_frame(self, number: int) -> Computed:
        """Return the result with the axis of time, of the frame of this number."""
        values = np.expand_dims(self.values, self.values.ndim - len(self.window))
        return Computed((slice(number, number + 1), *self.window), values, self.pixels[None])


def stream(image: Image, rule: Rule, layer: Layer, effort: Effort) -> Iterator[Computed]:
    """Compute one layer of an image that is read from its file, in windows that follow one another.

    Parameters
    ----------
    image : Image
        Its pixels stay in their file.
    rule : Rule
        With the contrast of the whole image, see `Rule.measured`.
    layer : Layer
        One that is not of the bias field.
    effort : Effort
        Its memory is what all windows at work may take together, about; its progress is called with the number of
        windows done and of all windows.

    Yields
    ------
    Computed
    """
    source = image.pixels
    within = replace(effort, progress=None)
    n_numbers = rule.model.k if layer.kind == "soft" else 1
    bytes_a_pixel = max(source.dtype.itemsize * image.n_channels, 4 * n_numbers)
    pixels = effort.memory // (_IN_FLIGHT * bytes_a_pixel)
    found = list(
        strips(image.shape, source.blocks, source.sweep, pixels, rule.model.halo(image, smoothed=layer.smoothed))
    )
    count = sum(map(len, found))
    with closing(ahead(crops(image, source.sweep, found), effort.workers)) as coming:
        for done, (tile, crop) in enumerate(coming, 1):
            values = empty_layer(layer, rule.model, shape_of(tile.inner))
            visit(crop, rule, layer, values, within=tile.local, effort=within)
            if effort.progress is not None:
                effort.progress(done, count)
            yield Computed(tile.inner, values, crop.array[tile.local])


def stream_frames(image: Image, rule: Rule, layer: Layer, effort: Effort) -> Iterator[Computed]:
    """Compute one layer of a time-lapse that is read from its file, frame by frame, as `stream` does.

    Frames that are small against the memory are read whole and once, the next one while one is computed; larger ones
    window by window.

    Yields
    ------
    Computed
        With the axis of time.
    """
    frames, within = image.frames, replace(effort, progress=None)
    bytes_a_pixel = image.pixels.dtype.itemsize * image.n_channels + 4 * (rule.model.k if layer.kind == "soft" else 1)
    small = frames[0].n_pixels * bytes_a_pixel * _IN_FLIGHT <= effort.memory
    coming = map(_loaded, frames) if small else iter(frames)
    with closing(ahead(coming, effort.workers if small else 1)) as given:
        for number, frame in enumerate(given):
            if small:
                values = empty_layer(layer, rule.model, frame.shape)
                visit(frame, rule, layer, values, effort=within)
                yield Computed(everything(frame.shape), values, frame.array).in_frame(number)
            else:
                for part in stream(frame, rule.measured(frame), layer, within):
                    yield part.in_frame(number)
                    del part  # and with it the pixels, before the next are computed
            if effort.progress is not None:
                effort.progress(number + 1, len(frames))


def _loaded(frame: Image) -> Image:
    """Return a frame in memory, which is no window of anything."""
    return replace(frame.crop(everything(frame.shape)), origin=None, extent=None)


def crops(image: Image, axis: int, found: list[list[Tile]]) -> Iterator[tuple[Tile, Image]]:
    """Read the outer windows; what two that follow one another along an axis share is kept."""
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
    return replace(after, pixels=ArraySource(pixels), valid=valid, origin=start)


def _concatenated(a: Array, b: Array, axis: int) -> Array:
    """Concatenate in the memory order of the second, so that bands that lie apart stay apart."""
    order = np.argsort([-abs(step) for step in b.strides], kind="stable")
    back = np.argsort(order)
    return np.concatenate([a.transpose(order), b.transpose(order)], axis=int(back[axis])).transpose(back)
