"""Cut-outs: an object of a picture on a transparent ground or a colour, with soft edges that have its own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.export.overlay import shown
from gmmseg.image.vision import opencv

if TYPE_CHECKING:
    from gmmseg.image import Image

__all__ = ["color_of", "cut_out", "require_picture", "soft_mask"]

_BAND = 3  # pixels on both sides of the edge in which it is soft
_SMOOTH = 0.8  # standard deviation in pixels that turns the steps of pixels into edges
_SURE = 0.995  # opacity from which on colours are the object's own
_INNER = 2  # pixels from the edge to colours that nothing has run into
_NEAR = 4  # pixels over which they are averaged


def soft_mask(inside: Array, share: Array, feather: float = 0.0) -> Array:
    """Return how opaque each pixel of a cut-out is, from a hard mask and the probabilities at its edge.

    Parameters
    ----------
    inside : ndarray of bool, shape (rows, columns)
        The object.
    share : ndarray of float32, shape (rows, columns)
        How likely a pixel is the object, 0 to 1; 0.5 at its edge.
    feather : float
        Pixels over which the edge fades beyond that.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
        0 to 1. More than 3 pixels and the feather from the edge of the mask it is 0 or 1, however unsure a pixel is.
    """
    cv2 = opencv()

    reach, hard = _BAND + feather, inside.astype(np.uint8)
    # Distances take the same time for any feather; the frame of the picture is no edge to them.
    near = inside | (cv2.distanceTransform(1 - hard, cv2.DIST_L2, cv2.DIST_MASK_5) <= reach)
    deep = inside & (cv2.distanceTransform(hard, cv2.DIST_L2, cv2.DIST_MASK_5) > reach)
    half = np.float32(0.5)
    edge = np.where(inside, np.maximum(share, half), np.minimum(share, half))
    alpha = np.where(deep, np.float32(1), np.where(near, edge, np.float32(0)))
    sigma = _SMOOTH + feather / 2
    smooth = cv2.GaussianBlur(alpha.astype(np.float32, copy=False), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.clip(np.where(deep, np.float32(1), np.where(near, smooth, np.float32(0))), 0, 1)


def require_picture(image: Image) -> None:
    """Refuse a volume and a time-lapse, out of which nothing is cut."""
    if image.time:
        raise ParameterError(f"{image.name} has an axis of time; a cut-out is of one frame, so pass one alone")
    if image.ndim != 2:
        raise ParameterError(f"{image.name} has {image.ndim} spatial axes; a cut-out needs 2, so pass one plane")


def cut_out(image: Image, alpha: Array, *, background: str | None = None, crop: bool = False) -> Array:
    """Cut an object out of a picture.

    Parameters
    ----------
    image : Image
        A picture of 2 spatial axes, in the tones that `gmmseg.export.overlay.shown` gives it.
    alpha : ndarray of float32, shape (rows, columns)
        How opaque each pixel is, 0 to 1, see `soft_mask`.
    background : str, optional
        A colour by name or as "#rrggbb" that the object is laid on; transparent where None.
    crop : bool
        Whether only the rectangle around the object is returned.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 4)
        Red, green, blue and opacity, 255 everywhere on a background. Colours at the edge are those of the object
        nearby, and not the mixture with what is behind it that the picture shows.

    Raises
    ------
    ParameterError
        There is no object, the picture is a volume, the shapes differ, or the colour is not known.
    """
    require_picture(image)
    if alpha.shape != image.shape:
        raise ParameterError(f"alpha has shape {alpha.shape}, but {image.name} has {image.shape}; give one a pixel")
    behind = None if background is None else color_of(background)
    box = _box(alpha > 0)
    if box is None:
        raise ParameterError(f"{image.name} has no pixel of what is to be cut out; choose another class")
    out = np.zeros((*image.shape, 4), np.uint8)
    part = out[box]
    opaque = alpha[box]
    part[..., :3] = _own_colors(shown(image)[box], opaque)
    part[..., 3] = np.rint(255 * opaque)
    part[part[..., 3] == 0] = 0
    if behind is not None:
        _lay_on(out, behind)
    return out[box] if crop else out


def color_of(text: str) -> tuple[int, int, int]:
    """Return red, green and blue of a colour by its name or as "#rrggbb".

    Raises
    ------
    ParameterError
        There is no such colour.

    Examples
    --------
    >>> color_of("white"), color_of("#ff8000")
    ((255, 255, 255), (255, 128, 0))
    """
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(str(text).strip())[:3]
    except ValueError:
        raise ParameterError(f"background={text!r} is no colour; use a name such as white, or #rrggbb") from None
    return red, green, blue


def _box(there: Array) -> tuple[slice, slice] | None:
    """Return the rectangle around pixels; None where there are none."""
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _own_colors(picture: Array, alpha: Array) -> Array:
    """Return the object's colours: where it is soft, those of sure pixels around, or of the nearest one."""
    cv2 = opencv()

    kernel = np.ones((2 * _INNER + 1, 2 * _INNER + 1), np.uint8)
    certain = (alpha >= _SURE).view(np.uint8)
    sure = cv2.erode(certain, kernel)
    sure = sure if sure.any() else certain
    soft = (alpha > 0) & (alpha < _SURE)
    if not sure.any() or not soft.any():
        return picture
    weight = sure.astype(np.float32)
    size = (2 * _NEAR + 1, 2 * _NEAR + 1)
    total = cv2.boxFilter(weight, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    out = picture.copy()
    known = soft & (total > 0.5)
    for channel in range(3):
        plane = picture[..., channel] * weight
        sums = cv2.boxFilter(plane, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        out[..., channel][known] = np.rint(sums[known] / total[known])
    far = soft & ~known
    if far.any():
        _, nearest = cv2.distanceTransformWithLabels(
            1 - sure, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        places = np.zeros(int(nearest.max()) + 1, np.intp)
        places[nearest[sure > 0]] = np.flatnonzero(sure)
        out[far] = picture.reshape(-1, 3)[places[nearest[far]]]
    return out


def _lay_on(rgba: Array, color: tuple[int, int, int]) -> None:
    """Lay a cut-out on a colour, in place, in strips of rows."""
    for start in range(0, len(rgba), 256):
        rows = rgba[start : start + 256]
        alpha = rows[..., 3:].astype(np.float32) / 255
        rows[..., :3] = np.rint(rows[..., :3] * alpha + np.array(color, np.float32) * (1 - alpha))
    rgba[..., 3] = 255
