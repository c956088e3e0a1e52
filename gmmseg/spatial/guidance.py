"""Guidance: what a person or an atlas says of single pixels before the mixture does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.errors import ParameterError
from gmmseg.image import Image

__all__ = ["Guidance"]

_NEVER = -1e6  # log prior of the classes that a scribble rules out: finite, and beyond any density
_LARGEST = 1e30  # sums of so many as there are classes, and products with logarithms, are finite in float32
_NEAR = 0.1  # of an image: nearer to its frame strokes are not told apart
_DOUBT = 1e-6  # a map that says 0 says that the class is this improbable


@dataclass(frozen=True, eq=False)
class Guidance:
    """Scribbles, which decide the class of some pixels, and prior probability maps, which weigh with the colours.

    Parameters
    ----------
    scribbles : ndarray of uint8, shape (*spatial), optional
        1 to k where the class of a pixel is given, 0 where it is free.
    maps : ndarray of float32, shape (k, *spatial), optional
        Prior probabilities of the classes, summing to 1.
    weight : float
        Power of the maps; 1 takes them as they are, 0 not at all.
    ruled_out : ndarray of uint8, shape (*spatial), optional
        The class that a pixel is not of, where one is known not to be; 0 elsewhere.
    names : tuple of str
        Of the classes 1, 2, ..., where scribbles come with names.
    """

    scribbles: Array | None = None
    maps: Array | None = None
    weight: float = 1.0
    ruled_out: Array | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, image: Image, k: int, scribbles: ArrayLike | None, maps: ArrayLike | None, weight: float
    ) -> Guidance | None:
        """Check what a caller gives for an image; None where that is nothing.

        Raises
        ------
        ParameterError
            A shape is not the image's, a scribble's class is above k, maps are not k, negative or no numbers.
        """
        if scribbles is None and maps is None:
            return None
        try:
            power = float(weight)
        except (TypeError, ValueError, OverflowError):
            power = math.nan
        if not 0 <= power <= _LARGEST:
            raise ParameterError(f"prior_weight={weight!r} is not usable; use a number from 0 to {_LARGEST:g}")
        return cls(
            None if scribbles is None else _checked_scribbles(image, k, np.asarray(scribbles)),
            None if maps is None else _checked_maps(image, k, maps),
            power,
        )

    def log_prior(self, k: int, where: tuple[Any, ...]) -> Array:
        """Logarithms of the prior probabilities (k, n), float32, of the pixels of a window or of single indices.

        They are relative to maps that say the same of all classes, which so change nothing, not even for outliers. Of
        a class above those of the maps these say nothing.
        """
        if self.maps is None:
            assert self.scribbles is not None
            out = np.zeros((k, self.scribbles[where].size), np.float32)
        else:
            n_maps = len(self.maps)
            chosen = self.maps[(slice(None), *where)].reshape(n_maps, -1)
            out = np.zeros((k, chosen.shape[1]), np.float32)
            out[:n_maps] = np.float32(self.weight) * np.log(n_maps * np.maximum(chosen, np.float32(_DOUBT)))
        if self.ruled_out is not None:
            without = self.ruled_out[where].ravel()
            pixels = np.flatnonzero(without)
            out[without[pixels].astype(np.intp) - 1, pixels] = _NEVER
        if self.scribbles is not None:
            strokes = self.scribbles[where].ravel()
            drawn = np.flatnonzero(strokes)
            out[:, drawn] = _NEVER
            out[strokes[drawn].astype(np.intp) - 1, drawn] = 0
        return np.ascontiguousarray(out, np.float32)

    def classes(self, where: tuple[Any, ...]) -> Array:
        """Class (n,) that is given for the pixels at these indices, from 1; 0 where none is."""
        if self.maps is None:
            assert self.scribbles is not None
            return np.asarray(self.scribbles[where].ravel())
        chosen = self.maps[(slice(None), *where)].reshape(len(self.maps), -1)
        likely = np.where(chosen.max(axis=0) > 0.5, chosen.argmax(axis=0) + 1, 0).astype(np.uint8)
        if self.scribbles is None:
            return likely
        strokes = self.scribbles[where].ravel()
        return np.where(strokes > 0, strokes, likely)

    def outermost(self) -> int:
        """Return the class around the others, of k that all have strokes: widely spread, and near the frame.

        Their spread alone takes a background with strokes on one side of an object for the object: in 13 of 386
        photographs, and with the distance from the frame in 5.

        Examples
        --------
        >>> strokes = np.zeros((40, 40), np.uint8)
        >>> strokes[20, 10:34], strokes[2, 14:26] = 1, 2
        >>> Guidance(strokes).outermost()
        2
        """
        assert self.scribbles is not None
        around = []
        for number in range(1, int(self.scribbles.max()) + 1):
            found = np.nonzero(self.scribbles == number)
            place = np.stack([(along + 0.5) / n for along, n in zip(found, self.scribbles.shape, strict=True)])
            inward = float(np.minimum(place, 1 - place).min(axis=0).mean())
            around.append(math.sqrt(float(place.var(axis=1).sum())) / max(inward, _NEAR))
        return len(around) - int(np.argmax(around[::-1]))


def _checked_scribbles(image: Image, k: int, scribbles: Array) -> Array:
    if scribbles.dtype.kind not in "bui":
        raise ParameterError(f"scribbles have dtype {scribbles.dtype}; give a label map, 0 where a pixel is free")
    if scribbles.shape != image.shape:
        raise ParameterError(
            f"scribbles have shape {scribbles.shape}, but {image.name} has shape {image.shape}; give one label a pixel"
        )
    low, high = int(scribbles.min(initial=0)), int(scribbles.max(initial=0))
    if low < 0 or high > k:
        raise ParameterError(f"scribbles have labels from {low} to {high}, but k={k}; use 0 to k, or a larger k")
    return scribbles.astype(np.uint8, copy=False)


def _checked_maps(image: Image, k: int, maps: ArrayLike) -> Array:
    given = np.asarray(maps)
    if given.dtype.kind not in "buif":
        found, remedy = f"has dtype {given.dtype}", "give one map a class"
        if given.dtype == object:
            found, remedy = f"is a {type(maps).__name__}", "gmmseg.Prior is of GaussianMixture"
        raise ParameterError(
            f"prior {found}, but here it is a map of probabilities (k, *spatial), {(k, *image.shape)}; {remedy}"
        )
    if given.shape != (k, *image.shape):
        raise ParameterError(
            f"prior has shape {given.shape}, but {image.name} and k={k} need {(k, *image.shape)}: one map a class"
        )
    with np.errstate(over="ignore"):
        values = given.astype(np.float32)
    if not ((values >= 0) & (values <= _LARGEST)).all():
        raise ParameterError(f"prior has negative numbers, NaN, or numbers above {_LARGEST:g}; give probabilities")
    total = values.sum(axis=0)
    values /= np.where(total > 0, total, 1)
    values[:, total == 0] = 1 / k  # nothing is known there
    return values
