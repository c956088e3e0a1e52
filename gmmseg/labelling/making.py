"""How a rule becomes a segmentation: strokes part regions, labels are computed, and what is warned of is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gmmseg.effort import Effort
from gmmseg.errors import GmmsegWarning, heard, once
from gmmseg.image import Image
from gmmseg.labelling.result import Segmentation
from gmmseg.labelling.tiles import Rule
from gmmseg.records import replace

if TYPE_CHECKING:
    from gmmseg.mixture.em import Course
    from gmmseg.spatial.guidance import Guidance

__all__ = ["labelled"]


def labelled(
    image: Image, rule: Rule, effort: Effort, before: list[GmmsegWarning], course: Course | None = None
) -> Segmentation:
    """Return the classes of an image by a rule: of a picture in memory its labels are computed at once.

    Parameters
    ----------
    image : Image
    rule : Rule
        With the strokes as they were drawn.
    effort : Effort
    before : list of GmmsegWarning
        What was warned of while the rule was found; the segmentation holds what the image holds, that, and what is said
        from then on.
    course : Course, optional
        How the classes were found.
    """
    said = [*image.warnings, *before]
    found = Segmentation(image, rule, effort, course=course, warnings=said)
    with heard() as more:
        if rule.guidance is not None and rule.guidance.scribbles is not None:
            found = _with_strokes(found, rule.guidance, rule.guidance.scribbles)
        if image.in_memory:
            _ = found.labels  # now, while the caller waits for them
    said[:] = once([*said, *more])
    return found


def _with_strokes(found: Segmentation, guidance: Guidance, strokes: Any) -> Segmentation:
    """Return a segmentation whose regions are those that strokes tell, where these are of every class."""
    from gmmseg.model.sides import has_sides, settled  # here, because most runs have no strokes
    from gmmseg.spatial.sieve import untouched  # here, likewise

    model, given = found.model, guidance
    if has_sides(found.image, model, guidance):
        given = settled(found.image, model, guidance)
        found = replace(found, rule=replace(found.rule, guidance=given))
    if model.memberships is not None and model.strength > 0 and model.recipe.has_position:
        ruled_out = untouched(found.labels, strokes, model.k)
        if ruled_out is not None:
            found = replace(found, rule=replace(found.rule, guidance=replace(given, ruled_out=ruled_out)))
    return found
