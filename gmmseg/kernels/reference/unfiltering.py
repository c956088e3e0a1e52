"""Rows of PNG files, along diagonals, on which no pixel needs another one (ISO/IEC 15948:2004, 9)."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["unfilter"]


def unfilter(stored: Array, depth: int, out: Array) -> bool:
    """Write the bytes of a PNG file's rows into `out` `(rows, bytes)`; False where a row names no filter of PNG.

    `stored` `(rows, 1 + bytes)` are each row's filter and what it leaves of the bytes; pixels have `depth` bytes. Both
    arrays are uint8 and contiguous.
    """
    filters, left_over = stored[:, 0], stored[:, 1:].reshape(len(stored), -1, depth)
    if (filters > 4).any():
        return False
    rows, columns, _ = left_over.shape
    # A row above and a column at the left are 0. Along a diagonal, pixels of all rows are summed at once: 12 megapixels
    # take seconds, not the minutes of a loop over pixels.
    summed = np.zeros((rows + 1, columns + 1, depth), np.int16)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        column = diagonal - row
        left, up, corner = summed[row + 1, column], summed[row, column + 1], summed[row, column]
        estimate = left + up - corner
        by_left, by_up, by_corner = np.abs(estimate - left), np.abs(estimate - up), np.abs(estimate - corner)
        paeth = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
        guess = np.select(
            [(filters[row] == number)[:, None] for number in range(1, 5)], [left, up, (left + up) // 2, paeth], 0
        )
        summed[row + 1, column + 1] = (left_over[row, column] + guess) & 255
    out[...] = summed[1:, 1:].reshape(out.shape)
    return True
