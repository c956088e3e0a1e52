"""Label maps with everything that outlines have to cope with."""

import numpy as np
from scipy import ndimage

# Holes that touch the outside, another hole or the frame at a corner, an island in a hole, holes one above the other.
CRAFTED = np.array(
    [
        [1, 1, 1, 0, 2, 2, 2, 2, 2],
        [1, 3, 1, 0, 2, 1, 1, 1, 2],
        [1, 1, 3, 0, 2, 1, 3, 1, 2],
        [0, 0, 0, 0, 2, 1, 1, 1, 2],
        [1, 1, 1, 1, 2, 2, 2, 2, 2],
        [1, 0, 1, 1, 2, 3, 2, 3, 2],
        [1, 1, 0, 1, 2, 2, 3, 2, 2],
        [1, 1, 1, 1, 2, 3, 2, 2, 2],
        [3, 1, 1, 1, 2, 2, 2, 2, 3],
    ],
    np.uint8,
)


def smooth_labels(shape, k, *, seed=0, sigma=2.0):
    """Classes 1 to k in patches."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return (1 + np.digitize(noise, np.quantile(noise, np.arange(1, k) / k))).astype(np.uint8)
