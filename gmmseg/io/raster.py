"""Rasters that GDAL reads, through rasterio."""

from __future__ import annotations

from pathlib import Path

__all__ = ["knows", "owns"]


def knows(path: Path) -> bool:
    """Whether GDAL can open a file of which nothing else is known."""
    return False


def owns(path: Path) -> bool:
    """Whether a TIFF file is to be read by GDAL."""
    return False
