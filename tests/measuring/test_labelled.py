"""Label maps and what they are of."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, io
from gmmseg.errors import InputError, ParameterError
from gmmseg.image.place import Place
from gmmseg.measuring.labelled import read_labelled


@pytest.fixture
def labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return np.arange(20, dtype=np.uint8).reshape(4, 5) % 3


def test_the_place_is_that_of_the_label_map(labels):
    place = Place(unit="um")
    image = Image(labels[..., None], spacing=(0.5, 0.25), place=place)
    io.write_labels("x.tif", labels, image=image)
    found, where = read_labelled(Path("x.tif"))
    np.testing.assert_array_equal(found, labels)
    assert where.shape == (4, 5)
    assert (where.spacing is None) == (io.read("x.tif").spacing is None)


def test_a_palette_is_no_colour(labels):
    io.write_labels("x.png", labels)
    found, where = read_labelled(Path("x.png"))
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(where.array[..., 0], labels)


def test_images_give_pixels_and_the_labels_may_give_the_size(labels):
    nibabel = pytest.importorskip("nibabel")
    volume = np.stack([labels, labels])
    nibabel.Nifti1Image(volume, np.diag([2, 3, 4, 1])).to_filename("x.nii")
    np.save("one.npy", volume.astype(np.float32))
    np.save("two.npy", volume.astype(np.float32) * 2)
    _, where = read_labelled(Path("x.nii"), [Path("one.npy"), Path("two.npy")], channel_axis=None)
    assert where.n_channels == 2
    assert sorted(where.spacing) == [2, 3, 4]
    assert gmmseg.measuring.class_table(volume, where)["volume_ml"].sum() == pytest.approx((volume > 0).sum() * 0.024)


def test_other_shapes_and_places_are_refused(labels):
    io.write_labels("x.png", labels)
    np.save("y.npy", np.zeros((5, 5)))
    with pytest.raises(InputError, match=r"x.png has shape \(4, 5\), but y.npy has shape \(5, 5\)"):
        read_labelled(Path("x.png"), [Path("y.npy")])
    nibabel = pytest.importorskip("nibabel")
    for name, shift in (("a.nii", 0), ("b.nii", 30)):
        affine = np.eye(4)
        affine[2, 3] = shift
        nibabel.Nifti1Image(np.ones((4, 5, 6), np.uint8), affine).to_filename(name)
    with pytest.raises(InputError, match=r"a.nii lies elsewhere than b.nii"):
        read_labelled(Path("a.nii"), [Path("b.nii")])


def test_time_is_no_depth(labels):
    frames = np.stack([labels, labels, 2 - labels])
    image = Image.from_array(frames, axes="TYX")
    io.write_labels("t.ome.tif", frames, image=dataclasses.replace(image, spacing=(0.5, 0.25), place=Place(unit="um")))
    found, where = read_labelled(Path("t.ome.tif"))
    assert where.time
    table = gmmseg.measuring.class_table(found, where, channels=False)
    np.testing.assert_allclose(table["area_um2"], table["pixels"] * 0.125)
    by_frame = gmmseg.measuring.class_table(found, where, channels=False, by_frame=True)
    assert by_frame["frame"].tolist() == [1, 1, 2, 2, 3, 3]


def test_volumes_over_time(labels):
    frames = np.stack([np.stack([labels, 2 - labels]), np.stack([labels, labels]), np.stack([labels, labels * 0])])
    image = Image(frames[..., None], spacing=(2, 0.5, 0.5), place=Place(unit="um"), time=True)
    for name in ("t.ome.tif", "t.zarr"):
        io.write_labels(name, frames, image=image)
        found, where = read_labelled(Path(name))
        np.testing.assert_array_equal(found, frames)
        assert (where.time, where.spacing) == (True, (2, 0.5, 0.5))
    with pytest.raises(ParameterError, match="fewer than a minimum size"):
        gmmseg.measuring.find_objects(found == 1, where, min_size=100)


def test_all_corners_and_the_system_count(labels):
    pytest.importorskip("rasterio")
    square = np.ones((10, 10), np.uint8)
    north = Place((10.0, 0, 0, 0, 10.0, 0), "EPSG:32632", unit="m")
    for name, place in (
        ("a.tif", north),
        ("sheared.tif", Place((10.0, 2.0, 0, 0, 10.0, 0), "EPSG:32632", unit="m")),
        ("zone.tif", Place(north.affine, "EPSG:32633", unit="m")),
    ):
        io.write_labels(name, square, image=Image(square[..., None], place=place))
    for name in ("sheared.tif", "zone.tif"):
        with pytest.raises(InputError, match="a.tif"):
            read_labelled(Path(name), [Path("a.tif")])
    read_labelled(Path("a.tif"), [Path("a.tif")])
