"""One pass over an image that is not in memory: windows are looked at, and single pixels taken, by who reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.pixels import Taken
from gmmseg.image.sources import Frame, Overheard
from gmmseg.image.windows import Window
from gmmseg.records import dataclass

__all__ = ["each_window", "take_and_look"]


def each_window(
    image: Image,
    function: Callable[[Any], Any],
    windows: Sequence[Window],
    *,
    jobs: Sequence[Any] | None = None,
    around: int = 0,
) -> Iterable[Any]:
    """Call a function with windows of an image where these are read: in workers, where the image has some.

    Parameters
    ----------
    image : Image
    function : callable
        Takes a window; it may read that and `around` pixels on each side, of this image alone.
    windows : sequence of tuple of slice
    jobs : sequence, optional
        What the function takes in their stead, one a window.
    around : int

    Returns
    -------
    iterable
        What the function returns, in the order of the windows.
    """
    source, given = image.pixels, windows if jobs is None else jobs
    if image.in_memory:
        return map(function, given)
    from gmmseg.io.lazy import called_lazily, lazy_arrays  # here, because most images are in memory

    if lazy_arrays(source) and not isinstance(source, Frame):
        return called_lazily(image, function, windows, jobs=given, around=around)
    called: Callable[..., Iterable[Any]] = getattr(
        source, "called", map
    )  # the file of a cluster has its workers called
    return called(function, given)


def take_and_look(
    image: Image, requests: Sequence[Array], look: Callable[[Image], Any], told: Callable[[Any], None]
) -> list[Taken]:
    """Take single pixels as `take_each` does, and look at every window on the way; the image is read once.

    Parameters
    ----------
    image : Image
        Not in memory.
    requests : sequence of ndarray of int, shape (n,)
        Flat indices that each asker wants, in any order.
    look : callable
        Takes each window, in memory; what it returns may have to be sent.
    told : callable
        Takes what was returned of each window, in their order.

    Returns
    -------
    list of Taken
        One a request.
    """
    kept = image.pixels if isinstance(image.pixels, Overheard) else None
    wanted = [*requests, *([] if kept is None else [kept.flat])]
    flat = np.concatenate(wanted)
    index, windows = np.stack(np.unravel_index(flat, image.shape)), image.windows()
    values, valid = np.empty((len(flat), image.n_channels), image.pixels.dtype), np.ones(len(flat), bool)
    places = [_in_window(index, window) for window in windows]
    jobs = [
        (window, index[:, here] - [[s.start] for s in window]) for window, here in zip(windows, places, strict=True)
    ]
    for here, (some, usable, found) in zip(
        places, each_window(image, _Glance(image, look), windows, jobs=jobs), strict=True
    ):
        values[here], valid[here] = some, True if usable is None else usable
        told(found)
    answers, first, all_valid = [], 0, bool(valid.all())
    for each in wanted:
        own = slice(first, first + len(each))
        answers.append(Taken(each, values[own], None if all_valid else valid[own]))
        first = own.stop
    if kept is not None:
        kept.keep(answers[-1].values, answers[-1].valid)
    return answers[: len(requests)]


def _in_window(index: Array, window: Window) -> Array:
    starts, stops = ([[getattr(s, name)] for s in window] for name in ("start", "stop"))
    return np.flatnonzero(((index >= starts) & (index < stops)).all(axis=0))


@dataclass(frozen=True, eq=False)
class _Glance:
    """What is done with each window."""

    image: Image
    look: Callable[[Image], Any]

    def __call__(self, job: tuple[Window, Array]) -> tuple[Array, Array | None, Any]:
        window, local = job
        crop, place = self.image.crop(window), tuple(local)
        return crop.array[place].copy(), None if crop.valid is None else crop.valid[place], self.look(crop)
