"""What the headers of pictures say."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_info
from gmmseg.io.picture.headers import jpeg_header, png_header, webp_header


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
    with pytest.raises(ValueError, match="does not begin with a header"):
        png_header(io.BytesIO(content.getvalue()[:8] + bytes(40)))


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
    assert with_chunk(b"acTL", bytes(8)).parts


@pytest.mark.parametrize(("order", "mark"), [("<", b"II*\0"), (">", b"MM\0*")])
def test_orientations_that_make_no_sense_are_upright(with_chunk, order, mark):
    def orientation(value, kind=3):
        entry = struct.pack(order + "HHIHH", 0x0112, kind, 1, value, 0)
        return with_chunk(b"eXIf", mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)).orientation

    assert [orientation(value) for value in (1, 3, 8, 0, 9)] == [1, 3, 8, 1, 1]
    assert orientation(6, kind=4) == 1
    assert with_chunk(b"eXIf", mark).orientation == 1


@pytest.fixture
def png_with(tmp_path, png_chunk):
    """Write a small PNG file with something behind its header: (bytes, mode) -> path."""

    def write(more, mode="RGB"):
        content = io.BytesIO()
        Pillow.fromarray(np.arange(189, dtype=np.uint8).reshape(7, 9, 3)).convert(mode).save(content, "PNG")
        whole = content.getvalue()
        (tmp_path / "a.png").write_bytes(whole[:33] + more + whole[33:])
        return tmp_path / "a.png"

    return write


@pytest.mark.parametrize("kind", [b"tEXt", b"iCCP", b"eXIf", b"zzZz", b"PLTE", b"tRNS", b"pHYs"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_chunk_that_is_longer_than_the_file_is_damage(png_with, kind, mode):
    path = png_with(struct.pack(">I4s", 0xF0000000, kind) + b"abc", mode)
    for function in (read, read_info):
        with pytest.raises(InputError, match=rf"its {kind.decode()} chunk promises 4026531840 bytes, \d+ are left"):
            function(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_texts_profiles_and_animations_are_not_inflated(png_with, png_chunk, mode):
    plain = read(png_with(b"", mode)).array
    bomb = zlib.compress(bytes(20_000_000), 9)
    bad = (
        [png_chunk(b"iCCP", b"x\0\0" + bomb)],
        [png_chunk(b"zTXt", b"x%d\0\0" % i + bomb) for i in range(40)],
        [png_chunk(b"iTXt", b"x\0\1\0\0\0" + bomb)],
        [png_chunk(b"acTL", struct.pack(">II", 0, 0)), png_chunk(b"acTL", struct.pack(">II", 1 << 30, 0))],
        [
            png_chunk(b"acTL", bytes(8)),
            png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 30000, 30000, 9, 9, 1, 1, 0, 0)),
        ],
        [png_chunk(b"eXIf", b"II*\0" + bytes(9))],
        [png_chunk(b"tEXt", b"a\0b")] * 5000,
    )
    for more in bad:
        path = png_with(b"".join(more), mode)
        np.testing.assert_array_equal(read(path).array, plain)
        assert read_info(path)["size"] == [9, 7]


def test_pages_of_an_animation_are_counted_not_believed(tmp_path, png_with, png_chunk):
    frames = [Pillow.new("RGB", (5, 4), (value, 0, 0)) for value in (1, 200, 90)]
    frames[0].save(tmp_path / "b.png", save_all=True, append_images=frames[1:])
    assert read_info(tmp_path / "b.png")["pages"] == 3
    with pytest.warns(DataWarning, match="is animated: of its 3 pictures the first is read"):
        assert read(tmp_path / "b.png").array[0, 0].tolist() == [1, 0, 0]
    frames[0].save(tmp_path / "c.png", save_all=True, append_images=frames[1:], default_image=True)
    assert read_info(tmp_path / "c.png")["pages"] == 3
    assert read_info(png_with(png_chunk(b"acTL", struct.pack(">II", 1 << 30, 0))))["pages"] == 1


def test_progressive_jpeg_files_take_more_and_are_not_sent_for_ever(tmp_path):
    content = io.BytesIO()
    Pillow.new("RGB", (160, 80)).save(content, "JPEG", progressive=True)
    whole = content.getvalue()
    header = jpeg_header(content)
    assert (header.buffered, header.scans, header.endless) == (3, whole.count(b"\xff\xda"), False)
    content = io.BytesIO()
    Pillow.new("RGB", (160, 80)).save(content, "JPEG", progressive=True, subsampling=0)
    assert jpeg_header(content).buffered == 6
    content = io.BytesIO()
    Pillow.new("RGB", (160, 80)).save(content, "JPEG")
    assert (jpeg_header(content).buffered, jpeg_header(content).scans) == (0, 1)
    size, last = whole.index(b"\xff\xc2") + 5, whole.rindex(b"\xff\xda")
    endless = whole[:size] + struct.pack(">HH", 8000, 8000) + whole[size + 4 : -2] + whole[last:-2] * 70 + b"\xff\xd9"
    (tmp_path / "a.jpg").write_bytes(endless)
    with pytest.raises(InputError, match=r"a\.jpg is damaged: it sends its 8000 x 8000 pixels \d+ times"):
        read(tmp_path / "a.jpg")


def test_resolution_in_exif_is_told(tmp_path):
    exif = Pillow.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 118.11, 59.055, 3
    Pillow.new("RGB", (9, 7)).save(tmp_path / "a.jpg", exif=exif)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[:2] + whole[20:])  # without JFIF
    assert read_info(tmp_path / "a.jpg")["dpi"] == pytest.approx((300, 150), rel=1e-3)


@pytest.mark.parametrize(
    ("mode", "options", "color", "buffered"),
    [
        ("RGB", {}, "rgb", 0),
        ("RGB", {"lossless": True}, "rgb", 4),
        ("RGBA", {}, "rgba", 5),
        ("RGBA", {"lossless": True}, "rgba", 9),
    ],
)
def test_webp_headers(mode, options, color, buffered):
    content, exif = io.BytesIO(), Pillow.Exif()
    exif[0x0112] = 6
    picture = Pillow.new(mode, (17, 5), (9, 8, 7, 100)[: len(mode)])
    picture.save(content, "WebP", **options)
    header = webp_header(content)
    assert (header.width, header.height, header.color, header.buffered) == (17, 5, color, buffered)
    assert (header.frames, header.orientation, header.whole) == (1, 1, True)
    assert not webp_header(io.BytesIO(content.getvalue()[:-4])).whole
    assert webp_header(io.BytesIO(content.getvalue()[:24])) is None
    content = io.BytesIO()
    others = [Pillow.new(mode, (17, 5), (value, 8, 7, 100)[: len(mode)]) for value in (50, 90)]
    picture.save(content, "WebP", save_all=True, append_images=others, exif=exif, **options)
    header = webp_header(content)
    assert (header.width, header.height, header.frames, header.orientation) == (17, 5, 3, 6)
