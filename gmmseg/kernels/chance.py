"""NumPy's random generator, which is loaded where more than uniform numbers is asked for.

Loading `numpy.random` takes 11 ms, a twentieth of a run on a photograph of 512 x 512.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gmmseg import kernels

__all__ = ["default_rng", "words_of"]


def words_of(seed: int) -> list[int]:
    """Return a seed as the kernel takes it: words of 32 bits, the lowest first."""
    return [seed >> place & 0xFFFFFFFF for place in range(0, max(seed.bit_length(), 1), 32)]


class _Generator:
    """What `numpy.random.default_rng` returns of the same seed, and the same numbers.

    It is that generator from the first time on that anything but `random` is asked of it.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._drawn = seed, 0

    def random(self, size: Any = None) -> Any:
        """Draw numbers from 0 to 1."""
        shape = (1,) if size is None else size if isinstance(size, tuple) else (int(size),)
        first, self._drawn = self._drawn, self._drawn + math.prod(shape)
        numbers = kernels.uniform(words_of(self._seed), first, math.prod(shape))
        return float(numbers[0]) if size is None else numbers.reshape(shape)

    def __getattr__(self, name: str) -> Any:
        """Become NumPy's generator."""
        if name.startswith("_"):
            raise AttributeError(name)
        if "_whole" not in vars(self):
            from numpy.random import PCG64, Generator  # here, because most runs draw uniform numbers alone

            self._whole = Generator(PCG64(self._seed).advance(self._drawn))
            vars(self)["random"] = self._whole.random
        return getattr(self._whole, name)


if TYPE_CHECKING:  # nobody needs to tell the two apart
    from numpy.random import default_rng
else:
    default_rng = _Generator
