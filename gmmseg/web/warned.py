"""Warnings as the page and the widget show them: their text, and where in the image they are about a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gmmseg.errors import GmmsegWarning
from gmmseg.image import Image

__all__ = ["warned"]


def warned(warnings: Iterable[GmmsegWarning], seen: Sequence[int], image: Image) -> list[dict[str, Any]]:
    """Return warnings for JSON, each once: "text" and "place", an index of the whole image, or None.

    Parameters
    ----------
    warnings : iterable of GmmsegWarning
        Of the image, or of a smaller copy of it.
    seen : sequence of int
        Shape of what the warnings are of.
    image : Image
        Its name, which stands on the page already, is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmseg.errors import DataWarning
    >>> photo = Image.from_array(np.zeros((100, 200)), name="photo.png")
    >>> warned([DataWarning("photo.png: look at {place}", (3, 4))], (10, 20), photo)
    [{'text': 'look at row 35, column 45', 'place': [35, 45]}]
    """
    whole = image.shape
    placed = (each if each.place is None else each.at(_middle(each.place, seen, whole)) for each in warnings)
    return [
        {"text": text.removeprefix(f"{image.name}: "), "place": None if each.place is None else list(each.place)}
        for text, each in {str(each): each for each in placed}.items()
    ]


def _middle(place: Sequence[int], seen: Sequence[int], whole: Sequence[int]) -> list[int]:
    """Return the pixel of the image in the middle of one of the copy."""
    return [(2 * at + 1) * n // (2 * few) for at, few, n in zip(place, seen, whole, strict=True)]
