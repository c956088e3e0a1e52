"""A page in the browser to work on an image, and the log of what was done to it."""

from __future__ import annotations

TYPE_CHECKING = False  # what typing calls so, without the 10 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from gmmseg.web.replaying import replay_commands as replay_commands
    from gmmseg.web.viewing import view as view
    from gmmseg.web.viewing import view_images as view_images
    from gmmseg.web.viewing import view_segmentation as view_segmentation

_HOMES = {
    "replay_commands": "gmmseg.web.replaying",
    "view": "gmmseg.web.viewing",
    "view_images": "gmmseg.web.viewing",
    "view_segmentation": "gmmseg.web.viewing",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name where it is first used: the help of commands needs none."""
    from gmmseg.extras import loaded  # here, because the face of a package loads nothing by itself

    return loaded(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
