"""The first step of regions(): where a picture has edges, and the few hundred small pieces that they cut it into."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image.vision import opencv

__all__ = ["gradient", "histogram_difference", "pieces_of"]

# Chosen by agreement with people on half of 50 photographs, see scripts/quality.py.
_SCALES = 1.5, 3.0, 6.0  # standard deviations of the blurs under which gradients are seen, in pixels of a photograph
_REACH = 2.0  # standard deviation of the two windows that are compared, and half their distance
_BINS, _BIN = 8, 12.0  # of the windows' histograms: how many, and how wide in units of L*a*b*
_DISTANCE_GAIN = 2.0  # units of L*a*b* that an edge is worth for each of the distance between histograms


def gradient(guide: Array, unit: float) -> Array:
    """Strength of edges at each pixel, by how steeply values change there.

    It is the length of the gradient times the scale at which it is seen, averaged over three scales.

    Parameters
    ----------
    guide : ndarray, shape (rows, columns, c), float32
        What tells pixels apart, as the colours L*a*b*: about zero, in units that compare with theirs.
    unit : float
        Length in pixels of this picture that is one pixel in a photograph of 0.15 megapixels.

    Returns
    -------
    ndarray, shape (rows, columns), float32
        In units of the guide; 0 where the picture is plain.
    """
    cv2 = opencv()

    total = np.zeros(guide.shape[:2], np.float32)
    for scale in _SCALES:
        blurred = _planes(cv2.GaussianBlur(guide, (0, 0), scale * unit))
        across, down = (_planes(cv2.Sobel(blurred, cv2.CV_32F, *axis, ksize=3)) / 8 for axis in ((1, 0), (0, 1)))
        total += np.float32(scale * unit / len(_SCALES)) * np.sqrt((across**2 + down**2).sum(axis=-1))
    return total


def histogram_difference(guide: Array, unit: float) -> Array:
    """Strength of edges by which values there are on either side of a pixel: the distance between their histograms.

    It is the Hellinger distance, summed over channels. Where the gradient sees any change of value, this sees a change
    of what values there are, and so is not misled by the contrast within a texture (Martin, Fowlkes and Malik 2004, who
    compare half discs); the gradient is the one that says where an edge runs. Parameters and result are those of
    `gradient`.
    """
    total = np.zeros(guide.shape[:2], np.float32)
    for channel in range(guide.shape[-1]):
        total += np.float32(_DISTANCE_GAIN) * _distance(guide[..., channel], _REACH * unit)
    return total


def _planes(picture: Array) -> Array:
    """Return a picture with its axis of channels (rows, columns, c), which OpenCV drops where c is 1."""
    return picture[..., None] if picture.ndim == 2 else picture


def _distance(plane: Array, reach: float) -> Array:
    """Distance between the histograms left and right of each pixel, or above and below it if that is larger."""
    cv2 = opencv()

    place = np.clip(plane / np.float32(_BIN) + (_BINS - 1) / 2, 0, _BINS - 1)
    step = max(1, round(reach))
    across, down = np.zeros(plane.shape, np.float32), np.zeros(plane.shape, np.float32)
    for bin_ in range(_BINS):
        share = np.sqrt(cv2.GaussianBlur(np.maximum(0, 1 - np.abs(place - np.float32(bin_))), (0, 0), reach))
        wide = cv2.copyMakeBorder(share, step, step, step, step, cv2.BORDER_REPLICATE)
        across += (wide[step:-step, 2 * step :] - wide[step:-step, : -2 * step]) ** 2
        down += (wide[2 * step :, step:-step] - wide[: -2 * step, step:-step]) ** 2
    return np.asarray(np.sqrt(np.maximum(across, down)))


def pieces_of(edges: Array, count: int, valid: Array | None) -> Array:
    """Cut a picture along its edges into about `count` small connected pieces.

    By a watershed that starts from the place of the weakest edge in each square of a grid.

    Parameters
    ----------
    edges : ndarray, shape (rows, columns)
        Strength of edges, as of `gradient`.
    count : int
    valid : ndarray of bool, shape (rows, columns), optional
        Where there is data; everywhere if None.

    Returns
    -------
    ndarray of int32, shape (rows, columns)
        Pieces from 0; -1 where not valid.
    """
    from skimage.segmentation import watershed

    rows, columns = edges.shape
    side = max(1.0, np.sqrt(rows * columns / count))
    reach = max(1, int(side / 3))
    markers = np.zeros(edges.shape, np.int32)
    calm = edges if valid is None else np.where(valid, edges, np.inf)
    number = 0
    for row in np.arange(side / 2, rows, side).astype(int):
        for column in np.arange(side / 2, columns, side).astype(int):
            top, left = max(0, row - reach), max(0, column - reach)
            part = calm[top : row + reach + 1, left : column + reach + 1]
            y, x = np.unravel_index(int(part.argmin()), part.shape)
            if np.isfinite(part[y, x]) and not markers[top + y, left + x]:
                number += 1
                markers[top + y, left + x] = number
    found = watershed(edges, markers, mask=valid)
    missed = found == 0 if valid is None else (found == 0) & valid
    if missed.any():  # islands of valid pixels that no square's weakest place lies in
        from scipy.ndimage import label

        islands, _ = label(missed)
        found[missed] = number + islands[missed]
    return np.asarray(found - 1, np.int32)
