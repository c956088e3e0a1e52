"""The minimum cut: the side of each pixel that suits its own odds and its neighbours best, of all divisions in two.

Every pixel that is on the side of the lower probability costs its log odds, and every pair of neighbours on two sides
costs the more, the more they are alike (Boykov and Jolly 2001). Other than mean field, which hears what is near, it
finds the division that costs least of all.
"""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["minimum_cut"]

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # to the neighbours of which each pair is looked at once
_ALIKE = 5.0  # nats that two neighbours of one colour cost on two sides; by 12, large objects lose parts
_UNIT = 100  # whole numbers are cut exactly, in any order: so many to the nat
_CERTAIN = 20.0  # nats beyond which a colour is no surer
_DECIDED = 10_000.0  # nats, beyond what all neighbours together say


def minimum_cut(odds: Array, guide: Array, strokes: Array, held: Array | None = None) -> Array:
    """Return where the first of two sides is.

    Parameters
    ----------
    odds : ndarray, shape (rows, columns)
        Logarithms of the odds of the first side.
    guide : ndarray, shape (c, rows, columns)
        Features by which neighbours are alike or not; NaN where there are no data, which are nobody's neighbours.
    strokes : ndarray of integers, shape (rows, columns)
        1 and 2 where the side is given, 0 where a pixel is free.
    held : ndarray of bool, shape (rows, columns), optional
        Where the first side is in a division that pixels on either side are to leave on their own: to each, neighbours
        across its border stay what they are.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        Of divisions that cost the same the one with fewest pixels on the first side.

    Notes
    -----
    0.1 s for a picture of 300 x 225 pixels, and in proportion.

    Examples
    --------
    >>> odds = np.array([[3.0, 3.0, -1.0, 3.0, -3.0, -3.0]])
    >>> minimum_cut(odds, np.array([[[9.0, 9.0, 9.0, 9.0, 2.0, 2.0]]]), np.zeros((1, 6), np.uint8)).astype(int)
    array([[1, 1, 1, 1, 0, 0]])
    """
    from scipy.sparse import csr_matrix  # here, because most runs cut nothing
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n = odds.size
    first, second, costs = _neighbours(guide)
    own = np.clip(odds, -_CERTAIN, _CERTAIN)
    own = _whole(np.where(strokes == 0, own, np.where(strokes == 1, _DECIDED, -_DECIDED))).ravel()
    if held is not None:
        side = held.ravel()
        over = side[first] != side[second]
        for here, there in ((first[over], second[over]), (second[over], first[over])):
            own += np.bincount(here, np.where(side[there], 1, -1) * costs[over], n).astype(np.int32)
        first, second, costs = first[~over], second[~over], costs[~over]
    likely, unlikely = np.flatnonzero(own > 0), np.flatnonzero(own < 0)
    source, sink = np.full(len(likely), n, np.int32), np.full(len(unlikely), n + 1, np.int32)
    ends = np.concatenate([first, second, source, unlikely]), np.concatenate([second, first, likely, sink])
    capacity = csr_matrix((np.concatenate([costs, costs, own[likely], -own[unlikely]]), ends), shape=(n + 2, n + 2))
    left = capacity - maximum_flow(capacity, n, n + 1).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    out = np.zeros(n + 2, bool)
    out[breadth_first_order(left, n, return_predecessors=False)] = True
    return out[:n].reshape(odds.shape)


def _neighbours(guide: Array) -> tuple[Array, Array, Array]:
    """Return the pairs of neighbours, by their numbers, and what it costs to part each, in whole numbers."""
    _, rows, columns = guide.shape
    numbers = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    pairs, apart = [], []
    for down, right in _STEPS:
        here = slice(0, rows - down), slice(max(0, -right), columns - max(0, right))
        there = slice(down, rows), slice(max(0, right), columns + min(0, right))
        pairs.append((numbers[here].ravel(), numbers[there].ravel()))
        apart.append(((guide[(slice(None), *here)] - guide[(slice(None), *there)]) ** 2).sum(axis=0).ravel())
    known = [~np.isnan(each) for each in apart]
    pairs = [tuple(side[some] for side in pair) for pair, some in zip(pairs, known, strict=True)]
    apart = [each[some] for each, some in zip(apart, known, strict=True)]
    usual = np.mean([each.mean() for each in apart if each.size] or [0.0])
    lengths = [np.hypot(*step) for step in _STEPS]
    costs = [
        _whole(_ALIKE / length * np.exp(-each / max(2 * usual, np.finfo(np.float32).tiny)))
        for each, length in zip(apart, lengths, strict=True)
    ]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return first, second, np.concatenate(costs)


def _whole(nats: Array) -> Array:
    """Costs in whole units, int32, of costs in nats."""
    return np.asarray(np.rint(_UNIT * nats).astype(np.int32))
