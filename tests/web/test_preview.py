"""The picture and its classes as the page shows them."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import InputError
from gmmseg.web import preview as module
from gmmseg.web.preview import Preview, described, layer
from gmmseg.web.work import Work


def test_the_whole_is_what_segment_gives(pictures):
    found = Preview(pictures / "coffee.png").segment(Work({"k": 3, "smooth": 0.4}), whole=True)
    expected = gmmseg.segment(pictures / "coffee.png", 3, smooth=0.4)
    np.testing.assert_array_equal(found.labels, expected.labels)
    shares = [each["share"] for each in described(found)["classes"]]
    assert shares == [each.share for each in expected.classes]


def test_a_large_picture_is_tried_on_a_smaller_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 1500)
    values = np.full((100, 150, 3), 30, np.uint8)
    values[:, 75:] = 220
    Pillow.fromarray(values).save(tmp_path / "a.png")
    preview = Preview(tmp_path / "a.png")
    assert not preview.complete
    found = preview.segment(Work({"k": 2}))
    assert found.labels.shape == (32, 47)
    assert (found.labels[:, :23] == 1).all()
    assert (found.labels[:, 25:] == 2).all()


def test_strokes_guide_the_smaller_copy_too(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 1500)
    values = np.full((100, 150, 3), 30, np.uint8)
    values[:, 75:] = 220
    Pillow.fromarray(values).save(tmp_path / "a.png")
    strokes = tuple(
        {"do": "stroke", "class": label, "size": 6, "points": [[x, 10], [x, 90]]} for label, x in ((1, 120), (2, 20))
    )
    labels = Preview(tmp_path / "a.png").segment(Work({"k": 2}, strokes)).labels
    assert (labels[:, :20] == 2).all()
    assert (labels[:, 28:] == 1).all()


def test_the_picture_is_the_image(pictures):
    content, kind = Preview(pictures / "coffee.png").picture()
    assert kind == "image/png"
    np.testing.assert_array_equal(Pillow.open(io.BytesIO(content)), Pillow.open(pictures / "coffee.png"))


def test_histograms_and_gaussians_have_one_scale(pictures):
    found = Preview(pictures / "coins.png").segment(Work({"k": 2}))
    (feature,) = described(found)["features"]
    step = (feature["high"] - feature["low"]) / len(feature["density"])
    assert sum(feature["density"]) * step == pytest.approx(1, abs=0.01)
    assert sum(feature["weights"]) == pytest.approx(1, abs=1e-4)
    assert feature["means"] == sorted(feature["means"])


def test_layers_are_bytes(pictures):
    found = Preview(pictures / "coins.png").segment(Work({"k": 2}))
    assert layer(found, "labels") == found.labels.tobytes()
    unsure = np.frombuffer(layer(found, "uncertainty"), np.uint8).reshape(found.labels.shape)
    assert np.abs(unsure / 255 - found.uncertainty).max() < 0.003
    assert len(layer(found, "anomaly")) == found.labels.size


def test_a_constant_picture_has_a_histogram(tmp_path):
    Pillow.new("L", (20, 10), 7).save(tmp_path / "a.png")
    with pytest.warns(gmmseg.GmmsegWarning):
        found = Preview(tmp_path / "a.png").segment(Work({"k": 2}))
    assert described(found)["features"][0]["high"] > 7


def test_volumes_are_refused(tmp_path):
    np.save(tmp_path / "volume.npy", np.zeros((5, 6, 7)))
    with pytest.raises(gmmseg.GmmsegError):
        Preview(tmp_path / "volume.npy")
    nibabel = pytest.importorskip("nibabel", reason="volumes are NIfTI here")
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 6, 7), np.float32), np.eye(4)), tmp_path / "volume.nii")
    with pytest.raises(InputError, match="the page shows pictures of two axes"):
        Preview(tmp_path / "volume.nii")
