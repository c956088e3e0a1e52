"""Writing: what other libraries read of it, and that nothing is ever half written."""

import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import OutputError, ParameterError
from gmmseg.image import Image
from gmmseg.io import check_target, read, read_labels, write_labels, write_probabilities, write_rgb
from gmmseg.io.atomic import atomic_file
from gmmseg.io.palette import palette

IMAGES = Path(__file__).parents[2] / "images"


@pytest.fixture
def labels(rng):
    made = rng.integers(0, 6, (37, 53), dtype=np.uint8)
    made.flags.writeable = False
    return made


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


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 70000), (2100, 1030)])
def test_png_strips_join(tmp_path, rng, shape):
    numbers = rng.integers(0, 256, shape, dtype=np.uint8)
    write_labels(tmp_path / "a.png", numbers)
    with Pillow.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), numbers)
    # OpenCV checks every checksum, and shows a palette's colours.
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], palette(255)[numbers])


def test_png_sixteen_bits_in_opencv(tmp_path, rng):
    numbers = rng.integers(0, 65536, (1100, 600), dtype=np.uint16)
    write_labels(tmp_path / "a.png", numbers.T)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED), numbers.T)


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


def test_georeference_in_tags(tmp_path):
    image = read(IMAGES / "L7_ETMs.tif")
    write_labels(tmp_path / "l.tif", image.array[..., 0] // 64 + 1, image=image)
    with tifffile.TiffFile(IMAGES / "L7_ETMs.tif") as source, tifffile.TiffFile(tmp_path / "l.tif") as result:
        for code in (33550, 33922, 34735, 34737):
            assert result.pages[0].tags[code].value == source.pages[0].tags[code].value
        assert result.pages[0].tags[42113].value == "0"
        assert 42112 not in result.pages[0].tags


def test_georeference_in_rasterio(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    image = read(IMAGES / "L7_ETMs.tif")
    numbers = image.array[..., 0] // 64
    write_labels(tmp_path / "l.tif", numbers, image=image)
    soft = np.stack([numbers == 1, numbers != 1]).astype(np.float32)
    write_probabilities(tmp_path / "s.tif", soft, image=image)
    with rasterio.open(IMAGES / "L7_ETMs.tif") as source:
        place = (source.crs, source.transform)
    with rasterio.open(tmp_path / "l.tif") as result:
        assert (result.crs, result.transform, result.nodata) == (*place, 0)
        np.testing.assert_array_equal(result.read(1), numbers)
    with rasterio.open(tmp_path / "s.tif") as result:
        assert (result.crs, result.transform, result.count) == (*place, 2)
        np.testing.assert_array_equal(result.read(), soft)


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


def test_rgb_strips_join(tmp_path, rng):
    pixels = rng.integers(0, 256, (700, 1000, 3), dtype=np.uint8)
    write_rgb(tmp_path / "o.png", pixels)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "o.png"))[..., ::-1], pixels)


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


def test_impossible_places(tmp_path, labels, monkeypatch):
    with pytest.raises(OutputError, match="does not exist; create it first"):
        check_target(tmp_path / "none" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_target(tmp_path / "folder.png", overwrite=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        check_target(tmp_path / "a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="not a regular file"):
        check_target(tmp_path / "pipe.png", overwrite=True)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_interrupted_writing_leaves_nothing(tmp_path, failure):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(failure), atomic_file(tmp_path / "a.txt", overwrite=True) as file:
        file.write(b"new")
        raise failure
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_file(tmp_path / "a", overwrite=False):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_args):
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OutputError), atomic_file(tmp_path / "a", overwrite=False) as file:
        file.write(b"mine")
        (tmp_path / "a").write_text("theirs")
    assert (tmp_path / "a").read_text() == "theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    with atomic_file(tmp_path / "b", overwrite=False) as file:
        file.write(b"mine")
    assert (tmp_path / "b").read_text() == "mine"


def test_umask_decides_the_rights(tmp_path, labels):
    before = os.umask(0o027)
    try:
        write_labels(tmp_path / "a.png", labels)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_links_keep_pointing(tmp_path, labels):
    (tmp_path / "real.png").write_text("old")
    (tmp_path / "link.png").symlink_to("real.png")
    write_labels(tmp_path / "link.png", labels, overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    np.testing.assert_array_equal(read_labels(tmp_path / "real.png"), labels)


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


def test_pages_of_probabilities_have_the_classes_names(tmp_path):
    write_probabilities(tmp_path / "p.tif", np.full((2, 4, 5), 0.5, np.float32), names=("water", "land"))
    with tifffile.TiffFile(tmp_path / "p.tif") as tiff:
        assert [page.description for page in tiff.pages] == ["water", "land"]
