"""Scribbles as people paint them: label maps, masks of 0 and 255, colours on a layer or on the photograph."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.vision import opencv
from gmmseg.io.formats import identify
from gmmseg.io.label_maps import read_labels
from gmmseg.io.palette import palette
from gmmseg.io.reading import read
from gmmseg.io.same_place import header_in, turn_of

__all__ = ["named_strokes", "strokes_of"]

_ALIKE = 80.0  # of 255: colours no farther apart are one; compression and brushes vary less
_PAPER = 40.0  # the same, of a layer's colour
_UNPAINTED = 32  # of 255: by so much compression changes a copy of a photograph
_MIXED, _FEW = 40.0, 0.5  # distance from a mixture, and how many pixels of a stroke's may be edges
_LEAST, _LEAST_SHARE = 5, 0.005  # pixels of a colour
_FIRST_HUE = 330  # degrees: all reds come first
_GREY = 0.2  # saturation


def named_strokes(
    scribbles: Any, image: Image, k: int | None = None, names: Sequence[str] = ()
) -> tuple[Array, tuple[str, ...]]:
    """Return strokes as `strokes_of` does, or as training areas say them, and the names of the classes, if any has one.

    Parameters
    ----------
    scribbles : path-like or ndarray
        As of `strokes_of`, or a vector file as of `gmmseg.io.areas.drawn_areas`.
    image : Image
    k : int, optional
    names : sequence of str
        Of the classes, where they are known.
    """
    if isinstance(scribbles, str | os.PathLike):
        from gmmseg.io.vector_features import is_vector_file  # here, because most strokes are painted

        if is_vector_file(scribbles):
            from gmmseg.io.areas import drawn_areas  # here, likewise

            return drawn_areas(Path(scribbles), image, names, k)
    return strokes_of(scribbles, image, k), tuple(names)


def strokes_of(scribbles: Any, image: Image, k: int | None = None) -> Array:
    """Return which class is given at which pixel: 1, 2, ..., and 0 where a pixel is free.

    Parameters
    ----------
    scribbles : path-like or ndarray
        A label map; a mask of 0 and 255, in which 255 is class 1, and the other classes are left to find; or a colour
        picture (rows, columns, 3 or 4): strokes on a transparent or white (or black) layer, or on a copy of the
        photograph. Colours are numbered as in the rainbow, red first, then orange, yellow, green, blue and violet, and
        at last black, greys and white.
    image : Image
        The photograph.
    k : int, optional
        How many classes there are, where that is known.

    Returns
    -------
    ndarray of integers, shape (*spatial)
        Not yet compared with the shape of the image.

    Raises
    ------
    InputError
        There are no strokes, the file cannot be read, or it is of colours but has neither a layer's background nor the
        photograph's.
    ParameterError
        There are more colours than classes.
    """
    if not isinstance(scribbles, str | os.PathLike):
        values = np.asarray(scribbles)
        if values.ndim == image.ndim + 1 and values.shape[-1] in (3, 4) and values.dtype == np.uint8:
            valid = values[..., 3] >= 128 if values.shape[-1] == 4 else None
            return _of_colors(values[..., :3], valid, image, k, "scribbles")
        return _some(_of_mask(values, k), "scribbles")
    path = Path(scribbles)
    turn = turn_of(image, header_in(path))  # first, because a file that lies elsewhere is no picture of strokes
    try:
        labels = read_labels(path)
        labels = _of_mask(labels if turn is None or turn.stored != labels.shape else turn.of(labels), k)
        most = k or np.count_nonzero(np.unique(labels))
        colored = labels.max(initial=0) > most and _has_colors(path)
    except InputError:
        labels, colored = None, True
    if labels is not None and not colored:
        return _some(_of_size(labels, image, str(path)), str(path))
    picture = read(path)
    if picture.ndim != 2 or picture.pixels.dtype.kind != "u" or not (picture.color or picture.n_channels == 1):
        return labels if labels is not None else read_labels(path)  # which says what is wrong
    return _of_colors(_of_size(_as_bytes(picture), image, str(path)), picture.valid, image, k, str(path))


def _of_size(strokes: Array, image: Image, name: str) -> Array:
    """Return strokes of a file that are of the image's size."""
    shape = strokes.shape[: image.ndim]
    if shape != image.shape:
        raise ParameterError(
            f"{name} has strokes of shape {shape}, but {image.name} has shape {image.shape}; paint "
            "on a copy of the image"
        )
    return strokes


def _nothing_in(name: str) -> InputError:
    return InputError(f"{name}: there are no strokes in it; paint one on each class")


def _some(labels: Array, name: str) -> Array:
    """Return labels, of which there are some; of what are no labels the guidance says so."""
    if labels.dtype.kind in "bui" and not labels.any():
        raise _nothing_in(name)
    return labels


def _has_colors(path: Path) -> bool:
    """Whether a file of numbers has a palette that somebody painted with, not the one of label maps."""
    colors = identify(path).class_colors(path)
    return colors is not None and not np.array_equal(colors[:255], palette(min(255, len(colors)))[1:])


def _of_mask(labels: Array, k: int | None) -> Array:
    """Return labels, but a mask of 0 and 255 as strokes of class 1."""
    several = k is not None and k >= 255
    if several or labels.dtype.kind not in "ui" or labels.max(initial=0) != 255 or not np.isin(labels, (0, 255)).all():
        return labels
    return np.asarray(labels == 255, np.uint8)


def _as_bytes(picture: Image) -> Array:
    """Return a picture as red, green and blue of 8 bits."""
    pixels = picture.array
    eight: Array = (
        pixels if pixels.dtype == np.uint8 else (pixels >> (8 * (pixels.dtype.itemsize - 1))).astype(np.uint8)
    )
    rgb: Array = eight
    return rgb if rgb.shape[-1] == 3 else np.repeat(eight[..., :1], 3, axis=-1)


def _of_colors(rgb: Array, valid: Array | None, image: Image, k: int | None, name: str) -> Array:
    drawn, beneath = _drawn(rgb, valid, image, name)
    pixels = rgb[drawn].astype(np.float32)
    colors = sorted(_colors(pixels, beneath), key=_place)
    if not colors:
        raise _nothing_in(name)
    if k is not None and len(colors) > k:
        shown = ", ".join(f"#{bytes(each).hex()}" for each in colors)
        raise ParameterError(f"{name} has strokes of {len(colors)} colours ({shown}), but k={k}; use k={len(colors)}")
    distances = np.stack([((pixels - np.array(color, np.float32)) ** 2).sum(axis=1) for color in colors])
    strokes = np.zeros(drawn.shape, np.uint8)
    strokes[drawn] = np.where(distances.min(axis=0) <= _ALIKE**2, distances.argmin(axis=0) + 1, 0)
    return strokes


def _drawn(rgb: Array, valid: Array | None, image: Image, name: str) -> tuple[Array, Array]:
    """Return where somebody has painted, and the colours that were there before, with which edges mix."""
    if valid is not None and not valid.all():
        return valid, np.zeros(3, np.float32)
    most, share = _most_common(rgb)
    if share > 0.5 and np.ptp(most) > _PAPER:
        share = 0.0  # a layer is white, or black
    layer = None if share <= 0.5 else most
    painted = np.ones(rgb.shape[:2], bool) if layer is None else ((rgb - layer) ** 2).sum(axis=-1) > _PAPER**2
    if image.in_memory and image.shape == rgb.shape[:2] and _is_photo(image):
        photo = _as_bytes(image)
        changed = np.abs(rgb.astype(np.int16) - photo).max(axis=-1) > _UNPAINTED
        if layer is not None or changed.mean() < 0.5:
            drawn = painted & changed
            if layer is None and (rgb != photo).any(axis=-1).mean() > 0.5:
                drawn = _without_fringes(drawn)
            return drawn, photo[drawn] if layer is None else layer
    if layer is None:
        raise InputError(
            f"{name} is a picture in colours; paint strokes on a transparent or white layer, or on a copy of the photo "
            f"{image.name}"
        )
    return painted, layer


def _without_fringes(drawn: Array) -> Array:
    """Return strokes of a compressed picture without the pixels around, into which their colours have run."""
    cv2 = opencv()

    inner = cv2.erode(drawn.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    return inner if inner.any() else drawn


def _is_photo(image: Image) -> bool:
    """Whether somebody may have painted on a copy of an image."""
    return image.pixels.dtype.kind == "u" and image.n_channels in (1, 3)


def _binned(rgb: Array) -> tuple[Array, Array]:
    """Return the number of the bin of 5 bits a channel of each colour, and how many each bin has."""
    five = rgb.reshape(-1, 3).astype(np.uint16) >> 3
    bins = five[:, 0] << 10 | five[:, 1] << 5 | five[:, 2]
    return bins, np.bincount(bins, minlength=1 << 15)


def _most_common(rgb: Array) -> tuple[Array, float]:
    """Return the most common colour and its share."""
    bins, counts = _binned(rgb)
    most = int(counts.argmax())
    return rgb.reshape(-1, 3)[bins == most].mean(axis=0), float(counts[most] / max(1, bins.size))


def _colors(pixels: Array, beneath: Array) -> list[tuple[int, ...]]:
    """Return the colours of strokes, the most common first: not those of edges, in which they mix with what is beneath.

    That is one colour, or one for each pixel.
    """
    bins, counts = _binned(pixels.astype(np.uint8))
    found: list[tuple[Array, int]] = []
    for each in np.argsort(-counts, kind="stable"):
        if counts[each] < max(_LEAST, _LEAST_SHARE * len(pixels)):
            break
        here = bins == each
        color = pixels[here].mean(axis=0)
        if any(np.linalg.norm(color - other) <= _ALIKE for other, _ in found):
            continue
        paper = beneath if beneath.ndim == 1 else beneath[here].mean(axis=0)
        if any(_is_edge(color, int(counts[each]), *other, paper) for other in found):
            continue
        found.append((color, int(counts[each])))
    return [tuple(np.rint(color).astype(int).tolist()) for color, _ in found]


def _is_edge(color: Array, count: int, stroke: Array, of_stroke: int, paper: Array) -> bool:
    """Whether a colour of fewer pixels is a mixture of a stroke's and the paper's."""
    across = stroke - paper
    share = float(np.clip((color - paper) @ across / max(1.0, float(across @ across)), 0, 1))
    return count < _FEW * of_stroke and bool(np.linalg.norm(paper + share * across - color) <= _MIXED)


def _place(color: tuple[int, ...]) -> tuple[bool, float, float]:
    """Return what sorts colours as the rainbow does, greys last and dark before bright."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in color))
    grey = saturation < _GREY
    return grey, 0.0 if grey else (360 * hue - _FIRST_HUE) % 360, value
