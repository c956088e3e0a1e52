"""Sources: where the pixels of an image come from. An array is one, and so is a file that is read window by window."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from gmmseg.image.channels import evenly
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window, holding, strips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

__all__ = [
    "ArraySource",
    "Checked",
    "Completed",
    "Frame",
    "Masked",
    "Over",
    "Overheard",
    "Selected",
    "Source",
    "WindowSource",
    "beneath",
    "windows_of",
]

_READ_AT_ONCE = 32 << 20  # bytes of pixels that are read to pick single ones out of a file


class Source(Protocol):
    """All that any step asks of pixels; one thread asks at a time.

    A source of another kind (of a cluster's array, say) is a class with these. `take` and `select` may be left out:
    they follow from `read`, as `WindowSource` has them.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each spatial axis, and of channels: (*spatial, n_channels)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the pixels."""

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sides of the blocks in which the file is stored, such as (256, 256): whole ones are read at least cost."""

    @property
    def sweep(self) -> int:
        """The spatial axis along which blocks follow one another in the file: 0 where it is stored row by row."""

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window (*window, n_channels), and which are valid (*window); None where all are."""

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels (n, n_channels) by their flat spatial indices (n,), and which are valid (n,)."""

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return a source of the channels at these positions, counted from 0."""


class ArraySource:
    """Pixels that are an array.

    Parameters
    ----------
    array : ndarray, shape (*spatial, n_channels)
        In any memory order; never changed.
    """

    sweep = 0

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """Return the array, for NumPy's functions."""
        import numpy as np

        converted = np.asarray(self.array, dtype)
        return converted.copy() if copy and converted is self.array else converted

    def __getitem__(self, index: Any) -> Any:
        """Index the array."""
        return self.array[index]

    @property
    def shape(self) -> tuple[int, ...]:
        """(*spatial, n_channels)."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the array."""
        return self.array.dtype

    @property
    def blocks(self) -> tuple[int, ...]:
        """The whole image."""
        return self.array.shape[:-1]

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a view of a window's pixels."""
        return self.array[window], None

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels."""
        import numpy as np

        if self.array.flags.c_contiguous:  # three times as fast as several indices
            return self.array.reshape(-1, self.shape[-1]).take(flat, axis=0), None
        return self.array[np.unravel_index(flat, self.shape[:-1])], None

    def select(self, channels: tuple[int, ...]) -> ArraySource:
        """Return some channels: a view where their positions are evenly spaced."""
        return ArraySource(self.array[..., evenly(channels)])


class WindowSource:
    """What follows for a source from how its windows are read: single pixels, and some of the channels."""

    def take(self: Source, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels; each window is read once, whatever their number and order."""
        import numpy as np

        index = np.stack(np.unravel_index(flat, self.shape[:-1]))
        values, valid = np.empty((len(flat), self.shape[-1]), self.dtype), np.ones(len(flat), bool)
        for window, here in holding(windows_of(self), index):
            part, usable = self.read(window)
            place = tuple(index[:, here] - [[s.start] for s in window])
            values[here] = part[place]
            valid[here] = True if usable is None else usable[place]
        return values, None if valid.all() else valid

    def select(self: Source, channels: tuple[int, ...]) -> Source:
        """Return some channels of what is read of all."""
        return Selected(self, channels)


def windows_of(source: Source) -> Iterator[Window]:
    """Cover a source with windows that are cheap to read one after the other."""
    pixels = _READ_AT_ONCE // (source.dtype.itemsize * source.shape[-1])
    for strip in strips(source.shape[:-1], source.blocks, source.sweep, pixels, 0):
        yield from (tile.inner for tile in strip)


def beneath(source: Any, names: tuple[str, ...] = ("raw", "whole")) -> Iterator[Any]:
    """Yield a source and those that it reads from, whatever lies between; `names` are those of the attributes."""
    waiting = [source]
    while waiting:
        yield (each := waiting.pop(0))
        waiting += [inner for name in names if (inner := getattr(each, name, None)) is not None]


class Over(WindowSource):
    """What a source made of another has of it."""

    def __init__(self, whole: Source) -> None:
        self.whole = whole

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole."""
        return self.whole.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the whole."""
        return self.whole.dtype

    @property
    def blocks(self) -> tuple[int, ...]:
        """Those of the whole."""
        return self.whole.blocks

    @property
    def sweep(self) -> int:
        """That of the whole."""
        return self.whole.sweep


class Completed(Over):
    """A source that says no more than how its windows are read, with what follows from that."""

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window."""
        return self.whole.read(window)

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return some channels; the others are not read where the source can leave them unread."""
        if not hasattr(self.whole, "select"):
            return Selected(self.whole, channels)
        return Completed(self.whole.select(channels))


class Checked(Over):
    """A source of which something is checked before and after each reading: that its file is still the same, say.

    Parameters
    ----------
    whole : Source
    check : callable
        Raises where what was read, or could not be, is not what it should be.
    """

    def __init__(self, whole: Source, check: Callable[[], None]) -> None:
        super().__init__(whole)
        self.check = check

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window."""
        with self._checked():
            return self.whole.read(window)

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels."""
        with self._checked():
            return self.whole.take(flat)

    def __getattr__(self, name: str) -> Any:
        """Return what else the source has, such as how its file is closed."""
        if name == "whole":  # of a copy that is still empty
            raise AttributeError(name)
        return getattr(self.whole, name)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        self.check()
        try:
            yield
        finally:  # what fails because of a change is explained by it
            self.check()

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return some channels, which are checked too."""
        return Checked(self.whole.select(channels), self.check)


class Masked(Over):
    """A source under a mask: its pixels are valid only where a second source, of one channel, is not 0."""

    def __init__(self, whole: Source, mask: Source) -> None:
        super().__init__(whole)
        self.mask = mask

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and which are valid, as every source does."""
        (pixels, valid), (used, known) = self.whole.read(window), self.mask.read(window)
        return pixels, combine(valid, combine(known, used[..., 0] != 0))

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels, in the way that is best for each of the two."""
        (pixels, valid), (used, known) = self.whole.take(flat), self.mask.take(flat)
        return pixels, combine(valid, combine(known, used[..., 0] != 0))


class Overheard(Over):
    """A source that keeps some single pixels when it is read for something else, and does not read again for them.

    Parameters
    ----------
    whole : Source
    flat : ndarray of int, shape (n,)
        Flat spatial indices of these pixels, ascending.
    """

    def __init__(self, whole: Source, flat: np.ndarray) -> None:
        import numpy as np

        super().__init__(whole)
        self.flat = flat
        self._index = np.stack(np.unravel_index(flat, whole.shape[:-1]))
        self._values, self._valid = np.empty((len(flat), whole.shape[-1]), whole.dtype), np.ones(len(flat), bool)
        self._known = np.zeros(len(flat), bool)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and which are valid, as every source does."""
        pixels, valid = self.whole.read(window)
        for _, here in holding([window], self._index):
            place = tuple(self._index[:, here] - [[s.start] for s in window])
            self._values[here], self._known[here] = pixels[place], True
            self._valid[here] = True if valid is None else valid[place]
        return pixels, valid

    def take(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return single pixels; those that are kept are read along where they are not known yet."""
        import numpy as np

        if self._known.all() and np.array_equal(flat, self.flat):
            return self._values.copy(), None if self._valid.all() else self._valid.copy()
        if self._known.all():
            return self.whole.take(flat)
        values, valid = self.whole.take(np.concatenate([self.flat, flat]))
        n = len(self.flat)
        self.keep(values[:n], None if valid is None else valid[:n])
        return values[n:], None if valid is None else valid[n:]

    def __reduce__(self) -> tuple[Any, ...]:
        return Overheard, (self.whole, self.flat)

    def heard(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return which of the pixels lie in a window that was read, their values, and whether they are valid."""
        import numpy as np

        for _, here in holding([window], self._index):
            return here, self._values[here], self._valid[here]
        return np.zeros(0, np.intp), self._values[:0], self._valid[:0]

    def hear(self, here: np.ndarray, values: np.ndarray, valid: np.ndarray) -> None:
        """Keep what another of these pixels has `heard`, in another process."""
        self._values[here], self._valid[here], self._known[here] = values, valid, True

    def keep(self, values: np.ndarray, valid: np.ndarray | None) -> None:
        """Keep these pixels, which somebody else has taken in their order."""
        import numpy as np

        self._values, self._known = values, np.ones(len(values), bool)
        self._valid = np.ones(len(values), bool) if valid is None else valid

    def __getattr__(self, name: str) -> Any:
        """Return what else the source has, such as workers that read it."""
        if name == "whole":  # of a copy that is still empty
            raise AttributeError(name)
        return getattr(self.whole, name)

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return some channels, of which nothing is kept."""
        return self.whole.select(channels)


class Frame(Over):
    """One time point of a source whose first axis is time, by its number from 0."""

    def __init__(self, whole: Source, number: int) -> None:
        super().__init__(whole)
        self.number = number

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole without time."""
        return self.whole.shape[1:]

    @property
    def blocks(self) -> tuple[int, ...]:
        """Those of the whole within a time point."""
        return self.whole.blocks[1:]

    @property
    def sweep(self) -> int:
        """That of the whole, counted without time."""
        return max(0, self.whole.sweep - 1)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return pixels and validity of a window."""
        pixels, valid = self.whole.read((slice(self.number, self.number + 1), *window))
        return pixels[0], None if valid is None else valid[0]

    def select(self, channels: tuple[int, ...]) -> Source:
        """Return some channels; the others are not read where the whole can leave them unread."""
        return Frame(self.whole.select(channels), self.number)


class Selected(Over):
    """Some channels of a source, such as the first three; pixels where none of these is finite are not valid."""

    def __init__(self, whole: Source, channels: tuple[int, ...]) -> None:
        super().__init__(whole)
        self.channels = channels

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the whole, with the number of the chosen channels."""
        return (*self.whole.shape[:-1], len(self.channels))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the pixels of a window, and which are valid, as every source does."""
        pixels, valid = self.whole.read(window)
        pixels = pixels[..., evenly(self.channels)]
        known = finite(pixels, every=False)
        return pixels, combine(valid, known)
