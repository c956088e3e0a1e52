"""Distinct values of integer images, and how many pixels have each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmseg.image import Image

__all__ = ["distinct_values"]

Array = NDArray[Any]

_FEW = 0.3  # a sample with more distinct values a pixel than this stands for too many values to count them all
_AT_ONCE = 1 << 20  # pixels whose values are counted together


def distinct_values(image: Image, sample: Array) -> tuple[Array, Array] | None:
    """Distinct values of all valid pixels, (n, channels), and their numbers (n,); None where they are many.

    `sample` holds the values of some pixels, which tell whether it is worth the while.
    """
    dtype = image.pixels.dtype
    depth = dtype.itemsize * 8
    bits = depth * image.n_channels
    if dtype.kind != "u" or bits > 64:
        return None
    shifts = np.arange(image.n_channels, dtype=np.uint64) * np.uint64(depth)

    def codes(pixels: Array) -> Array:
        if image.n_channels == 1:
            return np.asarray(pixels[:, 0])
        whole: Array = np.zeros(len(pixels), np.uint32 if bits <= 32 else np.uint64)
        for channel, shift in zip(pixels.T, shifts.astype(whole.dtype), strict=True):
            whole |= channel.astype(whole.dtype) << shift
        return whole

    if bits > 16 and len(np.unique(codes(sample))) > _FEW * len(sample):
        return None
    found: Array = np.zeros(0, np.uint64)
    numbers: Array = np.zeros(1 << bits if bits <= 16 else 0, np.int64)
    for pixels in _valid_pixels(image):
        some = codes(pixels)
        if bits <= 16:
            numbers += np.bincount(some, minlength=1 << bits)
            continue
        fresh, number = np.unique(some, return_counts=True)
        found, place = np.unique(np.concatenate([found, fresh.astype(np.uint64)]), return_inverse=True)
        numbers = np.bincount(place, np.concatenate([numbers, number])).astype(np.int64)
    if bits <= 16:
        found = np.flatnonzero(numbers)
        numbers = numbers[found]
    values = (found.astype(np.uint64)[:, None] >> shifts) & np.uint64((1 << depth) - 1)
    return values.astype(dtype), numbers


def _valid_pixels(image: Image) -> Iterator[Array]:
    """All valid pixels, (n, n_channels) at a time."""
    for window in image.windows():
        part = image.crop(window)
        pixels = part.array.reshape(-1, image.n_channels)
        valid = None if part.valid is None else part.valid.reshape(-1)
        for start in range(0, len(pixels), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            yield pixels[some] if valid is None else pixels[some][valid[some]]
