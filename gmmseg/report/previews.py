"""Small pictures of an image and its classes: of a picture all of it, of a volume its three planes in the middle."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.export.overlay import shown
from gmmseg.image import Image
from gmmseg.image.vision import opencv
from gmmseg.io.palette import palette

__all__ = ["Preview", "View", "coded", "previews", "views_of"]

_QUALITY = 82  # of JPEG, at which photographs look as they are


@dataclass(frozen=True)
class View:
    """Two axes of an image, at one place along the others, and the pixels that a preview takes of it.

    Parameters
    ----------
    title : str
        Such as "plane 31 of 60"; empty where there is nothing else.
    fixed : tuple of (int or None)
        Where it lies along each axis; None along the two that it shows.
    size : tuple of int
        Rows and columns of the preview.
    """

    title: str
    fixed: tuple[int | None, ...]
    size: tuple[int, int]

    @property
    def axes(self) -> tuple[int, int]:
        """The two that it shows."""
        rows, columns = (axis for axis, place in enumerate(self.fixed) if place is None)
        return rows, columns

    def flat(self, shape: tuple[int, ...]) -> Array:
        """Return the pixels of an image of this shape, evenly chosen, as flat indices (rows * columns,)."""
        sides = dict(zip(self.axes, self.size, strict=True))
        places = [
            _evenly(n, sides[axis]) if place is None else np.array([place])
            for axis, (n, place) in enumerate(zip(shape, self.fixed, strict=True))
        ]
        return np.asarray(np.ravel_multi_index(np.ix_(*places), shape)).reshape(-1)


@dataclass(frozen=True, eq=False)
class Preview:
    """What is shown of a view.

    Parameters
    ----------
    view : View
    picture : ndarray of uint8, shape (rows, columns, 3), optional
        None where the image is not there any more.
    labels : ndarray of uint8, shape (rows, columns)
    uncertainty : ndarray of float32, shape (rows, columns), optional
    proportions : tuple of float
        Height and width of what is shown, in any unit.
    """

    view: View
    picture: Array | None
    labels: Array
    uncertainty: Array | None
    proportions: tuple[float, float]

    @property
    def alone(self) -> bool:
        """Whether its view is the only one of the image."""
        return not self.view.title

    def thinned(self, step: int) -> Preview:
        """Return every so manieth pixel."""
        picture, labels, uncertainty = (
            None if each is None else each[::step, ::step] for each in (self.picture, self.labels, self.uncertainty)
        )
        assert labels is not None
        return replace(self, picture=picture, labels=labels, uncertainty=uncertainty)


def views_of(image: Image, side: int, *, few: bool = False) -> list[View]:
    """Return what of an image is shown, with at most so many pixels along a side.

    Of a volume three planes through its middle, of a time-lapse the first, the middle and the last frame; with `few`
    one of them.
    """
    shape = image.shape
    depth, middle = len(shape) - 2, tuple(n // 2 for n in shape)
    if depth <= 0:
        return [View("", (None,) * 2, _fitted(shape, side))] if depth == 0 else []
    if image.time and depth == 1:
        n = shape[0]
        chosen = [n // 2] if few else sorted({0, n // 2, n - 1})
        return [View(f"frame {each + 1} of {n}", (each, None, None), _fitted(shape[1:], side)) for each in chosen]
    start = 1 if image.time else 0
    views = []
    for axis in range(start, len(shape)):
        others = [each for each in range(start, len(shape)) if each != axis][-2:]
        fixed = tuple(None if each in others else middle[each] for each in range(len(shape)))
        title = f"plane {middle[axis] + 1} of {shape[axis]}, axis {axis - start + 1}"
        views.append(View(title, fixed, _fitted(tuple(shape[each] for each in others), side)))
    return views[:1] if few else views


def previews(
    image: Image, views: list[View], labels: Callable[[Array], Array], uncertainty: Callable[[Array], Array] | None
) -> list[Preview]:
    """Make the pictures of views.

    Parameters
    ----------
    image : Image
        Read once where it stays in its file.
    views : list of View
    labels, uncertainty : callable
        Take flat indices (n,), and return what is there.
    """
    flats = [view.flat(image.shape) for view in views]
    ends = np.cumsum([len(flat) for flat in flats])[:-1]
    every = np.concatenate(flats)
    numbers = np.split(labels(every), ends)
    doubts = [None] * len(views) if uncertainty is None else np.split(uncertainty(every), ends)
    made = []
    for view, flat, number, doubt in zip(views, flats, numbers, doubts, strict=True):
        rows, columns = view.axes
        steps = image.spacing or (1.0,) * image.ndim
        steps = (1.0,) * (image.ndim - len(steps)) + tuple(steps)  # those of a time-lapse are of space alone
        sides = image.shape[rows] * steps[rows], image.shape[columns] * steps[columns]
        drawn = _picture(image, view, flat)
        doubt = None if doubt is None else doubt.reshape(view.size)
        made.append(Preview(view, drawn, number.reshape(view.size), doubt, sides))
    return made


def _picture(image: Image, view: View, flat: Array) -> Array:
    """Return a view as red, green and blue (rows, columns, 3), uint8."""
    if image.ndim == 2 and image.in_memory:
        cv2 = opencv()

        drawn = shown(image)
        return np.asarray(cv2.resize(drawn, view.size[::-1], interpolation=cv2.INTER_AREA))
    values, valid = image.take(flat)
    part = Image(
        values.reshape(*view.size, -1),
        color=image.color,
        valid=None if valid is None else valid.reshape(view.size),
        name=image.name,
    )
    return shown(part)


def coded(preview: Preview, k: int) -> dict[str, str]:
    """Return the pictures of a preview as addresses that hold their bytes, by "picture", "classes", "uncertainty"."""
    from PIL import Image as Pillow

    def address(drawn: Any, kind: str, **options: Any) -> str:
        buffer = io.BytesIO()
        drawn.save(buffer, kind, **options)
        return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"

    classes = Pillow.fromarray(np.ascontiguousarray(preview.labels, np.uint8))
    classes.putpalette(palette(k).reshape(-1).tolist())
    found = {"classes": address(classes, "PNG", transparency=0, optimize=True)}
    if preview.picture is not None:
        found["picture"] = address(Pillow.fromarray(preview.picture), "JPEG", quality=_QUALITY)
    if preview.uncertainty is not None:
        most = 1 - 1 / max(2, k)
        grey = np.rint(255 * np.clip(preview.uncertainty / most, 0, 1)).astype(np.uint8)
        found["uncertainty"] = address(Pillow.fromarray(grey), "JPEG", quality=_QUALITY - 10)
    return found


def _fitted(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(shape))
    rows, columns = (max(1, round(n * scale)) for n in shape)
    return rows, columns


def _evenly(n: int, count: int) -> Array:
    """Return the places in the middle of `count` equal parts of n pixels."""
    return ((np.arange(count) + 0.5) * n / count).astype(np.intp)
