"""Writing: what other libraries read of it, and what is refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import OutputError, ParameterError
from gmmseg.image import Image
from gmmseg.io import check_target, read, read_labels, write_labels, write_probabilities, write_rgb


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF", "a.npy", "a.npz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_labels_come_back(tmp_path, labels, name, dtype):
    factor = {1: 1, 2: 300, 4: 70000}[np.dtype(dtype).itemsize]
    numbers = labels.astype(dtype) * dtype(factor)
    if name == "a.png" and dtype == np.uint32:
        with pytest.raises(OutputError, match=r"65535.*\.tif"):
            write_labels(tmp_path / name, numbers)
        assert list(tmp_path.iterdir()) == []
        return
    write_labels(tmp_path / name, numbers)
    found = read_labels(tmp_path / name)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, numbers)


def test_own_palette(tmp_path, labels):
    colors = np.arange(18, dtype=np.uint8).reshape(6, 3)
    write_labels(tmp_path / "a.png", labels, palette=colors)
    with Pillow.open(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), colors[labels])
    with pytest.raises(ParameterError, match="3 colours.*largest label is 5"):
        write_labels(tmp_path / "b.png", labels, palette=colors[:3])


def test_same_bytes_each_time(tmp_path, labels):
    for name in ("a", "b"):
        write_labels(tmp_path / f"{name}.png", labels)
        write_labels(tmp_path / f"{name}.tif", labels)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_resolution_goes_along(tmp_path, labels, suffix):
    image = Image(np.zeros((37, 53, 1), np.uint8), metadata={"dpi": (300.0, 150.0)})
    write_labels(tmp_path / f"a.{suffix}", labels, image=image)
    with Pillow.open(tmp_path / f"a.{suffix}") as picture:
        assert picture.info["dpi"] == pytest.approx((300, 150), rel=1e-3)


def test_labels_of_a_volume(tmp_path, rng):
    numbers = rng.integers(0, 4, (5, 6, 7), dtype=np.uint8)
    write_labels(tmp_path / "v.tif", numbers)
    assert read(tmp_path / "v.tif").shape == (5, 6, 7)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "v.tif"), numbers)
    with pytest.raises(OutputError, match=r"use \.tif, \.nii\.gz or \.npy"):
        write_labels(tmp_path / "v.png", numbers)
    with pytest.raises(OutputError, match="2 axes"):
        check_target(tmp_path / "v.png", ndim=3)


@pytest.mark.parametrize("name", ["s.npy", "s.npz", "s.tif"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
@pytest.mark.parametrize("spatial", [(6, 7), (4, 6, 7)])
def test_probabilities(tmp_path, rng, name, dtype, spatial):
    soft = rng.dirichlet(np.ones(3), spatial)
    soft = np.moveaxis(soft, -1, 0)
    write_probabilities(tmp_path / name, soft, dtype=dtype)
    if name == "s.npz":
        with np.load(tmp_path / name) as archive:
            found = archive["probabilities"]
    elif name == "s.npy":
        found = np.load(tmp_path / name)
    else:
        with tifffile.TiffFile(tmp_path / name) as tiff:
            found = np.stack([page.asarray() for page in tiff.pages]).reshape(soft.shape)
            described = [page.description for page in tiff.pages]
            assert described[0] == "class 1"
            assert described[-1] == "class 3"
    assert found.dtype == dtype
    expected = soft.astype(np.float32)
    if dtype == "uint16":
        np.testing.assert_array_equal(found, np.rint(expected * np.float32(65535)))
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "tolerance"), [("o.png", 0), ("o.tif", 0), ("o.jpg", 20), ("o.webp", 20)])
def test_rgb(tmp_path, smooth_rgb, name, tolerance):
    write_rgb(tmp_path / name, smooth_rgb, image=Image(smooth_rgb, color=True, metadata={"dpi": (72.0, 72.0)}))
    with Pillow.open(tmp_path / name) as picture:
        assert picture.mode == "RGB"
        np.testing.assert_allclose(np.asarray(picture), smooth_rgb.astype(float), atol=tolerance)


def test_existing_files_are_kept(tmp_path, labels):
    path = tmp_path / "a.png"
    path.write_text("precious")
    for attempt in (lambda: check_target(path), lambda: write_labels(path, labels)):
        with pytest.raises(OutputError, match=r"a\.png exists already; pass overwrite=True"):
            attempt()
    assert path.read_text() == "precious"
    check_target(path, overwrite=True)
    write_labels(path, labels, overwrite=True)
    np.testing.assert_array_equal(read_labels(path), labels)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.tif", "a.zarr", "a.mha", "a.png"])
def test_a_single_axis_is_refused_where_two_are_needed(tmp_path, name):
    with pytest.raises(OutputError, match=rf"{name}.* 2 axes.*, the result has 1; use .*\.npy"):
        write_labels(tmp_path / name, np.ones(9, np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "name", "usable"), [
    ("labels", "a.jpg", ".png .tif .tiff .npy .npz"),
    ("soft", "a.png", ".tif .tiff .npy .npz"),
    ("picture", "a.npy", ".png .jpg .jpeg .tif .tiff .webp"),
    ("labels", "noext", ".png"),
])  # fmt: skip
def test_unknown_suffixes_list_the_known(tmp_path, kind, name, usable):
    with pytest.raises(OutputError) as caught:
        check_target(tmp_path / name, kind=kind)
    assert usable in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.full((2, 2), -1), np.zeros((0, 2), np.uint8)])
def test_unusable_labels(tmp_path, bad):
    with pytest.raises(ParameterError):
        write_labels(tmp_path / "a.png", bad)
    assert list(tmp_path.iterdir()) == []


def test_shapes_must_agree(tmp_path):
    image = Image.from_array(np.zeros((4, 5)), name="scan")
    with pytest.raises(ParameterError, match=r"\(5, 4\).*scan.*\(4, 5\)"):
        write_labels(tmp_path / "a.png", np.zeros((5, 4), np.uint8), image=image)
    with pytest.raises(ParameterError, match="scan"):
        write_probabilities(tmp_path / "a.npy", np.zeros((2, 5, 4)), image=image)
    with pytest.raises(ParameterError, match="float64"):
        write_rgb(tmp_path / "a.png", np.zeros((5, 4, 3)))
    with pytest.raises(ParameterError, match="int8"):
        write_probabilities(tmp_path / "a.npy", np.zeros((2, 5, 4)), dtype="int8")


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".npz"])
@pytest.mark.parametrize(
    ("largest", "dtype", "of_objects"), [(255, "u1", "u2"), (65535, "u2", "u2"), (65536, "u4", "u4")]
)
def test_labels_take_the_smallest_dtype_that_holds_them(tmp_path, suffix, largest, dtype, of_objects):
    labels = np.array([[0, largest]], np.uint32)
    for objects, expected in ((False, dtype), (True, of_objects)):
        write_labels(tmp_path / f"a{suffix}", labels, objects=objects, overwrite=True)
        np.testing.assert_array_equal(read_labels(tmp_path / f"a{suffix}"), labels.astype(expected), strict=True)
