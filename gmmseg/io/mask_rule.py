"""Masks by values: which numbers of a mask mean that a pixel is used, as in SCL:4,5,6,7 and QA_PIXEL:~3,4."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gmmseg.errors import EmptyInputError, ParameterError
from gmmseg.image.sources import Source, WindowSource, windows_of
from gmmseg.io.parts import rule_parts
from gmmseg.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from gmmseg.image.windows import Window

__all__ = ["NOT_ZERO", "MaskRule", "Ruled", "naming_a_band"]

_RULE = re.compile(r"(?P<name>.+):(?P<unset>~?)(?P<numbers>\d{1,10}(?:-\d{1,10})?(?:,\d{1,10}(?:-\d{1,10})?)*)")
_USABLE = (
    "give a mask and the values of pixels that are used, as in SCL:4,5,6,7, or bits that are not set, as in QA:~3,4"
)
_MOST_VALUES = 65_536
_MOST_BIT = 63


def naming_a_band(path: Path, names: Sequence[str]) -> str:
    """Return the remedy where a mask has several bands, of these names if any: how a rule names one.

    Examples
    --------
    >>> from pathlib import Path
    >>> naming_a_band(Path("m.tif"), ["clear", "snow"])
    "name one and the values of pixels that are used, as in mask_values='m.tif@clear:1'"
    >>> naming_a_band(Path("m.tif"), ["a/b", "c"])[-10:]
    "m.tif@1:1'"
    """
    first = next(iter(names), "")
    spelled = rule_parts(f"{path}@{first}:1")[1] and "," not in first
    return f"name one and the values of pixels that are used, as in mask_values='{path}@{first if spelled else 1}:1'"


@dataclass(frozen=True)
class MaskRule:
    """Which numbers of a mask mean that a pixel is used.

    Parameters
    ----------
    name : str
        Of a file, or of a mask that a scene has, such as "SCL".
    values : tuple of int, optional
        Any of them; None where all but 0 do.
    unset : tuple of int
        Bits, counted from 0, of which none may be set.
    threshold : float, optional
        The least number that does.
    band : str
        Which one of a file of several, by its number from 1 or its name; empty where the file has one.
    """

    name: str = ""
    values: tuple[int, ...] | None = None
    unset: tuple[int, ...] = ()
    threshold: float | None = None
    band: str = ""

    @classmethod
    def parse(cls, text: str) -> MaskRule:
        """Read a rule as people write it.

        Raises
        ------
        ParameterError
            It is none.

        Examples
        --------
        >>> MaskRule.parse("SCL:4-6,11").values
        (4, 5, 6, 11)
        >>> MaskRule.parse("QA_PIXEL:~3,4").unset
        (3, 4)
        >>> MaskRule.parse("udm2.tif@clear:1").band
        'clear'
        """
        found = _RULE.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise ParameterError(f"mask_values={text!r} is not usable; {_USABLE}")
        numbers: list[int] = []
        for part in found["numbers"].split(","):
            first, _, last = part.partition("-")
            run = range(int(first), int(last or first) + 1)
            if not run or len(numbers) + len(run) > _MOST_VALUES:
                raise ParameterError(f"mask_values={text!r} has {part!r}, which is no range of values; {_USABLE}")
            numbers += run
        name, band, _ = rule_parts(text.strip())
        if not found["unset"]:
            return cls(name, tuple(numbers), band=band)
        if max(numbers) > _MOST_BIT:
            raise ParameterError(f"mask_values={text!r} has bit {max(numbers)}, the last is {_MOST_BIT}; {_USABLE}")
        return cls(name, None, tuple(numbers), band=band)

    @property
    def words(self) -> str:
        """What is asked for, for messages."""
        if self.unset:
            return f"pixel without the bits {', '.join(map(str, self.unset))}"
        if self.threshold is not None:
            return f"number from {self.threshold:g} on"
        shown = ", ".join(map(str, (self.values or ())[:12])) + (", ..." if len(self.values or ()) > 12 else "")
        return f"pixel of value {shown}"

    def used(self, numbers: np.ndarray) -> np.ndarray:
        """Return where numbers of a mask mean that a pixel is used."""
        import numpy as np

        if self.values is not None:
            return np.isin(numbers, self.values)
        if self.unset:
            bits = sum(1 << bit for bit in self.unset)
            return np.asarray((numbers.astype(np.uint64) & np.uint64(bits)) == 0)
        if self.threshold is not None:
            return np.asarray(numbers >= self.threshold)  # not NaN
        return np.asarray((numbers != 0) & (numbers == numbers) if numbers.dtype.kind == "f" else numbers != 0)


NOT_ZERO = MaskRule()
"""That of masks of which nobody says more."""


class Ruled(WindowSource):
    """A source of a mask's numbers as one of where pixels are used: 1, and 0 elsewhere.

    Parameters
    ----------
    numbers : Source
        Of one channel.
    rule : MaskRule
    """

    def __init__(self, numbers: Source, rule: MaskRule) -> None:
        import numpy as np

        self.numbers, self.rule = numbers, rule
        self.shape: tuple[int, ...] = tuple(numbers.shape)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.blocks: tuple[int, ...] = tuple(numbers.blocks)
        self.sweep: int = numbers.sweep

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return where pixels of a window are used (*window, 1)."""
        numbers, known = self.numbers.read(window)
        used = self.rule.used(numbers)
        if known is not None:
            used &= known[..., None]
        return used.view("uint8"), None

    def are_fractions(self) -> bool:
        """Whether numbers are from 0 to 1, and some between them."""
        if self.numbers.dtype.kind != "f":
            return False
        between = False
        for window in windows_of(self):
            numbers, known = self.numbers.read(window)
            some = numbers if known is None else numbers[known]
            if (some < 0).any() or (some > 1).any():
                return False
            between = between or bool(((some > 0) & (some < 1)).any())
        return between

    def require_some(self, path: Path, name: str) -> None:
        """Refuse a mask, that of a file, which leaves no pixel of the image of this name."""
        if any(self.read(window)[0].any() for window in windows_of(self)):
            return
        import numpy as np

        values = sorted(set().union(*(np.unique(self.numbers.read(window)[0]).tolist() for window in windows_of(self))))
        shown = (f"{value:.6g}" if isinstance(value, float) else str(value) for value in values[:12])
        has = ", ".join(shown) + (", ..." if len(values) > 12 else "")
        raise EmptyInputError(
            f"{name}: its mask {path.name} has no {self.rule.words} there, only {has}; choose among these"
        )
