"""Which classes of a label map are exported, by name or number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError

__all__ = ["Choice"]

_MOST_LISTED = 12


@dataclass(frozen=True)
class Choice:
    """Which classes are exported, and which number is none.

    Parameters
    ----------
    classes : tuple of str
        Names or numbers of those that are; all where it is empty.
    background : tuple of str
        Names or numbers of those that are not. 0, no data, never is.
    ignore : int, optional
        The number of pixels of which nothing is known: they become no data before anything else is asked.
    somewhere : bool
        Whether it is enough that another label map has a class that this one lacks.

    Examples
    --------
    >>> left_out, met = Choice(background=("sea", "3")).left_out(("sea", "sand", "wood"), np.array([1, 2, 3]))
    >>> left_out.tolist(), sorted(met)
    ([1, 3], ['3', 'sea'])
    """

    classes: tuple[str, ...] = ()
    background: tuple[str, ...] = ()
    ignore: int | None = None
    somewhere: bool = False

    @property
    def words(self) -> frozenset[str]:
        """All names and numbers that were given."""
        return frozenset((*self.classes, *self.background))

    def without_ignored(self, labels: Array) -> Array:
        """Return labels with 0 for the number that is ignored."""
        return labels if self.ignore is None else np.where(labels == self.ignore, labels.dtype.type(0), labels)

    def left_out(self, names: Sequence[str] | None, labels: Array) -> tuple[Array, frozenset[str]]:
        """Return the numbers that are not exported, and which words some class here was met by.

        Parameters
        ----------
        names : sequence of str or None
            Of the classes, the first of class 1; None where numbers are objects.
        labels : ndarray of unsigned integers

        Raises
        ------
        ParameterError
            A name or number is not there; those that are, are listed. The background leaves none of them.
        """
        if not self.words:
            return np.zeros(0, np.int64), frozenset()
        there = np.unique(labels)
        if names is not None:
            there = np.union1d(there, np.arange(1, len(names) + 1))
        there = there[there > 0].astype(np.int64)
        numbers = {word: self._number(word, names, there) for word in self.words}
        met = frozenset(word for word, number in numbers.items() if number is not None)
        if not self.somewhere:
            self.require(
                met, [str(n) for n in there] if names is None else [f"{i} {n}" for i, n in enumerate(names, 1)]
            )
        out = [number for word in self.background if (number := numbers[word]) is not None]
        if self.classes:
            kept = [number for word in self.classes if (number := numbers[word]) is not None]
            if kept and set(kept) <= set(out):
                words = ", ".join(self.classes)
                raise ParameterError(f"of the classes {words} the background leaves none; name others")
            out += np.setdiff1d(there, kept).tolist()
        return np.unique(np.array(out, np.int64)), met

    def require(self, met: frozenset[str], there: Sequence[str]) -> None:
        """Refuse words that no class was met by."""
        unmet = [word for word in (*self.classes, *self.background) if word not in met]
        if unmet:
            more = f" and {len(there) - _MOST_LISTED} more" if len(there) > _MOST_LISTED else ""
            listed = ", ".join(there[:_MOST_LISTED]) or "none"
            raise ParameterError(f"there is no class {unmet[0]!r}; the classes are {listed}{more}")

    @staticmethod
    def _number(word: str, names: Sequence[str] | None, there: Array) -> int | None:
        """Return the number that a word means; a name goes before a number."""
        if names is not None and word in names:
            return list(names).index(word) + 1
        if word.isascii() and word.isdigit() and (int(word) == 0 or int(word) in there):
            return int(word)
        return None
