"""Images in, label maps, probabilities and pictures out; formats are found by content and by suffix."""

from __future__ import annotations

from gmmseg.io.reading import read, read_info, read_labels, read_probabilities
from gmmseg.io.writing import (
    check_target,
    write_labels,
    write_layer,
    write_map,
    write_probabilities,
    write_rgb,
    write_windows,
)

__all__ = [
    "check_target",
    "read",
    "read_info",
    "read_labels",
    "read_probabilities",
    "write_labels",
    "write_layer",
    "write_map",
    "write_probabilities",
    "write_rgb",
    "write_windows",
]
