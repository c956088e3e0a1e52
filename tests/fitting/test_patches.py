"""Patches: where they lie, and that shares are those of the image."""

import itertools

import numpy as np
import pytest
from noisy_images import blobs, noisy

import gmmseg
from gmmseg.fitting.patches import Layout


@pytest.mark.slow
def test_shares_of_a_masked_volume():
    """Patches of volumes: shares are those of the volume, though patches lie on valid voxels alone."""
    truth = blobs((48, 80, 80), 5)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in truth.shape), indexing="ij")
    mask = z**2 + y**2 + x**2 < 0.8
    found = gmmseg.segment(noisy(truth, 25), 3, channel_axis=None, mask=mask)
    assert (found.labels[mask] - 1 == truth[mask]).mean() > 0.95
    np.testing.assert_allclose(found.model.mixture.weights, np.bincount(truth[mask]) / mask.sum(), atol=0.04)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2000,), (500, 500), (3, 300, 300), (80, 90, 100), (1, 1, 5)])
def test_patches_lie_within_the_image(shape):
    n = int(np.prod(shape))
    layout = Layout.around(shape, np.arange(0, n, max(1, n // 500)), 1)
    assert layout.flat.min() >= 0
    assert layout.flat.max() < n
    assert len(layout.flat) == len(layout.usable) == len(layout.inner)
    assert (layout.inner <= layout.usable).all()
    filled = layout.filled(np.zeros((len(layout.flat), 1)), None)
    assert int(np.prod(filled.shape)) == len(layout.flat)
    parts = filled.parts(8)
    assert parts[0].start == 0
    assert parts[-1].stop == filled.shape[0]
    assert all(a.stop == b.start for a, b in itertools.pairwise(parts))
