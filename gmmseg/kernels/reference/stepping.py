"""Whole numbers of a picture that are stepped by one until the picture is enlarged to what is known of it."""

from __future__ import annotations

import numpy as np

from gmmseg.arrays import Array

__all__ = ["step_levels"]

_GAIN = 1e-4  # of squares, beyond what rounding does to their sums


def step_levels(
    levels: Array,
    least: Array,
    most: Array,
    row_starts: Array,
    row_bands: Array,
    column_starts: Array,
    column_bands: Array,
    limits: tuple[float, float],
    by_axis: bool,
    sweeps: int,
) -> None:
    """Step whole numbers of a picture by one, in place, until what it is enlarged to lies within bounds.

    `levels` `(n, m)` are within `limits`, `least` and `most` bounds of the enlarged picture `(N, M)`, which is enlarged
    along rows first and, `by_axis`, rounded then. What a row adds to rows of it from `row_starts` `(n,)` on stands in
    `row_bands` `(n, reach)`, and so for columns; N and M are multiples of n and m. All are float32 and contiguous, the
    starts int32. Pixel by pixel, so many sweeps at most, to the side that the enlarged pixels pull to, where the sum of
    squares beyond bounds becomes less: first pixels with a number of their own beyond, then those next to one.
    """
    stepper = _Stepper(levels, least, most, (row_starts, row_bands), (column_starts, column_bands), limits, by_axis)
    for sweep in range(sweeps):
        if not stepper.sweep(near=sweep > 0) and sweep > 0:
            break


class _Stepper:
    """A picture and what it is enlarged to, along rows alone and along both axes."""

    def __init__(
        self,
        levels: Array,
        least: Array,
        most: Array,
        rows: tuple[Array, Array],
        columns: tuple[Array, Array],
        limits: tuple[float, float],
        by_axis: bool,
    ) -> None:
        self.levels, self.least, self.most, self.limits, self.by_axis = levels, least, most, limits, by_axis
        self.rows, self.columns = rows, columns
        self.scale = len(least) // len(levels), least.shape[1] // levels.shape[1]
        self.wide = _enlarged(levels.T, *columns, least.shape[1]).T.copy()
        self.enlarged = _enlarged(self.rounded(self.wide), *rows, len(least))
        self.off = np.zeros(levels.shape, bool)  # blocks with a number beyond its bounds
        self.tried = np.zeros(levels.shape, bool)  # those that no step helps
        self.look(slice(0, levels.shape[0]), slice(0, levels.shape[1]))

    def rounded(self, values: Array) -> Array:
        return np.floor(values + np.float32(0.5)).clip(*self.limits) if self.by_axis else values

    def miss(self, place: tuple[slice, slice], values: Array) -> Array:
        return np.asarray(np.maximum(self.least[place] - values, 0) - np.maximum(values - self.most[place], 0))

    def look(self, rows: slice, columns: slice) -> None:
        down, along = self.scale
        place = slice(rows.start * down, rows.stop * down), slice(columns.start * along, columns.stop * along)
        missed = self.miss(place, self.enlarged[place]) != 0
        shape = rows.stop - rows.start, down, columns.stop - columns.start, along
        self.off[rows, columns] = missed.reshape(shape).any(axis=(1, 3))

    def sweep(self, *, near: bool) -> bool:
        stepped = False
        for i in range(len(self.levels)):
            j = 0
            while True:
                off = np.asarray(self.off[max(i - near, 0) : i + near + 1].any(axis=0))
                off = off | np.append(off[1:], False) | np.append(False, off[:-1]) if near else off
                left = np.flatnonzero((off & ~self.tried[i])[j:])
                if not len(left):
                    break
                j += int(left[0])
                self.tried[i, j] = True
                stepped |= self.step(i, j)
                j += 1
        return stepped

    def step(self, i: int, j: int) -> bool:
        (top, down), (left, along) = (
            (int(starts[at]), bands[at]) for (starts, bands), at in ((self.rows, i), (self.columns, j))
        )
        place = slice(top, top + len(down)), slice(left, left + len(along))
        before = self.miss(place, self.enlarged[place])
        pull = float(down @ before @ along)
        sign = np.float32(1 if pull > 0 else -1)
        level, (low, high) = self.levels[i, j] + sign, self.limits
        if pull == 0 or level < low or level > high:
            return False
        row = self.wide[i, place[1]]
        change = self.rounded(row + sign * along) - self.rounded(row) if self.by_axis else sign * along
        after = self.enlarged[place] + np.outer(down, change)
        if not (before**2).sum() - (self.miss(place, after) ** 2).sum() > _GAIN:
            return False
        self.levels[i, j], self.enlarged[place] = level, after
        row += sign * along
        blocks = (slice(s.start // k, (s.stop - 1) // k + 1) for s, k in zip(place, self.scale, strict=True))
        self.look(*blocks)
        reach = len(down), len(along)
        self.tried[max(i - reach[0], 0) : i + reach[0] + 1, max(j - reach[1], 0) : j + reach[1] + 1] = False
        return True


def _enlarged(values: Array, starts: Array, bands: Array, n: int) -> Array:
    """Enlarge rows (n, m) along the first axis."""
    out = np.zeros((n, values.shape[1]), np.float32)
    for i, (start, band) in enumerate(zip(starts, bands, strict=True)):
        out[start : start + len(band)] += np.outer(band, values[i])
    return out
