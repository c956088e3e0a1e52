"""How unusual a pixel is under a model, and models that allow for outliers."""

import numpy as np
import pytest

import gmmseg


@pytest.fixture(scope="module")
def scene():
    """Three stripes of nearly the same colours, and which stripe a pixel is in."""
    rng = np.random.default_rng(0)
    truth = np.repeat([1, 2, 3], [30, 30, 40])[None, :].repeat(80, axis=0)
    levels = np.array([0, 90, 120, 200])
    return (levels[truth] + rng.normal(0, 12, truth.shape)).clip(0, 255).astype(np.uint8), truth


def test_anomaly_is_a_p_value(scene, pictures):
    image, _ = scene
    odd = image.copy()
    odd[50:54, 50:54] = 255
    seg = gmmseg.segment(odd, 3, outliers="uniform")
    assert np.median(seg.anomaly[50:54, 50:54]) < 1e-3
    usual = np.delete(seg.anomaly, np.s_[50:54], axis=0)
    assert 0.3 < np.median(usual) < 0.7
    assert (usual < 0.01).mean() < 0.03
    masked = gmmseg.segment(image, 3, mask=np.arange(100) < 50 * np.ones((80, 1)))
    assert np.isnan(masked.anomaly[:, 50:]).all()


@pytest.mark.parametrize("kind", ["uniform", "student"])
def test_outliers_are_kept_with_the_model(scene, tmp_path, kind):
    image, _ = scene
    seg = gmmseg.segment(image, 3, outliers=kind)
    seg.model.save(tmp_path / "m.json")
    back = gmmseg.load_model(tmp_path / "m.json")
    again = gmmseg.apply(back, image)
    np.testing.assert_array_equal(again.labels, seg.labels)
    np.testing.assert_array_equal(again.log_density, seg.log_density)
    assert np.isfinite(seg.log_density).all()
