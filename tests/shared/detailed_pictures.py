"""Pictures with detail of all sizes, as photographs have it, and enlarged ones, which have none of single pixels."""

import cv2
import numpy as np


def made(rng, shape=(90, 110), channels=3):
    """A picture of smooth fields with edges, and detail of all sizes."""
    noise = sum(
        cv2.GaussianBlur(rng.normal(0, 1, (*shape, channels)), None, size) * size**0.9 for size in (0.4, 1, 2, 4, 8)
    )
    edges = 40 * (cv2.GaussianBlur(rng.normal(0, 1, shape), None, 6) > 0)[..., None]
    return np.clip(110 + 12 * noise + edges, 0, 255).astype(np.uint8)


def enlarged(pixels, how=cv2.INTER_CUBIC):
    return cv2.resize(pixels, None, fx=2, fy=2, interpolation=how)
