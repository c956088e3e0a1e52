"""The picture and its classes as the page shows them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.web import preview as module
from gmmseg.web.preview import Preview, described
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


@pytest.mark.parametrize("bias_field", [False, True])
def test_histograms_are_of_what_the_gaussians_are_of(tmp_path, bias_field):
    values = np.random.default_rng(0).normal(np.where(np.indices((90, 120))[1] // 20 % 2, 180, 90), 4)
    Pillow.fromarray((values * np.linspace(0.4, 1.0, 120)).astype(np.uint8)).save(tmp_path / "a.png")
    found = Preview(tmp_path / "a.png").segment(Work({"k": 2, "bias_field": bias_field}))
    (feature,) = described(found)["features"]
    low, high, density = feature["low"], feature["high"], np.array(feature["density"])
    middles = low + (np.arange(len(density)) + 0.5) * (high - low) / len(density)
    mean = (density * middles).sum() / density.sum()
    assert mean == pytest.approx(np.dot(feature["weights"], feature["means"]), rel=0.02)
    spread = np.sqrt((density * (middles - mean) ** 2).sum() / density.sum())
    expected = np.dot(feature["weights"], np.square(feature["deviations"]) + np.square(feature["means"] - mean))
    assert spread == pytest.approx(np.sqrt(expected), rel=0.05)


def test_layers_are_bytes(pictures):
    preview = Preview(pictures / "coins.png")
    found = preview.segment(Work({"k": 2}))
    assert preview.layer(found, "labels") == found.labels.tobytes()
    unsure = np.frombuffer(preview.layer(found, "uncertainty"), np.uint8).reshape(found.labels.shape)
    assert np.abs(unsure / 255 - found.uncertainty).max() < 0.003
    assert len(preview.layer(found, "anomaly")) == found.labels.size
    soft = np.frombuffer(preview.layer(found, "soft"), np.uint8).reshape(found.probabilities.shape)
    assert np.abs(soft / 255 - found.probabilities).max() < 0.003


def test_soft_masks_are_of_fewer_pixels_where_there_are_many(pictures, monkeypatch):
    preview = Preview(pictures / "coins.png")
    found = preview.segment(Work({"k": 3}))
    monkeypatch.setattr("gmmseg.web.preview._MOST_SOFT", 3 * found.labels.size // 5)  # a step of three
    soft = np.frombuffer(preview.layer(found, "soft"), np.uint8)
    few = found.probabilities[:, ::3, ::3]
    assert np.abs(soft.reshape(few.shape) / 255 - few).max() < 0.003


def test_a_constant_picture_has_a_histogram(tmp_path):
    Pillow.new("L", (20, 10), 7).save(tmp_path / "a.png")
    with pytest.warns(gmmseg.GmmsegWarning):
        found = Preview(tmp_path / "a.png").segment(Work({"k": 2}))
    assert described(found)["features"][0]["high"] > 7


@pytest.fixture
def scan(tmp_path):
    """A bright ball in a volume of thick slices."""
    nibabel = pytest.importorskip("nibabel", reason="volumes are NIfTI here")
    x, y, z = np.mgrid[:30, :24, :10]
    inside = (x - 15) ** 2 + (y - 12) ** 2 + (3 * (z - 5)) ** 2 < 60
    values = np.where(inside, 200, 50) + np.random.default_rng(0).integers(-5, 6, inside.shape)
    nibabel.save(nibabel.Nifti1Image(np.float32(values), np.diag([1.0, 1, 3, 1])), tmp_path / "scan.nii.gz")
    return tmp_path / "scan.nii.gz"


def test_volumes_are_shown_as_cuts(scan):
    preview = Preview(scan)
    found = preview.segment(Work({"k": 2}), whole=True)
    np.testing.assert_array_equal(found.labels, gmmseg.segment(scan, 2).labels)
    assert preview.described(found)["shape"] == list(preview.shape) == [24 + 4 + 30, 30 + 4 + 30]
    at = (15, 12, 5)
    labels = np.frombuffer(preview.layer(found, "labels", at), np.uint8).reshape(preview.shape)
    np.testing.assert_array_equal(labels, preview.cuts.laid(found.labels, at))
    assert len(preview.layer(found, "anomaly", at)) == labels.size
    kind, seen = preview.picture(at)[1], np.asarray(Pillow.open(io.BytesIO(preview.picture(at)[0])))
    assert kind == "image/png"
    assert seen[labels == 2].min() > seen[labels == 1].max()


def test_a_large_volume_is_tried_on_a_smaller_copy(scan, monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 1500)
    preview = Preview(scan)
    assert preview.small.shape == (12, 12, 10)
    assert preview.small.spacing == (2.5, 2.0, 3.0)
    found = preview.segment(Work({"k": 2}))
    assert preview.described(found)["shape"] == list(preview.shape)
    whole = preview.segment(Work({"k": 2}), whole=True)
    alike = np.frombuffer(preview.layer(found, "labels", (15, 12, 5)), np.uint8) == np.frombuffer(
        preview.layer(whole, "labels", (15, 12, 5)), np.uint8
    )
    assert alike.mean() > 0.9


def test_the_volume_itself_is_a_layer_as_its_cuts_lie(scan, monkeypatch):
    preview = Preview(scan)
    found = preview.segment(Work({"k": 3}), whole=True)
    grid = preview.described(found)["grid"]
    assert grid == list(preview.image.shape)
    shape = [grid[axis] for axis in preview.cuts.order]
    labels = np.frombuffer(preview.layer(found, "volume"), np.uint8).reshape(shape)
    np.testing.assert_array_equal(labels, preview.cuts.whole(found.labels, 256))
    monkeypatch.setattr(module, "_DEEP", 7)
    assert len(preview.layer(found, "volume")) == np.prod([min(7, each) for each in grid])


def test_a_picture_is_no_volume(pictures):
    preview = Preview(pictures / "coffee.png")
    with pytest.raises(ParameterError, match=r"coffee\.png is no volume"):
        preview.layer(preview.segment(Work({"k": 2})), "volume")


def test_images_over_time_are_refused(monkeypatch):
    monkeypatch.setattr(module, "open_image", lambda path, how: Image(np.zeros((2, 5, 6, 1)), False, time=True))
    with pytest.raises(InputError, match="2 x 5 x 6 pixels; the page shows pictures and volumes"):
        Preview(Path("film.tif"))


def test_classes_that_no_pixel_is_of_are_told_where_each_should_have_some(tmp_path):
    y, x = np.mgrid[:300, :400]
    levels = 800 + 600 * ((x - 200) ** 2 + (y - 150) ** 2 < 6400) + 1500 * ((x - 90) ** 2 + (y - 70) ** 2 < 900)
    noisy = levels + np.random.default_rng(1).normal(0, 60, x.shape)
    preview = Preview(Image.from_array(noisy.astype(np.uint16)))
    found = preview.segment(Work({"k": 4}))
    empty = [each.label for each in found.classes if not each.share]
    assert len(empty) == 1  # of two discs on a ground
    said = f"no pixel is of class {empty[0]}: fewer than 4 classes can be told apart; use a smaller k"
    assert preview.described(found)["warnings"] == [{"text": said, "place": None}]
    assert preview.described(found, [])["warnings"] == []  # the model is of other images as well
    assert preview.described(preview.segment(Work({"k": 3})))["warnings"] == []
