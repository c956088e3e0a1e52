"""Coordinate systems that name files: nothing opens these."""

import ctypes
import os
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.crs import CRS
from rasterio.shutil import copy as translate
from refusals import refusal

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.raster.systems import require_no_files

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
BANDS = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)
OPENED = 0x20  # of inotify


@pytest.fixture
def opened(tmp_path):
    """Return a function that tells whether anything opened the file `far/g` since."""
    if sys.platform != "linux":
        pytest.skip("who opens files is asked of Linux")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "g").write_bytes(bytes(500))
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, os.fsencode(tmp_path / "far"), OPENED)

    def seen():
        try:
            return bool(os.read(watch, 4096))
        except BlockingIOError:
            return False

    yield seen
    os.close(watch)


def wkt(grid):
    """The system of a grid, as WKT 1 has it."""
    return (
        CRS.from_epsg(23033)
        .to_wkt()
        .replace("TOWGS84[-87,-98,-121,0,0,0,0]", f'EXTENSION["PROJ4_GRIDS","{grid}"]')
        .replace('],AUTHORITY["EPSG","6230"]]', f'],EXTENSION["PROJ4_GRIDS","{grid}"]]')
    )


def wkt2(grid):
    return (
        f"BOUNDCRS[SOURCECRS[{CRS.from_epsg(23033).to_wkt(version='WKT2_2019')}],"
        f'TARGETCRS[{CRS.from_epsg(4326).to_wkt(version="WKT2_2019")}],ABRIDGEDTRANSFORMATION["ED50 to WGS84",'
        f'METHOD["NTv2",ID["EPSG",9615]],PARAMETERFILE["Latitude and longitude difference file","{grid}"]]]'
    )


SYSTEMS = {
    "wkt": wkt,
    "wkt2": wkt2,
    "proj": "+proj=utm +zone=33 +ellps=intl +nadgrids={} +no_defs".format,
    "proj without plus": "+proj=utm zone=33 ellps=intl nadgrids={} no_defs".format,
    "quoted": '+proj=utm +zone=33 +ellps=intl +nadgrids="{}" +no_defs'.format,
    "perhaps": "+proj=utm +zone=33 +ellps=intl +nadgrids=@{} +no_defs".format,
    "second": "+proj=utm +zone=33 +ellps=intl +nadgrids=@null,{} +no_defs".format,
    "geoid": "+proj=utm +zone=33 +datum=WGS84 +geoidgrids={} +vunits=m +no_defs".format,
    "init": "+init={}:1".format,
    "step": "+proj=pipeline +step +proj=hgridshift +grids={}".format,
    "file": "+proj=tinshift +file={}".format,
    "json": '{{"type": "BoundCRS", "name": "{}"}}'.format,
}


def beside_tiff(folder, write_raster, system):
    path = write_raster(BANDS)
    path.with_name("r.tif.aux.xml").write_text(f"<PAMDataset><SRS>{escape(system)}</SRS></PAMDataset>")
    return path


def in_references(folder, write_raster, system):
    path = beside_tiff(folder, write_raster, "")
    line = '<GCPList Projection="{}"><GCP Id="1" Pixel="1" Line="1" X="1" Y="1"/></GCPList>'
    text = f"<PAMDataset>{line.format(''.join(f'&#{ord(letter)};' for letter in system))}</PAMDataset>"
    path.with_name("r.tif.aux.xml").write_text(text)
    return path


def as_virtual(folder, write_raster, system):
    write_raster(BANDS)
    source = '<SimpleSource><SourceFilename relativeToVRT="1">r.tif</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    text = f'<VRTDataset rasterXSize="5" rasterYSize="4"><SRS>{escape(system)}</SRS>{band}</VRTDataset>'
    (folder / "v.vrt").write_text(text)
    return folder / "v.vrt"


def as_envi(folder, write_raster, system):
    with rasterio.open(write_raster(BANDS)) as raster:
        translate(raster, folder / "e.dat", driver="ENVI")
    header = folder / "e.hdr"
    kept = header.read_text().partition("coordinate system string")[0]
    header.write_text(f"{kept}\ncoordinate system string = {{{system}}}\n")
    for beside in folder.glob("e.dat.aux.xml"):
        beside.unlink()
    return folder / "e.dat"


def as_text(folder, write_raster, system):
    rows = "\n".join(" ".join(map(str, row)) for row in BANDS[0])
    (folder / "g.asc").write_text(f"ncols 5\nnrows 4\nxllcorner 0\nyllcorner 0\ncellsize 1\n{rows}\n")
    (folder / "g.prj").write_text(system)
    return folder / "g.asc"


def as_imagine(folder, write_raster, system):
    with rasterio.open(write_raster(BANDS, crs=CRS.from_epsg(23033))) as raster:
        translate(raster, folder / "i.img", driver="HFA")
    content = (folder / "i.img").read_bytes()
    name = b"European_Datum_1950" if b"European_Datum_1950" in content else b"European 1950"
    assert name in content
    (folder / "i.img").write_bytes(content.replace(name, b"grids=/a/b".ljust(len(name), b"\0")))
    return folder / "i.img"


def as_tiff(folder, write_raster, system):
    """With the words that ArcGIS writes."""
    words = f"ESRI PE String = {system}|"
    keys = [(1024, 0, 1, 1), (1025, 0, 1, 1), (3072, 0, 1, 32767), (3073, 34737, len(words), 0), (3074, 0, 1, 32767)]
    flat = [1, 1, 0, len(keys), *(number for key in keys for number in key)]
    tags = [(33550, "d", 3, (1, 1, 0), True), (33922, "d", 6, (0,) * 6, True), (34735, "H", len(flat), flat, True)]
    tifffile.imwrite(folder / "t.tif", BANDS[0], extratags=[*tags, (34737, "s", 0, words.encode(), True)])
    return folder / "t.tif"


def as_jpeg_2000(folder, write_raster, system):
    """With a box of GeoTIFF's tags behind the pixels."""
    with rasterio.open(as_tiff(folder, write_raster, system)) as raster:
        words = (folder / "t.tif").read_bytes()
        translate(raster, folder / "j.jp2", driver="JP2OpenJPEG", GeoJP2="NO", GMLJP2="NO")
    content = (folder / "j.jp2").read_bytes()
    box = (len(words) + 8).to_bytes(4, "big") + b"uuid" + words
    (folder / "j.jp2").write_bytes(content + box)
    return folder / "j.jp2"


def as_numbers(folder, write_raster, system):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "n.nc", "w") as file:
        file["band"] = BANDS[0]
        for axis, letter in enumerate("yx"):
            file[letter] = np.arange(float(BANDS[0].shape[axis]))
            file[letter].make_scale(letter)
            file["band"].dims[axis].attach_scale(file[letter])
        file["crs"] = 0
        file["crs"].attrs["crs_wkt"] = file["crs"].attrs["spatial_ref"] = np.bytes_(system.encode())
        file["band"].attrs["grid_mapping"] = np.bytes_("crs")
    return folder / "n.nc"


def as_classic(folder, write_raster, system):
    with rasterio.open(write_raster(BANDS, crs=CRS.from_epsg(23033))) as raster:
        translate(raster, folder / "c.nc", driver="netCDF", FORMAT="NC")
    content = (folder / "c.nc").read_bytes()
    name = b'DATUM["European_Datum_1950"'
    assert name in content
    (folder / "c.nc").write_bytes(content.replace(name, b'X["PROJ4_GRIDS","/a/b"]'.ljust(len(name))))
    return folder / "c.nc"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("make", [beside_tiff, in_references, as_virtual])
def test_systems_in_xml(tmp_path, write_raster, opened, make, system):
    path = make(tmp_path, write_raster, SYSTEMS[system](tmp_path / "far" / "g"))
    opened()
    refusal(path, "a coordinate system that names a file .*, which is not opened; give the system by its EPSG code")
    assert not opened()


@pytest.mark.parametrize("system", ["wkt", "wkt2"])
@pytest.mark.parametrize("make", [as_envi, as_text, as_tiff, as_jpeg_2000, as_numbers, as_imagine, as_classic])
def test_systems_elsewhere(tmp_path, write_raster, opened, make, system):
    path = make(tmp_path, write_raster, SYSTEMS[system](tmp_path / "far" / "g"))
    opened()
    refusal(path, "a coordinate system that names a file .*, which is not opened; give the system by its EPSG code")
    assert not opened()


@pytest.mark.parametrize("grid", ["@null", "null", "@ntf_r93.gsb", "@conus,null"])
@pytest.mark.parametrize("system", ["wkt", "wkt2", "proj", "quoted"])
@pytest.mark.parametrize("make", [beside_tiff, as_virtual])
def test_grids_that_proj_has_itself(tmp_path, write_raster, make, system, grid):
    path = make(tmp_path, write_raster, SYSTEMS[system](grid))
    np.testing.assert_array_equal(read(path).array[..., 0], BANDS[0])
    assert "crs" in read_info(path)


@pytest.mark.parametrize("code", [3857, 4326, 2154, 27572, 28992, 31370, 21781, 5514, 7415])
def test_systems_by_their_codes_name_no_files(code):
    system = CRS.from_epsg(code)
    for version in ("WKT1_GDAL", "WKT1_ESRI", "WKT2_2019"):
        require_no_files(system.to_wkt(version=version), Path("a"), "b")


@pytest.mark.parametrize(
    "part", ["grids=", "grids=,", 'grids",', 'grids" ', "+proj=", 'parameterfile["', "<srs>", "&#"]
)
def test_long_texts_take_no_time(part):
    before = time.process_time()
    try:
        require_no_files("+proj=x " + part * 200_000, Path("a"), "b")
    except InputError as error:
        assert len(str(error)) < 300
    assert time.process_time() - before < 5
