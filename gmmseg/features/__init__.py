"""From an image to planes of features, such as lightness and position, by a recipe that can be typed: "lab,xy"."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: help is shown without recipes
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.features.recipe import Recipe as Recipe

__all__ = ["Recipe"]


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'gmmseg.features' has no attribute {name!r}")
    from gmmseg.features.recipe import Recipe  # here, see above

    return Recipe
