"""A page in the browser to work on an image, and the log of what was done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
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

__getattr__, __dir__ = lazily(__name__, _HOMES)
