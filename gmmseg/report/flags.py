"""Quality flags: what a person should look at before the classes are taken for what they seem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gmmseg.labelling.result import Segmentation
from gmmseg.report.text import percent

__all__ = ["Doubts", "flags_of"]

_SMALL_CLASS = 0.001
_UNSURE = 0.15
_UNUSUAL = 0.01
_NO_DATA = 0.5
_ROUNDING = 1e-6  # nats a pixel


@dataclass(frozen=True)
class Doubts:
    """What pixels say of the classes.

    Parameters
    ----------
    uncertainty : float
        Mean of the pixels shown that have data, 0 to 1.
    unusual : float
        Share of a sample of pixels that lie farther from all classes than one in a thousand of their own.
    no_data : float
        Share of the pixels shown that have no data.
    """

    uncertainty: float
    unusual: float
    no_data: float


def flags_of(found: Segmentation, doubts: Doubts, warnings: Sequence[str]) -> list[str]:
    """Return one line for each thing that is worth a look, and none where there is nothing.

    Parameters
    ----------
    found : Segmentation
    doubts : Doubts
    warnings : sequence of str
        What was said while the image was segmented; comes first, and is not said twice.
    """
    said = list(dict.fromkeys(warnings))
    own = [*_of_fit(found), *_of_classes(found), *_of_pixels(doubts)]
    return said + [each for each in dict.fromkeys(own) if each not in said]


def _of_fit(found: Segmentation) -> Iterable[str]:
    course = found.course
    if course is None:
        return
    if isinstance(course.k, int) and found.model.k < course.k:
        yield f"{course.k} classes were asked for, {found.model.k} were found: the image has no more to tell apart"
    if course.fit is None:
        return
    yield from map(str, course.fit.remarks)
    history = course.fit.history
    if any(after < before - _ROUNDING * max(1.0, abs(before)) for before, after in pairwise(history)):
        yield "the objective of the fit fell in between; its classes may not be the best ones"
    if not course.fit.converged:
        yield f"the fit had not settled after {len(history)} iterations; another k may suit the image better"


def _of_classes(found: Segmentation) -> Iterable[str]:
    for each in found.classes:
        if each.share < _SMALL_CLASS:
            share = percent(each.share) if each.share else "none"
            yield f"{each.name} has {share} of the pixels; a smaller k, or merging it, may be right"


def _of_pixels(doubts: Doubts) -> Iterable[str]:
    if doubts.no_data > _NO_DATA:
        yield f"{percent(doubts.no_data)} of the pixels have no data"
    if doubts.uncertainty > _UNSURE:
        yield f"classes overlap: the mean uncertainty of a pixel is {doubts.uncertainty:.2f}"
    if doubts.unusual > _UNUSUAL:
        yield f"{percent(doubts.unusual)} of the pixels are unlike every class (p < 0.001); look at the anomaly map"
