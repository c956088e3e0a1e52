"""What OpenCV does for this package, under its names and with its conventions, for systems where it is not.

Results are those of OpenCV up to rounding; of distances, which OpenCV approximates, to a hundredth; of lines and of the
colours of L*u*v* nearly. Each function takes only what callers give, as OpenCV's reference describes it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from gmmseg.arrays import Array

__all__ = [
    "GaussianBlur",
    "Sobel",
    "boxFilter",
    "copyMakeBorder",
    "cvtColor",
    "dilate",
    "distanceTransform",
    "distanceTransformWithLabels",
    "erode",
    "getStructuringElement",
    "imencode",
    "polylines",
    "resize",
]

__version__ = "none"

# The borders as SciPy calls them; other constants only have to differ.
BORDER_CONSTANT, BORDER_REPLICATE, BORDER_DEFAULT = "constant", "nearest", "mirror"
INTER_NEAREST, INTER_AREA = 0, 3
COLOR_RGB2HSV, COLOR_RGB2Luv = 41, 51
CV_32F, DIST_L2, DIST_MASK_5, DIST_LABEL_PIXEL, MORPH_ELLIPSE, LINE_8 = 5, 2, 5, 1, 2, 8
IMWRITE_JPEG_QUALITY, IMWRITE_PNG_COMPRESSION = 1, 16


def GaussianBlur(src: Array, ksize: tuple[int, int], sigma: float, *, borderType: str = BORDER_DEFAULT) -> Array:
    """Blur floats (rows, columns[, channels]) along rows and columns, as far out as OpenCV does."""
    from scipy import ndimage

    radius = (round(8 * sigma + 1) | 1) // 2
    return np.asarray(ndimage.gaussian_filter(src, sigma, mode=borderType, radius=radius, axes=(0, 1)))


def Sobel(src: Array, ddepth: int, dx: int, dy: int, *, ksize: int) -> Array:
    """Difference across (dx = 1) or down (dy = 1), smoothed along the other axis."""
    from scipy import ndimage

    along = 1 if dx else 0
    sloped = ndimage.correlate1d(src, [-1, 0, 1], along, mode=BORDER_DEFAULT)
    return np.asarray(ndimage.correlate1d(sloped, [1, 2, 1], 1 - along, mode=BORDER_DEFAULT))


def boxFilter(src: Array, ddepth: int, ksize: tuple[int, int], *, normalize: bool, borderType: str) -> Array:
    """Sum over a box around each pixel."""
    from scipy import ndimage

    return np.asarray(ndimage.uniform_filter(src, ksize, mode=borderType) * np.float32(ksize[0] * ksize[1]))


def copyMakeBorder(src: Array, top: int, bottom: int, left: int, right: int, borderType: str) -> Array:
    """Repeat the outermost pixels."""
    return np.pad(src, ((top, bottom), (left, right)), mode="edge")


def cvtColor(src: Array, code: int, dst: Array) -> None:
    """Turn red, green and blue, floats from 0 to 1, into L*u*v* or into hue in degrees, saturation and value."""
    from skimage.color.colorconv import rgb2hsv, rgb2luv

    dst[...] = rgb2luv(src) if code == COLOR_RGB2Luv else rgb2hsv(src) * (360, 1, 1)


def erode(src: Array, kernel: Array) -> Array:
    """Least value under the kernel; what lies outside does not count."""
    from scipy import ndimage

    return np.asarray(ndimage.minimum_filter(src, footprint=kernel, mode="constant", cval=255))


def dilate(src: Array, kernel: Array) -> Array:
    """Largest value under the kernel."""
    from scipy import ndimage

    return np.asarray(ndimage.maximum_filter(src, footprint=kernel, mode="constant", cval=0))


def getStructuringElement(shape: int, ksize: tuple[int, int]) -> Array:
    """Return an ellipse of ones, which is symmetric only where its sides are odd."""
    columns, rows = ksize
    center, middle = columns // 2, rows // 2
    kernel = np.zeros((rows, columns), np.uint8)
    for row in range(rows):
        away = row - middle
        if abs(away) <= middle:
            half = round(center * (1 - (away / middle) ** 2) ** 0.5) if middle else 0
            kernel[row, max(center - half, 0) : center + half + 1] = 1
    return kernel


def distanceTransform(src: Array, distanceType: int, maskSize: int) -> Array:
    """Distance in pixels to the nearest 0; endless where there is none."""
    from scipy import ndimage

    if src.all():
        return np.full(src.shape, np.inf, np.float32)
    return np.asarray(ndimage.distance_transform_edt(src), np.float32)


def distanceTransformWithLabels(src: Array, distanceType: int, maskSize: int, *, labelType: int) -> tuple[Array, Array]:
    """Return the distance, and the number of the nearest 0: all have their own."""
    from scipy import ndimage

    distances, (rows, columns) = ndimage.distance_transform_edt(src, return_indices=True)
    return np.asarray(distances, np.float32), rows * np.int32(src.shape[1]) + columns + 1


def resize(src: Array, dsize: Sequence[int], *, interpolation: int) -> Array:
    """Make smaller, by means over the area of a pixel or by single pixels; one channel loses its axis."""
    src = src[..., 0] if src.shape[2:] == (1,) else src
    columns, rows = dsize
    if interpolation == INTER_NEAREST:
        return src[_nearest(src.shape[0], rows)[:, None], _nearest(src.shape[1], columns)]
    means = _means(_means(src.astype(np.float64), rows, 0), columns, 1)
    return (np.rint(means) if src.dtype.kind in "iu" else means).astype(src.dtype)


def _nearest(n: int, size: int) -> Array:
    return np.minimum(np.arange(size) * n // size, n - 1)


def _means(values: Array, size: int, axis: int) -> Array:
    """Means over `size` equal parts of an axis, whose ends may lie within pixels."""
    values = np.moveaxis(values, axis, 0)
    n = len(values)
    ends = np.arange(size + 1) * (n / size)
    whole = np.minimum(ends.astype(int), n - 1)
    within = (ends - whole).reshape(-1, *(1,) * (values.ndim - 1))
    before = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    return np.moveaxis(np.diff(before[whole] + within * values[whole], axis=0) * (size / n), 0, axis)


def polylines(
    img: Array, pts: Sequence[Array], isClosed: bool, color: int, thickness: int, lineType: int, shift: int
) -> None:
    """Draw lines with round ends, in place, through points with `shift` bits within a pixel."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    drawn = Pillow.fromarray(img)
    pen, radius = ImageDraw.Draw(drawn), (thickness - 1) / 2
    for points in pts:
        places = [(float(x), float(y)) for x, y in np.rint(points / (1 << shift))]
        pen.line(places, fill=color, width=thickness)
        for x, y in places:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    img[...] = np.asarray(drawn)


def imencode(ext: str, img: Array, params: Sequence[int]) -> tuple[bool, Array]:
    """Encode blue, green and red as PNG or JPEG, by the compression or quality that is given."""
    from PIL import Image as Pillow

    file = io.BytesIO()
    options: dict[str, Any] = {"compress_level": params[1]} if ext == ".png" else {"quality": params[1]}
    drawn = Pillow.fromarray(np.ascontiguousarray(img[..., ::-1]))
    drawn.save(file, "PNG" if ext == ".png" else "JPEG", **options)
    return True, np.frombuffer(file.getvalue(), np.uint8)
