"""Images of three noisy regions, of every kind."""

import numpy as np

CASES = {
    "picture": ({}, (90, 110, 3)),
    "grey": ({"features": "intensity,xy"}, (90, 110)),
    "volume": ({"channel_axis": None}, (14, 40, 36)),
    "bands": ({"channel_axis": 0, "covariance": "diag"}, (5, 60, 70)),
}


def scene(case, dtype=np.uint8, noise=18):
    """Options and an image of three noisy regions."""
    options, shape = CASES[case]
    rng = np.random.default_rng(2)
    spatial = {"picture": shape[:2], "bands": shape[1:]}.get(case, shape)
    region = (np.indices(spatial).sum(axis=0) * 3 // (sum(spatial) - 1)).clip(0, 2)
    region = region[..., None] if case == "picture" else region
    return options, (40 + 70 * region + rng.normal(0, noise, shape)).clip(0, 255).astype(dtype)


def holes(shape):
    mask = np.random.default_rng(0).random(shape) < 0.9
    mask[..., : shape[-1] // 5] = False
    return mask


def spatial(case, image):
    return {"picture": image.shape[:2], "bands": image.shape[1:]}.get(case, image.shape)


def outputs(segmentation):
    return (segmentation.labels, segmentation.probabilities, segmentation.log_density)
