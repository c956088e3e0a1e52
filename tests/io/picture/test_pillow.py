"""Pictures that are not plain grey or RGB, through Pillow."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_info
from gmmseg.io.picture import pillow


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_palette_with_transparency(tmp_path, suffix):
    indices = np.tile(np.array([[0, 1, 2, 3]], np.uint8), (4, 1))
    picture = Pillow.fromarray(indices)
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    picture.save(tmp_path / f"p.{suffix}", transparency=2)
    image = read(tmp_path / f"p.{suffix}")
    assert image.color
    assert image.array[0, 1].tolist() == [40, 50, 60]
    assert image.valid[0].tolist() == [True, True, False, True]


def test_gif_gives_the_first_frame(tmp_path):
    frames = [Pillow.new("P", (4, 4), value) for value in (1, 2)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(DataWarning, match="is animated: of its 2 pictures the first is read"):
        assert read(tmp_path / "a.gif").array[0, 0].tolist() == [200, 0, 0]
    assert read_info(tmp_path / "a.gif")["pages"] == 2


def test_one_bit_is_zero_and_one(tmp_path):
    bits = np.eye(9, dtype=bool)
    Pillow.fromarray(bits).save(tmp_path / "bits.png")
    image = read(tmp_path / "bits.png")
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(image.array[..., 0], bits)


def test_cmyk_jpeg_is_not_inverted(tmp_path):
    Pillow.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    image = read(tmp_path / "c.jpg")
    assert image.color
    np.testing.assert_allclose(image.array[8, 8], [250, 10, 10], atol=4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_strips_are_the_picture(monkeypatch, mode):
    monkeypatch.setattr(pillow, "_AT_ONCE", 50)
    noise = np.random.default_rng(0).integers(0, 256, (23, 17, 4), np.uint8)
    source = noise[..., 0] if mode in ("1", "L", "P", "I;16", "I", "F") else noise[..., : 3 if mode != "RGBA" else 4]
    picture = Pillow.fromarray(source).convert(mode)
    pixels, alpha = pillow.decode(picture)
    if mode in ("RGBA", "LA", "PA"):
        whole = np.asarray(picture.convert("RGBA" if mode == "PA" else mode))
        np.testing.assert_array_equal(alpha, whole[..., -1])
        np.testing.assert_array_equal(pixels, whole[..., 0] if mode == "LA" else whole[..., :3])
        return
    same = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "P": "RGB", "PA": "RGB"}.get(mode, mode)
    expected = np.asarray(picture.convert(same))
    np.testing.assert_array_equal(pixels, expected != 0 if mode == "1" else expected)
    assert alpha is None
    assert pixels.nbytes / pixels[..., None].size * (3 if pixels.ndim == 3 else 1) == pillow.decoded_bytes(picture)[1]


def test_files_are_never_mapped(tmp_path):
    Pillow.new("L", (64, 64), 9).save(tmp_path / "a.bmp")
    with pillow.open_picture(tmp_path / "a.bmp", "BMP") as picture:
        picture.load()
        assert picture.map is None


@pytest.mark.parametrize("keep", [1.0, 0.99])
def test_a_damaged_cmyk_jpeg_is_refused(tmp_path, capfd, keep):
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (90, 80, 4), np.uint8)
    Pillow.fromarray(noise, "CMYK").save(path, quality=90)
    read(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + b"\xff\xd8" * 300 + whole[middle + 600 :])
    with pytest.raises(InputError, match="a.jpg is damaged"):
        read(path)
    path.write_bytes(whole[:middle] + b"\xff\xd9")
    with pytest.raises(InputError, match="a.jpg is damaged"):
        read(path)
    assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("error")
def test_filters_of_warnings_stay_as_they_are(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + bytes(9)
    for name, mode, options in (
        ("a.png", "P", {"transparency": bytes(range(200))}),
        ("b.png", "RGBA", {"exif": exif}),
        ("c.jpg", "CMYK", {"exif": exif}),
        ("d.webp", "RGBA", {"exif": exif}),
        ("e.gif", "P", {"transparency": 3}),
        ("f.bmp", "RGB", {}),
    ):
        Pillow.fromarray(noise).convert("RGB" if mode != "RGBA" else mode).convert(mode).save(
            tmp_path / name, **options
        )
    filters, before = warnings.filters, list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, [path for path in tmp_path.iterdir() for _ in range(34)]))
    assert warnings.filters is filters
    assert warnings.filters == before


def test_transparent_grey_of_16_bits_where_pillow_does_not_tell(tmp_path, rng, png_bytes, png_chunk, monkeypatch):
    values = rng.integers(0, 65536, (7, 9), dtype=np.uint16)
    grey = png_chunk(b"tRNS", int(values[1, 2]).to_bytes(2, "big"))
    (tmp_path / "g.png").write_bytes(png_bytes(values, 0, extra=grey))
    usual = pillow._with_alpha
    monkeypatch.setattr(pillow, "_with_alpha", lambda picture: (usual(picture)[0], None))
    image = read(tmp_path / "g.png")
    np.testing.assert_array_equal(image.array[..., 0], values)
    assert np.argwhere(~image.valid).tolist() == [[1, 2]]


@pytest.mark.filterwarnings("ignore:.* is animated")
def test_limits_are_those_that_were_asked_for(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    frames = [Pillow.fromarray(np.roll(noise, i)) for i in range(3)]
    frames[0].save(tmp_path / "a.webp")
    frames[0].save(tmp_path / "b.webp", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "c.gif", save_all=True, append_images=frames[1:], disposal=2)
    frames[0].save(tmp_path / "d.png")
    frames[0].convert("RGB").save(tmp_path / "e.bmp")
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(pillow, "_AT_ONCE", 90)  # Pillow 10.3 has its limit for parts of pictures too
    for path in tmp_path.iterdir():
        assert read(path, max_pixels=1200).shape == (40, 30)
        with pytest.raises(InputError, match="30 x 40 = 1200 pixels, above the limit of 1199; raise max_pixels"):
            read(path, max_pixels=1199)
    assert Pillow.MAX_IMAGE_PIXELS == 100
