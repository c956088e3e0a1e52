"""Charts as inline SVG, which needs no library to be shown and takes the colours of the page it is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.report.text import escaped

__all__ = ["INSIDE", "Curve", "Frame", "chart", "disc", "dots", "path", "swatch"]

_WIDTH, _HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 44
INSIDE = (_LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
"""Left, top, width and height of what lies within the axes."""

_TICKS = 5  # about as many along each axis


@dataclass(frozen=True)
class Curve:
    """A line over an axis.

    Parameters
    ----------
    name : str
    y : ndarray, shape (n,)
    color : str
        Such as "#ff8800", or "currentColor".
    marked : bool
        Whether its points are marked, and its lowest one ringed.
    """

    name: str
    y: Array
    color: str
    marked: bool = False


@dataclass(frozen=True)
class Frame:
    """The axes of a chart, and where on it numbers are.

    Parameters
    ----------
    x, y : tuple of float
        What the axes show, from the first to the second number.
    labels : tuple of str
        Of the two axes.
    whole : bool
        Whether only whole numbers are ticked along the first.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    labels: tuple[str, str]
    whole: bool = False

    @classmethod
    def around(cls, x: Array, y: Array, labels: tuple[str, str], *, margin: float = 0.05, whole: bool = False) -> Frame:
        """Return the axes that show all of these numbers, and a share of their range around them."""
        return cls(_widened(x, margin), _widened(y, margin), labels, whole)

    def place(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Return where numbers are on the chart."""
        (left, right), (low, high) = self.x, self.y
        across = (np.asarray(x, np.float64) - left) / (right - left)
        up = (np.asarray(y, np.float64) - low) / (high - low)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self) -> str:
        """Return the axes with their ticks, numbers and labels."""
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>']
        for value in _ticks(*self.x, whole=self.whole):
            x = float(self.place(value, 0)[0])
            parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{_short(value)}</text>'
            )
        for value in _ticks(*self.y):
            y = float(self.place(0, value)[1])
            parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>')
            parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
        middle, half = (_LEFT + right) / 2, (_TOP + bottom) / 2
        across, up = map(escaped, self.labels)
        parts.append(f'<text class="label" x="{middle:g}" y="{_HEIGHT - 8}" text-anchor="middle">{across}</text>')
        turned = f'transform="rotate(-90 13 {half:g})"'
        parts.append(f'<text class="label" x="13" y="{half:g}" text-anchor="middle" {turned}>{up}</text>')
        return "".join(parts)

    def curves(self, x: Array, curves: Iterable[Curve]) -> str:
        """Return lines over numbers; what is not finite is left out of them."""
        parts = []
        for curve in curves:
            known = np.isfinite(curve.y)
            across, up = self.place(x[known], curve.y[known])
            line = path(across, up)
            parts.append(f'<path class="curve" stroke="{curve.color}" d="{line}"/>')
            if curve.marked and known.any():
                least = int(np.argmin(curve.y[known]))
                marks = "".join(disc(*each, 2.5, curve.color) for each in zip(across, up, strict=True))
                place = f'cx="{across[least]:.1f}" cy="{up[least]:.1f}"'
                parts.append(f'{marks}<circle class="curve" stroke="{curve.color}" {place} r="6"/>')
        return "".join(parts)

    def bars(self, edges: Array, heights: Array) -> str:
        """Return a histogram."""
        across, up = self.place(np.repeat(edges, 2)[1:-1], np.repeat(heights, 2))
        floor = float(self.place(0, 0)[1])
        return f'<path class="bars" d="{path([across[0], *across, across[-1]], [floor, *up, floor])}Z"/>'


def chart(title: str, frame: Frame, content: str, legend: Sequence[tuple[str, str]] = ()) -> str:
    """Return a figure: a chart under its title, and a legend of colours and names below it."""
    entries = "".join(f"<li>{swatch(color)}{escaped(name)}</li>" for color, name in legend)
    below = f'<ul class="legend">{entries}</ul>' if entries else ""
    drawn = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escaped(title)}">{frame.axes()}{content}</svg>'
    )
    return f"<figure><figcaption>{escaped(title)}</figcaption>{drawn}{below}</figure>"


def swatch(color: str) -> str:
    """Return a small square of a colour."""
    square = f'<rect width="12" height="12" fill="{color}"/>'
    return f'<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">{square}</svg>'


def path(x: Iterable[float], y: Iterable[float]) -> str:
    """Return the line through points, as SVG writes it."""
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def dots(x: Array, y: Array, color: str) -> str:
    """Return many small points of one colour as one path."""
    marks = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(x, y, strict=True))
    return f'<path class="dots" stroke="{color}" d="{marks}"/>'


def disc(x: float, y: float, radius: float, color: str) -> str:
    """Return a point."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{color}"/>'


def _widened(values: Array, margin: float) -> tuple[float, float]:
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = margin * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round numbers from low to high."""
    rough = (high - low) / _TICKS
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(float(unit * factor) for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    step = max(1.0, round(step)) if whole else step
    return [float(step * each) for each in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _short(value: float) -> str:
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
