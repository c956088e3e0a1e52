"""From an image to planes of features, such as lightness and position, by a recipe that can be typed: "lab,xy"."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: help is shown without recipes
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.features.recipe import Recipe as Recipe

_HOMES = {"Recipe": "gmmseg.features.recipe"}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)
