"""Merging of small pieces of an image into regions, bottom up, each region a Gaussian over its features.

Two neighbouring regions are the better merged, the fewer nats their pixels need more when one Gaussian codes them
instead of two (Ma, Derksen, Hong and Wright 2007), the weaker the edge between them, and the longer it is, for an edge
has to be coded too (Rao, Mobahi, Yang, Sastry and Ma 2009). The best pair of all is merged first, and so on up to the
whole image, so that one run holds every level of detail.

A greedy merger that was made by chance is never undone. Several trees are therefore grown, from pieces of different
sizes, and the height at which two neighbours join, averaged over the trees, is the strength of the boundary between
them in the final one: what most trees keep apart stays apart.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array

__all__ = ["Merges", "merge"]

Around = dict[int, dict[int, tuple[float, float]]]

# Chosen by agreement with people on half of 50 photographs, see scripts/quality.py.
_DISTORTION = 3.0  # standard deviation of the detail that is not coded, in units of L*a*b*
_SIZE_POWER = 0.55  # of the size by which the cost of a merger is divided: 0 keeps large regions apart, 1 small ones
_NATS_SHARE, _EDGE_SHARE = 0.1, 0.9  # in the cost: nats, and the edge's strength
_LENGTH_GAIN = 2.0  # nats a pixel of boundary that a merger saves
_SMALL = 10.0  # pixels, of which a region costs half
_THIN = 2.0, 1.0  # pixels of thickness, at which a region costs half, in the first trees and in the final one:
# what lies along an edge, as a frame or a halo does, has no other side to belong to


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

    def heights_between(self, a: Array, b: Array) -> Array:
        """Return the heights (m,) at which pieces (m,) and (m,) join: 0 or the least within one, the most if never."""
        n, never = self.n_pieces, self.n_pieces + len(self.pairs)
        parents = np.full(never + 1, never)
        parents[self.pairs.ravel()] = np.repeat(np.arange(n, never), 2)
        while (apart := a != b).any():  # a merger comes after what it merges, so the older of two is never above
            a, b = np.where(apart & (a < b), parents[a], a), np.where(apart & (b < a), parents[b], b)
        least, most = (min(self.heights[0], 0.0), self.heights[-1]) if len(self.heights) else (0.0, 0.0)
        return np.asarray(np.concatenate([np.full(n, least), self.heights, [most]])[a])


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
        nats = together - self.nats[a] - self.nats[others] - _LENGTH_GAIN / _NATS_SHARE * length
        cost = _NATS_SHARE * nats / smaller**_SIZE_POWER + _EDGE_SHARE * strength
        return np.asarray(cost * smaller / (smaller + _SMALL) * _thickness(smaller, length, _THIN[0]))


class _Sizes:
    """What the final tree needs of its regions: how many pixels of a photograph they have."""

    def __init__(self, pieces: Array, unit: float) -> None:
        self.n = int(pieces.max()) + 1
        self.count = np.zeros(2 * self.n - 1)
        self.count[: self.n] = np.bincount(pieces[pieces >= 0], minlength=self.n) / unit**2

    def join(self, a: int, b: int, new: int) -> None:
        self.count[new] = self.count[a] + self.count[b]

    def costs(self, a: int, others: Array, length: Array, strength: Array) -> Array:
        smaller = self.count[a] * self.count[others] / (self.count[a] + self.count[others])
        return np.asarray(np.minimum(strength, strength * _thickness(smaller, length, _THIN[1])))


def _thickness(size: Array, length: Array, half: float) -> Array:
    """From 0 for regions that are nothing but boundary to 1 for those that reach far from it."""
    thick = size / length
    return np.asarray(thick / (thick + half))


def merge(starts: Sequence[Array], planes: Array, edges: Array, unit: float) -> Merges:
    """Merge neighbouring pieces until none has a neighbour.

    Parameters
    ----------
    starts : sequence of ndarrays of int, shape (rows, columns)
        Pieces from 0, -1 where there is no data: those that the tree is of, and others that have a say in it.
    planes : ndarray, shape (d, rows * columns)
        Features, in units in which differences compare with those of L*a*b*.
    edges : ndarray, shape (rows, columns)
        Their strength at each pixel, in the same units.
    unit : float
        Pixels of this image for one of a photograph of 0.15 megapixels.

    Returns
    -------
    Merges

    Notes
    -----
    Time grows with the pixels once, and with n log n and d**3 for n pieces of d features, for each start.
    """
    pieces = starts[0]
    low, high, length, _ = boundary = _boundaries(pieces, edges, unit)
    strength = np.zeros(len(low))
    for start in starts:
        found = boundary if start is pieces else _boundaries(start, edges, unit)
        tree = _agglomerate(_Regions(start, planes, unit), *found)
        place = _most_of(pieces, start)
        strength += tree.heights_between(place[low], place[high]) / len(starts)
    return _agglomerate(_Sizes(pieces, unit), low, high, length, strength * length)


def _most_of(pieces: Array, others: Array) -> Array:
    """For each piece the one of other pieces that has most of its pixels."""
    from scipy.sparse import coo_matrix

    inside = pieces >= 0
    shared = coo_matrix((np.ones(int(inside.sum()), np.int32), (pieces[inside], others[inside])))
    return np.asarray(shared.tocsr().argmax(axis=1)).ravel()


def _agglomerate(regions: _Regions | _Sizes, low: Array, high: Array, length: Array, total: Array) -> Merges:
    """Merge the cheapest pair of neighbours, again and again; `total` is the strength summed along each boundary."""
    n = regions.n
    around: Around = {piece: {} for piece in range(n)}
    for a, b, *boundary in zip(low.tolist(), high.tolist(), length.tolist(), total.tolist(), strict=True):
        around[a][b] = around[b][a] = boundary[0], boundary[1]
    heap: list[tuple[float, int, int]] = []

    def offer(a: int, others: list[int]) -> None:
        length, total = np.array([around[a][b] for b in others]).T
        for cost, b in zip(regions.costs(a, np.array(others), length, total / length).tolist(), others, strict=True):
            heapq.heappush(heap, (cost, b, a))

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


def _boundaries(pieces: Array, edges: Array, unit: float) -> tuple[Array, Array, Array, Array]:
    """Neighbours, the lower and the higher, with the boundary's length and the edge's strength summed along it."""
    codes, strengths = [], []
    n = int(pieces.max()) + 1
    for axis in (0, 1):
        ahead, behind = (tuple(s if a == axis else slice(None) for a in (0, 1)) for s in (slice(1, None), slice(-1)))
        a, b = pieces[behind], pieces[ahead]
        apart = (a != b) & (a >= 0) & (b >= 0)
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        codes.append(low.astype(np.int64) * n + high)
        strengths.append(np.maximum(edges[behind], edges[ahead])[apart])
    found, place = np.unique(np.concatenate(codes), return_inverse=True)
    low, high = np.divmod(found, n)
    return low, high, np.bincount(place) / unit, np.bincount(place, np.concatenate(strengths)) / unit
