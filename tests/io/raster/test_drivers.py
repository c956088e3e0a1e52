"""Which files GDAL gets."""

import numpy as np
import pytest

from gmmseg.batch.inputs import find_images
from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.raster import drivers as subject

GRID = "ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\nNODATA_value -9999\n1 2 3\n4 -9999 6\n"


def test_each_driver_is_one_of_gdal():
    import rasterio

    with rasterio.Env() as current:
        assert {each.name for each in subject.DRIVERS} <= set(current.drivers())
    assert all(each.reason for each in subject.DRIVERS)


def test_none_that_follows_descriptions():
    names = {each.name for each in subject.DRIVERS}
    assert not names & {
        "MRF",
        "WMS",
        "WMTS",
        "WCS",
        "GTI",
        "STACIT",
        "STACTA",
        "HTTP",
        "PLMOSAIC",
        "EEDAI",
        "Zarr",
        "TIL",
    }


def test_a_grid_in_text(tmp_path):
    (tmp_path / "a.asc").write_text(GRID)
    image = read(tmp_path / "a.asc")
    assert image.array[..., 0].tolist() == [[1, 2, 3], [4, -9999, 6]]
    assert image.valid.tolist() == [[True, True, True], [True, False, True]]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "notes.md", "a", "a.grd", "a.img"])
def test_text_is_no_image_unless_it_is_named_so(tmp_path, name):
    (tmp_path / name).write_text(GRID)
    with pytest.raises(InputError, match="starts with text"):
        read_info(tmp_path / name)
    (found,) = find_images([tmp_path], without=tmp_path / "out")
    assert "no known image" in found.reason


@pytest.mark.parametrize("text", ["x,y,z\n1,2,3\n", "1 2 3\n4 5 6\n", '{"type": "Feature"}', "P5 is a game\n"])
@pytest.mark.parametrize("name", ["notes.csv", "readme.txt", "a.json", "b.xyz"])
def test_texts_in_a_folder_are_no_images(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (found,) = find_images([tmp_path], without=tmp_path / "out")
    assert found.reason


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.bin", b"\0\0\0\x0cjP  \r\n\x87\n", r"JP2OpenJPEG raster by its content.*rename it to a\.jp2"),
        ("a.dat", b"EHFA_HEADER_TAG\0", r"HFA raster by its content.*rename it to a\.img"),
        ("a.hdr", b"ENVI\nsamples = 5\n", "header of an ENVI raster; name the file of its pixels"),
        ("a.pix", b"PCIDSK  ", "GDAL's driver PCIDSK.*gdal_translate a.pix a.tif"),
        ("a.ntf", b"NITF02.10", "GDAL's driver NITF.*gdal_translate a.ntf a.tif"),
        ("a.grb", b"GRIB\0\0", "GDAL's driver GRIB"),
        ("a.til", b"bandId = 'P'\n", "is named as a raster of GDAL's driver TIL"),
        ("a.gpkg", b"SQLite format 3\0", "GDAL's driver GPKG"),
        ("DIM.XML", b"\xef\xbb\xbf<?xml version='1.0'?>\n<Dimap_Document/>", "GDAL's driver DIMAP"),
    ],
)
def test_what_is_known_but_not_read(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_info(tmp_path / name)
    (found,) = find_images([tmp_path], without=tmp_path / "out")
    assert found.reason


def test_a_tile_of_srtm(tmp_path):
    heights = (np.arange(1201**2) % 3000).astype(">i2").reshape(1201, 1201)
    (tmp_path / "N47E011.hgt").write_bytes(heights.tobytes())
    np.testing.assert_array_equal(read(tmp_path / "N47E011.hgt").array[..., 0], heights)
    (tmp_path / "N47E012.hgt").write_bytes(b"too short")
    with pytest.raises(InputError, match="no known image"):
        read(tmp_path / "N47E012.hgt")


def test_headers_lie_beside_their_numbers(tmp_path):
    (tmp_path / "cube.raw").write_bytes(bytes(range(24)))
    head = "ENVI\nsamples = 4\nlines = 3\nbands = 2\ndata type = 1\ninterleave = bsq\n"
    (tmp_path / "cube.hdr").write_text(head)
    assert read(tmp_path / "cube.raw").array.shape == (3, 4, 2)
    (tmp_path / "cube.hdr").unlink()
    (tmp_path / "cube.raw.hdr").write_text(head)
    assert read(tmp_path / "cube.raw").array.shape == (3, 4, 2)
    (tmp_path / "cube.raw.hdr").unlink()
    with pytest.raises(InputError, match="no known image"):
        read(tmp_path / "cube.raw")
