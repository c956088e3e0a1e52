"""Results at half their resolution, for those who look at large ones from afar."""

from __future__ import annotations

import numpy as np

__all__ = ["mean_of_four", "most_frequent"]


def most_frequent(labels: np.ndarray) -> np.ndarray:
    """Return labels at half the resolution of the last two axes: the most frequent of four, 0 where all are.

    Of labels that are equally frequent the upper left one is taken.

    Examples
    --------
    >>> most_frequent(np.uint8([[1, 2, 3], [2, 0, 0]]))
    array([[2, 3]], dtype=uint8)
    """
    rows, columns = labels.shape[-2:]
    room = [(0, 0)] * (labels.ndim - 2) + [(0, rows % 2), (0, columns % 2)]
    even = np.pad(labels, room) if rows % 2 or columns % 2 else labels
    a, b, c, d = (np.ascontiguousarray(even[..., i::2, j::2]) for i in (0, 1) for j in (0, 1))
    if labels.all() and even is labels:  # as most parts of a map are: every one has a vote
        alone = (a != b) & (a != c) & (a != d)
        second = alone & ((b == c) | (b == d))
        third = alone & (c == d) & ~second
        return np.where(second, b, np.where(third, c, a))
    best, votes = np.zeros_like(a), np.zeros(a.shape, np.int8)
    for each in (a, b, c, d):
        own = sum((each == other).astype(np.int8) for other in (a, b, c, d)) * (each != 0)
        better = own > votes
        best[better], votes[better] = each[better], own[better]
    return best


def mean_of_four(values: np.ndarray) -> np.ndarray:
    """Return numbers (rows, columns, n) at half the resolution: the mean of four, of those that are not NaN.

    Examples
    --------
    >>> mean_of_four(np.float32([[1, 2, 3], [2, np.nan, 0]])[..., None])[..., 0]
    array([[1.6666666, 1.5      ]], dtype=float32)
    """
    rows, columns = values.shape[:2]
    even = np.pad(values, [(0, rows % 2), (0, columns % 2), (0, 0)], "edge") if rows % 2 or columns % 2 else values
    four = [even[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    if values.dtype.kind != "f":
        total = sum(each.astype(np.uint32) for each in four)
        return np.asarray((total + 2) >> 2).astype(values.dtype)
    known = [~np.isnan(each) for each in four]
    total = sum(np.where(there, each, 0) for there, each in zip(known, four, strict=True))
    count = sum(there.astype(values.dtype) for there in known)
    with np.errstate(invalid="ignore"):  # of four that are missing the mean is missing too
        return np.asarray(total / count, values.dtype)
