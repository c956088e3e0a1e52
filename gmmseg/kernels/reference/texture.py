"""Local energy and direction over windows that keep clear of borders (see gmmseg.features.texture)."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from gmmseg.arrays import Array

__all__ = ["texture"]

_ENERGIES, _DIRECTIONS = slice(1, 3), slice(3, None)


def texture(values: Array, known: Array | None, steps: Array, shift: Array, slopes: Array, out: Array) -> None:
    """Write the texture of `values` (*padded), such as lightness, into `out` (d, *inner), all float32.

    It is made of averages, energies and directions. `known` (*padded) is 1 where a value counts and 0, as the value,
    where not; None where all do. A value is smoothed with its neighbours at the distances `steps` (levels, ndim),
    int64: an energy is the square of what the first, and the second, step takes away. Directions are of differences of
    next neighbours times `slopes` (ndim,). Averages are those of the pixel or of one displaced by `shift` (ndim,),
    int64, along all axes, whichever changes least over half that distance. d is 3 in one dimension, 5 in a plane and 8
    in a volume. `out` is C-contiguous, and `values` reach to both sides of it by the first step, the longer of the
    second and 1, the sum of all steps, the shift and its half. Compiled and reference give the same bits.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        averages = _averages(values, known, steps.tolist(), slopes)
        _settle(averages, shift.tolist(), out)


def _part(fields: Array, shape: tuple[int, ...], by: tuple[int, ...] | None = None) -> Array:
    """Return the middle of fields (..., *larger), or a part of the same size at an offset from it."""
    ndim = len(shape)
    starts = [(have - n) // 2 for have, n in zip(fields.shape[-ndim:], shape, strict=True)]
    window: Any = [slice(a + b, a + b + n) for a, b, n in zip(starts, by or (0,) * ndim, shape, strict=True)]
    return fields[(..., *window)]


def _smooth(fields: Array, steps: list[list[int]]) -> Array:
    """Average fields (..., *shape) with neighbours at each level's distances by (1, 2, 1)/4, where there are both."""
    for axis, distances in enumerate(zip(*steps, strict=True), fields.ndim - len(steps[0])):
        rows = np.moveaxis(fields, axis, 0)
        for distance in filter(None, distances):
            rows = rows[:-distance] + rows[distance:]
            rows = (rows[:-distance] + rows[distance:]) * np.float32(0.25)
        fields = np.moveaxis(rows, 0, axis)
    return fields


def _averages(values: Array, known: Array | None, steps: list[list[int]], slopes: Array) -> Array:
    """Lightness, energies and directions (d, *smaller), averaged over a window around each pixel."""
    weight = known
    smoothed = [values]
    for step in steps[:2]:
        values = _smooth(values, [step])
        weight = None if weight is None else _smooth(weight, [step])
        smoothed.append(values if weight is None else np.where(weight == 0, np.float32(0), values / weight))
    fine = smoothed[1]
    inner = tuple(n - 2 for n in fine.shape)
    shape = tuple(map(min, values.shape, inner))
    light, middle, coarse = (_part(each, shape) for each in smoothed)
    slope = []
    for axis in reversed(range(fine.ndim)):
        by = tuple(int(a == axis) for a in range(fine.ndim))
        rise = _part(fine, inner, by) - _part(fine, inner, tuple(-b for b in by))
        slope.append(_part(rise, shape) * slopes[axis])
    squares = [each * each for each in slope]
    fields = [light, (light - middle) ** 2, (middle - coarse) ** 2]
    for axis in range(1, fine.ndim):
        # Scaled so that all directions are of one length, as those of twice a product are.
        fields.append((sum(squares[:axis]) / axis - squares[axis]) * np.float32(math.sqrt(2 * axis / (axis + 1))))
    fields += [2 * slope[a] * slope[b] for b in range(1, fine.ndim) for a in range(b)]
    averages = np.stack([*fields, sum(squares)])
    if known is not None:
        averages = np.concatenate([averages * _part(known, shape), _part(known, shape)[None]])
    averages = _smooth(averages, steps)
    if known is not None:
        averages = averages[:-1] / averages[-1]
    trace = averages[-1]
    averages[3:-1] /= np.where(trace == 0, np.float32(1), trace)
    return averages[:-1]


def _settle(averages: Array, shift: list[int], out: Array) -> None:
    """Give each pixel the averages of the window, its own or a shifted one, around which they change least."""
    shape = out.shape[1:]
    wide = tuple(n + 2 * s for n, s in zip(shape, shift, strict=True))
    change: Array = np.zeros(wide, np.float32)
    for axis, distance in enumerate(shift):
        if distance // 2:
            by = tuple(distance // 2 * (a == axis) for a in range(len(shape)))
            change += _difference(_part(averages, wide, by), _part(averages, wide, tuple(-b for b in by)))
    change[np.isnan(change)] = np.inf
    out[...] = _part(averages, shape)
    least = _part(change, shape).copy()
    for by in itertools.product(*((-s, s) if s else (0,) for s in shift)):
        other = _part(change, shape, by)
        better = other < least
        np.copyto(least, other, where=better)
        np.copyto(out, _part(averages, shape, by), where=better)


def _difference(a: Array, b: Array) -> Array:
    """How much two sets of averages (d, ...) differ: the energies in proportion to themselves, the directions as is."""
    total = a[_ENERGIES] + b[_ENERGIES]
    ratio = 2 * (a[_ENERGIES] - b[_ENERGIES]) / np.where(total == 0, np.float32(1), total)
    turned = a[_DIRECTIONS] - b[_DIRECTIONS]
    return np.asarray((ratio * ratio).sum(axis=0) + (turned * turned).sum(axis=0))
