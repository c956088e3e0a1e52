"""Effort: how much of the machine a run may take, whatever it computes."""

from __future__ import annotations

from collections.abc import Callable

from gmmseg.checks import MEMORY, whole_number
from gmmseg.records import dataclass
from gmmseg.threads import thread_count

__all__ = ["MEMORY", "Effort", "Progress"]

Progress = Callable[[int, int], None]
"""Called with the number of parts that are done and of all parts."""


@dataclass(frozen=True)
class Effort:
    """How much of the machine a run may take, and whom it tells how far it is; the results do not depend on it.

    Parameters
    ----------
    memory : int
        Bytes that may be taken. Of a file whose pixels take more than half of that, pixels are read window by window.
    threads : int, optional
        All processors by default.
    progress : callable, optional
        Called with the number of parts that are done and of all parts while labels are computed.

    Raises
    ------
    ParameterError
        A number is not usable.
    """

    memory: int = MEMORY
    threads: int | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no run could keep to."""
        whole_number("memory", self.memory, 1, None)
        _ = self.workers

    @property
    def workers(self) -> int:
        """Number of threads: those asked for, or one for each processor that this process may use."""
        return thread_count(self.threads)
