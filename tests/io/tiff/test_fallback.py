"""Compressions that tifffile leaves to others."""

import struct
import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from ome_tiff import write_set
from PIL import Image as Pillow
from tiff_bytes import directory, entry, one_page

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_labels
from gmmseg.io.file_format import has_module
from gmmseg.io.request import Reading
from gmmseg.io.tiff.decoding import read_tiff


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressions_that_need_another_decoder(tmp_path, smooth_rgb, compression, mode):
    path = tmp_path / "c.tif"
    Pillow.fromarray(smooth_rgb).convert(mode).save(path, compression=compression)
    with Pillow.open(path) as picture:
        expected = np.asarray(picture).reshape(40, 60, -1)
    image = read(path)
    assert image.color == (mode == "RGB")
    np.testing.assert_array_equal(image.array, expected)


def test_lzw_sixteen_bits(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    grey = rng.integers(0, 65536, (20, 30), dtype=np.uint16)
    Pillow.fromarray(grey).save(
        tmp_path / "g.tif", compression="tiff_lzw", save_all=True, append_images=[Pillow.fromarray(grey + 1)]
    )
    np.testing.assert_array_equal(read(tmp_path / "g.tif", axes="ZYX").array[..., 0], [grey, grey + 1])
    colour = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "c.tif"), colour[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_array_equal(read(tmp_path / "c.tif").array, colour)


def test_group4_fax(tmp_path):
    bits = np.eye(16, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "f.tif", compression="group4")
    np.testing.assert_array_equal(read(tmp_path / "f.tif").array[..., 0], bits)


@pytest.mark.parametrize("compression", ["LZW", "packbits"])
def test_samples_in_planes_of_their_own(tmp_path, rng, compression):
    rasterio = pytest.importorskip("rasterio")
    values = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    profile = {"driver": "GTiff", "width": 30, "height": 20, "count": 3, "compress": compression}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no place
        with rasterio.open(
            tmp_path / "p.tif", "w", dtype="uint8", interleave="band", photometric="rgb", **profile
        ) as raster:
            raster.write(values)
        with rasterio.open(
            tmp_path / "w.tif", "w", dtype="uint16", interleave="band", photometric="rgb", **profile
        ) as raster:
            raster.write(values.astype(np.uint16))
    np.testing.assert_array_equal(np.moveaxis(read_tiff(tmp_path / "p.tif", Reading()).array, -1, 0), values)
    if compression == "LZW" and not has_module("imagecodecs"):
        with pytest.raises(InputError, match="pip install imagecodecs"):
            read_tiff(tmp_path / "w.tif", Reading())


def test_pages_of_several_files(tmp_path, rng):
    values = rng.integers(1, 99, (3, 1, 20, 30)).astype(np.uint8)
    first = write_set(tmp_path, values, compression=None)
    for i in range(3):  # Pillow keeps the description
        with Pillow.open(tmp_path / f"{i}.ome.tif") as picture:
            text = picture.tag_v2[270]
            picture.load()
        picture.save(tmp_path / f"{i}.ome.tif", compression="tiff_lzw", tiffinfo={270: text})
    np.testing.assert_array_equal(read(first).array[..., 0], values[:, 0])


def test_pages_beyond_the_limit_of_pillow(tmp_path, monkeypatch):
    path = tmp_path / "c.tif"
    Pillow.fromarray(np.zeros((40, 60), np.uint8)).save(path, compression="tiff_lzw")
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 1000)
    if not has_module("imagecodecs"):
        with pytest.raises(InputError, match="is compressed with LZW, of which pages of more than 2000 pixels need"):
            read(path)


def test_what_is_held_beside_is_asked_for(tmp_path):
    path = tmp_path / "c.tif"
    Pillow.fromarray(np.zeros((6000, 5000, 3), np.uint8)).save(path, compression="tiff_lzw")
    if not has_module("imagecodecs"):
        with pytest.raises(
            InputError, match=r"its pixels, with those of a page, take 20\d MiB, above the limit of 150"
        ):
            read_tiff(path, Reading(budget=150 << 20))


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_not_spread(tmp_path, rng, photometric, bits):
    values = rng.integers(0, 2**bits, (6, 8)).astype(np.uint8)
    each = 8 // bits
    packed = sum(values[:, i::each] << (8 - bits * (i + 1)) for i in range(each)).astype(np.uint8)
    made = one_page(packed.tobytes(), 8, 6, bits=bits, photometric=photometric)
    (tmp_path / "a.tif").write_bytes(made)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), values if photometric else 255 - values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_may_be_zero(tmp_path, dtype):
    rasterio = pytest.importorskip("rasterio")
    values = np.arange(12, dtype=dtype).reshape(3, 4)
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": dtype, "photometric": "MINISWHITE"}
    found = []
    for compression in ("lzw", "deflate"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has no place
            with rasterio.open(tmp_path / "a.tif", "w", compress=compression, **profile) as raster:
                raster.write(values[None])
        found.append(read_labels(tmp_path / "a.tif"))
    np.testing.assert_array_equal(found[0], ~values)
    np.testing.assert_array_equal(*found)


def test_webp_is_decoded_by_gdal_or_names_what_brings_it(tmp_path, monkeypatch, rng):
    values = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    path = tmp_path / "w.tif"
    options = {"width": 30, "height": 20, "count": 3, "dtype": "uint8", "compress": "WEBP", "WEBP_LOSSLESS": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no place
        with rasterio.open(path, "w", "GTiff", interleave="pixel", photometric="RGB", **options) as file:
            file.write(values)
    np.testing.assert_array_equal(read(path).array, np.moveaxis(values, 0, -1))
    monkeypatch.setattr("gmmseg.io.tiff.format.has_rasterio", lambda: False)
    with pytest.raises(InputError, match=r"WebP, which needs rasterio, .*; pip install 'gmmseg\[geo\]'"):
        read(path)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_lerc_is_decoded_by_gdal_or_names_what_brings_it(tmp_path, monkeypatch, rng, dtype):
    values = (rng.random((20, 30)) * 200).astype(dtype)
    path, options = tmp_path / "l.tif", {"width": 30, "height": 20, "count": 1, "compress": "LERC"}
    with rasterio.open(path, "w", "GTiff", dtype=dtype, transform=Affine(2, 0, 5, 0, -2, 5), **options) as file:
        file.write(values, 1)
    np.testing.assert_array_equal(read(path).array[..., 0], values)
    monkeypatch.setattr("gmmseg.io.tiff.format.has_rasterio", lambda: False)
    with pytest.raises(InputError, match=r"LERC, which needs rasterio, .*; pip install 'gmmseg\[geo\]'"):
        read(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", None])
@pytest.mark.parametrize("shape", [(6, 9, 3), (6, 9), (8, 8, 3)])
def test_pixels_are_read_as_they_are_stored(tmp_path, rng, shape, compression, orientation):
    """Whoever decodes them: Pillow turns a page upright, others do not."""
    stored = rng.integers(0, 256, shape, dtype=np.uint8)
    Pillow.fromarray(stored).save(tmp_path / "t.tif", compression=compression, tiffinfo={274: orientation})
    expected = stored.reshape(*shape[:2], -1)
    if orientation == 1:
        np.testing.assert_array_equal(read(tmp_path / "t.tif").array, expected)
    else:
        with pytest.warns(DataWarning, match=rf"turned or mirrored \(orientation {orientation}\)"):
            np.testing.assert_array_equal(read(tmp_path / "t.tif").array, expected)
    if len(shape) == 2:
        np.testing.assert_array_equal(read_labels(tmp_path / "t.tif"), stored)


def test_wide_colours_that_a_decoder_would_turn_are_refused(tmp_path, rng):
    cv2 = pytest.importorskip("cv2")
    colour = rng.integers(0, 65536, (20, 20, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "c.tif"), colour, [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    content = (tmp_path / "c.tif").read_bytes()
    (start,) = struct.unpack_from("<I", content, 4)
    entries = [content[start + 2 + 12 * i :][:12] for i in range(*struct.unpack_from("<H", content, start))]
    entries = sorted([*entries, entry(274, 3, 1, 3)], key=lambda each: struct.unpack_from("<H", each))
    content = content[:4] + struct.pack("<I", len(content)) + content[8:] + directory(entries)
    (tmp_path / "c.tif").write_bytes(content)
    with pytest.warns(DataWarning, match="orientation 3"), pytest.raises(InputError, match="pip install imagecodecs"):
        read(tmp_path / "c.tif")
