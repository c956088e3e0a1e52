"""Single pixels of an image: those that somebody asks for, and samples that are evenly spread and chosen at random."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.image.windows import shape_of

__all__ = [
    "ENOUGH",
    "MOST_LOOKS",
    "Taken",
    "one_in_each_run",
    "places_alike",
    "sample_and_take",
    "sample_pixels",
    "take_each",
]

ENOUGH = 0.9  # of the pixels that were asked for
MOST_LOOKS = 64  # pixels looked at for one that is asked for


class Taken(NamedTuple):
    """Pixels that were asked for: what an image answers.

    Parameters
    ----------
    flat : ndarray of int, shape (n,)
        Indices into the flattened spatial axes.
    values : ndarray, shape (n, n_channels)
    valid : ndarray of bool, shape (n,), optional
        None where all are.
    """

    flat: Array
    values: Array
    valid: Array | None

    @property
    def only_valid(self) -> Taken:
        """Those that hold data."""
        return self if self.valid is None else Taken(self.flat[self.valid], self.values[self.valid], None)


def take_each(image: Image, requests: Sequence[Array]) -> list[Taken]:
    """Read the pixels that several askers want in one pass over the image, and give each asker its own.

    Parameters
    ----------
    image : Image
    requests : sequence of ndarray of int, shape (n,)
        Flat indices that each asker wants, in any order.

    Returns
    -------
    list of Taken
        One a request.

    Examples
    --------
    >>> image = Image.from_array(np.uint8([[10, 20], [30, 40]]))
    >>> [taken.values.ravel().tolist() for taken in take_each(image, [np.array([3, 0]), np.array([1])])]
    [[40, 10], [20]]
    """
    if len(requests) == 1 or image.in_memory:
        return [Taken(flat, *image.take(flat)) for flat in requests]
    values, valid = image.take(np.concatenate(requests))
    answers, first = [], 0
    for flat in requests:
        own = slice(first, first + len(flat))
        answers.append(Taken(flat, values[own], None if valid is None else valid[own]))
        first = own.stop
    return answers


def sample_pixels(image: Image, count: int | None, rng: np.random.Generator) -> Taken:
    """Choose about `count` valid pixels, one at random in each of runs of equal length; all if None or fewer.

    They are in the order of their indices. Where many pixels are not valid, more runs are taken in a second look, up to
    64 times as many.
    """
    return sample_and_take(image, count, rng, ())[0]


def sample_and_take(
    image: Image,
    count: int | None,
    rng: np.random.Generator,
    others: Sequence[Array],
    take: Callable[[Image, Sequence[Array]], list[Taken]] | None = None,
) -> tuple[Taken, list[Taken]]:
    """Choose pixels as `sample_pixels` does, and take those that others want in the same pass over the image.

    Parameters
    ----------
    image : Image
    count : int or None
    rng : numpy.random.Generator
    others : sequence of ndarray of int, shape (n,)
        Flat indices of the pixels that each of the others wants, valid or not.
    take : callable, optional
        Takes pixels as `take_each` does, in that pass.

    Returns
    -------
    sample : Taken
        Valid pixels, in the order of their indices.
    others : list of Taken
        One for each of the others.
    """
    n = image.n_pixels
    wanted = n if count is None else min(count, n)
    if wanted == n and image.in_memory and take is None:  # ten times as fast as by the index of each
        return _every(image), take_each(image, others) if others else []
    found, *further = (take or take_each)(image, [one_in_each_run(n, wanted, rng), *others])
    kept = len(found.flat) if found.valid is None else int(np.count_nonzero(found.valid))
    if wanted < n and kept < ENOUGH * wanted:
        wanted = min(n, MOST_LOOKS * wanted, -(-wanted * wanted // max(kept, 1)))
        (found,) = take_each(image, [one_in_each_run(n, wanted, rng)])
    found = found.only_valid
    if wanted < n and not len(found.flat):  # the few that there are may lie between those that were looked at
        (found,) = take_each(image, [_valid(image)[: n if count is None else count]])
    return found, further


def _every(image: Image) -> Taken:
    """All valid pixels of an image in memory."""
    values = image.array.reshape(image.n_pixels, image.n_channels)
    if image.valid is None:
        return Taken(np.arange(image.n_pixels), values, None)
    flat = np.flatnonzero(image.valid)
    return Taken(flat, values.take(flat, axis=0), None)


def _valid(image: Image) -> Array:
    """Flat indices of all valid pixels."""
    found = [np.zeros(0, np.intp)]
    for window in image.windows():
        valid = image.crop(window).valid
        if valid is None or valid.any():
            inside = np.nonzero(np.ones(shape_of(window), bool) if valid is None else valid)
            place = [index + s.start for index, s in zip(inside, window, strict=True)]
            found.append(np.ravel_multi_index(place, image.shape))
    return np.sort(np.concatenate(found))


def one_in_each_run(n: int, count: int, rng: np.random.Generator) -> Array:
    """Return `count` of the numbers from 0 to n - 1, ascending: one at random in each of runs of equal length."""
    if count >= n:
        return np.arange(n)
    first, place = np.arange(count + 1, dtype=np.int64), rng.random(count)
    first *= n  # in place, because memory that is new takes longer than what is done with it
    first //= count
    place *= np.diff(first)
    first[:-1] += place.astype(np.int64)
    return first[:-1]


@lru_cache(maxsize=8)  # images of a batch often are of one size
def places_alike(shape: tuple[int, ...], count: int) -> Array:
    """Return flat indices of about `count` pixels at the same places of images of any size, some of them twice.

    Their first part is spread as evenly as all of them, and they are alike from both ends of each axis. They follow the
    additive sequence of lowest discrepancy of Roberts (2018), mirrored. They are read-only.

    Examples
    --------
    >>> np.unravel_index(places_alike((100, 100), 4), (100, 100))
    (array([12, 12, 87, 87]), array([ 3, 96,  3, 96]))
    """
    ndim = len(shape)
    ratio = 2.0
    for _ in range(64):  # to the root of x^(ndim + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (ndim + 1))
    number = np.arange(1, 1 + -(-count // 2**ndim))
    near = [
        np.minimum(((0.5 + number * ratio ** -(axis + 1)) % 1 * n / 2).astype(np.int64), (n - 1) // 2)
        for axis, n in enumerate(shape)
    ]
    ends = itertools.product(*((along, n - 1 - along) for along, n in zip(near, shape, strict=True)))
    flat = np.stack([np.ravel_multi_index(place, shape) for place in ends], axis=1).ravel()
    flat.flags.writeable = False
    return flat
