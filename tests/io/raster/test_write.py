"""Writing GeoTIFF: what GDAL, rio-cogeo and tifffile find in it, the same bytes whatever the windows, a full disk."""

import itertools
import resource
import shutil
import signal
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

rasterio = pytest.importorskip("rasterio")

import gmmseg  # noqa: E402
from gmmseg.errors import OutputError  # noqa: E402
from gmmseg.image import Image  # noqa: E402
from gmmseg.image.place import Place  # noqa: E402
from gmmseg.image.windows import everything, strips  # noqa: E402
from gmmseg.io import read, read_labels, read_probabilities  # noqa: E402
from gmmseg.io.blocks import Plan, blocks_of  # noqa: E402
from gmmseg.io.contents import Contents  # noqa: E402
from gmmseg.io.palette import palette  # noqa: E402
from gmmseg.io.raster import write  # noqa: E402
from gmmseg.io.raster.location import GeoReference  # noqa: E402
from gmmseg.io.writing import write_labels, write_map, write_probabilities, write_rgb, write_windows  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Dataset has no geotransform"),
]
CRS = rasterio.CRS.from_epsg(32625)


def placed(shape, **geo):
    """An image of zeros that lies somewhere."""
    place = {"crs": CRS.to_wkt(), "transform": (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)} | geo
    return Image(np.zeros((*shape, 1), np.uint8), place=Place(native=GeoReference(**place)))


def cut(array, rows, columns):
    """Windows of an array (..., rows, columns), row by row."""
    height, width = array.shape[-2:]
    for r, c in itertools.product(range(0, height, rows), range(0, width, columns)):
        window = (slice(r, min(r + rows, height)), slice(c, min(c + columns, width)))
        yield window, array[..., window[0], window[1]]


@pytest.fixture
def labels(rng):
    return rng.integers(0, 4, (700, 1100), dtype=np.uint8)


@pytest.mark.slow
def test_landsat_labels_lie_where_the_scene_does(tmp_path, pictures):
    source = pictures / "L7_ETMs.tif"
    result = gmmseg.segment(source, 3)
    result.save(tmp_path / "l.tif")
    with rasterio.open(source) as scene, rasterio.open(tmp_path / "l.tif") as raster:
        assert (raster.crs, raster.transform, raster.bounds) == (scene.crs, scene.transform, scene.bounds)
        assert (raster.nodata, raster.dtypes, raster.count) == (0, ("uint8",), 1)
        assert (raster.compression.name, raster.block_shapes) == ("deflate", [(512, 512)])
        np.testing.assert_array_equal(raster.read(1), result.labels)
        np.testing.assert_array_equal(raster.dataset_mask() > 0, result.labels > 0)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), result.labels)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_labels(tmp_path, labels, dtype):
    values = labels.astype(dtype)
    values[3, 5] = 200 if dtype == "uint8" else np.iinfo(dtype).max
    write_windows(
        tmp_path / "l.tif", Contents("labels", values.shape, dtype, (), placed(values.shape)), cut(values, 99, 1100)
    )
    with rasterio.open(tmp_path / "l.tif") as raster:
        assert (raster.dtypes[0], raster.nodata, raster.crs, raster.res) == (dtype, 0, CRS, (30, 20))
        np.testing.assert_array_equal(raster.read(1), values)
        if dtype == "uint8":
            table = raster.colormap(1)
            np.testing.assert_array_equal([table[i][:3] for i in range(256)], palette(255))
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        assert tiff.pages[0].dataoffsets == tuple(sorted(tiff.pages[0].dataoffsets))
        np.testing.assert_array_equal(tiff.asarray(), values)
    assert not (tmp_path / "l.tif.aux.xml").exists()


def test_names_of_classes(tmp_path, labels):
    names = ("water & ice", "größe <3>", "a\x01b")
    write_labels(tmp_path / "l.tif", labels, image=placed(labels.shape), names=names)
    with rasterio.open(tmp_path / "l.tif") as raster:
        assert "l.tif.aux.xml" in [each.rsplit("/", 1)[-1] for each in raster.files]
        assert raster.tags(1) == {"class_1": "water & ice", "class_2": "größe <3>", "class_3": "a b"}
    band = ElementTree.parse(tmp_path / "l.tif.aux.xml").find("PAMRasterBand")
    assert [each.text for each in band.find("CategoryNames")] == ["no data", "water & ice", "größe <3>", "a b"]
    table = band.find("GDALRasterAttributeTable")
    columns = [[each.findtext(tag) for tag in ("Name", "Type", "Usage")] for each in table.findall("FieldDefn")]
    assert columns[:2] == [["Value", "0", "5"], ["Class name", "2", "2"]]
    rows = [[each.text for each in row] for row in table.findall("Row")]
    assert rows[1] == ["1", "water & ice", *map(str, palette(1)[1])]
    assert len(rows) == 4
    # GDAL takes them for its own: they come back in a copy.
    with rasterio.open(tmp_path / "l.tif") as raster:
        from rasterio.shutil import copy

        copy(raster, tmp_path / "c.img", driver="HFA")
    assert b"water & ice" in (tmp_path / "c.img").read_bytes()


@pytest.mark.parametrize(("dtype", "expected"), [("float32", "float32"), ("uint16", "uint16"), ("uint8", "uint8")])
def test_probabilities(tmp_path, rng, dtype, expected):
    values = rng.dirichlet(np.ones(3), (60, 70)).astype(np.float32).transpose(2, 0, 1)
    values[:, 5, 6] = 0
    contents = Contents("soft", (60, 70), "float32", ("water", "wald ü", "c"), placed((60, 70)), {"dtype": dtype})
    write_windows(tmp_path / "s.tif", contents, cut(values, 13, 70))
    with rasterio.open(tmp_path / "s.tif") as raster:
        assert raster.descriptions == ("water", "wald ü", "c")
        assert (raster.dtypes, raster.nodata, raster.crs) == ((expected,) * 3, None, CRS)
        assert [each.name for each in raster.colorinterp] == ["gray", "undefined", "undefined"]
        found = raster.read() * np.array(raster.scales)[:, None, None]
    step = 0 if dtype == "float32" else 1 / np.iinfo(dtype).max
    np.testing.assert_allclose(found, values, atol=0.501 * step)
    stored = read_probabilities(tmp_path / "s.tif")
    np.testing.assert_allclose(stored * (step or 1), values, atol=0.501 * step)


@pytest.mark.slow
def test_many_classes_have_smaller_blocks(tmp_path, rng):
    values = rng.random((200, 130, 70), dtype=np.float32)
    write_probabilities(tmp_path / "s.tif", values, image=placed((130, 70)))
    with rasterio.open(tmp_path / "s.tif") as raster:
        assert (raster.block_shapes[0], raster.descriptions[199]) == ((128, 128), "class 200")
        np.testing.assert_array_equal(raster.read(), values)


def test_maps(tmp_path, rng):
    values = rng.random((60, 70), dtype=np.float32)
    values[3, 4] = np.nan
    write_map(tmp_path / "m.tif", values, key="anomaly", image=placed((60, 70)))
    with rasterio.open(tmp_path / "m.tif") as raster:
        assert np.isnan(raster.nodata)
        assert raster.descriptions == ("anomaly",)
        np.testing.assert_array_equal(raster.read(1), values)
        assert np.argwhere(raster.dataset_mask() == 0).tolist() == [[3, 4]]


POINTS = [
    (r, c, 10.0 + c, 20.0 - r, 0.0, str(i), "")
    for i, (r, c) in enumerate([(0.0, 0.0), (0.0, 9.0), (8.0, 0.0), (8.0, 9.0)])
]
RPCS = {
    **{f"{axis}_{kind}": "1.5" for axis in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT") for kind in ("OFF", "SCALE")},
    **{f"{name}_COEFF": " ".join(["1"] + ["0"] * 19) for name in ("LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN")},
    "ERR_BIAS": "2",
    "ERR_RAND": "3",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "geo",
    [
        {"transform": (30.0, 5.0, 500000.0, 4.0, -20.0, 9000000.0)},
        {"transform": (30.0, 0.0, 500000.0, 0.0, 20.0, 9000000.0)},
        {"area_or_point": "Point"},
        {"crs": None},
        {"crs": None, "transform": (1, 0, 0, 0, 1, 0)},
        {"gcps": POINTS, "gcps_crs": CRS.to_wkt(), "crs": None},
        {"rpcs": RPCS, "crs": None, "transform": (1, 0, 0, 0, 1, 0)},
    ],
    ids=["rotated", "south up", "point", "no crs", "nowhere", "gcps", "rpcs"],
)
@pytest.mark.parametrize("cog", [False, True])
def test_places_come_back(tmp_path, geo, cog):
    image = placed((9, 10), **geo)
    contents = Contents("labels", (9, 10), "uint8", (), image, {"cog": cog})
    write_windows(tmp_path / "l.tif", contents, [(everything((9, 10)), np.ones((9, 10), np.uint8))])
    found = read(tmp_path / "l.tif").place.native
    wanted = image.place.native
    if not wanted.gcps:
        np.testing.assert_allclose(found.transform, wanted.transform)
        assert (found.crs is None) == (wanted.crs is None)
        if wanted.crs:
            assert rasterio.CRS.from_wkt(found.crs) == CRS
    else:
        assert [point[:5] for point in found.gcps] == [point[:5] for point in wanted.gcps]
        assert rasterio.CRS.from_wkt(found.gcps_crs) == CRS
    assert (found.area_or_point or "Area") == (wanted.area_or_point or "Area")
    if "rpcs" in geo:
        assert {k: [float(x) for x in v.split()] for k, v in found.rpcs.items()} == {
            k: [float(x) for x in v.split()] for k, v in RPCS.items()
        }


def test_an_overlay_keeps_its_place(tmp_path, pictures):
    image = read(pictures / "L7_ETMs.tif")
    write_rgb(tmp_path / "o.tif", np.zeros((*image.shape, 3), np.uint8), image=image)
    with rasterio.open(tmp_path / "o.tif") as raster, rasterio.open(pictures / "L7_ETMs.tif") as scene:
        assert (raster.crs, raster.transform) == (scene.crs, scene.transform)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["labels", "soft", "map"])
def test_cloud_optimised(tmp_path, rng, labels, kind):
    cogeo = pytest.importorskip("rio_cogeo.cogeo")
    values = {
        "labels": labels,
        "soft": rng.random((2, *labels.shape), dtype=np.float32),
        "map": rng.random(labels.shape, dtype=np.float32),
    }[kind]
    names = {"labels": ("a", "b", "c"), "soft": ("a", "b"), "map": ("m",)}[kind]
    image = placed(labels.shape)
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path, rows in zip(paths, (99, 700), strict=True):
        contents = Contents(kind, labels.shape, values.dtype.name, names, image, {"cog": True})
        write_windows(path, contents, cut(values, rows, 1100))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        valid, errors, notes = cogeo.cog_validate(paths[0], strict=True)
    assert (valid, errors, notes) == (True, [], [])
    with rasterio.open(paths[0]) as raster:
        assert raster.overviews(1) == [2, 4] or raster.overviews(1) == [2]
        assert (raster.crs, raster.res) == (CRS, (30, 20))
        np.testing.assert_array_equal(raster.read().reshape(values.shape), values)
        if kind == "labels":
            assert raster.colormap(1)[1][:3] == tuple(palette(1)[1])
            assert raster.nodata == 0
        else:
            assert raster.descriptions == names
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert {each.name for each in tmp_path.iterdir()} <= {"a.tif", "b.tif", "a.tif.aux.xml", "b.tif.aux.xml"}


@pytest.mark.slow
@given(rows=st.integers(1, 90), columns=st.integers(1, 120), workers=st.integers(1, 8), down=st.booleans())
def test_bytes_do_not_depend_on_windows_and_threads(tmp_path_factory, rows, columns, workers, down):
    folder = tmp_path_factory.mktemp("bytes")
    values = np.random.default_rng(3).integers(0, 5, (2, 100, 140)).astype(np.float32)
    contents = Contents("soft", (100, 140), "float32", ("a", "b"), placed((100, 140)))
    windows = list(cut(values, rows, columns))
    if down:  # strip by strip: all rows of some columns first
        windows.sort(key=lambda item: (item[0][1].start, item[0][0].start))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "SIDE", 64)
        patch.setattr(write, "_SPOOL_BYTES", 4096)
        write.write(folder / "whole.tif", contents, [(everything((100, 140)), values)])
        patch.setattr(write.os, "sched_getaffinity", lambda _: set(range(workers)))
        write.write(folder / "parts.tif", contents, iter(windows))
    assert (folder / "whole.tif").read_bytes() == (folder / "parts.tif").read_bytes()
    assert len(list(folder.iterdir())) == 2


def test_no_more_than_a_row_of_blocks_is_held(labels):
    plan = Plan(labels.shape, labels.dtype, (512, 512))
    shape = labels.shape
    windows = [tile.inner for strip in strips(shape, (100, 1100), 0, 110_000, 7) for tile in strip]
    pixels, came = 0, 0
    for window in windows:
        pixels += labels[window].size
        came += sum(1 for _ in blocks_of(plan, [(window, labels[window])])) * 512**2
    # Fed one after the other, blocks come as soon as they are whole.
    seen = []

    def feed():
        for window in windows:
            seen.append(window[0].stop)
            yield window, labels[window]

    first = next(blocks_of(plan, feed()))
    assert first[0] == (0, 0, 0)
    assert 512 <= seen[-1] < 620
    assert (pixels, came) == (labels.size, 0)


def test_large_results_are_big_tiff(tmp_path, monkeypatch, labels):
    monkeypatch.setattr(write, "_CLASSIC_BYTES", 1000)
    write_labels(tmp_path / "l.tif", labels, image=placed(labels.shape))
    assert (tmp_path / "l.tif").read_bytes()[:4] == b"II+\0"
    np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), labels)


@pytest.mark.parametrize("cog", [False, True])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, rng, cog):
    noise = rng.integers(0, 255, (600, 700), dtype=np.uint8)
    contents = Contents("labels", noise.shape, "uint8", (), placed(noise.shape), {"cog": cog})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (480_000 if cog else 200_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"l\.tif cannot be written: .*; free space or choose another place"):
            write_windows(tmp_path / "l.tif", contents, cut(noise, 100, 700))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a b.tif", "a\nb.tif", "größe 東京.tif"])
@pytest.mark.parametrize("cog", [False, True])
def test_names_of_files(tmp_path, pictures, name, cog):
    shutil.copy(pictures / "L7_ETMs.tif", tmp_path / f"in {name}")
    image = read(tmp_path / f"in {name}")
    values = np.ones(image.shape, np.uint8)
    contents = Contents("labels", image.shape, "uint8", ("x",), image, {"cog": cog})
    write_windows(tmp_path / name, contents, cut(values, 100, 349))
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([f"in {name}", name, f"{name}.aux.xml"])
    assert read(tmp_path / name).place.crs == image.place.native.crs


def test_source_to_result_by_windows(tmp_path, pictures):
    """What the streaming engine does: read a window, write a window, the scene never whole in memory."""
    image = read(pictures / "L7_ETMs.tif", memory=0)
    contents = Contents("labels", image.shape, "uint8", (), image)
    windows = ((w, (image.crop(w).array[..., 3] > 60).astype(np.uint8) + 1) for w in image.windows())
    write_windows(tmp_path / "l.tif", contents, windows)
    expected = (read(pictures / "L7_ETMs.tif").array[..., 3] > 60) + 1
    np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), expected)
    image.pixels.close()


def test_sources_without_a_place_are_written_too(tmp_path):
    image = replace(placed((5, 6)), metadata={})
    contents = Contents("labels", (5, 6), "uint8", (), image)
    assert write.write(tmp_path / "l.tif", contents, [(everything((5, 6)), np.ones((5, 6), np.uint8))]) == {}
    assert (read_labels(tmp_path / "l.tif") == 1).all()


def test_a_coordinate_system_that_geotiff_cannot_hold(tmp_path):
    pole = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6367470 +no_defs"
    crs = rasterio.CRS.from_user_input(pole)
    image = placed((5, 6), crs=crs.to_wkt())
    write_map(tmp_path / "m.tif", np.ones((5, 6), np.float32), key="anomaly", image=image)
    with rasterio.open(tmp_path / "m.tif") as raster:
        assert raster.crs == crs
    assert rasterio.CRS.from_wkt(read(tmp_path / "m.tif").place.crs) == crs
