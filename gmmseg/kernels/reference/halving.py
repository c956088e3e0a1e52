"""Whole numbers that a picture was enlarged from by linear interpolation: of all that fit the likeliest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gmmseg.arrays import Array

__all__ = ["halve"]

_DOUBT = np.float32(1e-6)  # chance of what does not fit, as where a picture was changed
_CENTRE = np.float32(1.001)  # of those that fit as well the one nearest to what was computed
_NEAR = 3  # numbers that a pixel may be


class _Rounding(NamedTuple):
    """See Rounding in halving.cpp."""

    wide: int
    few: int
    along: Callable[[Array], Array]
    scale: float
    shift: float
    half: float
    middle: tuple[float, float]
    own: Callable[[Array], Array]
    other: Callable[[Array], Array]
    reach: tuple[float, float]


def _three(a: Array) -> Array:
    return np.float32(3) * a


def _as_it_is(b: Array) -> Array:
    return b


_THIRD = float(np.float32(1 / 3))
_BY_AXIS = _Rounding(
    3, 3, lambda sums: (sums + 2) // 4, 1, 0, 1.5, (4, 0.5), _three, _as_it_is, (_THIRD, 1)
)  # rounded after each axis
_ONCE = _Rounding(7, 4, _as_it_is, 4, 0, 8, (16, 0), _three, _as_it_is, (_THIRD, 1))
_DROPPED = _Rounding(
    7,
    4,
    _as_it_is,
    4,
    0.25,
    1.5,
    (4, 0.5),
    lambda a: np.floor(np.float32(0.75) * a),
    lambda b: np.floor(np.float32(0.25) * b),
    (float(np.float32(4 / 3)), 4),
)  # bits below a quarter are dropped before


def halve(picture: Array, rounding: int, limits: tuple[float, float], out: Array) -> None:
    """Write the whole numbers `out` `(n, m)` that a picture `(2 n, 2 m)` was enlarged from by linear interpolation.

    Several often fit: of what they are enlarged to is known whether it was rounded along rows and then along columns
    (`rounding` 0), once (1), or once with bits below a quarter dropped along columns, as OpenCV does (2). The chance of
    each is summed over all that fit to it in its column and in its row, both being chains (Baum and others 1970), and
    the likeliest is taken. Both arrays are float32 and contiguous, the picture's numbers are whole, at most 2**20, and
    `out` lies within `limits`. What does not fit anywhere, as where a picture was changed, is nearly what least squares
    say of it.
    """
    if out.size:
        halver = _Halver(picture, (_BY_AXIS, _ONCE, _DROPPED)[rounding], limits)
        halver.begin()
        halver.leave()
        halver.columns()
        out[...] = halver.likeliest()


class _Halver:
    def __init__(self, picture: Array, rounding: _Rounding, limits: tuple[float, float]) -> None:
        self.picture, self.rounding, self.limits = picture, rounding, limits
        self.n = len(picture) // 2

    def middle(self, lines: Array) -> Array:
        times, less = self.rounding.middle
        return np.asarray(np.float32(times) * lines - np.float32(less))

    def limited(self, values: Array, scale: float = 1) -> Array:
        low, high = (np.float32(scale * limit) for limit in self.limits)
        return np.where((values < low) | (values > high), _DOUBT, np.float32(1))

    def begin(self) -> None:
        """What numbers of rows may be, and what pixels may be then."""
        kind, lines = self.rounding, self.picture
        one, two = lines[::2], lines[1::2]
        above, below = np.concatenate([one[:1], two[:-1]]), np.concatenate([one[1:], two[-1:]])
        found = np.float32(kind.scale) * _computed(above, one, two, below) + np.float32(kind.shift + 0.5)
        self.first = np.floor(found) - np.float32(kind.wide // 2)
        self.chances = []
        total, mean = (np.zeros_like(one) for _ in range(2))
        for d in range(kind.wide):
            value = self.first + np.float32(d)
            many = self.limited(value, kind.scale)
            many[1:] *= self.fitting(value, above, one)[1:]
            many[:-1] *= self.fitting(value, below, two)[:-1]
            self.chances.append(many)
            mean, total = mean + many * np.float32(d), total + many
        mean = (self.first + mean / total) * np.float32(1 / kind.scale)
        one, two = mean[:, ::2], mean[:, 1::2]
        left = np.concatenate([one[:, :1], two[:, :-1]], axis=1)
        right = np.concatenate([one[:, 1:], two[:, -1:]], axis=1)
        self.start = np.floor(_computed(left, one, two, right) + np.float32(0.5)) - np.float32(_NEAR // 2)

    def fitting(self, values: Array, far: Array, near: Array) -> Array:
        """How many numbers of the next row fit to one, with what they make of the picture."""
        kind = self.rounding
        sides = self.middle(far) - kind.other(values), self.middle(near) - kind.own(values)
        reaches = [np.float32(reach) for reach in kind.reach]
        half, more = np.float32(kind.half), np.float32(kind.half + 1)
        least = np.maximum(*(reach * (side - half) for reach, side in zip(reaches, sides, strict=True)))
        most = np.minimum(*(reach * (side + more) for reach, side in zip(reaches, sides, strict=True)))
        return np.asarray(np.maximum(most - least, _DOUBT))

    def columns(self) -> None:
        """What lies above says which numbers of rows are likely, and what lies below."""
        kind, n = self.rounding, self.n
        own, other = ([f(self.first + np.float32(d)) for d in range(kind.few)] for f in (kind.own, kind.other))
        weights = [
            each * self.limited(self.first + np.float32(d), kind.scale)
            for d, each in enumerate(self.chances[: kind.few])
        ]

        def end(i: int, line: int) -> list[Array]:
            middle = self.middle(self.picture[line])
            fits = (np.abs(own[d][i] + other[d][i] - middle) <= kind.half for d in range(kind.few))
            return [np.where(each, np.float32(1), _DOUBT) for each in fits]

        def told(i: int, j: int, said: list[Array]) -> list[Array]:
            near, far = (2 * i + 1, 2 * j) if j > i else (2 * i, 2 * j + 1)
            near_middle, far_middle = self.middle(self.picture[near]), self.middle(self.picture[far])
            weighed = [said[d] * weights[d][i] for d in range(kind.few)]
            found = []
            for b in range(kind.few):
                sums = np.zeros_like(weighed[0])
                for a in range(kind.few):
                    one = np.abs((own[a][i] - near_middle) + other[b][j])
                    two = np.abs((other[a][i] - far_middle) + own[b][j])
                    sums = sums + np.where(np.maximum(one, two) <= kind.half, weighed[a], np.float32(0))
                found.append(sums + _DOUBT * _sum(weighed))
            total = _sum(found)
            return [each / total for each in found]

        down = [end(0, 0)]
        for i in range(n - 1):
            down.append(told(i, i + 1, down[-1]))
        said, chances = end(n - 1, 2 * n - 1), np.empty((kind.few, *self.first.shape), np.float32)
        for i in range(n - 1, -1, -1):
            for d in range(kind.few):
                chances[d, i] = down[i][d] * said[d]
            if i > 0:
                said = told(i, i - 1, said)
        self.chances = list(chances)

    def look(self, at: Any, nearer: Array, following: Array, many: int) -> tuple[Array, Array]:
        """How likely numbers of rows are what pixels and those next to them make of them, and which one that is."""
        steps = np.arange(_NEAR, dtype=np.float32)[:, None, None]
        sums = 3 * (nearer + steps)[:, None] + (following + steps)[None]
        which = (self.rounding.along(sums) - self.first[at]).astype(np.intp)
        found = np.full(which.shape, _DOUBT)
        for d in range(many):
            found = np.where(which == d, _DOUBT + self.chances[d][at], found)
        return found, which

    def rows(self, many: int) -> tuple[list[Array], list[Array], list[tuple[Array, Array]]]:
        """What is said of pixels by what comes before and after them in their rows, and what was looked at.

        Taken is what so many of what each number of a row may be are likely.
        """
        start, m = self.start, self.start.shape[1]
        by_right, right = self.look(np.s_[:, 1:-1:2], start[:, :-1], start[:, 1:], many)
        by_left, left = (each.swapaxes(0, 1) for each in self.look(np.s_[:, 2::2], start[:, 1:], start[:, :-1], many))
        both = by_right * by_left
        limits = [self.limited(start + np.float32(k)) for k in range(_NEAR)]
        first, last = (
            self.look(np.s_[:, w : w + 1], start[:, j : j + 1], start[:, j : j + 1], many)[0]
            for w, j in ((0, 0), (2 * m - 1, m - 1))
        )
        before, after = np.empty((_NEAR, *start.shape), np.float32), np.empty((_NEAR, *start.shape), np.float32)
        before[:, :, 0], after[:, :, -1] = (
            np.stack([each[k, k, :, 0] for k in range(_NEAR)]) for each in (first, last)
        )
        for k in range(_NEAR):
            after[k, :, -1] *= limits[k][:, -1]
        for j in range(m - 1, 0, -1):
            said = [_sum([after[b, :, j] * both[a, b, :, j - 1] for b in range(_NEAR)]) for a in range(_NEAR)]
            for k in range(_NEAR):
                after[k, :, j - 1] = said[k] / _sum(said) * limits[k][:, j - 1]
        for j in range(m - 1):
            weighed = [before[a, :, j] * limits[a][:, j] for a in range(_NEAR)]
            said = [_sum([weighed[a] * both[a, b, :, j] for a in range(_NEAR)]) for b in range(_NEAR)]
            for k in range(_NEAR):
                before[k, :, j + 1] = said[k] / _sum(said)
        weighed = [before[k] * limits[k] for k in range(_NEAR)]
        return weighed, list(after), [(by_right, right), (by_left, left)]

    def leave(self) -> None:
        """Leave the few likeliest that numbers of rows may be, with what their rows say of them."""
        wide, few = self.rounding.wide, self.rounding.few
        before, after, ((by_right, right), (by_left, left)) = self.rows(wide)
        told = np.zeros((wide, *self.first.shape), np.float32)
        for d in range(wide):
            for a in range(_NEAR):
                for b in range(_NEAR):
                    weight = before[a][:, :-1] * after[b][:, 1:]
                    told[d, :, 1:-1:2] += np.where(right[a, b] == d, weight * by_left[a, b], np.float32(0))
                    told[d, :, 2::2] += np.where(left[a, b] == d, weight * by_right[a, b], np.float32(0))
        total = _sum(list(told))
        both = [told[d] * self.chances[d] for d in range(wide)]
        sums = np.stack([_sum(both[d : d + few]) for d in range(wide - few + 1)])
        best = np.where(total > 0, sums.argmax(axis=0), (wide - few) // 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(total > 0, told / total + _DOUBT, np.float32(1))
        self.chances = [np.take_along_axis(shares, best[None] + d, axis=0)[0] for d in range(few)]
        self.first = self.first + best.astype(np.float32)

    def likeliest(self) -> Array:
        """Return the likeliest pixels."""
        before, after, _ = self.rows(self.rounding.few)
        chances = np.stack([before[k] * after[k] for k in range(_NEAR)])
        chances[_NEAR // 2] *= _CENTRE
        best = np.where(chances.max(axis=0) > chances[_NEAR // 2], chances.argmax(axis=0), _NEAR // 2)
        return np.asarray((self.start + best.astype(np.float32)).clip(*self.limits))


def _computed(before: Array, first: Array, second: Array, after: Array) -> Array:
    """What least squares say of a pixel by its own two numbers and those beside them."""
    return np.float32(0.25) * ((np.float32(3) * first - before) + (np.float32(3) * second - after))


def _sum(each: list[Array]) -> Array:
    """Sum in order, as the compiled kernel does."""
    total = np.zeros_like(each[0])
    for one in each:
        total = total + one
    return total
