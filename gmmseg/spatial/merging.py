"""Merging of small pieces of an image into regions, bottom up, each region a Gaussian over its features.

Two neighbouring regions are the better merged, the fewer nats their pixels need more when one Gaussian codes them
instead of two (Ma, Derksen, Hong and Wright 2007), the weaker the edge between them, and the longer it is, for an edge
has to be coded too (Rao, Mobahi, Yang, Sastry and Ma 2009). The best pair of all is merged first, and so on up to the
whole image, so that one run holds every level of detail.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Merges", "edge_strength", "merge", "pieces_of"]

Array = NDArray[Any]
Around = dict[int, dict[int, tuple[float, float]]]

# Chosen by agreement with people on half of 50 photographs, see scripts/quality.py.
_SCALES = 1.5, 3.0, 6.0  # standard deviations of the blurs under which edges are seen, in pixels of a photograph
_DISTORTION = 4.0  # standard deviation of the detail that is not coded, in units of L*a*b*
_SIZE_POWER = 0.55  # of the size by which the cost of a merger is divided: 0 keeps large regions apart, 1 small ones
_EDGE_SHARE = 0.9  # of the edge's strength in the cost, beside the nats
_LENGTH_GAIN = 0.5  # nats a pixel of boundary that a merger saves
_SMALL = 40.0  # pixels, of which a region costs half: those that lie on an edge have no other side to belong to


@dataclass(frozen=True, eq=False)
class Merges:
    """A tree of regions over n pieces.

    Parameters
    ----------
    n_pieces : int
    pairs : ndarray of int, shape (m, 2)
        The regions that were merged, in order; pieces are 0 to n - 1, and the merger i makes region n + i.
    heights : ndarray, shape (m,)
        What each merger cost, made to ascend.
    """

    n_pieces: int
    pairs: Array
    heights: Array

    def regions(self, count: int) -> Array:
        """Return the region (n,), from 1 on in the order of first pieces, of each piece after so many mergers."""
        parents = np.arange(self.n_pieces + len(self.pairs))
        made = self.n_pieces + np.arange(count)
        parents[self.pairs[:count].ravel()] = np.repeat(made, 2)
        for region in range(self.n_pieces + count - 1, -1, -1):
            parents[region] = parents[parents[region]]
        roots = parents[: self.n_pieces]
        _, first, place = np.unique(roots, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.intp)
        rank[np.argsort(first)] = np.arange(len(first))
        return np.asarray(1 + rank[place])


def edge_strength(guide: Array, unit: float) -> Array:
    """Strength of edges at each pixel: the gradient's length at three scales, times the scale.

    Parameters
    ----------
    guide : ndarray, shape (rows, columns, c), float32
    unit : float
        Pixels of this image for one of a photograph of 0.15 megapixels.

    Returns
    -------
    ndarray, shape (rows, columns), float32
    """
    import cv2

    total = np.zeros(guide.shape[:2], np.float32)
    for scale in _SCALES:
        blurred = _planes(cv2.GaussianBlur(guide, (0, 0), scale * unit))
        across, down = (cv2.Sobel(blurred, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1)))
        total += np.float32(scale * unit) * np.sqrt((_planes(across) ** 2 + _planes(down) ** 2).sum(axis=-1))
    return np.asarray(total / len(_SCALES), np.float32)


def _planes(picture: Array) -> Array:
    """OpenCV drops the axis of a single channel."""
    return picture[..., None] if picture.ndim == 2 else picture


def pieces_of(edges: Array, count: int, valid: Array | None) -> Array:
    """Cut an image into about so many connected pieces, by a watershed from the weakest place in each square of a grid.

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


class _Regions:
    """Sums over pieces and regions: how many pixels of a photograph, their features and the products of these."""

    def __init__(self, pieces: Array, planes: Array, unit: float) -> None:
        n, d = int(pieces.max()) + 1, len(planes)
        inside = pieces.ravel() >= 0
        place = pieces.ravel()[inside]
        values = planes[:, inside].astype(np.float64)
        self.n = n
        self.count, self.first, self.second = np.zeros(2 * n - 1), np.zeros((2 * n - 1, d)), np.zeros((2 * n - 1, d, d))
        self.count[:n] = np.bincount(place, minlength=n)
        for i in range(d):
            self.first[:n, i] = np.bincount(place, values[i], n)
            for j in range(i + 1):
                self.second[:n, i, j] = self.second[:n, j, i] = np.bincount(place, values[i] * values[j], n)
        for sums in (self.count, self.first, self.second):
            sums /= unit**2
        self._grain = np.eye(d) * _DISTORTION**2
        self.nats = np.zeros(2 * n - 1)
        self.nats[:n] = self.coding(self.count[:n], self.first[:n], self.second[:n])

    def coding(self, count: Array, first: Array, second: Array) -> Array:
        """Nats of all pixels of regions, given what is not coded."""
        mean = first / count[:, None]
        covariance = second / count[:, None, None] - mean[:, :, None] * mean[:, None, :] + self._grain
        return np.asarray(count / 2 * np.linalg.slogdet(covariance)[1])

    def join(self, a: int, b: int, new: int) -> None:
        for sums in (self.count, self.first, self.second):
            sums[new] = sums[a] + sums[b]
        one = slice(new, new + 1)
        self.nats[one] = self.coding(self.count[one], self.first[one], self.second[one])

    def costs(self, a: int, others: Array, length: Array, strength: Array) -> Array:
        """Cost of merging a region with each of its neighbours, over boundaries of this length and mean strength."""
        count = self.count[a] + self.count[others]
        together = self.coding(count, self.first[a] + self.first[others], self.second[a] + self.second[others])
        smaller = self.count[a] * self.count[others] / count
        size = smaller**_SIZE_POWER
        nats = together - self.nats[a] - self.nats[others]
        cost = (1 - _EDGE_SHARE) * nats / size + _EDGE_SHARE * strength - _LENGTH_GAIN * length / size
        return np.asarray(cost * smaller / (smaller + _SMALL))


def merge(pieces: Array, planes: Array, edges: Array, unit: float) -> Merges:
    """Merge neighbouring pieces until none has a neighbour.

    Parameters
    ----------
    pieces : ndarray of int, shape (rows, columns)
        From 0; -1 where there is no data.
    planes : ndarray, shape (d, rows * columns)
        Features, in units in which differences compare with those of L*a*b*.
    edges : ndarray, shape (rows, columns)
    unit : float
        As of `edge_strength`.

    Returns
    -------
    Merges

    Notes
    -----
    Time grows with the pixels once, and with n log n and d**3 for n pieces of d features.
    """
    regions = _Regions(pieces, planes, unit)
    n = regions.n
    around = _neighbours(pieces, edges, n, unit)
    heap: list[tuple[float, int, int]] = []

    def offer(a: int, others: list[int]) -> None:
        length, total = np.array([around[a][b] for b in others]).T
        for cost, b in zip(regions.costs(a, np.array(others), length, total / length), others, strict=True):
            heapq.heappush(heap, (float(cost), b, a))

    for a in range(n):
        later = [b for b in around[a] if b > a]
        if later:
            offer(a, later)
    pairs: list[tuple[int, int]] = []
    heights: list[float] = []
    while heap:
        cost, a, b = heapq.heappop(heap)
        if a not in around or b not in around:
            continue
        new = n + len(pairs)
        pairs.append((a, b))
        heights.append(cost)
        regions.join(a, b, new)
        _join_boundaries(around, a, b, new)
        if around[new]:
            offer(new, list(around[new]))
    ascending = np.maximum.accumulate(heights) if heights else np.zeros(0)
    return Merges(n, np.array(pairs, np.intp).reshape(-1, 2), np.asarray(ascending))


def _join_boundaries(around: Around, a: int, b: int, new: int) -> None:
    """Give a new region the boundaries of the two that it is made of."""
    shared: dict[int, tuple[float, float]] = {}
    for other, (length, total) in (*around.pop(a).items(), *around.pop(b).items()):
        if other not in (a, b):
            before = shared.get(other, (0.0, 0.0))
            shared[other] = before[0] + length, before[1] + total
            around[other].pop(a, None)
            around[other].pop(b, None)
    around[new] = shared
    for other, boundary in shared.items():
        around[other][new] = boundary


def _neighbours(pieces: Array, edges: Array, n: int, unit: float) -> Around:
    """For each piece its neighbours, with the length of the boundary and the sum of the edge's strength along it."""
    around: Around = {piece: {} for piece in range(n)}
    codes, strengths = [], []
    for axis in (0, 1):
        ahead, behind = (tuple(s if a == axis else slice(None) for a in (0, 1)) for s in (slice(1, None), slice(-1)))
        a, b = pieces[behind], pieces[ahead]
        apart = (a != b) & (a >= 0) & (b >= 0)
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        codes.append(low.astype(np.int64) * n + high)
        strengths.append(np.maximum(edges[behind], edges[ahead])[apart])
    found, place = np.unique(np.concatenate(codes), return_inverse=True)
    lengths, totals = np.bincount(place) / unit, np.bincount(place, np.concatenate(strengths)) / unit
    for code, length, total in zip(found, lengths, totals, strict=True):
        low, high = divmod(int(code), n)
        around[low][high] = around[high][low] = float(length), float(total)
    return around
