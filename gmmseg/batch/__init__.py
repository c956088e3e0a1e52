"""Many images: what is to be done with each, doing it in processes that may die, and a manifest of what was done."""

from __future__ import annotations

from gmmseg.batch.processing import process

__all__ = ["process"]
