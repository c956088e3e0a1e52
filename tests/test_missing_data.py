"""Images with gaps: bands or contrasts that are missing here and there."""

import numpy as np
import pytest

import gmmseg
from gmmseg import io


@pytest.mark.slow
def test_a_landsat_scene_with_gaps(pictures):
    """Stripes without data, each band at another place: the other bands decide."""
    scene = io.read(pictures / "L7_ETMs.tif")
    whole = gmmseg.segment(scene, 4, components=1)  # of pixels with gaps none is known to lie on a rim
    pixels = scene.array.astype(np.float32)
    rows = np.arange(scene.shape[0])
    for band in range(scene.n_channels):
        pixels[(rows + 3 * band) % 16 < 3, :, band] = np.nan
    gappy = gmmseg.Image.from_array(pixels, channel_axis=-1)
    seg = gmmseg.segment(gappy, 4, components=1)
    assert (seg.labels > 0).all()
    assert (seg.labels == whole.labels).mean() > 0.85
    np.testing.assert_allclose(seg.model.means, whole.model.means, rtol=0.1)
    assert np.isfinite(seg.log_density).all()
    np.testing.assert_allclose(seg.probabilities.sum(axis=0), 1, rtol=1e-5)


def test_a_brain_with_a_missing_contrast():
    """Two contrasts of which one lacks a third of the slices: there the other alone decides."""
    rng = np.random.default_rng(0)
    _, y, x = np.indices((12, 40, 40))
    radius = np.hypot(y - 20, x - 20)
    tissue = np.where(radius > 16, 1, np.where(radius > 9, 2, 3))
    t1 = np.array([0, 30, 80, 120])[tissue] + rng.normal(0, 8, tissue.shape)
    t2 = np.array([0, 150, 90, 60])[tissue] + rng.normal(0, 8, tissue.shape)
    t2[8:] = np.nan
    seg = gmmseg.segment(np.stack([t1, t2]).astype(np.float32), 3, channel_axis=0)
    assert (seg.labels > 0).all()
    assert (seg.labels == tissue).mean() > 0.99
    assert (seg.labels == tissue)[8:].mean() > 0.98
