"""Tables of classes."""

import numpy as np
import pytest
from skimage.measure import shannon_entropy

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning, ParameterError
from gmmseg.image.place import Place
from gmmseg.measuring import class_table


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (60, 50))
    pixels = rng.integers(0, 200, (60, 50, 2)) + 10 * labels[..., None]
    return labels, pixels.astype(np.uint16)


def test_every_number_is_that_of_numpy(scene):
    labels, pixels = scene
    image = Image(pixels, spacing=(0.5, 2.0), place=Place(unit="um"), channel_names=("DAPI", "GFP"))
    table = class_table(labels, image, class_names=("a", "b"))
    assert table["label"].tolist() == [1, 2, 3]
    assert table["name"].tolist() == ["a", "b", "class 3"]
    for row in table.rows():
        inside = labels == row["label"]
        assert row["pixels"] == inside.sum()
        assert row["share"] == pytest.approx(inside.sum() / (labels > 0).sum())
        assert row["area_um2"] == pytest.approx(inside.sum())
        for channel, name in enumerate(image.channel_names):
            values = pixels[inside, channel].astype(float)
            assert row[f"{name}_mean"] == pytest.approx(values.mean())
            assert row[f"{name}_std"] == pytest.approx(values.std())
            for p in (5, 25, 50, 75, 95):
                assert row[f"{name}_p{p}"] == pytest.approx(np.percentile(values, p))
            assert row[f"{name}_entropy"] == pytest.approx(shannon_entropy(values))


def test_windows_do_not_matter(scene, monkeypatch):
    labels, pixels = scene
    image = Image(pixels)
    whole = class_table(labels, image)
    monkeypatch.setattr("gmmseg.measuring.class_tables._TILE", 170)
    for name, column in class_table(labels, image).items():
        if column.dtype != object:
            np.testing.assert_allclose(column, whole[name], rtol=1e-12)


def test_means_of_large_numbers_keep_their_digits():
    values = 1e9 + np.arange(12.0).reshape(3, 4)
    table = class_table(np.ones((3, 4), int), Image(values))
    assert table["intensity_std"][0] == pytest.approx(np.arange(12).std(), rel=1e-6)


def test_what_is_missing_does_not_count():
    values = np.array([[1.0, np.nan, 3.0], [5, 6, 7]], np.float32)
    with pytest.warns(DataWarning, match="1 pixels are NaN"):
        image = Image.from_array(values, mask=[[1, 1, 1], [1, 1, 0]])
    table = class_table([[1, 1, 1], [2, 2, 2]], image, class_names=("a", "b", "c"))
    assert table["pixels"].tolist() == [3, 3, 0]
    np.testing.assert_allclose(table["intensity_mean"], [2, 5.5, np.nan])
    assert table["share"].tolist() == [0.5, 0.5, 0]


def test_soft_sums(scene):
    labels, pixels = scene
    soft = np.random.default_rng(1).dirichlet([1, 1, 1], labels.shape).transpose(2, 0, 1)
    image = Image(pixels, spacing=(2.0, 3.0), place=Place(unit="mm"))
    table = class_table(labels, image, probabilities=soft, channels=False)
    np.testing.assert_allclose(table["pixels_soft"], soft.sum((1, 2)))
    np.testing.assert_allclose(table["area_mm2_soft"], 6 * soft.sum((1, 2)))
    assert "band 1_mean" not in table


def test_a_volume_in_millilitres_of_a_segmentation():
    truth = np.indices((10, 12, 14)).sum(0) > 17
    image = Image.from_array(np.float32(truth) * 50 + 100, channel_axis=None)
    place = Place(affine3d=tuple(np.diag([1, 2, 2.5, 1])), unit="mm")
    placed = Image(image.array, spacing=(1.0, 2.0, 2.5), place=place)
    found = gmmseg.segment(placed, 2, smooth=False)
    np.testing.assert_allclose(found.table()["volume_ml"], np.bincount(truth.ravel()) * 5 / 1000)
    assert found.table(soft=True)["volume_ml_soft"].sum() == pytest.approx(truth.size * 5 / 1000)


def test_what_does_not_fit_is_refused(scene):
    labels, pixels = scene
    with pytest.raises(ParameterError, match=r"labels have shape \(3, 3\)"):
        class_table(np.ones((3, 3), int), Image(pixels))
    with pytest.raises(ParameterError, match="one map a class"):
        class_table(labels, Image(pixels), probabilities=np.ones((2, 60, 50)))


def test_probabilities_stay_as_they_are():
    soft = np.array([[[0.5, np.nan]], [[0.5, 0.5]]])
    soft.setflags(write=False)
    table = class_table([[1, 2]], Image(np.zeros((1, 2, 1))), probabilities=soft, channels=False)
    assert table["pixels_soft"].tolist() == [0.5, 1.0]
    assert np.isnan(soft).sum() == 1


def test_each_frame_has_rows_of_all_classes():
    labels = np.array([[[1, 1, 2]], [[0, 1, 1]], [[3, 2, 2]]], np.uint8)
    values = labels * 10.0
    image = Image(values[..., None], spacing=(0.5, 2.0), place=Place(unit="um"), time=True)
    soft = np.stack([labels == number for number in (1, 2, 3)]) * 0.5
    table = class_table(labels, image, class_names=("a", "b"), by_frame=True, probabilities=soft)
    assert table["frame"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert table["label"].tolist() == [1, 2, 3] * 3
    assert table["name"].tolist() == ["a", "b", "class 3"] * 3
    assert table["pixels"].tolist() == table["area_um2"].tolist() == [2, 1, 0, 2, 0, 0, 0, 2, 1]
    np.testing.assert_allclose(table["share"], [2 / 3, 1 / 3, 0, 1, 0, 0, 0, 2 / 3, 1 / 3])
    assert table["pixels_soft"].tolist() == [1, 0.5, 0, 1, 0, 0, 0, 1, 0.5]
    np.testing.assert_array_equal(table["intensity_mean"], [10, 20, np.nan, 10, np.nan, np.nan, np.nan, 20, 30])
    assert class_table(labels, image)["pixels"].tolist() == [4, 3, 1]
    with pytest.raises(ParameterError, match="image has no frames; by_frame=True"):
        class_table(labels[0], Image.from_array(values[0]), by_frame=True)
