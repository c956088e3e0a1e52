"""Bias fields that nobody asked for: which scans may have a gain, and whether classes are told apart better without.

A gain blurs classes, so without it they overlap less. What else varies from place to place in a class (another tissue,
another mixture of two) can be taken for a gain; divided by that, other classes are blurred.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gmmseg.arrays import Array
from gmmseg.image import Image
from gmmseg.mixture.parameters import Mixture

if TYPE_CHECKING:
    from gmmseg.fitting.shading import Shading

__all__ = ["LEAST", "is_clearer", "is_confirmed", "may_be_uneven"]

LEAST = 0.1
"""Logarithm of a ratio of gains, between the 5 % of voxels where they are least and greatest: a smaller one is left."""

_MOST_CHANNELS = 4
# Hounsfield units: air has -1000, and is outside of bodies and in them. No other scan has many numbers like these.
_HOUNSFIELD, _AIR = -200, 0.01
# Air around a body, whose noise no gain brightens, is taken for classes under an uneven one: numbers below this part of
# the greatest (but for 1 %), and the share of voxels from which on they are air.
_DARK, _SURROUNDED = 0.1, 0.15
# Expected share of voxels in the wrong class: what is left of it without the field, and what may be left at all. On
# labelled brains of 1 and 2 mm with noise of a tenth to half of the step between tissues, the ratio is .95 and more
# without a gain, .8 to .9 under gains that cost less than .01 of Dice, .3 to .8 where they cost more. From
# a seventh on, fields of wrong classes have small ratios too.
_LEFT, _MOST_WRONG = 0.8, 0.15
# Of the gain's size, by which that found with one class more may differ. On labelled brains with noise up to a sixth
# of the step between tissues, and as many classes as tissues, .03 to .65; where two tissues are one class the field
# follows where which of them is, and .7 to 1.1 change.
_OTHERWISE = 2 / 3
_KEPT = 0.5  # of the smallest share of a class: classes that a field swallows overlap no more


def may_be_uneven(image: Image, values: Array) -> bool:
    """Whether an image is a volume of a scanner that may have a gain, without the air around what was scanned.

    That is of magnetic resonance, or of a kind that it does not say, but not in Hounsfield units: CT is calibrated.

    Parameters
    ----------
    image : Image
    values : ndarray, shape (n, n_channels)
        Of voxels that hold data.
    """
    if not image.is_scan or image.ndim != 3 or image.time or image.color or not image.in_memory:
        return False
    if image.n_channels > _MOST_CHANNELS:
        return False
    modality = image.metadata.get("modality")
    if modality and modality != "MR":
        return False
    known = np.nan_to_num(values)
    dark = known < _DARK * np.percentile(known, 99, axis=0)
    if dark.mean(axis=0).max() > _SURROUNDED:
        return False
    pixels = image.array
    return bool(modality) or pixels.dtype.kind == "u" or float(np.mean(pixels < _HOUNSFIELD)) < _AIR


def is_clearer(without: Mixture, evened: Mixture) -> bool:
    """Whether classes of an image without its bias field are told apart so much better that it is worth taking out."""
    wrong = evened.expected_error()
    kept = evened.weights.min() >= _KEPT * without.weights.min()
    return bool(kept) and wrong < _MOST_WRONG and wrong < _LEFT * without.expected_error()


def is_confirmed(shading: Shading, other: Shading | None) -> bool:
    """Whether a bias field found with one class more is nearly the same, as that of a coil is."""
    return other is not None and shading.apart(other) < _OTHERWISE * shading.size
