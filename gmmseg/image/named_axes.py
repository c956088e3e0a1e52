"""Axes that are named by letters, as microscopes name them: TZCYX is time, planes, channels, rows, columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.errors import ParameterError
from gmmseg.image.axes import spans_color
from gmmseg.records import dataclass

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LETTERS", "Lettered"]

LETTERS = "T (time), Z (planes), C (channels) or S (red, green and blue), Y (rows) and X (columns)"
"""What axes are called, for messages and help."""

_SPACE, _TIME, _CHANNELS = "ZYX", "T", "CS"


@dataclass(frozen=True)
class Lettered:
    """Where time, space and channels are in an array.

    Parameters
    ----------
    letters : str
        One an axis, in capitals.
    """

    letters: str

    @classmethod
    def of(cls, axes: str, shape: tuple[int, ...], name: str) -> Lettered:
        """Check what a caller says of the axes of an array.

        Parameters
        ----------
        axes : str
            Such as "TYX" or "zcyx": each letter once, Y and X among them, one a length of the shape.
        shape : tuple of int
        name : str
            What messages call the array.

        Raises
        ------
        ParameterError
            It is anything else.

        Examples
        --------
        >>> Lettered.of("tcyx", (5, 2, 30, 40), "image").order
        (0, 2, 3, 1)
        """
        letters = str(axes).strip().upper()
        start = f"axes={axes!r} does not fit {name}"
        if len(letters) != len(shape):
            size = " x ".join(map(str, shape))
            raise ParameterError(
                f"{start}, which has {len(shape)} axes ({size}), not {len(letters)}; give one letter an axis of "
                f"{LETTERS}"
            )
        unknown = [letter for letter in letters if letter not in _TIME + _SPACE + _CHANNELS]
        twice = [letter for letter in letters if letters.count(letter) > 1]
        if unknown or twice:
            found = f"{unknown[0]!r} is no axis" if unknown else f"{twice[0]} is given twice"
            raise ParameterError(f"{start}: {found}; give one letter an axis of {LETTERS}")
        if not set("YX") <= set(letters) or set(_CHANNELS) <= set(letters):
            found = "Y and X have to be there" if not set("YX") <= set(letters) else "C and S are both channels"
            raise ParameterError(f"{start}: {found}; give one letter an axis of {LETTERS}")
        return cls(letters)

    @property
    def time(self) -> bool:
        """Whether one of them is time."""
        return _TIME in self.letters

    @property
    def spatial(self) -> tuple[int, ...]:
        """Axes of time and space, in the order T, Z, Y, X."""
        return tuple(self.letters.index(letter) for letter in _TIME + _SPACE if letter in self.letters)

    @property
    def channel(self) -> int | None:
        """Axis of the channels; None where there is none."""
        return next((axis for axis, letter in enumerate(self.letters) if letter in _CHANNELS), None)

    @property
    def order(self) -> tuple[int, ...]:
        """All axes in the order in which an image has them."""
        return (*self.spatial, *(() if self.channel is None else (self.channel,)))

    def arranged(self, numbers: np.ndarray) -> tuple[np.ndarray, bool, np.ndarray | None]:
        """Return (pixels, color, alpha) of an array, as views; only S may be colour, and of four samples alpha."""
        pixels = numbers.transpose(self.order)
        if self.channel is None:
            return pixels[..., None], False, None
        n_samples = pixels.shape[-1] if "S" in self.letters else 0
        if n_samples not in (3, 4) or not spans_color(pixels[..., :3]):
            return pixels, False, None
        return pixels[..., :3], True, pixels[..., 3] if n_samples == 4 else None

    def like(self, numbers: np.ndarray, n_channels: int) -> np.ndarray:
        """Return an array of the same axes as `arranged` does its pixels, with so many channels."""
        arranged = numbers.transpose(self.order)
        return arranged[..., None] if self.channel is None else arranged[..., :n_channels]
