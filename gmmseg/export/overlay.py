"""Overlay: class colours laid over the picture they were found in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.errors import ParameterError
from gmmseg.io.colors import palette as default_palette

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = ["overlay"]

# Rows are blended in strips of about this many pixels, which bounds the temporary float arrays to some 20 MB.
_STRIP_PIXELS = 1 << 19
# A stretch needs two percentiles, which this many samples give to a fraction of a grey level.
_STRETCH_SAMPLES = 1_000_000
_BOUNDARY_DARKNESS = 0.45


def overlay(image: Image, labels: np.ndarray, *, alpha: float = 0.5, palette: np.ndarray | None = None) -> np.ndarray:
    """Blend class colours over a picture, with thin dark lines where classes meet.

    Parameters
    ----------
    image : Image
        A picture of 2 spatial axes. 8-bit colour is shown as it is; anything else is stretched from its 2nd to its
        98th percentile. Of several bands the first three are red, green and blue; of two the first is grey.
    labels : ndarray of integers from 0, shape (rows, columns)
        Where 0 (no data), the picture shows through unchanged.
    alpha : float
        Weight of the class colour, 0 to 1.
    palette : ndarray of uint8, shape (n_colors, 3), optional
        Colour by label; by default `gmmseg.export.colors.palette`.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB.

    Raises
    ------
    ParameterError
        The image is a volume, the shapes differ, or alpha or the palette is out of range.

    Notes
    -----
    Takes the memory of the result and about 20 MB more.
    """
    if image.ndim != 2:
        raise ParameterError(f"{image.name} has {image.ndim} spatial axes; an overlay needs 2, so pass one plane of it")
    numbers = np.asarray(labels)
    if numbers.shape != image.shape or numbers.dtype.kind not in "bui":
        raise ParameterError(
            f"labels have shape {numbers.shape} and dtype {numbers.dtype}, expected integers of shape {image.shape}"
        )
    if not 0 <= alpha <= 1:
        raise ParameterError(f"alpha={alpha} is not a weight; use a number from 0 to 1")
    colors = _colors_for(numbers, palette)
    low, high = _stretch(image)
    rows, columns = image.shape
    blended = np.empty((rows, columns, 3), np.uint8)
    height = max(1, _STRIP_PIXELS // columns)
    for start in range(0, rows, height):
        stop = min(start + height, rows)
        picture = _picture(image.array[start:stop], low, high)
        _blend(picture, numbers, start, stop, colors, alpha)
        np.rint(picture, out=picture)
        blended[start:stop] = picture
    return blended


def _colors_for(numbers: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    """Return one colour for each label up to the largest; past 255 (regions) the default colours repeat."""
    low, largest = int(numbers.min()), int(numbers.max())
    if low < 0:
        raise ParameterError(f"labels go down to {low}, expected 0 (no data) or more; renumber them")
    if palette is not None:
        colors = np.asarray(palette)
        if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) <= largest:
            raise ParameterError(f"palette has shape {colors.shape}, expected ({largest + 1}, 3): a colour each label")
        return colors.astype(np.float32)
    every = default_palette(255).astype(np.float32)
    repeated = (np.arange(largest + 1) - 1) % 255 + 1
    repeated[0] = 0
    return every[repeated]


def _stretch(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the values shown as black and as white, one a channel shown."""
    shown = 3 if image.n_channels >= 3 else 1
    if image.color and image.pixels.dtype == np.uint8:
        return np.zeros(3, np.float32), np.full(3, 255, np.float32)
    step = max(1, int(np.ceil(np.sqrt(image.n_pixels / _STRETCH_SAMPLES))))
    sample = image.array[::step, ::step, :shown].reshape(-1, shown)
    if image.valid is not None:
        usable = image.valid[::step, ::step].reshape(-1)
        sample = sample[usable] if usable.any() else np.zeros((1, shown), np.float32)
    low, high = np.percentile(sample, (2, 98), axis=0)
    if image.color:
        # One stretch for all channels keeps the hues.
        low, high = np.full(3, low.min()), np.full(3, high.max())
    return low.astype(np.float32), np.where(high > low, high, low + 1).astype(np.float32)


def _picture(pixels: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return rows as RGB floats from 0 to 255, shape (rows, columns, 3)."""
    shown = pixels[..., : len(low)].astype(np.float32)
    shown -= low
    shown *= 255 / (high - low)
    np.nan_to_num(shown, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    np.clip(shown, 0, 255, out=shown)
    return shown if len(low) == 3 else np.repeat(shown, 3, axis=-1)


def _blend(picture: np.ndarray, labels: np.ndarray, start: int, stop: int, colors: np.ndarray, alpha: float) -> None:
    """Blend the rows start..stop of the classes into `picture`, and darken where the class changes."""
    rows = labels[start:stop]
    weight = np.where(rows == 0, np.float32(0), np.float32(alpha))[..., None]
    picture += weight * (colors[rows.astype(np.intp, copy=False)] - picture)
    edge = np.zeros(rows.shape, bool)
    edge[:, :-1] = rows[:, :-1] != rows[:, 1:]
    below = labels[start + 1 : stop + 1]
    edge[: len(below)] |= rows[: len(below)] != below
    picture[edge] *= 1 - _BOUNDARY_DARKNESS
