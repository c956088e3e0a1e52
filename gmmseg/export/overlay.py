"""A picture with its classes: laid over it in their colours, or outlined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from gmmseg.checks import number_within
from gmmseg.errors import ParameterError
from gmmseg.export.mosaic import mosaic
from gmmseg.image.vision import opencv
from gmmseg.io.palette import palette as default_palette

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = ["DRAWINGS", "contours", "overlay", "shown"]

# Rows are blended in strips of about this many pixels, which bounds the temporary float arrays to some 20 MB.
_STRIP_PIXELS = 1 << 19
# A stretch needs two percentiles, which this many samples give to a fraction of a grey level.
_STRETCH_SAMPLES = 1_000_000
_BOUNDARY_DARKNESS = 0.45
_TWELVE_BITS = 4095  # cameras that store these in 16 bits leave most of them unused
_LINE = 1000  # pixels of the longer side for each pixel of a line's width
# Yellow, magenta, cyan, green, red, blue: lines have the one farthest from the pixels they are drawn on.
_LINE_COLORS = ((255, 255, 0), (255, 0, 255), (0, 255, 255), (0, 255, 0), (255, 0, 0), (0, 0, 255))


def overlay(image: Image, labels: np.ndarray, *, alpha: float = 0.5, palette: np.ndarray | None = None) -> np.ndarray:
    """Blend class colours over a picture, with thin dark lines where classes meet.

    Parameters
    ----------
    image : Image
        A picture of 2 spatial axes, or a volume, of which cuts in three planes are drawn, see `gmmseg.export.mosaic`.
        8-bit colour is shown as it is; anything else is stretched from its 2nd to its
        98th percentile. Of several bands the first three are red, green and blue; of two the first is grey.
    labels : ndarray of integers from 0, shape of the image
        Where 0 (no data), the picture shows through unchanged.
    alpha : float
        Weight of the class colour, 0 to 1.
    palette : ndarray of uint8, shape (n_colors, 3), optional
        Colour by label; by default `gmmseg.io.palette.palette`.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB.

    Raises
    ------
    ParameterError
        The image has more axes, the shapes differ, or alpha or the palette is out of range.

    Notes
    -----
    Takes the memory of the result and about 20 MB more.
    """
    image, numbers = _checked(image, labels)
    alpha = number_within("alpha", alpha, 0, 1, "is not a weight; use a number from 0 to 1")
    colors = _colors_for(numbers, palette)
    blended = np.empty((*image.shape, 3), np.uint8)
    for rows, picture in _pictures(image):
        _blend(picture, numbers, rows.start, rows.stop, colors, alpha)
        blended[rows] = np.rint(picture, out=picture)
    return blended


def contours(
    image: Image, labels: np.ndarray, *, color: tuple[int, int, int] | None = None, width: int | None = None
) -> np.ndarray:
    """Draw the outlines of classes or regions on a picture.

    Parameters
    ----------
    image : Image
        As of `overlay`.
    labels : ndarray of integers from 0, shape of the image
    color : tuple of int, optional
        Red, green and blue of the lines, 0 to 255; by default the one of six plain colours that stands out best.
    width : int, optional
        Of the lines in pixels; by default one for each 1000 pixels of the longer side, at least one.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB.

    Raises
    ------
    ParameterError
        The image has more axes, the shapes differ, or the colour or the width is out of range.

    Notes
    -----
    The colour is farthest, in the fifth percentile of squared RGB distances, from the pixels that the lines cover.
    """
    image, numbers = _checked(image, labels)
    if width is None:
        width = max(1, round(max(image.shape) / _LINE))
    if width < 1:
        raise ParameterError(f"width={width} is no width of a line; use at least 1 pixel")
    if color is not None and not (len(color) == 3 and all(0 <= value <= 255 for value in color)):
        raise ParameterError(f"color={color} is no colour; use red, green and blue from 0 to 255")
    drawn = np.empty((*image.shape, 3), np.uint8)
    for rows, picture in _pictures(image):
        drawn[rows] = np.rint(picture, out=picture)
    line = _edges(numbers)
    if width > 1:
        cv2 = opencv()

        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        line = cv2.dilate(line.view(np.uint8), disc).view(bool)
    drawn[line] = _standing_out(drawn[line]) if color is None else color
    return drawn


def shown(image: Image) -> np.ndarray:
    """Return a picture as red, green and blue of 8 bits, shape (rows, columns, 3), with the tones that it has.

    Colour and grey of 8 bits are as they are, and of 16 bits in proportion, where they use more than a sixteenth of
    what 16 bits hold; colour of floats spans 0 to 1. Anything else is stretched as in `overlay`.
    """
    pixels, top = image.pixels, _top(image)
    if top is None:
        drawn = np.empty((*image.shape, 3), np.uint8)
        for rows, picture in _pictures(image):
            drawn[rows] = np.rint(picture, out=picture)
        return drawn
    values = image.array
    if pixels.dtype != np.uint8:
        scaled = np.empty(values.shape, np.uint8)
        step = max(1, _STRIP_PIXELS // image.shape[1])
        for start in range(0, image.shape[0], step):
            part = np.nan_to_num(values[start : start + step].astype(np.float32) * np.float32(255 / top))
            scaled[start : start + step] = np.rint(np.clip(part, 0, 255))
        values = scaled
    return values if values.shape[-1] == 3 else np.repeat(values[..., :1], 3, axis=-1)


def _top(image: Image) -> float | None:
    """Return the number that stands for white; None where only the pixels can tell."""
    dtype = image.pixels.dtype
    if not image.color and image.n_channels != 1:
        return None
    if dtype == np.uint8:
        return 255
    if dtype == np.uint16 and image.array.max(initial=0) > _TWELVE_BITS:
        return 65535
    return 1 if dtype.kind == "f" and image.color else None


DRAWINGS: dict[str, Callable[[Image, np.ndarray], np.ndarray]] = {"overlay": overlay, "contours": contours}
"""What can be drawn, by its name among the outputs of a command."""


def _checked(image: Image, labels: np.ndarray) -> tuple[Image, np.ndarray]:
    """Return a picture and its labels, of a volume those of its cuts; refuse labels of something else."""
    if image.ndim not in (2, 3) or image.time:
        raise ParameterError(f"{image.name} has {image.ndim} axes; an overlay needs a picture or a volume, so pass one")
    numbers = np.asarray(labels)
    if numbers.shape != image.shape or numbers.dtype.kind not in "bui":
        raise ParameterError(
            f"labels have shape {numbers.shape} and dtype {numbers.dtype}, expected integers of shape {image.shape}"
        )
    return (image, numbers) if image.ndim == 2 else mosaic(image, numbers)


def _pictures(image: Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield strips of rows as RGB floats from 0 to 255, shape (rows, columns, 3)."""
    low, high = _stretch(image)
    pixels, (n_rows, columns) = image.array, image.shape
    height = max(1, _STRIP_PIXELS // columns)
    for start in range(0, n_rows, height):
        rows = slice(start, min(start + height, n_rows))
        yield rows, _picture(pixels[rows], low, high)


def _edges(labels: np.ndarray) -> np.ndarray:
    """Whether the label of a pixel is not that of the next one to the right or below."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] = labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def _standing_out(covered: np.ndarray) -> tuple[int, int, int]:
    """Return the line colour that is farthest from the pixels that it covers."""
    if not len(covered):
        return _LINE_COLORS[0]
    sample = covered[:: max(1, len(covered) // 10_000)].astype(np.float32)
    distances = [np.quantile(((sample - color) ** 2).sum(axis=1), 0.05) for color in _LINE_COLORS]
    return _LINE_COLORS[int(np.argmax(distances))]


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
    picture[_edges(labels[start : stop + 1])[: stop - start]] *= 1 - _BOUNDARY_DARKNESS
