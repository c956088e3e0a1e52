"""What stored numbers mean: alpha, palettes, inks and nodata values become pixels and where they are valid."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np

from gmmseg.image import Image
from gmmseg.image.axes import spans_color
from gmmseg.image.channels import evenly
from gmmseg.image.sources import Source, WindowSource
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window
from gmmseg.io.geotiff import Tags, nodata_value
from gmmseg.io.nodata import separate_nodata
from gmmseg.records import dataclass, field, replace

__all__ = ["InterpretedSource", "Meaning", "RawSource", "settle_color"]


class RawSource(Source, Protocol):
    """A source of which channels can be left unread."""

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return the channels at these positions, counted from 0."""


@dataclass(frozen=True, eq=False)
class Meaning:
    """How the stored channels of an image are to be taken.

    Parameters
    ----------
    color : bool
        Whether they are red, green and blue (and perhaps alpha).
    alpha : bool
        Whether the last one is alpha, 0 where there is no data.
    inverted : bool
        Whether 0 is white.
    inks : bool
        Whether they are cyan, magenta, yellow and black.
    palette : ndarray of uint8, shape (n_colors, 3), optional
        Colours of which the stored numbers are indices.
    tags : dict
        Of a TIFF file: they may name a nodata value.
    narrow : bool
        Whether all numbers are within 0..255, and become uint8.
    """

    color: bool = False
    alpha: bool = False
    inverted: bool = False
    inks: bool = False
    palette: np.ndarray | None = None
    tags: Tags = field(default_factory=dict)
    narrow: bool = False

    @property
    def plain(self) -> bool:
        """Whether each channel stands for itself, as stored."""
        return not (self.color or self.alpha or self.inverted or self.mixes)

    @property
    def mixes(self) -> bool:
        """Whether every stored channel takes part in every channel of the pixels."""
        return self.inks or self.palette is not None

    def n_channels(self, n_stored: int) -> int:
        """Return how many channels the pixels have."""
        return 3 if self.mixes else n_stored - self.alpha

    def pixels(self, stored: np.ndarray) -> np.ndarray:
        """Return pixels (*spatial, n_channels) in a dtype that the package reads; the stored ones are without alpha."""
        if self.inverted and stored.dtype.kind in "bu":
            stored = ~stored
        if self.palette is not None:
            numbers = stored[..., 0]
            colors: np.ndarray = self.palette[numbers.view(np.uint8) if numbers.dtype.kind == "b" else numbers]
            return colors
        if self.inks:
            return _to_light(stored)
        if self.narrow:
            return stored.astype(np.uint8)
        return stored.astype(_readable(stored.dtype), copy=False)


def _readable(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which an image holds numbers of this one."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return dtype.newbyteorder("=")


def _to_light(inks: np.ndarray) -> np.ndarray:
    """Turn ink amounts into light, (full - ink)(full - black) / full: the rule without a colour profile."""
    full = np.iinfo(inks.dtype).max
    light = (full - inks[..., :3]).astype(np.uint64) * (full - inks[..., 3:])
    rgb: np.ndarray = ((light + full // 2) // full).astype(inks.dtype)
    return rgb


@dataclass(frozen=True, eq=False)
class InterpretedSource(WindowSource):
    """A source of pixels over a source of what is stored.

    Parameters
    ----------
    raw : RawSource
        Every stored channel, alpha included.
    meaning : Meaning
    chosen : tuple of int, optional
        Positions of the channels that the pixels have; None for all.
    """

    raw: RawSource
    meaning: Meaning
    chosen: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        n_channels = self.meaning.n_channels(self.raw.shape[-1]) if self.chosen is None else len(self.chosen)
        return (*self.raw.shape[:-1], n_channels)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""
        return self._interpreted(np.zeros((1, len(self._stored)), self.raw.dtype))[0].dtype

    @property
    def blocks(self) -> tuple[int, ...]:
        """Those of the file."""
        return self.raw.blocks

    @property
    def sweep(self) -> int:
        """That of the file."""
        return self.raw.sweep

    @property
    def color(self) -> bool:
        """Whether the pixels may be colour: floats also have to be within 0 to 1."""
        return self.meaning.color and self.shape[-1] == 3 and self.chosen in (None, (0, 1, 2))

    def select(self, channels: tuple[int, ...]) -> InterpretedSource:
        """Return a source of these channels only."""
        positions = range(self.shape[-1]) if self.chosen is None else self.chosen
        return replace(self, chosen=tuple(positions[c] for c in channels))

    def as_bands(self) -> InterpretedSource:
        """Return a source whose pixels are no colour, and whose channels are missing one by one."""
        return replace(self, meaning=replace(self.meaning, color=False))

    @property
    def _stored(self) -> tuple[int, ...]:
        """Positions of the stored channels that are read, alpha last."""
        n_stored = self.raw.shape[-1]
        if self.chosen is None or self.meaning.mixes:
            return tuple(range(n_stored))
        return (*self.chosen, n_stored - 1) if self.meaning.alpha else self.chosen

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels of a window and where they are valid."""
        pixels, valid = self.decoded(window)
        known = finite(pixels, every=self.color)
        return pixels, combine(valid, known)

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels, in the way that is best for what is stored."""
        stored, there = self.raw.select(self._stored).take(flat)
        pixels, valid = self._interpreted(stored)
        return pixels, combine(combine(valid, there), finite(pixels, every=self.color))

    def decoded(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels of a window, valid as alpha, nodata values and the file let them; NaN is not looked for."""
        stored, there = self.raw.select(self._stored).read(window)
        pixels, valid = self._interpreted(stored)
        return pixels, combine(valid, there)

    def _interpreted(self, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels of the stored channels that are read."""
        valid = None
        if self.meaning.alpha:
            valid = stored[..., -1] != 0
            stored = stored[..., :-1]
        pixels = self.meaning.pixels(stored)
        if self.meaning.mixes and self.chosen is not None:
            pixels = pixels[..., evenly(self.chosen)]
        nodata = nodata_value(self.meaning.tags)
        if nodata is None:
            return pixels, valid
        pixels, data = separate_nodata(np.array(pixels), [nodata] * pixels.shape[-1], color=self.color)
        return pixels, combine(valid, data)


def settle_color(image: Image) -> Image:
    """Return an image of `InterpretedSource` that stays in its file; whether floats are colour takes a pass over it."""
    source = cast("InterpretedSource", image.pixels)
    color = source.color
    if color and source.dtype.kind == "f":
        color = all(spans_color(source.read(window)[0]) for window in image.windows())
    return replace(image, pixels=source if color else source.as_bands(), color=color)
