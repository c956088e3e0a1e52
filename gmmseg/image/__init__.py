"""Images: pixels, where they lie, and which of them are used."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: help is shown without images
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.image.image import Image as Image

_HOMES = {"Image": "gmmseg.image.image"}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)
