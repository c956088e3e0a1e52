"""Files that rasters name: of the same folder, and regular."""

import os
import shutil
import struct

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as translate
from refusals import refusal

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.raster.beside import companions, require_inside

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
h5py = pytest.importorskip("h5py")
BANDS = np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64)


@pytest.fixture
def spilled(tmp_path, write_raster):
    """A raster of ERDAS Imagine with its numbers in a file of their own."""
    with rasterio.open(write_raster(BANDS)) as raster:
        translate(raster, tmp_path / "big.img", driver="HFA", USE_SPILL="YES")
    assert (tmp_path / "big.ige").exists()
    return tmp_path / "big.img"


def test_parts_in_the_same_folder(spilled):
    np.testing.assert_array_equal(read(spilled).array[..., 0], BANDS[0])


@pytest.mark.parametrize("kind", ["link", "pipe"])
@pytest.mark.parametrize("name", ["big.ige", "abc.ige", "abcdefg"])
def test_parts_that_are_elsewhere(tmp_path, spilled, kind, name):
    spilled.write_bytes(spilled.read_bytes().replace(b"big.ige", name.encode()))
    target = shutil.move(tmp_path / "big.ige", tmp_path / "x" if kind == "pipe" else tmp_path.parent / "outside.ige")
    if kind == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to(target)
    refusal(spilled, "no file here" if kind == "pipe" else "outside its folder")


def test_parts_that_are_named_by_a_path(tmp_path, spilled):
    shutil.move(tmp_path / "big.ige", tmp_path.parent / "b.i")
    spilled.write_bytes(spilled.read_bytes().replace(b"big.ige\0", b"../b.i\0\0"))
    refusal(spilled, r"names parts of it by paths \(big\.img\)")


def test_a_raster_whose_overviews_are_in_another_file(tmp_path, write_raster):
    path, beside = tmp_path / "small.img", tmp_path / "small.rrd"
    with rasterio.open(write_raster(BANDS)) as raster:
        translate(raster, path, driver="HFA")
    with rasterio.Env(HFA_USE_RRD="YES"), rasterio.open(path, "r+") as raster:
        raster.build_overviews([2], rasterio.enums.Resampling.nearest)
    assert read_info(path)["overviews"] == [2]
    content = beside.read_bytes()
    beside.write_bytes(content.replace(b"small.img\0", b"../ab.img\0"))
    refusal(path, r"names parts of it by paths \(small\.rrd\)")
    beside.unlink()
    (tmp_path.parent / "o.rrd").write_bytes(content)
    beside.symlink_to(tmp_path.parent / "o.rrd")
    refusal(path, "outside its folder")


@pytest.mark.parametrize("cut", [17, 21, 40, 300, 1000])
def test_a_raster_of_imagine_that_is_cut_short(spilled, cut):
    spilled.write_bytes(spilled.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"big\.img is damaged"):
        read(spilled)


def test_a_dictionary_that_is_no_text(spilled):
    content = spilled.read_bytes()
    spilled.write_bytes(content.replace(b"Ehfa_Entry", b"Ehfa\xa6Entry", 1))
    refusal(spilled, r"damaged \(big\.img: its dictionary is no text\)")


def test_a_dictionary_without_end(spilled):
    """What lies behind the part that is looked at would be in a complaint that rasterio cannot decode, and prints."""
    content = bytearray(spilled.read_bytes())
    (header,) = struct.unpack_from("<I", content, 16)
    (place,) = struct.unpack_from("<I", content, header + 14)
    struct.pack_into("<I", content, header + 14, len(content))
    words = bytes(content[place : content.index(b"\0", place)]).replace(b"}Ehfa_Entry", b"}Ehf\xe9_Entry")
    spilled.write_bytes(content + b"{1:cx,}Filler,".ljust(14) * 80_000 + words + b"\0")
    refusal(spilled, r"damaged \(big\.img: its dictionary is no text\)")


@pytest.fixture
def numbers(tmp_path):
    """Write a file of HDF5: (what to add to it, name) -> path."""

    def make(finish=lambda file: None, name="a.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["band"] = BANDS[0]
            finish(file)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", ["a.h5", "a.nc", "a.hdf5"])
def test_numbers_of_instruments(numbers, name):
    def place(file):  # without which GDAL 3.9 takes no file for netCDF
        for axis, letter in enumerate("yx"):
            file[letter] = np.arange(64.0)
            file[letter].make_scale(letter)
            file["band"].dims[axis].attach_scale(file[letter])

    path = numbers(place, name) if name == "a.nc" else numbers(name=name)
    rows = slice(None, None, -1) if name == "a.nc" else slice(None)  # netCDF begins in the south
    np.testing.assert_array_equal(np.squeeze(read(path).array), BANDS[0, rows])


@pytest.mark.parametrize("name", ["a.h5", "a.nc"])
@pytest.mark.parametrize("kind", ["link", "deep link", "storage", "virtual"])
def test_numbers_of_other_files(tmp_path, numbers, name, kind):
    (tmp_path / "other.bin").write_bytes(bytes(100))

    def finish(file):
        if kind == "storage":
            file.create_dataset("x", (100,), "u1", external=[(str(tmp_path / "other.bin"), 0, 100)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
            file.create_virtual_dataset("x", layout)
        else:
            group = file.create_group("a/b/c") if kind == "deep link" else file
            group["x"] = h5py.ExternalLink("other.h5", "/x")

    refusal(numbers(finish, name), "from another file; copy all into one file")


def test_groups_in_a_circle(numbers):
    def finish(file):
        file.create_group("a")["back"] = file["/"]
        file["soft"] = h5py.SoftLink("/nowhere")

    assert read_info(numbers(finish))["shape"] == [64, 64]


def test_blocks_above_the_budget(numbers):
    def finish(file):
        file.create_dataset("x", (60_000, 60_000), "u4", chunks=(30_000, 30_000), compression="gzip")

    refusal(numbers(finish), "its blocks take 3434 MiB")


def test_only_what_is_there(tmp_path):
    for name in ("a.tif", "a.tif.aux.xml", "a.TFW", "A.PRJ", "a_RPC.TXT", "b.tfw", "a.png", "a.asc"):
        (tmp_path / name).touch()
    assert {each.name for each in companions(tmp_path / "a.tif")} == {"a.tif.aux.xml", "a.TFW", "a_RPC.TXT"}
    assert {each.name for each in companions(tmp_path / "a.asc")} == {"A.PRJ", "a_RPC.TXT"}


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match="no file here"):
        require_inside(tmp_path / "a", tmp_path, tmp_path / "owner")
