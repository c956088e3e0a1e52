"""A raster that stays in its file, as tiles: a small copy of all of it, and parts at the detail that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from gmmseg.arrays import Array
from gmmseg.effort import Effort
from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.windows import Tile, Window, shape_of, widened
from gmmseg.labelling.layers import layer_named
from gmmseg.labelling.tiles import Rule, empty_layer, visit

__all__ = ["SIDE", "Pyramid"]

SIDE = 512
"""Pixels of a tile along each axis, at the image's edges fewer."""

_EXACT = 2
"""The coarsest level whose labels are those of every pixel: there a tile stands for 2 048 x 2 048 of them."""

_LABELS = layer_named("labels")
_STRIP_BYTES = 64 << 20
_TONES = (0.02, 0.98)  # what is black and white, as in the pictures that are written


class Pyramid:
    """Levels of an image in its file: of level 0 every pixel is seen, of each further one every second of before.

    Parameters
    ----------
    image : Image
        Of two axes.
    most : int
        Pixels of the small copy.
    """

    def __init__(self, image: Image, most: int) -> None:
        self.image = image
        self._reading = Lock()  # a file is read by one thread at a time
        step = max(1, int(np.ceil((image.n_pixels / most) ** 0.5)))
        self.small = self._thinned(tuple(slice(0, n) for n in image.shape), step)
        self.levels = max(1, step.bit_length())
        self._tones = _tones(self.small)

    def described(self) -> dict[str, int]:
        """Return what the page has to know to ask for tiles."""
        return {"side": SIDE, "levels": self.levels, "exact": _EXACT}

    def whole(self) -> Array:
        """Return the small copy as red, green and blue, shape (rows, columns, 3)."""
        return self._drawn(self.small)

    def picture(self, at: Sequence[int]) -> Array:
        """Return a tile as red, green and blue, with the tones of the small copy.

        Parameters
        ----------
        at : sequence of int
            Level, row and column of the tile.

        Raises
        ------
        ParameterError
            There is no such tile.
        """
        return self._drawn(self._thinned(self._window(at), 1 << at[0]))

    def labels(self, rule: Rule, at: Sequence[int], threads: int | None = None) -> Array:
        """Return the labels of a tile, as the whole image has them; of coarser levels every second, fourth of them.

        Parameters
        ----------
        rule : Rule
            By which the small copy, or the whole image, was labelled.
        at : sequence of int
            Level, row and column of the tile.
        threads : int, optional
            All processors by default.

        Raises
        ------
        ParameterError
            There is no such tile, or its labels would take too long.
        """
        inner = self._window(at)
        if at[0] > _EXACT:
            raise ParameterError(f"level={at[0]} has no labels of its own; use at most {_EXACT}")
        image = rule.model.view(self.image)
        tile = Tile(widened(inner, rule.model.halo(image), image.shape), inner)
        with self._reading:
            crop = image.crop(tile.outer)
        found = empty_layer(_LABELS, rule.model, shape_of(inner))
        visit(crop, rule, _LABELS, found, within=tile.local, effort=Effort(threads=threads))
        return _every(found, 1 << at[0])

    def _window(self, at: Sequence[int]) -> Window:
        if len(at) != 3 or not 0 <= at[0] < self.levels or min(at) < 0:
            raise ParameterError(f"tile={','.join(map(str, at))} is none; give level, row and column")
        side = SIDE << at[0]
        starts = [place * side for place in at[1:]]
        window = tuple(slice(a, min(a + side, n)) for a, n in zip(starts, self.image.shape, strict=True))
        if any(each.start >= each.stop for each in window):
            raise ParameterError(f"tile={','.join(map(str, at))} lies outside {self.image.name}")
        return window

    def _thinned(self, window: Window, step: int) -> Image:
        """Read every so manieth pixel of a window: from overviews where the file has them."""
        source, image = self.image.pixels, self.image
        shape = tuple(-(-n // step) for n in shape_of(window))
        overview = getattr(source, "thinned", None)
        with self._reading:
            if overview is not None and step > 1:
                pixels, valid = overview(window, shape)
            else:
                pixels, valid = self._strips(window, step)
        spacing = None if image.spacing is None else tuple(each * step for each in image.spacing)
        return Image(pixels, image.color, valid, spacing, image.channel_names, image.name)

    def _strips(self, window: Window, step: int) -> tuple[Array, Array | None]:
        rows, columns = window
        row_bytes = (columns.stop - columns.start) * self.image.n_channels * self.image.pixels.dtype.itemsize
        height = max(1, _STRIP_BYTES // (row_bytes * step)) * step
        parts, valid = [], []
        for start in range(rows.start, rows.stop, height):
            read, there = self.image.pixels.read((slice(start, min(start + height, rows.stop)), columns))
            parts.append(_every(read, step))
            valid.append(np.ones(parts[-1].shape[:2], bool) if there is None else _every(there, step))
        together = np.concatenate(valid)
        return np.concatenate(parts), None if together.all() else together

    def _drawn(self, image: Image) -> Array:
        low, high = self._tones
        pixels = image.array[..., : len(low)].astype(np.float32)
        grey = np.rint(np.clip((pixels - low) / (high - low), 0, 1) * 255)
        drawn: Array = np.nan_to_num(grey).astype(np.uint8)
        if image.valid is not None:
            drawn[~image.valid] = 0
        return drawn if len(low) == 3 else drawn.repeat(3, axis=-1)


def _every(values: Array, step: int) -> Array:
    """Return the pixel in the middle of each so many, at the far edges of those that are left."""
    rows, columns = (np.minimum(np.arange(0, n, step) + step // 2, n - 1) for n in values.shape[:2])
    return np.ascontiguousarray(values[rows][:, columns]) if step > 1 else values


def _tones(image: Image) -> tuple[Array, Array]:
    """Return what is black and white in each channel that is drawn, of all tiles alike."""
    n = 3 if image.n_channels > 2 else 1
    if image.array.dtype == np.uint8 and image.color:
        return np.zeros(n, np.float32), np.full(n, 255, np.float32)
    values = image.array[..., :n].reshape(-1, n) if image.valid is None else image.array[image.valid][:, :n]
    values = values[np.isfinite(values).all(axis=1)]
    tones = np.quantile(values, _TONES, axis=0) if len(values) else np.array([[0.0] * n, [1.0] * n])
    low, high = tones.astype(np.float32)
    return low, np.where(high > low, high, low + 1)
