"""Uniform random numbers, of NumPy's generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["uniform"]


def uniform(seed: list[int], first: int, count: int) -> NDArray[Any]:
    """Return so many random numbers `(count,)` from 0 to 1, float64: those of `default_rng(seed).random` in NumPy.

    The seed comes in words of 32 bits, the lowest first, and `first` numbers are left out before.
    """
    return np.random.Generator(np.random.PCG64(seed).advance(first)).random(count)
