"""Values stored in another order of axes, or the other way around, as they lie over an image: by where both lie."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from gmmseg.image.place import Place
from gmmseg.image.sources import WindowSource
from gmmseg.image.windows import Window, everything
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.image import Image
    from gmmseg.image.sources import Source

__all__ = ["LEAVES_OUT_PLANES", "Turn", "Turned", "place_over", "turn_onto"]

LEAVES_OUT_PLANES = "leaves out planes"
"""Entry of an image's metadata, true where planes (along its first axis) that the file does not hold are empty."""

_ALONG_ONE_AXIS = 0.1  # planes by which those of a file that leaves some out may lie beside those of the image


@dataclass(frozen=True)
class Turn:
    """How values of one grid lie over an image: which of their axes goes along each of its axes, and from which end.

    Parameters
    ----------
    shape : tuple of int
        Of the image.
    stored : tuple of int
        Of the values. Axes that one has and the other lacks are of length 1.
    order : tuple of int
        For each axis of the world (2 on a map, 3 of a scan) that of the values.
    flipped : tuple of bool
        For each whether values are counted from its other end.
    start, step : tuple of int
        Where along each axis of the image values begin, and how far apart they are. Nothing lies elsewhere: 0.
    complete : bool
        Whether each pixel has to have a value.
    """

    shape: tuple[int, ...]
    stored: tuple[int, ...]
    order: tuple[int, ...]
    flipped: tuple[bool, ...]
    start: tuple[int, ...]
    step: tuple[int, ...]
    complete: bool = True

    @property
    def whole(self) -> tuple[int, ...]:
        """Number of pixels of the image along each axis of the world."""
        return _padded(self.shape, len(self.order))

    @property
    def turned(self) -> tuple[int, ...]:
        """Number of values along each axis of the world."""
        stored = _padded(self.stored, len(self.order))
        return tuple(stored[axis] for axis in self.order)

    @property
    def is_nothing(self) -> bool:
        """Whether values lie as they are stored."""
        return self.shape == self.stored and self.order == tuple(range(len(self.order))) and not any(self.flipped)

    @property
    def _filled(self) -> tuple[int, ...]:
        return tuple(s + (n - 1) * step + 1 for s, n, step in zip(self.start, self.turned, self.step, strict=True))

    @property
    def fits(self) -> bool:
        """Whether values lie within the image, and no pixel of it is beside them unless some are left out."""
        if self.complete:
            return self.turned == self.whole
        return min(self.start) >= 0 and all(end <= n for end, n in zip(self._filled, self.whole, strict=True))

    def of(self, values: np.ndarray, *, leading: int = 0) -> np.ndarray:
        """Return values (*leading, *stored, *trailing) as they lie over the image: (*leading, *shape, *trailing)."""
        import numpy as np

        if self.is_nothing:
            return values
        before, after = values.shape[:leading], values.shape[leading + len(self.stored) :]
        n = len(self.order)
        apart = values.reshape(*before, *_padded(self.stored, n), *after)
        order = (*range(leading), *(leading + axis for axis in self.order), *range(leading + n, apart.ndim))
        ends = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        turned = apart.transpose(order)[(slice(None),) * leading + ends]
        if self.turned != self.whole:
            place = tuple(slice(*each) for each in zip(self.start, self._filled, self.step, strict=True))
            empty = np.zeros((*before, *self.whole, *after), values.dtype)
            empty[(slice(None),) * leading + place] = turned
            turned = empty
        return turned.reshape(*before, *self.shape, *after)

    def window(self, window: Window) -> Window:
        """Return the window of the stored values that lie over a window of an image of their size."""
        n = len(self.order)
        parts = [*window, *(slice(0, 1) for _ in range(n - len(window)))]
        stored = [slice(0, 1)] * n
        for part, size, axis, flip in zip(parts, self.whole, self.order, self.flipped, strict=True):
            first, last, _ = part.indices(size)
            stored[axis] = slice(size - last, size - first) if flip else slice(first, last)
        return tuple(stored[: len(self.stored)])


class Turned(WindowSource):
    """A source of values as they lie over an image.

    Parameters
    ----------
    whole : Source
    turn : Turn
    """

    sweep = 0

    def __init__(self, whole: Source, turn: Turn) -> None:
        self.whole, self.turn = whole, turn
        self.shape: tuple[int, ...] = (*turn.shape, whole.shape[-1])
        self.dtype: np.dtype[Any] = whole.dtype
        blocks = _padded(tuple(whole.blocks), len(turn.order))
        self._is_part = turn.turned != turn.whole
        turned = tuple(blocks[axis] for axis in turn.order)[: len(turn.shape)]
        self.blocks: tuple[int, ...] = turn.shape if self._is_part else turned

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the values of a window of the image, and which are valid."""
        if self._is_part:  # which is small beside the image, or it would be cut out of it
            values, known = self.whole.read(everything(self.turn.stored))
            valid = None if known is None else self.turn.of(known)[window]
            return self.turn.of(values)[window], valid
        values, known = self.whole.read(self.turn.window(window))
        part = replace(self.turn, shape=_lengths(window, self.turn.shape), stored=values.shape[:-1])
        return part.of(values), None if known is None else part.of(known)


def turn_onto(image: Image, other: Image) -> Turn | None:
    """Find how another image lies over an image, as far as both say where they lie.

    Returns
    -------
    Turn or None
        Of the nearest order of axes and ends: whether pixels then lie at the same places is for the caller to compare,
        see `place_over`. None where one does not say where it lies, or is a time-lapse.
    """
    import numpy as np

    here, there = _affine(image), _affine(other)
    if here is None or there is None or here.shape != there.shape or image.time or other.time:
        return None
    n = len(here) - 1
    with np.errstate(all="ignore"):
        axes = [each[:n, :n] / np.linalg.norm(each[:n, :n], axis=0) for each in (here, there)]
        cosines = np.nan_to_num(axes[0].T @ axes[1])
        order = max(itertools.permutations(range(n)), key=lambda each: float(np.abs(cosines[range(n), each]).sum()))
        flipped = tuple(bool(cosines[axis, own] < 0) for axis, own in enumerate(order))
    turn = Turn(image.shape, other.shape, order, flipped, (0,) * n, (1,) * n)
    return _among(turn, here, _affine_over(turn, other)) if other.metadata.get(LEAVES_OUT_PLANES) else turn


def _affine_over(turn: Turn, other: Image) -> np.ndarray:
    """Return the affine from indices of turned values, or of the image that they lie over, to the world."""
    import numpy as np

    there = _affine(other)
    assert there is not None
    n = len(turn.order)
    from_turned = np.zeros((n + 1, n + 1))
    from_turned[n, n] = 1
    for axis, (own, flip, start, step) in enumerate(zip(turn.order, turn.flipped, turn.start, turn.step, strict=True)):
        from_turned[own, axis] = (-1 if flip else 1) / step
        from_turned[own, n] = (turn.turned[axis] - 1 if flip else 0) + (1 if flip else -1) * start / step
    with np.errstate(all="ignore"):  # of a place that no number can hold
        return np.asarray(there @ from_turned)


def _among(turn: Turn, here: np.ndarray, there: np.ndarray) -> Turn:
    """Return where planes that a file holds begin, and how far apart they are, in planes of the image."""
    import numpy as np

    with np.errstate(all="ignore"):
        inside = np.nan_to_num(np.linalg.pinv(here) @ there, posinf=0, neginf=0)
    start = tuple(int(each) for each in np.rint(inside[:-1, -1]))
    plane = turn.order.index(0)
    ratio = abs(float(inside[plane, plane]))
    far = max(1, round(ratio))
    usable = turn.turned[plane] > 1 and abs(ratio - far) * (turn.turned[plane] - 1) <= _ALONG_ONE_AXIS
    step = tuple(far if usable and axis == plane else 1 for axis in range(len(turn.order)))
    return replace(turn, start=start, step=step, complete=False)


def _affine(image: Image) -> np.ndarray | None:
    """Return the affine of a scan (4, 4), or of a map (3, 3), from indices to the centres of pixels in the world."""
    import numpy as np

    place = image.place
    if place is None:
        return None
    if place.affine3d is not None:
        return np.asarray(place.affine3d, float)
    matrix = place.matrix(image.ndim)
    return None if matrix is None else _moved(np.vstack([matrix, [0.0, 0.0, 1.0]]), 0.5)


def _moved(affine: np.ndarray, pixels: float) -> np.ndarray:
    """Return the affine (3, 3) of indices to which so much is added: those of maps are of the corners of pixels."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):  # a file may lie where no numbers are
        return np.asarray(affine @ np.array([[1, 0, pixels], [0, 1, pixels], [0, 0, 1]]))


def place_over(turn: Turn, other: Image) -> Place:
    """Return the place of values once they are turned, in the coordinate system that they have."""
    affine = _affine_over(turn, other)
    crs = None if other.place is None else other.place.crs
    if len(affine) == 4:
        return Place(affine3d=tuple(map(tuple, affine.tolist())), crs=crs)
    (b, a, c), (e, d, f), _ = _moved(affine, -0.5).tolist()
    return Place((a, b, c, d, e, f), crs)


def _padded(shape: tuple[int, ...], n: int) -> tuple[int, ...]:
    return (*shape, *[1] * (n - len(shape)))


def _lengths(window: Window, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(len(range(*part.indices(size))) for part, size in zip(window, shape, strict=True))
