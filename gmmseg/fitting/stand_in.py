"""What a fit sees in place of an image: integers that it is a copy of, and blocks of pixels where it was enlarged."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gmmseg.features import Recipe
from gmmseg.fitting.options import FitOptions
from gmmseg.fitting.quantized import quantized
from gmmseg.image import Image
from gmmseg.model import Model
from gmmseg.records import replace
from gmmseg.spatial.grain import Grain, grain_of, put_together

__all__ = ["StandIn"]

_OF_WHITE = {"lab", "luv", "hsv", "hed", "texture", "xy"}  # that are the same of colours as floats and as integers
_STRAIGHT = {"rgb", "gray", "intensity", "bands", "xy"}  # that move with the numbers, or are no matter of them

Seen = Callable[[Image, Recipe], None]


class StandIn(NamedTuple):
    """What a fit sees in place of an image.

    Parameters
    ----------
    image : Image
        What is fitted to.
    whole : Image
        What was asked for.
    blocks : Image, optional
        Of its pixels, in its own numbers, where it was enlarged.
    grain : Grain, optional
        How it was.
    offset, step : float
        Its features are `offset + step * feature` of what is fitted to.
    """

    image: Image
    whole: Image
    blocks: Image | None = None
    grain: Grain | None = None
    offset: float = 0.0
    step: float = 1.0

    @classmethod
    def of(cls, image: Image, options: FitOptions) -> StandIn:
        """Return what a fit with these options sees.

        What is drawn, and the gain and the fractions of pixels, are of single pixels, and of no blocks. How a picture
        was enlarged has to be known in its own numbers too.
        """
        own = cls(image, image)
        fitted = _as_integers(own, options) or own
        by_pixels = options.hints.given or options.has_field or options.partial_volume
        grain = None if by_pixels else grain_of(fitted.image)
        if grain is None:
            return fitted
        if not fitted.same_units and (known := grain_of(image)) != grain:
            fitted, grain = own, known
        if grain is None:
            return own
        blocks = put_together(image, grain)
        seen = blocks if fitted.image is image else put_together(fitted.image, grain)
        return fitted._replace(image=seen, blocks=blocks, grain=grain)

    @property
    def same_units(self) -> bool:
        """Whether what is fitted to has the features of what was asked for."""
        return (self.offset, self.step) == (0, 1)

    def told(self, seen: Seen | None) -> Seen | None:
        """Return what is to be called with the image and the recipe: it hears of the image in its own numbers."""
        return seen if seen is None or self.same_units else lambda _, recipe: seen(self.whole, recipe)

    def returned(self, model: Model) -> Model:
        """Return a model of what is fitted to as one of what was asked for."""
        model = model if self.grain is None else replace(model, grain=self.grain)
        return model if self.same_units else model.moved(self.step, self.step * model.center + self.offset)


def _as_integers(own: StandIn, options: FitOptions) -> StandIn | None:
    """Return the integers that an image is a copy of, where all that is asked for is the same of them."""
    image = own.image
    if image.pixels.dtype.kind != "f":
        return None
    features = set((options.recipe or Recipe.default(image)).features)
    of_white = image.color and features <= _OF_WHITE
    if image.color and not (of_white or features <= _STRAIGHT):
        return None
    found = quantized(image)
    if found is None or of_white or (found.offset, found.step) == (0, 1):
        return found and own._replace(image=found.image)
    # Warnings name numbers of maps and scans, and a gain is of what is above 0.
    moves = features <= _STRAIGHT and image.place is None and not image.time
    if not moves or (options.has_field and found.offset):
        return None
    return own._replace(image=found.image, offset=found.offset, step=found.step)
