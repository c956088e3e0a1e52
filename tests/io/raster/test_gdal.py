"""GDAL: no network, nothing beside the file but what belongs to it, and any name of a file."""

import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.shutil import copy as translate
from refusals import refusal

from gmmseg.batch.inputs import find_images
from gmmseg.errors import GmmsegError, InputError
from gmmseg.io import read, read_info
from gmmseg.io.raster.gdal import environment, open_dataset
from gmmseg.io.raster.location import place_in

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
ONES = np.ones((1, 4, 5), np.uint8)
TILES = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>http://{0}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service><DataWindow>'
    "<UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY><LowerRightX>9</LowerRightX><LowerRightY>-9</LowerRightY>"
    "<TileLevel>0</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY><YOrigin>top</YOrigin></DataWindow>"
    "<BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY><BandsCount>3</BandsCount></GDAL_WMS>"
)
CACHE = (
    "<MRF_META><CachedSource><Source>/vsicurl/http://{0}/a.tif</Source></CachedSource><Raster><Size x='512' y='512' "
    "c='1'/><PageSize x='512' y='512' c='1'/><DataFile>{1}/victim.dat</DataFile><IndexFile>{1}/victim.idx</IndexFile>"
    "</Raster></MRF_META>"
)
DESCRIPTIONS = {
    "WMS": TILES,
    "MRF": CACHE,
    "WMTS": "<GDAL_WMTS><GetCapabilitiesUrl>http://{0}/wmts</GetCapabilitiesUrl></GDAL_WMTS>",
    "WMTS answer": '<?xml version="1.0"?><Capabilities><ServiceMetadataURL href="http://{0}/wmts"/></Capabilities>',
    "GTI": "<GDALTileIndexDataset><IndexDataset>/vsicurl/http://{0}/a.gpkg</IndexDataset></GDALTileIndexDataset>",
    "STACIT": '{{"type": "Feature", "stac_version": "1.0.0", "links": [], "assets": {{"a": {{"href": "http://{0}/"}}}}}}',
    "WCS": "<WCS_GDAL><ServiceURL>http://{0}/wcs?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>",
    "VRT": '<VRTDataset rasterXSize="5" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    "<SourceFilename>/vsicurl/http://{0}/a.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
}
OVERVIEWS = '<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{}</MDI></Metadata>'


def refused(path, match=None):
    """No way of reading a file goes further than to say why not."""
    refusal(path, match, readers=(read, read_info, place_in))


def state(folder):
    return {each.name: (each.stat().st_size, each.stat().st_mtime_ns) for each in folder.iterdir()}


def test_the_server_hears_gdal(tmp_path, listener):
    (tmp_path / "w.xml").write_text(TILES.format(listener.address))
    with rasterio.open(tmp_path / "w.xml") as raster, pytest.raises(rasterio.errors.RasterioError):
        raster.read()
    assert listener.calls


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "txt", "csv", "xml", "vrt", "mrf", "json", "img", "asc", ""])
@pytest.mark.parametrize("kind", sorted(DESCRIPTIONS))
def test_descriptions_are_not_followed(tmp_path, listener, kind, suffix):
    path = tmp_path / f"a.{suffix}".rstrip(".")
    (tmp_path / "victim.dat").write_bytes(b"data of the user")
    path.write_text(DESCRIPTIONS[kind].format(listener.address, tmp_path))
    before = state(tmp_path)
    refused(path)
    if suffix not in ("png", "jpg", "tif"):  # which are named as images, and fail when it is their turn
        (found,) = (each for each in find_images([tmp_path], without=tmp_path / "out") if each.path == path)
        assert found.reason or (kind, suffix) == ("VRT", "vrt")
    assert not listener.calls
    assert state(tmp_path) == before


def test_a_description_is_named_with_what_to_do(tmp_path):
    (tmp_path / "a.mrf").write_text(CACHE.format("localhost", tmp_path))
    refused(tmp_path / "a.mrf", r"a\.mrf describes data elsewhere \(GDAL's driver MRF\).*give them")
    (tmp_path / "w.xml").write_text(TILES.format("localhost"))
    refused(tmp_path / "w.xml", r"w\.xml describes data elsewhere \(GDAL's driver WMS\).*give them")


@pytest.mark.parametrize("where", ["/vsicurl/http://{}/a.tif", "{1}/w.xml", "/etc/passwd"])
def test_overviews_that_are_named_elsewhere(tmp_path, listener, write_raster, virtual, where):
    (tmp_path / "w.xml").write_text(TILES.format(listener.address))
    name = where.format(listener.address, tmp_path)
    path = write_raster(ONES)
    (tmp_path / "r.tif.aux.xml").write_text(f"<PAMDataset>{OVERVIEWS.format(name)}</PAMDataset>")
    refused(path, "names overviews in another file")
    virtual("r.tif")
    refused(tmp_path / "v.vrt", "names overviews in another file")
    write_raster(ONES, "t.tif", finish=lambda raster: raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=name))
    refused(tmp_path / "t.tif", "names overviews in another file")
    assert not listener.calls


@pytest.mark.parametrize("end", [".ovr", ".msk", ".OVR", ".ovr.ovr"])
def test_overviews_and_masks_are_tiff_files(tmp_path, listener, write_raster, end):
    path = write_raster(ONES)
    if end == ".ovr.ovr":
        shutil.copy(path, tmp_path / "r.tif.ovr")
    (tmp_path / f"r.tif{end}").write_text(TILES.format(listener.address))
    refused(path, "is no TIFF file")
    assert not listener.calls


def test_a_mask_beside_a_raster(write_raster, tmp_path):
    path = write_raster(ONES)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as raster:
        raster.write_mask(np.arange(20).reshape(4, 5) > 3)
    assert (tmp_path / "r.tif.msk").exists()
    assert read(path).valid.sum() == 16


@pytest.mark.parametrize("end", ["r.tif.aux.xml", "r.tfw", "r.TFW", "r.tif.ovr", "r_rpc.txt", "r.imd", "SUMMARY.TXT"])
@pytest.mark.parametrize("kind", ["pipe", "link", "broken"])
def test_what_lies_beside_is_a_file_of_the_folder(tmp_path, write_raster, kind, end):
    path = write_raster(ONES, crs=None, transform=None)
    if kind == "pipe":
        os.mkfifo(tmp_path / end)
    else:
        (tmp_path / end).symlink_to("/etc/hostname" if kind == "link" else tmp_path / "missing")
    if kind == "broken":
        with environment(), open_dataset(path) as dataset:  # GDAL finds nothing either
            assert (dataset.read() == 1).all()
        return
    with environment(), pytest.raises(InputError, match="no file here" if kind == "pipe" else "outside its folder"):
        open_dataset(path)


def test_links_are_those_of_the_user(tmp_path, write_raster):
    """What a link leads to has its files beside it, not beside the link."""
    store = tmp_path / "store"
    store.mkdir()
    shutil.move(write_raster(ONES, transform=None, crs=None), store / "r.tif")
    (store / "r.tfw").write_text("2\n0\n0\n-2\n100\n200\n")
    (tmp_path / "mine.tif").symlink_to(store / "r.tif")
    (tmp_path / "mine.tfw").write_text("9\n0\n0\n-9\n100\n200\n")
    assert place_in(tmp_path / "mine.tif").affine[0] == 2


@pytest.mark.parametrize("name", ["a b.tif", "a\nb.tif", "größe 東京.tif", "http:x.tif", "zip+x!y.tif", "a?b#c%20.tif"])
def test_names(tmp_path, write_raster, name):
    shutil.copy(write_raster(np.full((1, 4, 5), 3, np.uint8)), tmp_path / name)
    assert (read(tmp_path / name).array == 3).all()
    assert read_info(tmp_path / name)["georeferenced"]


def test_a_raster_without_a_place_warns_of_nothing(tmp_path, write_raster):
    path = write_raster(ONES, transform=None, crs=None, nodata=0)
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(path).place.affine == (1, 0, 0, 0, 1, 0)
        assert place_in(path) is None
    assert warnings.filters == before


def test_nothing_is_written_beside_what_is_read(tmp_path, write_raster):
    plain = write_raster(np.ones((1, 40, 50), np.uint8), transform=rasterio.Affine(30, 0, 0, 0, -30, 0))
    for driver, name in (
        ("ENVI", "e.dat"),
        ("HFA", "h.img"),
        ("AAIGrid", "a.asc"),
        ("JP2OpenJPEG", "j.jp2"),
        ("EHdr", "b.bil"),
        ("SAGA", "s.sdat"),
        ("PNM", "n.pgm"),
        ("netCDF", "c.nc"),
    ):
        with rasterio.open(plain) as raster:
            translate(raster, tmp_path / name, driver=driver)
        before = state(tmp_path)
        assert (read(tmp_path / name).array == 1).all(), driver
        assert read_info(tmp_path / name)["driver"] == driver
        assert state(tmp_path) == before, driver


def test_a_driver_that_this_gdal_lacks(write_raster, monkeypatch):
    from gmmseg.io.raster import gdal

    path = write_raster(ONES)
    monkeypatch.setattr(gdal, "driver_of", lambda path: gdal.Driver("JP2Nobody", "nobody", ()))
    with pytest.raises(GmmsegError, match="needs GDAL's driver JP2Nobody"):
        read_info(path)


def test_a_name_that_is_not_utf_8(tmp_path, write_raster):
    with rasterio.open(write_raster(ONES)) as raster:
        translate(raster, tmp_path / "a.asc", driver="AAIGrid")
    path = tmp_path / "caf\udce9.asc"
    try:
        (tmp_path / "a.asc").rename(path)
    except (OSError, UnicodeError):
        pytest.skip("no file can have such a name here")
    refusal(path, r"\.asc has a name, or is in a folder of one, that is not UTF-8; rename it")


def cache_size():
    return rasterio.env.get_gdal_config("GDAL_CACHEMAX")


def test_the_cache_is_bounded_in_bytes_and_given_back(tmp_path):
    before = cache_size()
    with environment():
        assert 1 << 20 <= cache_size() <= 64 << 20
    assert cache_size() == before
    with rasterio.Env():  # of whoever calls
        with environment():
            assert cache_size() < before
        assert cache_size() == before


def test_a_damaged_block_is_never_taken_for_read(write_raster, rng):
    """Of one that several threads cannot decode GDAL keeps zeros."""
    noise = rng.integers(1, 255, (1, 512, 512), np.uint8)
    path = write_raster(noise, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    with tifffile.TiffFile(path) as tiff:
        start, size = tiff.pages.first.dataoffsets[5], tiff.pages.first.databytecounts[5]
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(b"\x99" * size)
    source = read(path, memory=0).pixels
    alone, around = (slice(128, 256), slice(128, 256)), (slice(120, 264), slice(120, 264))
    for window in (alone, around, around, alone, (slice(150, 160), slice(150, 160)), around):
        with pytest.raises(InputError, match="damaged or cut short in rows"):
            source.read(window)
    np.testing.assert_array_equal(source.read((slice(256, 512), slice(0, 512)))[0][..., 0], noise[0, 256:])


def test_threads_give_the_cache_back_when_the_last_has_left():
    before, entered, left = cache_size(), Event(), Event()

    def stay():
        with environment():
            entered.set()
            assert left.wait(10)

    with ThreadPoolExecutor(1) as pool:
        with environment():
            staying = pool.submit(stay)
            assert entered.wait(10)
        assert cache_size() < before
        left.set()
        staying.result()
    assert cache_size() == before


def test_a_raster_that_is_written_twice_afterwards_is_whole(tmp_path):
    profile = {"driver": "GTiff", "width": 8, "height": 6, "count": 2, "dtype": "float32", "nodata": -1}
    place = {"crs": "EPSG:32625", "transform": rasterio.transform.from_origin(500000, 9000000, 30, 20)}
    with rasterio.open(tmp_path / "a.tif", "w", **profile, **place) as raster:
        raster.write(np.zeros((2, 6, 8), "float32"))
    with rasterio.open(tmp_path / "a.tif") as opened, environment():
        opened.read()
    with rasterio.open(tmp_path / "r.tif", "w", **profile, **place) as raster:
        raster.write(np.full((2, 6, 8), -1, "float32"))
        for band in (1, 2):
            raster.write(np.ones((5, 8), "float32"), band, window=((0, 5), (0, 8)))
    with rasterio.open(tmp_path / "r.tif") as raster:
        stored = raster.read()
    assert (stored[:, :5] == 1).all()
    assert (stored[:, 5] == -1).all()
