"""What is refused of a TIFF file before it is decoded, and what is warned of."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from ome_tiff import ome_xml, plane, write_ome, write_set
from refusals import refusal
from tiff_bytes import one_page

from gmmseg.errors import DataWarning, InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.request import Reading
from gmmseg.io.tiff.soundness import opened_tiff

STRIPS = {"compression": "zlib", "rowsperstrip": 10, "photometric": "minisblack", "metadata": None}


def change(path, code, value, index=0):
    """Overwrite one number of a tag."""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags[code]
        size = {3: 2, 4: 4}[int(tag.dtype)]
        place = tag.valueoffset + index * size
    content = bytearray(path.read_bytes())
    struct.pack_into("<H" if size == 2 else "<I", content, place, value)
    path.write_bytes(content)


@pytest.fixture
def strips(tmp_path, rng):
    values = rng.integers(0, 255, (40, 30)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, **STRIPS)
    return tmp_path / "a.tif"


@pytest.mark.parametrize("code", [273, 279])
def test_a_strip_that_is_nowhere_or_empty(strips, code):
    change(strips, code, 0, index=2)
    assert "its strip or tile 3 is empty" in refusal(strips, readers=[read])


def test_a_strip_that_goes_on_beyond_the_file(strips):
    change(strips, 279, 60_000, index=1)
    assert "is cut short by " in refusal(strips, readers=[read])


def test_strips_that_are_too_few(strips):
    change(strips, 278, 5)
    assert "has 4 strips or tiles where its size asks for 8" in refusal(strips, readers=[read])


@pytest.mark.parametrize("memory", [None, 0])
def test_pixels_without_samples(strips, memory):
    change(strips, 277, 0)
    with pytest.raises(InputError, match="has 0 samples a pixel"):
        read(strips, memory=memory)


def test_strips_that_lie_over_one_another(tmp_path):
    """Thousands of strips, each of them the whole file: reading would take hours."""
    n = 20_000
    data = bytes(8 * n) + zlib.compress(bytes(10))
    content = bytearray(one_page(data, 10, n, compression=8, rows=1).ljust(1 << 20, b"\0"))
    start = len(content) - len(data)
    at = 8 + 2 + 12 * 9 + 4
    for tag, place, value in ((5, at, 500), (8, at + 4 * n, 900_000)):
        struct.pack_into("<HHII", content, 10 + 12 * tag, 273 if tag == 5 else 279, 4, n, place)
        struct.pack_into(f"<{n}I", content, place, *[value] * n)
    assert start > 0
    (tmp_path / "a.tif").write_bytes(content)
    assert "take 18000000000 bytes, more than there are" in refusal(tmp_path / "a.tif", readers=[read])


def test_one_strip_of_another_shape_is_damage(tmp_path):
    (tmp_path / "a.tif").write_bytes(one_page(zlib.compress(bytes(100)), 40, 30, compression=8))
    assert "is damaged" in refusal(tmp_path / "a.tif", readers=[read])


@pytest.mark.parametrize(
    ("bits", "sample_format", "words"),
    [(64, 6, "holds complex numbers (complex64)"), (7, 3, "has samples of 7 bits"), (16, 9, "format 9")],
)
def test_samples_of_other_kinds(tmp_path, bits, sample_format, words):
    kind = struct.pack("<HHIHH", 339, 3, 1, sample_format, 0)
    (tmp_path / "a.tif").write_bytes(one_page(bytes(96), 4, 3, bits=bits, more=[kind]))
    if sample_format == 6:  # which the header may say
        assert read_info(tmp_path / "a.tif")["dtype"] == "complex64"
        assert words in refusal(tmp_path / "a.tif", readers=[read])
    else:
        assert words in refusal(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [(0, 3), (4, 0)])
def test_no_pixel(tmp_path, size):
    (tmp_path / "a.tif").write_bytes(one_page(bytes(12), *size))
    assert f"is {size[0]} x {size[1]} pixels in size; an image needs at least one pixel" in refusal(tmp_path / "a.tif")


def test_planes_whose_files_are_missing_are_no_data(tmp_path, rng):
    values = rng.integers(1, 99, (3, 1, 8, 9)).astype(np.uint8)
    first = write_set(tmp_path, values, leave_out=(1,))
    with pytest.warns(DataWarning, match=r"1 of 3 planes are missing with the file '1\.ome\.tif'; they are no data"):
        image = read(first)
    assert image.array.dtype == np.uint8
    np.testing.assert_array_equal(image.valid, np.broadcast_to(np.array([1, 0, 1], bool)[:, None, None], (3, 8, 9)))
    np.testing.assert_array_equal(image.array[::2, ..., 0], values[::2, 0])
    with pytest.warns(DataWarning, match="are missing"):
        lazy = read(first, memory=0)
    for window in ((slice(0, 3), slice(2, 5), slice(0, 9)), (slice(1, 2), slice(0, 8), slice(0, 9))):
        part = lazy.crop(window)
        np.testing.assert_array_equal(part.valid, image.valid[window])
        np.testing.assert_array_equal(part.array[part.valid], image.array[window][part.valid])
    with pytest.warns(DataWarning, match="are missing"):
        assert not read_labels(first)[1].any()
    with pytest.warns(DataWarning, match="are missing"):
        assert read_info(first)["shape"] == [3, 8, 9]


def test_channels_whose_files_are_missing_are_nan_beside_the_others(tmp_path, rng):
    values = rng.integers(1, 9999, (2, 2, 8, 9)).astype(np.uint16)
    first = write_set(tmp_path, values, leave_out=(1, 3))
    with pytest.warns(DataWarning, match=r"2 of 4 planes are missing with 2 files; they are no data"):
        image = read(first)
    assert image.array.dtype == np.float32
    assert image.valid is None
    assert np.isnan(image.array[..., 1]).all()
    np.testing.assert_array_equal(image.array[..., 0], values[:, 0])
    with pytest.warns(DataWarning, match="are missing"):
        lazy = read(first, memory=0)
    np.testing.assert_array_equal(lazy.crop((slice(0, 2), slice(0, 8), slice(0, 9))).array, image.array)
    with pytest.warns(DataWarning, match="144 pixels are NaN"), pytest.warns(DataWarning, match="are missing"):
        assert not read(first, channels="2").valid.any()


def test_pages_that_an_acquisition_did_not_reach_are_no_data(tmp_path, rng):
    values = rng.integers(1, 99, (2, 8, 9)).astype(np.uint8)
    data = "".join(plane(0, z, z) for z in range(4))
    write_ome(tmp_path / "a.ome.tif", values, ome_xml((4, 1, 8, 9), data))
    with pytest.warns(DataWarning, match="2 of 4 planes are missing; they are no data"):
        image = read(tmp_path / "a.ome.tif")
    assert image.valid[:2].all()
    assert not image.valid[2:].any()


def test_colours_of_which_planes_are_missing_stay_colours(tmp_path, rng):
    values = rng.integers(1, 99, (2, 1, 8, 9, 3)).astype(np.uint8)
    data = plane(0, 0) + plane(0, 1, 0, "1.ome.tif", 7)
    xml = ome_xml((2, 3, 8, 9), data).replace('Name="a"', 'Name="a" SamplesPerPixel="3"')
    xml = xml.replace('<Channel ID="Channel:0:1" Name="b"/><Channel ID="Channel:0:2" Name="c"/>', "")
    write_ome(tmp_path / "a.ome.tif", values[0, 0], xml, photometric="rgb")
    with pytest.warns(DataWarning, match="1 of 2 planes are missing"):
        image = read(tmp_path / "a.ome.tif")
    assert image.color
    assert image.valid[0].all()
    assert not image.valid[1].any()


def test_what_tifffile_only_logs_is_a_warning(tmp_path, strips):
    content = bytearray(strips.read_bytes())
    with tifffile.TiffFile(strips) as tiff:
        at = tiff.pages[0].tags[305].offset
    struct.pack_into("<I", content, at + 4, 10**9)
    strips.write_bytes(content)
    with pytest.warns(DataWarning, match=r"a\.tif is odd \(.*305.* invalid value offset .*\); check the result"):
        assert read(strips).shape == (40, 30)


def test_nothing_odd_nothing_said(strips):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with opened_tiff(strips, Reading()) as tiff:
            assert len(tiff.pages) == 1
        read_info(strips)


@pytest.mark.parametrize("n_pages", [5, 10**12])
@pytest.mark.parametrize("kind", ["shaped", "ImageJ"])
def test_pages_that_a_description_promises_in_vain(tmp_path, n_pages, kind):
    description = (
        f'{{"shape": [{n_pages}, 40, 30]}}'
        if kind == "shaped"
        else f"ImageJ=1.11a\nimages={n_pages}\nslices={n_pages}\n"
    )
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((40, 30), np.uint8), description=description, metadata=None)
    if kind == "shaped":
        assert "is cut short" in refusal(tmp_path / "s.tif", readers=[read])
        return
    with pytest.warns(DataWarning, match=r"s\.tif is odd \(ImageJ series metadata invalid or corrupted file\)"):
        assert read(tmp_path / "s.tif").shape == (40, 30)


def test_channels_that_are_too_many(tmp_path):
    """Each takes a name and a place before any pixel is read."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2, 2, 60_000), np.uint8), photometric="minisblack", planarconfig="contig")
    assert read(path).n_channels == 60_000
    tifffile.imwrite(path, np.zeros((2, 1, 600_000), np.uint8), photometric="minisblack", metadata={"axes": "YXC"})
    with pytest.raises(InputError, match=r"a\.tif: its 600000 channels take 147 MiB, above the limit of 64 MiB"):
        read(path, memory=1 << 20)
