"""Rasters through GDAL: what headers say, whose a file is, and what is wrong with it."""

import json
import shutil
import struct

import numpy as np
import pytest
import rasterio
import tifffile
from raster_windows import PLACE, assert_same_by_windows
from rasterio.shutil import copy as translate

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels
from gmmseg.io.raster import format as subject
from gmmseg.io.request import Reading
from gmmseg.io.tiff.decoding import read_tiff

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.mark.slow
def test_landsat_is_what_tifffile_reads(pictures):
    path = pictures / "L7_ETMs.tif"
    image, other = assert_same_by_windows(path), read_tiff(path, Reading(max_pixels=10**6))
    np.testing.assert_array_equal(image.array, other.array)
    assert (image.color, image.valid, image.place.native.facts["driver"]) == (False, None, "GTiff")
    assert image.spacing == pytest.approx(other.spacing)
    for code in (33550, 33922):
        np.testing.assert_allclose(image.place.native.tags[code][2], other.place.native.tags[code][2])
    first, second = (gmmseg.segment(each, 4, seed=1) for each in (image, other))
    np.testing.assert_array_equal(first.labels, second.labels)


def test_what_the_header_says_is_kept(write_raster):
    def finish(raster):
        raster.descriptions = ("Rot & grün", "nah")
        raster.scales, raster.offsets = (0.1, 0.2), (1, 2)
        raster.update_tags(SENSOR="x", AREA_OR_POINT="Point")

    path = write_raster(np.ones((2, 9, 8), np.int16), nodata=-1, finish=finish)
    image = read(path)
    geo = image.place.native
    assert image.channel_names == ("Rot & grün", "nah")
    assert image.spacing == (20, 30)
    assert (geo.facts["scales"], geo.facts["offsets"], geo.facts["nodata"]) == ((0.1, 0.2), (1, 2), (-1, -1))
    assert geo.facts["tags"]["SENSOR"] == "x"
    assert geo.area_or_point == "Point"
    assert geo.transform == tuple(PLACE["transform"])[:6]
    assert rasterio.CRS.from_wkt(geo.crs) == rasterio.CRS.from_epsg(32625)
    info = read_info(path)
    assert (info["driver"], info["size"], info["nodata"]) == ("GTiff", [8, 9], "-1")
    assert info["crs"].endswith("(EPSG:32625)")
    assert info["bounds"] == {"left": 500000, "bottom": 9000000 - 180, "right": 500240, "top": 9000000}


def test_a_rotated_raster_has_the_lengths_of_its_sides(write_raster):
    transform = PLACE["transform"] * rasterio.Affine.rotation(30)
    image = read(write_raster(np.ones((1, 9, 8), np.uint8), transform=transform))
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert image.spacing == pytest.approx((np.hypot(30 * s, 20 * c), np.hypot(30 * c, 20 * s)))


@pytest.mark.parametrize("missing", [{"crs": None}, {"transform": None}, {"crs": None, "transform": None}])
def test_without_a_place(write_raster, missing):
    path = write_raster(np.ones((1, 9, 8), np.uint8), nodata=0, **missing)
    image = read(path)
    assert (image.place.crs is None) == ("crs" in missing)
    assert (image.spacing is None) == ("transform" in missing)
    assert read_info(path)["georeferenced"] == ("transform" not in missing)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["ENVI", "HFA", "AAIGrid"])
def test_other_formats(tmp_path, write_raster, rng, driver):
    count = 1 if driver == "AAIGrid" else 4
    bands = rng.integers(0, 200, (count, 20, 30)).astype(np.int32 if driver == "AAIGrid" else np.uint8)
    square = {"transform": rasterio.Affine(30, 0, 0, 0, -30, 0)}
    plain = write_raster(bands, photometric="minisblack", **square)
    path = tmp_path / ("scene.asc" if driver == "AAIGrid" else "scene.img")
    with rasterio.open(plain) as raster:
        translate(raster, path, driver=driver)
    image = assert_same_by_windows(path)
    np.testing.assert_array_equal(image.array, np.moveaxis(bands, 0, -1))
    assert image.place.native.facts["driver"] == driver
    np.testing.assert_array_equal(read_probabilities(path), bands)
    if count == 1:
        np.testing.assert_array_equal(read_labels(path), bands[0])
    else:
        with pytest.raises(InputError, match="4 bands"):
            read_labels(path)


def test_whose_a_tiff_file_is(tmp_path, write_raster, pictures, rng):
    geo = write_raster(np.ones((1, 30, 40), np.uint8))
    with rasterio.open(geo, "r+") as raster:
        raster.build_overviews([2], rasterio.enums.Resampling.nearest)
    big = write_raster(np.ones((1, 30, 40), np.uint8), "b.tif", bigtiff="yes", endianness="big")
    assert all(map(subject.owns, (geo, big, pictures / "L7_ETMs.tif")))
    values = rng.integers(0, 255, (3, 20, 30), dtype=np.uint8)
    tags = {"extratags": [(42113, "s", 0, "0", True)]}
    others = {
        "plain": {},
        "stack": {"photometric": "minisblack", **tags},
        "imagej": {"imagej": True},
        "ome": {"ome": True, **tags},
    }
    for name, options in others.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, values if name == "stack" else values[0], **options)
        assert not subject.owns(path), name
    assert not subject.owns(pictures / "nuclei.tif")
    shutil.copy(pictures / "nuclei.tif", tmp_path / "n.tif")
    (tmp_path / "n.tfw").write_text("2\n0\n0\n-2\n100\n200\n")
    assert read(tmp_path / "n.tif").spacing == (2, 2)
    for content in (b"", b"II*\0", b"II*\0\xff\xff\0\0", b"MM\0*\0\0\0\x08\xff\xff"):
        (tmp_path / "x.tif").write_bytes(content)
        assert not subject.owns(tmp_path / "x.tif")


def test_what_gdal_does_not_know(tmp_path, capfd):
    for content in (b"hello", b"\0" * 600, b"{}", b"<html></html>"):
        (tmp_path / "x").write_bytes(content)
        assert not subject.sniff(b"", tmp_path / "x")
    assert not subject.sniff(b"", tmp_path / "missing")
    assert capfd.readouterr() == ("", "")


def test_complex_numbers_are_refused(write_raster):
    with pytest.raises(InputError, match="complex numbers .* magnitude"):
        read(write_raster(np.ones((1, 4, 5), np.complex64)))


def test_zero_size_and_damaged_headers(tmp_path, write_raster):
    content = bytearray(write_raster(np.ones((1, 4, 5), np.uint8)).read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    for at in range(start + 2, start + 2 + 60, 12):
        if struct.unpack_from("<H", content, at)[0] == 256:
            struct.pack_into("<I", content, at + 8, 0)
    (tmp_path / "z.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"z\.tif"):
        read(tmp_path / "z.tif")


def test_the_limit_holds_in_memory_only(write_raster):
    path = write_raster(np.ones((2, 40, 50), np.uint8))
    with pytest.raises(InputError, match="50 x 40 = 2000 pixels, above the limit of 1999"):
        read(path, max_pixels=1999)
    assert read(path, max_pixels=10, memory=3999).in_memory is False
    with pytest.raises(InputError, match="above the limit"):
        read(path, max_pixels=10, memory=4000)


def test_channel_axis_has_nothing_to_say(write_raster):
    with pytest.raises(ParameterError, match="leave it out"):
        read(write_raster(np.ones((2, 4, 5), np.uint8)), channel_axis=0)


@pytest.mark.slow
def test_importing_does_not_load_rasterio(fresh_python):
    code = "import sys, gmmseg.io.raster.format; print('rasterio' in sys.modules)"
    assert fresh_python(code).strip() == "False"


def test_ground_control_points_without_a_system(tmp_path, write_raster):
    write_raster(np.arange(20, dtype=np.uint8).reshape(1, 4, 5))
    corners = ((0, 0), (5, 0), (0, 4))
    points = "".join(f'<GCP Id="{x}{y}" Pixel="{x}" Line="{y}" X="{x}" Y="{y}"/>' for x, y in corners)
    source = '<SimpleSource><SourceFilename relativeToVRT="1">r.tif</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    text = f'<VRTDataset rasterXSize="5" rasterYSize="4"><GCPList>{points}</GCPList>{band}</VRTDataset>'
    (tmp_path / "v.vrt").write_text(text)
    image = read(tmp_path / "v.vrt")
    assert image.place.native.gcps_crs is None
    assert len(image.place.native.gcps) == 3
    write_labels(tmp_path / "l.tif", np.ones((4, 5), np.uint8), image=image)
    with rasterio.open(tmp_path / "l.tif") as raster:
        assert [(each.col, each.x) for each in raster.gcps[0]] == [(0, 0), (5, 5), (0, 0)]


@pytest.mark.parametrize(
    ("transform", "bounded"),
    [("1e308,1e308,1e308,1e308,1e308,1e308", False), ("nan,inf,0,0,0,0", False), ("0,1,0,9,0,-1", True)],
)
def test_bounds_are_numbers(tmp_path, transform, bounded):
    band = '<VRTRasterBand dataType="Byte" band="1"/>'
    text = f'<VRTDataset rasterXSize="5" rasterYSize="4"><GeoTransform>{transform}</GeoTransform>{band}</VRTDataset>'
    (tmp_path / "v.vrt").write_text(text)
    described = read_info(tmp_path / "v.vrt")
    assert ("bounds" in described) == bounded
    json.dumps(described, allow_nan=False)


@pytest.mark.parametrize("name", ["LINE_OFF", "HEIGHT_SCALE"])
def test_rational_polynomials_that_are_incomplete(tmp_path, write_raster, name):
    path = write_raster(np.ones((1, 4, 5), np.uint8))
    item = f'<PAMDataset><Metadata domain="RPC"><MDI key="{name}">abc</MDI></Metadata></PAMDataset>'
    (tmp_path / "r.tif.aux.xml").write_text(item)
    with pytest.raises(InputError, match=r"r\.tif has incomplete rational polynomials \(.*\); remove them"):
        read(path)


def test_a_picture_of_netpbm_has_no_place(tmp_path):
    """GDAL leaves what stands where its transform belongs as it is."""
    (tmp_path / "a.pgm").write_bytes(b"P5\n5 4\n255\n" + bytes(range(20)))
    assert read(tmp_path / "a.pgm").place.affine == (1, 0, 0, 0, 1, 0)
    assert not read_info(tmp_path / "a.pgm")["georeferenced"]


def test_scale_and_offset_are_said(write_raster):
    def finish(raster):
        raster.scales, raster.offsets, raster.units = (0.0001, 0.0001), (-0.1, 0.0), ("1", "1")

    found = read_info(write_raster(np.ones((2, 20, 30), np.uint16), finish=finish))
    assert (found["scale"], found["offset"], found["unit"]) == (0.0001, [-0.1, 0.0], "1")
    plain = read_info(write_raster(np.ones((2, 20, 30), np.uint16), "plain.tif"))
    assert not {"scale", "offset", "unit"} & set(plain)
