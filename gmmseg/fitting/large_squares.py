"""Large squares of images, in which objects are seen from side to side, and which frames of time-lapses have some."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from gmmseg.arrays import Array
from gmmseg.features import Recipe
from gmmseg.fitting.busiest import busiest_squares
from gmmseg.fitting.patches import SQUARES, Patches
from gmmseg.fitting.sampling import Sample, have_rims, planes_at
from gmmseg.fitting.scene import Scene
from gmmseg.image import Image
from gmmseg.image.pixels import Taken, take_each
from gmmseg.records import replace

__all__ = ["LargeSquares", "Place"]

_SEEN = 64  # images whose large squares are looked at, of more
# Frames of a time-lapse that are looked at, and pixels of one. A million pixels of 64 frames took up to the time of all
# else (48 frames of 256 x 256 pixels); of 40 made films the masks are as good as with these, by means of Dice of .0003.
_FRAMES = 4
_OF_FRAME = {2: (1 << 15, 1), 3: (SQUARES, 2)}  # pixels of all squares of one, and how many are looked at, by its axes


class Place(NamedTuple):
    """Which of several images this is, or the frame of a time-lapse.

    Parameters
    ----------
    image : int
        Its number, or that of the time-lapse, from 0.
    n_frames : int
        1 where it is no time-lapse.
    """

    image: int
    n_frames: int


class _Frame(NamedTuple):
    """A frame of a time-lapse, how much its pixels differ, and what its squares are made with."""

    spread: float
    image: Image
    recipe: Recipe
    variation: Array


class LargeSquares:
    """The large squares of images, and of some frames of time-lapses.

    Parameters
    ----------
    k : int
        Number of classes that they are for.
    n_images : int
        That they are asked of, a time-lapse being one; 0 where none are.
    """

    def __init__(self, k: int, n_images: int) -> None:
        self._k, self._n_images = k, n_images
        self._scenes: list[Scene] = []
        self._frames: list[_Frame] = []  # of the time-lapse that is gone through

    def pixels(self, place: Place) -> int:
        """How many pixels are taken with the sample of an image; none of most where there are many, nor of frames."""
        return self._pixels(place.image) if place.n_frames == 1 else 0

    def add(self, image: Image, place: Place, recipe: Recipe, sample: Sample, variation: Array) -> None:
        """Add those of an image, where its sample has some; or a frame, of which some are looked at after the last."""
        if place.n_frames == 1:
            if sample.squares is not None:
                taken = Taken(sample.squares.flat, sample.squares.values, None)
                features = planes_at(image, recipe, sample, taken, 1)
                self._scenes.append(_scene(image, recipe, sample.squares, features, variation))
        elif self._pixels(place.image):
            spread = float(sample.planes[0].var(dtype=np.float64))
            self._frames.append(_Frame(spread, image, recipe, variation))

    def end(self) -> None:
        """Look at frames of a time-lapse that was gone through, of each quarter at one.

        Of every other quarter it is the one whose pixels differ most, as objects may be in few frames; of the others
        the middle one, as a lamp that flickers makes the same objects higher.
        """
        frames, self._frames = self._frames, []
        if not frames or not have_rims(frames[0].image, frames[0].recipe, self._k):
            return
        most, number = _OF_FRAME[frames[0].image.ndim]
        parts = min(_FRAMES, len(frames))
        edges = [i * len(frames) // parts for i in range(parts + 1)]
        for i, (first, last) in enumerate(itertools.pairwise(edges)):
            ordered = sorted(frames[first:last], key=lambda each: each.spread)
            _, image, recipe, variation = ordered[-1 if i % 2 else len(ordered) // 2]
            layout = busiest_squares(image, most, number)
            (taken,) = take_each(image, [layout.flat])
            features = recipe.planes_of(image, taken.values, taken.flat)
            patches = layout.filled(taken.values, taken.valid)
            self._scenes.append(_scene(image.without_pixels(), recipe, patches, features, variation))

    def scaled(self, center: Array, scale: Array) -> tuple[Scene, ...]:
        """Return all of them, scaled, as far as they are of the size of the first ones."""
        sides = [(scene.patches.depth, *scene.patches.shape[1:]) for scene in self._scenes]
        return tuple(
            replace(scene, center=center, scale=scale)
            for scene, own in zip(self._scenes, sides, strict=True)
            if own == sides[0]
        )

    def _pixels(self, number: int) -> int:
        n = self._n_images
        return 0 if not n or number % -(-n // _SEEN) else SQUARES // min(n, _SEEN)


def _scene(image: Image, recipe: Recipe, patches: Patches, features: Array, variation: Array) -> Scene:
    d = len(features)
    return Scene(image, recipe, patches, features, np.zeros(d), np.ones(d), variation)
