"""What libraries do to a picture that they enlarge to twice its size, and how that is undone.

Along each axis two pixels come from each one, a quarter of a pixel before and after its middle: y = A x, with the taps
of a kernel in the rows of A. There are twice as many equations as numbers that are looked for, so that least squares
leave rounding alone, which is less than what a whole number differs by from the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.kernels import halve, step_levels
from gmmseg.kernels.blas import one_blas_thread, product

__all__ = ["GRAIN", "KINDS", "Kind", "Levels", "likeliest_kind", "undone"]

GRAIN = 2
"""How many pixels along each axis hold one detail of a picture that was enlarged; no other number is told."""

_CHAIN = 64  # pixels along an axis that are found at once; those far from both ends are found alike
_MARGIN = 16  # of them at each side of one by which it is found
_AROUND = 6  # of a window at each side, in which kinds are tried: what lies beyond is felt by less than rounding
_DETAIL = 4  # grey levels between pixels two apart where a kind can be told; what is even is the same by all
_ENOUGH = 1000  # such numbers
_LOOKS = 24  # parts of channels, those with most of them
_TIE = 0.01  # levels, where rounding may go either way
_FAR = np.float32(1e30)  # beyond all levels
_SWEEPS = 7
_NARROW = 100  # range of floats that are multiplied to have one of 255
_FELT = 1.5e-4  # what lies beyond a window, in parts of a range above those of 8 bits, where it is more than rounding
_WIDE = 200  # range of floats that may be whole numbers of 8 bits
_LARGEST = 1 << 20  # of levels that float32 holds with a few bits behind the point
_WHOLE = 1e-3  # how far numbers lie at most from whole ones that were divided and multiplied again
# Part of the numbers that are the same when what was undone is enlarged again, of those with detail. 0.92 to 1 for the
# right kind, whose errors of one grey level are rare; by a wrong one 0.93 at most where the right one is in the table,
# which has 0.01 more, and 0.9 where it is not.
_SAME = 0.915
_LOOSER = 0.018  # that OpenCV's linear interpolation has 0.031 more than the exact one, of which this is true of 0.01
_EXACT = 0.05  # levels that are left of numbers that were not rounded, and those from a whole one to be taken for it


class Kind(NamedTuple):
    """A kind of interpolation.

    Parameters
    ----------
    weight : callable
        Of a distance in pixels.
    reach : int
        Distance beyond which it is 0.
    beyond : str
        What lies beyond the picture: "edge", "reflect" without the last pixel, or "nothing", where weights are in parts
        of those inside.
    by_axis : bool
        Whether columns and then rows are rounded, as by Pillow, instead of the result.
    knots : tuple of float
        Splines interpolate: a pixel is this mean of the coefficients next to it.
    least : float
        How far a result may be rounded down: OpenCV's linear interpolation drops bits on the way.
    """

    weight: Callable[[float], float]
    reach: int
    beyond: str = "edge"
    by_axis: bool = False
    knots: tuple[float, ...] = (1.0,)
    least: float = 0.5


class Levels(NamedTuple):
    """What numbers of a picture are multiplied with to be levels, whole ones where it has 8 bits, and their limits."""

    scale: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, dtype: np.dtype[Any], *, color: bool) -> Levels:
        """Return those of a dtype; colours that are floats go from 0 to 1."""
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            return cls(1.0, float(limits.min), float(limits.max))
        return cls(255.0, 0.0, 255.0) if color else cls()


def _nearest(x: float) -> float:
    return float(x <= 0.5)


def _linear(x: float) -> float:
    return max(0.0, 1 - x)


def _cubic(slope: float) -> Callable[[float], float]:
    """Keys (1981), equation 4, with this derivative at 1."""

    def weight(x: float) -> float:
        if x < 1:
            return ((slope + 2) * x - (slope + 3)) * x * x + 1
        return slope * (((x - 5) * x + 8) * x - 4) if x < 2 else 0.0

    return weight


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _lanczos(reach: int) -> Callable[[float], float]:
    return lambda x: _sinc(x) * _sinc(x / reach) if x < reach else 0.0


def _hamming(x: float) -> float:
    return _sinc(x) * (0.54 + 0.46 * math.cos(math.pi * x)) if x < 1 else 0.0


def _quadratic_spline(x: float) -> float:
    return 0.75 - x * x if x < 0.5 else (1.5 - x) ** 2 / 2 if x < 1.5 else 0.0


def _cubic_spline(x: float) -> float:
    return 2 / 3 - x * x * (1 - x / 2) if x < 1 else (2 - x) ** 3 / 6 if x < 2 else 0.0


KINDS = {
    "nearest": Kind(_nearest, 1),
    "linear": Kind(_linear, 1, least=0.626),
    "linear, exact": Kind(_linear, 1),
    "linear by axis": Kind(_linear, 1, "nothing", by_axis=True),
    "cubic -0.75": Kind(_cubic(-0.75), 2),
    "cubic -0.5 by axis": Kind(_cubic(-0.5), 2, "nothing", by_axis=True),
    "cubic -0.5": Kind(_cubic(-0.5), 2),
    "lanczos 3 by axis": Kind(_lanczos(3), 3, "nothing", by_axis=True),
    "lanczos 4": Kind(_lanczos(4), 4),
    "hamming by axis": Kind(_hamming, 1, "nothing", by_axis=True),
    "quadratic spline": Kind(_quadratic_spline, 2, "reflect", knots=(1 / 8, 6 / 8, 1 / 8)),
    "cubic spline": Kind(_cubic_spline, 2, "reflect", knots=(1 / 6, 4 / 6, 1 / 6)),
}
"""Kinds of interpolation by name: of OpenCV and scikit-image, and by axis of Pillow."""


def likeliest_kind(looks: Array, levels: Levels) -> str | None:
    """Return the name of the kind of interpolation by which parts of a picture were enlarged; None for any other.

    Parameters
    ----------
    looks : ndarray, shape (n, side, side, n_channels), float64
        Parts that begin with a block, in levels.
    levels : Levels
    """
    parts = np.moveaxis(looks, 3, 1).reshape(-1, *looks.shape[1:3])
    span = max(float(np.ptp(parts)), 1e-30)
    if levels.low == -math.inf and span < _NARROW and not _whole(parts):
        parts, span = parts * (255 / span), 255.0
    tie = _TIE + _FELT * max(0.0, span - 1000)
    inner: Any = (slice(None), *(slice(GRAIN * _AROUND, side - GRAIN * _AROUND) for side in parts.shape[1:]))
    detail = np.zeros(parts.shape, bool)
    detail[:, 2:] = np.abs(parts[:, 2:] - parts[:, :-2]) > _DETAIL
    detail[:, :, 2:] |= np.abs(parts[:, :, 2:] - parts[:, :, :-2]) > _DETAIL
    detail = detail[inner]
    number = detail.sum(axis=(1, 2)) * (parts.min(axis=(1, 2)) > levels.low) * (parts.max(axis=(1, 2)) < levels.high)
    chosen = np.argsort(-number, kind="stable")[:_LOOKS]
    chosen = chosen[number[chosen] > 0]
    if number[chosen].sum() < _ENOUGH:
        return None
    parts, detail, whole = parts[chosen], detail[chosen], _whole(parts[chosen])
    for rounded in (True,) if whole else (True, False):
        best, most = None, _SAME
        for name, kind in KINDS.items():
            off = (parts - _again(parts, name, rounded=rounded, by_axis=kind.by_axis and whole))[inner][detail]
            hit = (off > -kind.least - tie) & (off < 0.5 + tie) if whole else np.abs(off) < _EXACT
            same = float(hit.mean()) - _LOOSER * (kind.least > 0.5)
            if same > most:
                best, most = name, same
        if best is not None:
            return best
    return None


def _whole(values: Array) -> bool:
    return bool((np.abs(values - np.rint(values)) < _WHOLE).all())


def _again(parts: Array, name: str, *, rounded: bool, by_axis: bool) -> Array:
    """Undo what enlarged parts of channels (n, side, side), round or not, and enlarge them again."""
    values, chains = parts, [_matrices(name, side // GRAIN) for side in parts.shape[1:]]
    for axis in (1, 2):
        values = _along(chains[axis - 1][1], values, axis)
        values = np.rint(values) if rounded and (by_axis or axis == 2) else values
    for axis in (2, 1):
        values = _along(chains[axis - 1][0], values, axis)
        values = np.floor(values + 0.5) if by_axis and axis == 2 else values
    return values


def undone(values: Array, name: str, levels: Levels) -> Array:
    """Return a channel (n, m) from what it became when it was enlarged (2 n, 2 m), both in levels.

    Parameters
    ----------
    values : ndarray, float32 or float64
    name : str
        One of `KINDS`.
    levels : Levels
    """
    if name == "nearest":
        return values[::GRAIN, ::GRAIN]
    kind, (scale, low, high) = KINDS[name], levels
    if not (scale == 1 and low > -math.inf) and not _whole(values):  # those of integers are
        found = _solved(values, name, (0, 1), levels)
        rounded = np.rint(found)
        near = (scale != 1 or np.ptp(values) > _WIDE) and (np.abs(rounded - found) < _EXACT).mean() > 0.5
        return rounded.clip(low, high) if near else found  # a tenth of them is near by chance
    if kind.weight is _linear and _exact(values):
        out = np.empty([n // GRAIN for n in values.shape], np.float32)
        halve(np.ascontiguousarray(values, np.float32), _rounding(kind), (low, high), out)
        return out.astype(values.dtype, copy=False)
    found = values
    for axes in ((0,), (1,)) if kind.by_axis else ((0, 1),):
        found = _stepped(np.rint(_solved(found, name, axes, levels)).clip(low, high), found, name, axes, levels)
    return _stepped(found, values, name, (0, 1), levels) if kind.by_axis else found


def _exact(values: Array) -> bool:
    """Whether whole numbers are small enough for float32 to hold what is summed of them."""
    return bool(max(values.max(), -values.min()) <= _LARGEST)


def _rounding(kind: Kind) -> int:
    """The one of `gmmseg.kernels.halve`."""
    return 0 if kind.by_axis else 2 if kind.least > 0.5 else 1


def _stepped(found: Array, values: Array, name: str, axes: tuple[int, ...], levels: Levels) -> Array:
    """Step numbers by one where they are then enlarged along axes to what is there."""
    kind, (_, low, high) = KINDS[name], levels
    if len(kind.knots) > 1 or not _exact(values):  # splines reach far, and are hardly wrong
        return found
    least = (values - values.dtype.type(0.5 + _TIE)).astype(np.float32, copy=False)
    most = (values + values.dtype.type(kind.least + _TIE)).astype(np.float32, copy=False)
    least[values <= low] = -_FAR
    most[values >= high] = _FAR
    bands = [_bands(name, n, enlarged=axis in axes) for axis, n in enumerate(found.shape)]
    out = np.array(found, np.float32, order="C")
    step_levels(out, least, most, *bands[0], *bands[1], (low, high), kind.by_axis and len(axes) > 1, _SWEEPS)
    return out.astype(found.dtype, copy=False)


def _bands(name: str, n: int, *, enlarged: bool) -> tuple[Array, Array]:
    """From where on each of n pixels adds to enlarged ones along an axis, and how much to each of these."""
    if not enlarged:
        return np.arange(n, dtype=np.int32), np.ones((n, 1), np.float32)
    chain = min(n, _CHAIN)
    forward = _matrices(name, chain)[0]
    reach = min(GRAIN * chain, 2 * GRAIN * KINDS[name].reach)
    starts = (GRAIN * np.arange(chain) + 1 - GRAIN * KINDS[name].reach).clip(0, GRAIN * chain - reach)
    bands = forward[starts[:, None] + np.arange(reach), np.arange(chain)[:, None]]
    which = np.arange(n)
    which = np.where(which < chain // 2, which, np.maximum(which - (n - chain), chain // 2))
    return (starts[which] + GRAIN * (np.arange(n) - which)).astype(np.int32), bands[which].astype(np.float32)


def _solved(values: Array, name: str, axes: tuple[int, ...], levels: Levels) -> Array:
    """Solve by least squares along axes of a channel; numbers at a limit may have been any beyond it."""
    _, low, high = levels
    at_low, at_high = values <= low, values >= high
    found = _inverse(values, name, axes)
    if not (at_low.any() or at_high.any()):  # of any, however few: a window has to be solved as the whole is
        return found
    pick: Any = ()
    if len(axes) == 1:  # lines without such numbers stay as they are: all but a twentieth to a half
        cut = (at_low | at_high).any(axis=axes[0])
        pick = (cut,) if axes == (1,) else (slice(None), cut)
    values, at_low, at_high, again = values[pick], at_low[pick], at_high[pick], found[pick].clip(low, high)
    for axis in axes:
        again = _along(_matrices(name, min(again.shape[axis], _CHAIN))[0], again, axis)
    beyond = (at_low & (again < low)) | (at_high & (again > high))
    found[pick] = _inverse(np.where(beyond, again, values), name, axes)
    return found


def _inverse(values: Array, name: str, axes: tuple[int, ...]) -> Array:
    for axis in axes:
        values = _along(_matrices(name, min(values.shape[axis] // GRAIN, _CHAIN))[1], values, axis)
    return values


@cache
def _matrices(name: str, n: int) -> tuple[Array, Array]:
    """What enlarges n pixels along an axis (2 n, n), and its inverse by least squares (n, 2 n)."""
    kind = KINDS[name]
    around = np.arange(1 - kind.reach, kind.reach + 1)
    taps = np.array([kind.weight(abs(j - 0.25)) for j in around])
    forward, knots = np.zeros((GRAIN * n, n)), np.zeros((n, n))
    for i in range(n):
        for row, place in ((2 * i, i - around), (2 * i + 1, i + around)):
            _add(forward[row], place, taps / taps.sum(), kind.beyond)
        _add(knots[i], i + np.arange(len(kind.knots)) - len(kind.knots) // 2, np.array(kind.knots), kind.beyond)
    with one_blas_thread(n):
        forward = forward @ np.linalg.inv(knots) if len(kind.knots) > 1 else forward
        inverse = np.linalg.solve(forward.T @ forward, forward.T)
    if n > 2 * _MARGIN:
        middle = _middle(forward if n == _CHAIN else _matrices(name, _CHAIN)[0])
        for i in range(_MARGIN, n - _MARGIN):
            inverse[i] = 0
            inverse[i, GRAIN * (i - _MARGIN) : GRAIN * (i + _MARGIN + 1)] = middle
    return forward, inverse


def _middle(forward: Array) -> Array:
    """The inverse of a pixel far from both ends, by no more than those around it.

    There are so many equations that it is exact with least squares of its own weights, by which rounding is felt least.
    What is found is the same wherever a pixel lies in a chain: windows have what the whole has.
    """
    here = _CHAIN // 2
    around = forward[GRAIN * (here - _MARGIN) : GRAIN * (here + _MARGIN + 1)]
    with one_blas_thread(_CHAIN):
        return np.asarray(np.linalg.lstsq(around.T, np.eye(_CHAIN)[here], rcond=None)[0])


def _add(row: Array, place: Array, weights: Array, beyond: str) -> None:
    n = len(row)
    if beyond == "nothing":
        inside = (place >= 0) & (place < n)
        place, weights = place[inside], weights[inside] / weights[inside].sum()
    elif beyond == "reflect" and n > 1:
        place = np.abs((place + n - 1) % (2 * n - 2) - (n - 1))
    np.add.at(row, place.clip(0, n - 1), weights)


def _along(matrix: Array, values: Array, axis: int) -> Array:
    """Multiply an axis by the matrix of a chain of as many pixels, or of a shorter one: its middle is repeated."""
    chain = min(matrix.shape)
    out_of, into = matrix.shape[1] // chain, matrix.shape[0] // chain
    lines = np.moveaxis(values, axis, 0)
    n, rest = len(lines) // out_of, lines.shape[1:]
    flat = np.ascontiguousarray(lines).reshape(len(lines), -1)
    out, matrix = np.empty((into * n, flat.shape[1]), flat.dtype), matrix.astype(flat.dtype)
    step = chain - 2 * _MARGIN if n > chain else n
    for first in range(0, n, step):
        last, begin = min(first + step, n), min(max(first - _MARGIN, 0), n - chain)
        rows = matrix[into * (first - begin) : into * (last - begin)]
        out[into * first : into * last] = product(flat[out_of * begin : out_of * (begin + chain)].T, rows)
    return np.moveaxis(out.reshape(-1, *rest), 0, axis)
