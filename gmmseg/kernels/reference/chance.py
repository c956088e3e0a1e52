"""Uniform random numbers, of NumPy's generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["uniform"]


def uniform(seed: list[int], first: int, count: int) -> NDArray[Any]:
    """See gmmseg.kernels.uniform."""
    return np.random.Generator(np.random.PCG64(seed).advance(first)).random(count)
