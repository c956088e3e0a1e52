"""AVIF and JPEG XL."""

import io

import numpy as np
import pillow_jxl  # noqa: F401  # with which Pillow writes JPEG XL
import pytest
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, GmmsegError, InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.file_format import has_module
from gmmseg.io.picture.modern import jxl_size

with_avif = pytest.mark.skipif(not has_module("PIL.AvifImagePlugin"), reason="this Pillow does not know AVIF")
AVIF = pytest.param("a.avif", marks=with_avif)


@pytest.fixture
def rgb():
    rows, columns = np.mgrid[:48, :70]
    return np.stack([rows * 5, columns * 3, rows + columns], -1).astype(np.uint8)


@pytest.mark.parametrize("name", [AVIF, "a.jxl"])
def test_colour_grey_and_transparency(tmp_path, rgb, name):
    path, options = tmp_path / name, {"quality": 100} if name == "a.avif" else {"lossless": True}
    Pillow.fromarray(rgb).save(path, **options)
    image = read(path)
    assert image.color
    np.testing.assert_allclose(image.array.astype(int), rgb, atol=3)
    assert read_info(path)["size"] == [70, 48]
    alpha = np.where(np.arange(70) < 20, 0, 255).astype(np.uint8)
    Pillow.fromarray(np.dstack([rgb, np.broadcast_to(alpha, rgb.shape[:2])])).save(path, **options)
    np.testing.assert_array_equal(read(path).valid, np.broadcast_to(alpha > 0, rgb.shape[:2]))
    if name == "a.jxl":
        np.testing.assert_array_equal(image.array, rgb)
        Pillow.fromarray(rgb[..., 0]).save(path, **options)
        np.testing.assert_array_equal(read(path).array[..., 0], rgb[..., 0])
    with pytest.raises(InputError, match="whose values are not exact"):
        read_labels(path)


@with_avif
def test_avif_is_turned_upright(tmp_path, rgb):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(rgb).save(tmp_path / "a.avif", exif=exif)
    assert read(tmp_path / "a.avif").shape == (70, 48)


@pytest.mark.parametrize("name", [AVIF, "a.gif", "a.webp", "a.png"])
def test_an_animation_is_said_to_be_one(tmp_path, rgb, name):
    frames = [Pillow.fromarray(rgb), Pillow.fromarray(255 - rgb)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.warns(DataWarning, match=r"is animated: of its 2 pictures the first is read; save the one"):
        assert read(tmp_path / name).shape == (48, 70)


@pytest.mark.parametrize("name", [AVIF, "a.jxl"])
def test_too_large_and_damaged(tmp_path, rgb, name):
    path = tmp_path / name
    Pillow.fromarray(rgb).save(path)
    with pytest.raises(InputError, match="70 x 48 = 3360 pixels, above the limit of 99"):
        read(path, max_pixels=99)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="is damaged or cut short"):
        read(path)


@pytest.mark.parametrize("size", [(8, 16), (256, 256), (70, 48), (320, 240), (5000, 3), (513, 8200)])
@pytest.mark.parametrize("container", [False, True])
def test_the_size_is_read_without_the_library(size, container):
    buffer = io.BytesIO()
    Pillow.new("L", size).save(buffer, "JXL", use_container=container)
    assert jxl_size(buffer.getvalue()) == size
    assert jxl_size(buffer.getvalue()[:10]) is None


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a" + bytes(600))
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(600))
    monkeypatch.setattr("gmmseg.extras.import_module", without("pillow_jxl"))
    with pytest.raises(GmmsegError, match=r"JPEG XL files need pillow_jxl, .*; pip install 'gmmseg\[jxl\]'"):
        read(tmp_path / "a.jxl")
    monkeypatch.setattr("gmmseg.io.picture.pillow.import_module", without("PIL.AvifImagePlugin"))
    with pytest.raises(InputError, match=r"is an AVIF picture, which this Pillow .*; pip install 'pillow>=11\.3'"):
        read(tmp_path / "a.avif")


def without(missing):
    """Return an importer for which a module is not installed."""

    def load(name):
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return __import__(name, fromlist=["_"])

    return load
