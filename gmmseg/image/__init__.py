"""Images: pixels, where they lie, and which of them are used."""

from __future__ import annotations

TYPE_CHECKING = False  # as in gmmseg itself: help is shown without images
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.image.image import Image as Image

__all__ = ["Image"]


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'gmmseg.image' has no attribute {name!r}")
    from gmmseg.image.image import Image  # here, see above

    return Image
