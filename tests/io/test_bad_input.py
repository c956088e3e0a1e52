"""Every file that cannot be read gives one line that names it, what was found and the remedy, and nothing on stderr."""

import os
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_info, read_labels


def refusal(path, capfd, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert "Traceback" not in text
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "")
    return text


def picture(path, **options):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(path, **options)
    return path.read_bytes()


def test_missing_folder_and_empty(tmp_path, capfd):
    assert "does not exist" in refusal(tmp_path / "none.png", capfd)
    assert "is a folder" in refusal(tmp_path, capfd)
    (tmp_path / "empty.png").touch()
    assert "empty" in refusal(tmp_path / "empty.png", capfd)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser reads everything")
def test_no_permission(tmp_path, capfd):
    path = tmp_path / "secret.png"
    picture(path)
    path.chmod(0)
    assert "permission denied" in refusal(path, capfd)


def test_no_permission_is_explained(tmp_path, capfd, monkeypatch):
    path = tmp_path / "secret.png"
    picture(path)

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "permission denied" in refusal(path, capfd)


def test_text_and_unknown(tmp_path, capfd):
    (tmp_path / "a.png").write_text("hello, not an image")
    assert "named as a PNG file, but starts with text" in refusal(tmp_path / "a.png", capfd)
    (tmp_path / "a.xyz").write_bytes(b"\x01\x02\x03\x04")
    assert "01 02 03 04" in refusal(tmp_path / "a.xyz", capfd)


@pytest.mark.slow
@pytest.mark.parametrize("keep", [0.03, 0.1, 0.5, 0.9, 0.99, -1, -2])
@pytest.mark.parametrize(
    ("name", "options"),
    [("a.jpg", {}), ("a.jpg", {"progressive": True}), ("a.png", {}), ("a.webp", {}), ("a.bmp", {}), ("a.gif", {})],
)
def test_cut_short(tmp_path, capfd, name, options, keep):
    path = tmp_path / name
    whole = picture(path, **options)
    path.write_bytes(whole[: int(len(whole) * keep) if keep > 0 else keep])
    if keep < 0 and not name.endswith("bmp"):
        # All pixels are there, only the end marker is not: either answer is right, as long as no pixel is made up.
        try:
            pixels = read(path).array
        except InputError:
            assert capfd.readouterr().err == ""
            return
        path.write_bytes(whole)
        np.testing.assert_array_equal(pixels, read(path).array)
        return
    refusal(path, capfd)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("keep", [0.002, 0.1, 0.5, 0.9])
def test_tiff_cut_short(tmp_path, capfd, compression, keep):
    path = tmp_path / "a.tif"
    values = np.random.default_rng(1).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    tifffile.imwrite(path, values, compression=compression, photometric="minisblack")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    refusal(path, capfd)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_overwritten_middle(tmp_path, capfd, name):
    path = tmp_path / name
    whole = bytearray(picture(path))
    middle = len(whole) // 2
    whole[middle : middle + 600] = b"\xff\xd8" * 300
    path.write_bytes(whole)
    refusal(path, capfd)


def test_jpeg_with_a_gap_is_refused(tmp_path, capfd):
    path = tmp_path / "a.jpg"
    whole = picture(path)
    path.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    assert "damaged" in refusal(path, capfd)


def test_other_lines_on_stderr_are_passed_on(capfd):
    from gmmseg.io.picture.opencv import captured_stderr

    with captured_stderr() as lines:
        os.write(2, b"progress 50 %\nlibpng error: Read Error\n")
    assert len(lines) == 2
    assert capfd.readouterr().err == "progress 50 %\n"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.gif", "a.webp", "a.tif", "a.npy", "a.npz"])
def test_limit_is_checked_before_decoding(tmp_path, capfd, name):
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, np.zeros((64, 64, 3), np.uint8))
    elif name.endswith("npz"):
        np.savez(path, np.zeros((64, 64, 3), np.uint8))
    else:
        picture(path)
    text = refusal(path, capfd, max_pixels=4095)
    assert "64 x 64" in text
    assert "4095" in text
    assert "raise max_pixels" in text
    assert read(path, max_pixels=4096).shape == (64, 64)


def test_a_header_that_promises_gigapixels(tmp_path, capfd, png_chunk):
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(start)
    assert "60000 x 60000 = 3600000000 pixels" in refusal(tmp_path / "bomb.png", capfd)


def test_unusable_arrays(tmp_path, capfd):
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "o.npy", capfd)
    np.savez(tmp_path / "o.npz", np.array([{}], object))
    assert "Python objects" in refusal(tmp_path / "o.npz", capfd)
    np.save(tmp_path / "c.npy", np.zeros((4, 4), complex))
    assert "complex128" in refusal(tmp_path / "c.npy", capfd)
    np.savez(tmp_path / "two.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    assert "a, b" in refusal(tmp_path / "two.npz", capfd)
    np.save(tmp_path / "e.npy", np.zeros((0, 4)))
    refusal(tmp_path / "e.npy", capfd)
    np.save(tmp_path / "cut.npy", np.zeros((50, 50)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:500])
    refusal(tmp_path / "cut.npy", capfd)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 nothing else")
    refusal(tmp_path / "cut.npz", capfd)


def test_a_codec_that_is_missing(tmp_path, capfd):
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("imagecodecs is installed")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint16), photometric="minisblack", planarconfig="separate")
    content = bytearray(path.read_bytes())
    # Tag 259 (compression), type SHORT, one value: 1 (none) becomes 50000 (ZSTD), which nothing here reads.
    place = content.index(b"\x03\x01\x03\x00\x01\x00\x00\x00\x01\x00")
    content[place + 8 : place + 10] = (50000).to_bytes(2, "little")
    path.write_bytes(content)
    assert "pip install imagecodecs" in refusal(path, capfd)


def test_masks_and_axes_that_do_not_fit(tmp_path):
    picture(tmp_path / "a.png")
    np.save(tmp_path / "m.npy", np.ones((5, 5), np.uint8))
    with pytest.raises(ParameterError, match=r"m\.npy.*\(5, 5\).*a\.png.*\(64, 64\)"):
        read(tmp_path / "a.png", mask=tmp_path / "m.npy")
    with pytest.raises(ParameterError, match="leave it out"):
        read(tmp_path / "a.png", channel_axis=0)
    with pytest.raises(ParameterError, match="max_pixels=0"):
        read(tmp_path / "a.png", max_pixels=0)


def test_labels_that_are_none(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "a.jpg")
    np.save(tmp_path / "f.npy", np.zeros((2, 2)))
    np.save(tmp_path / "n.npy", np.full((2, 2), -1))
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    for name in ("a.png", "a.jpg", "f.npy", "n.npy", "c.tif"):
        with pytest.raises(InputError, match=name):
            read_labels(tmp_path / name)


def test_info_refuses_too(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(InputError, match=r"a\.tif"):
        read_info(tmp_path / "a.tif")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.bmp", "a.tif", "a.npy", "a.npz"])
def test_random_damage_never_escapes(tmp_path, capfd, name):
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = tmp_path / name
    if name.endswith("tif"):
        tifffile.imwrite(path, noise, compression="zlib", photometric="rgb")
    elif name.endswith("npy"):
        np.save(path, noise)
    elif name.endswith("npz"):
        np.savez_compressed(path, noise)
    else:
        Pillow.fromarray(noise).save(path)
    whole = path.read_bytes()
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, min(len(whole), 300), 4):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        for function in (read, read_info, read_labels):
            try:
                function(path)
            except (InputError, ParameterError) as error:
                assert "\n" not in str(error)
                refused += 1
            except DataWarning as warning:  # an error in tests, and said of what is odd and yet an image
                assert "\n" not in str(warning)
    assert refused > 0
    assert capfd.readouterr().err == ""
