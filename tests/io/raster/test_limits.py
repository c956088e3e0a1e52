"""What small files may take: bands, blocks, pixels that are not there."""

import json
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
from zeros import deflated_zeros

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.raster import format as subject
from gmmseg.io.raster.bands import RasterSource
from gmmseg.io.request import Reading

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.fixture
def claims(tmp_path):
    """Write a GeoTIFF that claims what it likes: (width, height, content, bands, rows of a strip) -> path."""

    def make(width, height, content=bytes(16), *, bands=1, strip=None, name="c.tif", compression=8):
        place, beside = 8 + 2 + 12 * 12 + 4, b""
        entries = []
        for code, kind, n, value in (
            (256, 4, 1, width),
            (257, 4, 1, height),
            (258, 3, bands, [8] * bands),
            (259, 3, 1, compression),
            (262, 3, 1, 1),
            (273, 4, 1, None),
            (277, 3, 1, bands),
            (278, 4, 1, strip or height),
            (279, 4, 1, len(content)),
            (284, 3, 1, 1),
            (339, 3, bands, [1] * bands),
            (42113, 2, 4, int.from_bytes(b"255\0", "little")),
        ):
            if isinstance(value, list):
                packed = struct.pack(f"<{len(value)}H", *value)
                if len(packed) > 4:
                    value, beside = place + len(beside), beside + packed
                else:
                    value = int.from_bytes(packed, "little")
            entries.append((code, kind, n, value))
        pixels = place + len(beside)
        packed = b"".join(struct.pack("<HHII", c, k, n, pixels if v is None else v) for c, k, n, v in entries)
        header = b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)
        (tmp_path / name).write_bytes(header + beside + content)
        return tmp_path / name

    return make


# In a small process between, because a child is said to have taken what its parent had when it was made.
MEASURE = """
import json, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "gmmseg", *sys.argv[1:]], stdout=-1, stderr=-2, text=True)
said = child.stdout.read()
_, _, used = os.wait4(child.pid, 0)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, said]))
"""


def measured(*arguments):
    """Run gmmseg: seconds of processors, MiB, and what it said."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *map(str, arguments)], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_a_file_that_claims_many_bands(claims):
    path = claims(1, 1, bytes(32513), bands=32513, compression=1)
    start = time.process_time()
    assert read_info(path)["channels"] == 32513
    for use in (read, lambda path: subject.read_probabilities(path, Reading())):
        with pytest.raises(InputError, match=r"has 32513 bands, more than the 1024 that are read together; choose"):
            use(path)
    assert read(path, channels=[5, 32513]).array.shape == (1, 1, 2)
    assert time.process_time() - start < 20


def test_blocks_above_the_budget(tmp_path, virtual):
    """A tile of 40 000 x 40 000 pixels, alone and in a mosaic, whatever the mosaic's own blocks are."""
    side = {"width": 40_000, "height": 40_000, "blockxsize": 40_000, "blockysize": 40_000}
    place = {"transform": rasterio.Affine(2, 0, 0, 0, -2, 0)}
    options = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "sparse_ok": True, **side, **place}
    with rasterio.open(tmp_path / "r.tif", "w", **options):
        pass
    for path in (tmp_path / "r.tif", virtual("r.tif")):
        with pytest.raises(InputError, match=r"its blocks take 1526 MiB, above the limit of 64 MiB; raise memory"):
            read(path, memory=1 << 20, max_pixels=1 << 40)


def test_numbers_that_take_more_than_the_budget(write_raster, virtual):
    source = '<SourceFilename relativeToVRT="1">r.tif</SourceFilename><SourceBand>1</SourceBand>'
    write_raster(np.ones((1, 4, 5), np.uint8))
    path = virtual(source, band='dataType="Float64" band="1"')
    text = path.read_text().replace('rasterXSize="5"', 'rasterXSize="20000"').replace('YSize="4"', 'YSize="20000"')
    path.write_text(text)
    with pytest.raises(InputError, match=r"its 20000 x 20000 pixels take 3434 MiB, above the limit of 1024 MiB"):
        read(path)
    with pytest.raises(InputError, match="MiB, above the limit"):
        read_labels(path)


def test_pixels_that_are_hardly_there(virtual, claims):
    path = virtual("<SimpleSource/>")
    path.write_text('<VRTDataset rasterXSize="60000" rasterYSize="60000"><VRTRasterBand band="1"/></VRTDataset>')
    with pytest.raises(InputError, match="60000 x 60000 pixels in 0 bytes, so hardly any is there; crop it"):
        read(path, memory=1 << 20)
    path = claims(60_000, 60_000)
    with pytest.raises(InputError, match="hardly any is there"):
        read(path, memory=1 << 20)
    assert not read(path, memory=1 << 20, max_pixels=60_000**2).in_memory  # who wants it, has it


def test_a_palette_of_all_numbers_of_32_bits(tmp_path):
    table = '<ColorInterp>Palette</ColorInterp><ColorTable><Entry c1="1" c2="2" c3="3" c4="255"/></ColorTable>'
    band = f'<VRTRasterBand dataType="{{}}" band="1">{table}</VRTRasterBand>'
    for dtype, n in (("UInt32", 1), ("Byte", 3)):
        text = f'<VRTDataset rasterXSize="5" rasterYSize="4">{band.format(dtype)}</VRTDataset>'
        (tmp_path / "p.vrt").write_text(text)
        assert read(tmp_path / "p.vrt").array.shape == (4, 5, n)


def test_a_palette_of_more_colours_than_numbers(tmp_path):
    entries = '<Entry c1="1" c2="2" c3="3" c4="255"/>' * 300
    band = f"<ColorInterp>Palette</ColorInterp><ColorTable>{entries}</ColorTable>"
    (tmp_path / "p.vrt").write_text(
        f'<VRTDataset rasterXSize="5" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1">{band}</VRTRasterBand>'
        "</VRTDataset>"
    )
    assert read(tmp_path / "p.vrt").array[0, 0].tolist() == [1, 2, 3]


def test_missing_numbers_are_looked_for_in_stripes(write_raster, monkeypatch, rng):
    """Whatever is read at a time, pixels and what is valid are the same."""
    bands = rng.integers(-3, 3, (2, 60, 50)).astype(np.int16)
    path = write_raster(bands, nodata=-2, tiled=True, blockxsize=16, blockysize=16)
    whole = read(path)
    assert whole.valid is not None
    monkeypatch.setattr("gmmseg.io.raster.bands._STRIPE_BYTES", 5000)
    calls = []
    stored = RasterSource._read
    monkeypatch.setattr(RasterSource, "_read", lambda *arguments: calls.append(1) or stored(*arguments))
    striped = read(path)
    assert len(calls) == 4
    np.testing.assert_array_equal(striped.array, whole.array)
    np.testing.assert_array_equal(striped.valid, whole.valid)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bands", "strip", "mosaic", "zeros", "gzip"])
def test_what_small_files_take(tmp_path, claims, virtual, kind):
    import gzip

    if kind == "bands":
        path = claims(1, 1, bands=32513, compression=1)
    elif kind == "gzip":
        path = tmp_path / "e.dat"
        path.write_bytes(gzip.compress(bytes(500 << 20), 9))
        head = "ENVI\nsamples = 20000\nlines = 25000\nbands = 1\ndata type = 1\nfile compression = 1\n"
        (tmp_path / "e.hdr").write_text(head)
    else:
        side = 22_000 if kind == "zeros" else 60_000
        path = claims(side, side, deflated_zeros(484 << 20), name="r.tif")
    if kind == "mosaic":
        path = virtual("r.tif")
        path.write_text(path.read_text().replace('"5"', '"60000"').replace('"4"', '"60000"'))
    assert path.stat().st_size < 5e6
    for command in (["info", path], ["segment", path, "-k", "2", "-o", tmp_path / "out.tif"]):
        seconds, mebibytes, said = measured(*command)
        assert seconds < 20, said
        assert mebibytes < 1024 + 300, said
        assert "unexpected" not in said
    assert subject.owns(path) == (path.suffix == ".tif")
