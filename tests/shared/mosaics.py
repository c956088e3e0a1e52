"""A scene whose labels depend on what lies around a window."""

import numpy as np


def made_scene():
    """Fields of three bands with noise, calm at the left and restless at the right: (256, 320, 3), uint8."""
    rng = np.random.default_rng(4)
    fields = np.kron(rng.integers(0, 3, (16, 20)), np.ones((16, 16), int))
    means = np.array([[60, 80, 90], [90, 85, 140], [120, 130, 70]])
    noise = rng.normal(0, 1, (*fields.shape, 3)) * np.linspace(8, 40, fields.shape[1])[None, :, None]
    return np.clip(means[fields] + noise, 0, 255).astype(np.uint8)
