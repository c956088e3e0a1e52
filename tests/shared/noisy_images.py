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


def patchwork(rng, shape, channels, dtype):
    """Pixels of three classes in rectangles, of any number of channels; a volume where the shape has three axes."""
    truth = np.add.outer(np.arange(shape[0]) // 23, np.arange(shape[1]) // 31) % 3
    if len(shape) == 3:
        truth = np.repeat(truth[..., None], shape[2], axis=2)
    means = rng.uniform(60, 200, (3, channels))
    values = means[truth] + rng.normal(0, 12, (*shape, channels))
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    return np.clip(values * (1 if dtype == "uint8" else 100), 0, np.iinfo(dtype).max).astype(dtype)


def stripes():
    """Three stripes of nearly the same colours, and which stripe a pixel is in."""
    rng = np.random.default_rng(0)
    truth = np.repeat([1, 2, 3], [30, 30, 40])[None, :].repeat(80, axis=0)
    levels = np.array([0, 90, 120, 200])
    return (levels[truth] + rng.normal(0, 12, truth.shape)).clip(0, 255).astype(np.uint8), truth


def few_photons(light, ground, seed=0):
    """Discs of several heights, about `light`, on an even ground, in counted photons; and where they are."""
    rng, (rows, columns) = np.random.default_rng(seed), np.indices((256, 256))
    expected = np.zeros((256, 256))
    for y in range(32, 256, 64):
        for x in range(32, 256, 64):
            inside = (rows - y) ** 2 + (columns - x) ** 2 < rng.uniform(12, 18) ** 2
            expected[inside] = light * np.exp(rng.normal(0, 0.5))
    return rng.poisson(ground + gaussian_filter(expected, 1.5)).astype(np.uint8), expected > 0
