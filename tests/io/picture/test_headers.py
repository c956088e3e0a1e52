"""What the headers of pictures say."""

import io
import struct

import pytest
from PIL import Image as Pillow

from gmmseg.io import read, read_info
from gmmseg.io.picture.headers import jpeg_header, png_header


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_resolution_is_kept(tmp_path, smooth_rgb, suffix):
    path = tmp_path / f"r.{suffix}"
    Pillow.fromarray(smooth_rgb).save(path, dpi=(300, 150))
    assert read(path).metadata["dpi"] == pytest.approx((300, 150), rel=1e-3)


def test_info_decodes_nothing(tmp_path, smooth_rgb):
    path = tmp_path / "i.png"
    Pillow.fromarray(smooth_rgb).save(path)
    path.write_bytes(path.read_bytes()[:60])
    info = read_info(path)
    assert (info["format"], info["size"], info["channels"], info["bits"]) == ("PNG", [60, 40], 3, 8)


@pytest.mark.parametrize(("mode", "color"), [("L", "grey"), ("RGB", "rgb"), ("CMYK", "cmyk")])
def test_jpeg_headers(mode, color):
    content, exif = io.BytesIO(), Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new(mode, (17, 5)).save(content, "JPEG", dpi=(300, 150), exif=exif)
    header = jpeg_header(content)
    assert (header.width, header.height, header.color, header.bits) == (17, 5, color, 8)
    assert header.dpi == (300, 150)
    assert (header.orientation, header.whole) == (6, True)
    assert not jpeg_header(io.BytesIO(content.getvalue() + b"more")).whole
    assert jpeg_header(io.BytesIO(content.getvalue()[:100])) is None
    assert jpeg_header(io.BytesIO(b"\xff\xd8\xff\xd9")) is None


@pytest.mark.parametrize(
    ("mode", "color", "bits"),
    [("1", "grey", 1), ("L", "grey", 8), ("LA", "grey+alpha", 8), ("P", "palette", 1), ("RGBA", "rgba", 8)],
)
def test_png_headers(mode, color, bits):
    content = io.BytesIO()
    Pillow.new(mode, (17, 5)).save(content, "PNG", dpi=(300, 150))
    header = png_header(content)
    assert (header.width, header.height, header.color, header.bits) == (17, 5, color, bits)
    assert header.dpi == pytest.approx((300, 150), abs=0.1)
    assert (header.orientation, header.special, header.whole) == (1, False, True)
    assert not png_header(io.BytesIO(content.getvalue()[:-1])).whole
    assert png_header(io.BytesIO(content.getvalue()[:8] + bytes(40))) is None


@pytest.fixture
def with_chunk(png_chunk):
    """Put a chunk behind the header of a small PNG file, and read the file's header: (kind, data) -> Header."""
    content = io.BytesIO()
    Pillow.new("L", (4, 4)).save(content, "PNG")
    whole = content.getvalue()
    return lambda kind, data: png_header(io.BytesIO(whole[:33] + png_chunk(kind, data) + whole[33:]))


def test_transparent_colours_and_animations_are_told(with_chunk):
    assert not with_chunk(b"tEXt", bytes(2)).special
    assert with_chunk(b"tRNS", bytes(2)).special
    assert with_chunk(b"acTL", bytes(8)).special


@pytest.mark.parametrize(("order", "mark"), [("<", b"II*\0"), (">", b"MM\0*")])
def test_orientations_that_make_no_sense_are_upright(with_chunk, order, mark):
    def orientation(value, kind=3):
        entry = struct.pack(order + "HHIHH", 0x0112, kind, 1, value, 0)
        return with_chunk(b"eXIf", mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)).orientation

    assert [orientation(value) for value in (1, 3, 8, 0, 9)] == [1, 3, 8, 1, 1]
    assert orientation(6, kind=4) == 1
    assert with_chunk(b"eXIf", mark).orientation == 1
