"""Frames of one value around a picture, as turning, registering or stitching it leaves: nothing was measured there.

The value is far below all that was, so of two classes the wide one takes it: the objects get the frame, from beyond the
even ground, and are the wider for it. Where that is so classes are fitted to what is inside, and the frame becomes a
component of the darkest one. Where the frame is a class by itself it stays one, and the others are fitted without it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.mixture.parameters import Mixture
from gmmseg.model import Model
from gmmseg.records import replace

__all__ = ["Frame"]

_CORNERS = 2  # at least, that a frame has
_LEAST, _MOST = 0.005, 0.5  # of the pixels: more is what a picture is of
_IN_LINE = 0.99  # of the pixels of the value, from which a straight line leads outside: dark things inside are few
_FLOOR = 2  # per cent of the pixels inside that may be darker: those on the frame's border are interpolated
_FAR = 2.0  # distances from there to the median, by which the value is darker
_WITHIN = 3.0  # deviations of the frame from its value to the floor, so that interpolated pixels are of it


class _Place(NamedTuple):
    """The class that a frame is of, from 0, and whether that is of nothing else."""

    of: int
    alone: bool


class Frame(NamedTuple):
    """A frame of one value around a picture of one channel.

    Parameters
    ----------
    inside : ndarray of bool, shape (rows, columns)
    levels : ndarray, shape (n, 1)
        Its value, then of those inside the even percentiles.
    """

    inside: Array
    levels: Array

    @classmethod
    def of(cls, image: Image) -> Frame | None:
        """Find it in a picture; None where there is none, as around a ground that is nearly as dark.

        Maps, scans and pictures with a mask say themselves what is no data.
        """
        said = image.place is not None or image.valid is not None
        if said or not image.in_memory or image.ndim != 2 or image.time or image.n_channels > 1:
            return None
        values = image.array[..., 0]
        corners = values[[0, 0, -1, -1], [0, -1, 0, -1]]
        value = corners.min()
        if np.count_nonzero(corners == value) < _CORNERS:
            return None
        inside = values != value
        share = 1 - np.count_nonzero(inside) / inside.size
        if not _LEAST <= share <= _MOST or values.min() < value or _in_line(~inside) < _IN_LINE * share * inside.size:
            return None
        levels = np.percentile(values[inside], np.arange(_FLOOR, 100, 2), method="nearest")
        below, around = float(levels[0]) - float(value), float(levels[len(levels) // 2]) - float(levels[0])
        return cls(inside, np.append(value, levels)[:, None]) if below > _FAR * around > 0 else None

    def place_in(self, image: Image, model: Model) -> _Place | None:
        """Return which class the frame is of; None where that is as it should be, the class of the darkest inside.

        Of two classes one may be all that is inside: where that is one thing, nothing tells two from noise.
        """
        own, *others = self._labels(image, model)
        alone = own not in others
        return None if own == others[0] or (alone and model.k < 3) else _Place(own, alone)

    def added_to(self, model: Model, image: Image, place: _Place) -> Model:
        """Return a model of what is inside with the frame as a component: of its darkest class, or of a new one."""
        mixture, k = model.mixture, model.mixture.n_components
        planes = (self._planes(image, model) - model.center[:, None]) / model.scale[:, None]
        value, floor = planes[0, :2].tolist()
        share = 1 - np.count_nonzero(self.inside) / self.inside.size
        dense = mixture.family.dense(mixture.covariances, k, 1)
        frame = np.full((1, 1, 1), ((floor - value) / _WITHIN) ** 2)
        joined = Mixture(
            np.append((1 - share) * mixture.weights, share),
            np.append(mixture.means, [[value]], axis=0).astype(mixture.means.dtype),
            np.append(dense, frame, axis=0).astype(mixture.means.dtype),
            "full",
        )
        memberships = np.eye(k) if model.memberships is None else model.memberships
        memberships = np.append(memberships, np.zeros((len(memberships), 1)), axis=1)
        row = place.of if place.alone else self._labels(image, model)[1]
        if place.alone:
            memberships = np.insert(memberships, row, 0, axis=0)
        memberships[row, -1] = 1
        return replace(model, mixture=joined, memberships=memberships)

    def _planes(self, image: Image, model: Model) -> Array:
        return model.recipe.planes_of(image, self.levels, np.zeros(len(self.levels), np.intp))

    def _labels(self, image: Image, model: Model) -> list[int]:
        """Classes of the levels, from 0."""
        planes = self._planes(image, model)
        out = np.empty((model.k, planes.shape[1]), np.float32)
        model.posterior(planes, out)
        return [int(label) for label in out.argmax(axis=0)]


def _in_line(outside: Array) -> int:
    """How many pixels are outside, and all others up to one of the four sides too, along their row or column."""
    found = np.zeros_like(outside)
    for axis in (0, 1):
        for step in (1, -1):
            turned = np.moveaxis(outside, axis, 0)[::step]
            np.moveaxis(found, axis, 0)[::step] |= np.logical_and.accumulate(turned, axis=0)
    return int(np.count_nonzero(found))
