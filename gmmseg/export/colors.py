"""The palette of classes, for exports; label maps written by `gmmseg.io` use the same."""

from __future__ import annotations

from gmmseg.io.palette import palette

__all__ = ["palette"]
