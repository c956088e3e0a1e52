"""What is written while a person goes on: the newest, once there is a pause, or when somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Timer

from gmmseg.errors import GmmsegError

__all__ = ["Pending"]

_PAUSE = 0.5  # seconds: in a series of strokes the label map of all voxels is written once, not at each


class Pending:
    """Writes one file, later; may be used by several threads.

    Examples
    --------
    >>> pending = Pending()
    >>> pending.want(lambda: print("the first"))
    >>> pending.want(lambda: print("the second"))
    >>> pending.settle()
    the second
    """

    def __init__(self) -> None:
        self._changing, self._writing = Lock(), Lock()
        self._wanted: Callable[[], None] | None = None
        self._timer: Timer | None = None

    def want(self, write: Callable[[], None]) -> None:
        """Call `write` in a while, unless something else is wanted before."""
        with self._changing:
            if self._timer is not None:
                self._timer.cancel()
            self._wanted = write
            self._timer = Timer(_PAUSE, self._at_last)
            self._timer.daemon = True
            self._timer.start()

    def settle(self) -> None:
        """Write what is wanted, if anything is, now; what could not be written stays wanted.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        with self._writing:
            wanted = self._wanted
            if wanted is None:
                return
            wanted()
            with self._changing:
                if self._wanted is wanted:
                    self._wanted = None
                    if self._timer is not None:
                        self._timer.cancel()

    def _at_last(self) -> None:
        with suppress(GmmsegError):  # whoever waits for the file is told
            self.settle()
