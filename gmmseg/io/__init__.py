"""Images in, label maps, probabilities and pictures out; formats are found by content and by suffix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gmmseg.extras import lazily

if TYPE_CHECKING:
    from gmmseg.io.label_maps import read_labels as read_labels
    from gmmseg.io.reading import read as read
    from gmmseg.io.reading import read_info as read_info
    from gmmseg.io.reading import read_probabilities as read_probabilities
    from gmmseg.io.writing import check_target as check_target
    from gmmseg.io.writing import write_labels as write_labels
    from gmmseg.io.writing import write_layer as write_layer
    from gmmseg.io.writing import write_map as write_map
    from gmmseg.io.writing import write_probabilities as write_probabilities
    from gmmseg.io.writing import write_rgb as write_rgb
    from gmmseg.io.writing import write_windows as write_windows

_HOMES = {
    "check_target": "gmmseg.io.writing",
    "read": "gmmseg.io.reading",
    "read_info": "gmmseg.io.reading",
    "read_labels": "gmmseg.io.label_maps",
    "read_probabilities": "gmmseg.io.reading",
    "write_labels": "gmmseg.io.writing",
    "write_layer": "gmmseg.io.writing",
    "write_map": "gmmseg.io.writing",
    "write_probabilities": "gmmseg.io.writing",
    "write_rgb": "gmmseg.io.writing",
    "write_windows": "gmmseg.io.writing",
}

__all__ = [*_HOMES]

__getattr__, __dir__ = lazily(__name__, _HOMES)
