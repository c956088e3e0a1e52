"""Who works on pictures, OpenCV or, where it has no wheels, its twin in NumPy, SciPy and Pillow."""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["opencv", "with_opencv"]


@cache
def opencv() -> Any:
    """Return the module cv2, or `gmmseg.image.opencv_twin`, which has the functions of it that are used.

    OpenCV has wheels for most systems, but none for musl, Windows on ARM and browsers.
    """
    try:
        import cv2
    except ImportError:
        from gmmseg.image import opencv_twin  # here, because nearly everybody has OpenCV

        return opencv_twin
    return cv2


def with_opencv() -> bool:
    """Whether it is OpenCV that works."""
    return bool(opencv().__name__ == "cv2")
