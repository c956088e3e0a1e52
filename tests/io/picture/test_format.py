"""Reading pictures, against Pillow as the oracle."""

import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from gmmseg.errors import InputError
from gmmseg.io import read, read_info


def as_rgb(path):
    with Pillow.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("jpg", {"quality": 90}),
        ("jpg", {"quality": 90, "progressive": True}),
        ("jpg", {"quality": 75, "subsampling": 2}),
        ("webp", {"lossless": True}),
        ("bmp", {}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_eight_bits_equal_pillow(tmp_path, smooth_rgb, suffix, options, mode):
    path = tmp_path / f"picture.{suffix}"
    Pillow.fromarray(smooth_rgb).convert(mode).save(path, **options)
    image = read(path)
    assert image.shape == (40, 60)
    assert image.pixels.dtype == np.uint8
    assert image.valid is None
    assert image.name == str(path)
    if mode == "L" and suffix != "webp":
        assert not image.color
        with Pillow.open(path) as picture:
            np.testing.assert_array_equal(image.array[..., 0], np.asarray(picture))
    else:
        assert image.color
        np.testing.assert_array_equal(image.array, as_rgb(path))


def test_content_decides_not_suffix(tmp_path, smooth_rgb):
    Pillow.fromarray(smooth_rgb).save(tmp_path / "real.png")
    (tmp_path / "real.png").rename(tmp_path / "named.jpg")
    np.testing.assert_array_equal(read(tmp_path / "named.jpg").array, smooth_rgb)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation(tmp_path, smooth_rgb, orientation, suffix):
    path = tmp_path / f"turned.{suffix}"
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(smooth_rgb).save(path, exif=exif)
    image = read(path)
    np.testing.assert_array_equal(image.array, as_rgb(path))
    assert image.shape == ((40, 60) if orientation < 5 else (60, 40))
    assert image.array.flags.c_contiguous
    assert read_info(path)["orientation"] == orientation


def test_transparency_turns_with_the_picture(tmp_path, smooth_rgb):
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[0, 0] = 0
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(np.concatenate([smooth_rgb, alpha], -1)).save(tmp_path / "a.png", exif=exif)
    valid = read(tmp_path / "a.png").valid
    assert valid.shape == (60, 40)
    assert np.argwhere(~valid).tolist() == [[0, 39]]


def test_rgba_and_grey_alpha(tmp_path, smooth_rgb):
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[3, 4] = 0
    alpha[5, 6] = 9
    Pillow.fromarray(np.concatenate([smooth_rgb, alpha], -1)).save(tmp_path / "rgba.png")
    Pillow.fromarray(np.concatenate([smooth_rgb[..., :1], alpha], -1), mode=None).save(tmp_path / "la.png")
    colour, grey = read(tmp_path / "rgba.png"), read(tmp_path / "la.png")
    for image in (colour, grey):
        assert np.argwhere(~image.valid).tolist() == [[3, 4]]
    np.testing.assert_array_equal(colour.array, smooth_rgb)
    np.testing.assert_array_equal(grey.array, smooth_rgb[..., :1])


def test_sixteen_bit_grey(tmp_path, rng):
    values = rng.integers(0, 65536, (7, 9), dtype=np.uint16)
    Pillow.fromarray(values).save(tmp_path / "g.png")
    image = read(tmp_path / "g.png")
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.array[..., 0], values)


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bit_colour_and_alpha(tmp_path, rng, png_bytes, color_type, channels):
    values = rng.integers(1, 65536, (7, 9, channels), dtype=np.uint16)
    values[2, 3, -1] = 0
    (tmp_path / "d.png").write_bytes(png_bytes(values, color_type))
    image = read(tmp_path / "d.png")
    kept = channels if channels == 3 else channels - 1
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.array, values[..., :kept])
    assert (image.valid is None) == (channels == 3)
    if channels != 3:
        assert np.argwhere(~image.valid).tolist() == [[2, 3]]


def test_sixteen_bit_transparent_colour_and_grey(tmp_path, rng, png_bytes, png_chunk):
    values = rng.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    (tmp_path / "c.png").write_bytes(png_bytes(values, 2, extra=png_chunk(b"tRNS", struct.pack(">HHH", *values[1, 2]))))
    (tmp_path / "g.png").write_bytes(
        png_bytes(values[..., 0], 0, extra=png_chunk(b"tRNS", struct.pack(">H", values[1, 2, 0])))
    )
    for name in ("c.png", "g.png"):
        assert np.argwhere(~read(tmp_path / name).valid).tolist() == [[1, 2]]


def test_thumbnail_and_trailing_bytes_do_not_confuse(tmp_path, smooth_rgb):
    path = tmp_path / "t.jpg"
    Pillow.fromarray(smooth_rgb).save(path)
    whole = read(path).array
    path.write_bytes(path.read_bytes() + b"maker's trailer")
    np.testing.assert_array_equal(read(path).array, whole)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bits_cut_short(tmp_path, rng, capfd, png_bytes, color_type, channels, keep):
    whole = png_bytes(rng.integers(0, 65536, (40, 40, channels), dtype=np.uint16), color_type)
    (tmp_path / "d.png").write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match="d.png is damaged or cut short"):
        read(tmp_path / "d.png")
    assert capfd.readouterr().err == ""
