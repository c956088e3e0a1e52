"""Images of three classes in blobs, with noise and uneven light."""

import numpy as np
from scipy.ndimage import gaussian_filter

LEVELS = np.array([50.0, 100.0, 150.0])


def blobs(shape, scale, seed=0):
    """A map of three classes of equal shares, of blobs of about this size."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), scale)
    return np.searchsorted(np.quantile(field, [1 / 3, 2 / 3]), field)


def noisy(labels, noise, seed=1, gain=1.0):
    levels = LEVELS[labels] * gain
    return (levels + np.random.default_rng(seed).normal(0, noise, labels.shape)).astype(np.float32)


def gains(shape):
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape[-2:]), indexing="ij")
    logarithm = 0.5 * x + 0.3 * y - 0.3 * x * y
    return np.exp(np.broadcast_to(logarithm - logarithm.mean(), shape))


def accuracy(segmentation, truth):
    return (segmentation.labels - 1 == truth).mean()
