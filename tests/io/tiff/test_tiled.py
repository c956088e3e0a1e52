"""Results as OME-TIFF files and as slides: what tifffile, Pillow and GDAL read of them."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from microscope_files import SIZES, write_ome
from PIL import Image as Pillow

import gmmseg
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_map, write_probabilities
from gmmseg.io.raster.location import GeoReference
from gmmseg.io.tiff import tiled

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul:PendingDeprecationWarning", "ignore:Dataset has no geotransform"
)
APERIO = "Aperio Image Library v11.2.1\r\n46000x32914 -> 1024x768|AppMag = 20|MPP = 0.2525|Left = 25.691574"


def attributes(path):
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        return tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]


@pytest.mark.parametrize("axes", ["YX", "CYX", "ZYX", "TYX", "TZYX", "ZCYX", "TCZYX", "ZTCYX"])
def test_ome_in_gives_ome_out(tmp_path, rng, axes):
    write_ome(tmp_path / "in.ome.tif", axes)
    image = read(tmp_path / "in.ome.tif")
    space = "".join(axis for axis in "TZYX" if axis in axes)
    labels = rng.integers(0, 4, image.shape).astype(np.uint8)
    maps = rng.random((3, *image.shape)).astype(np.float32)
    write_labels(tmp_path / "labels.tif", labels, image=image)
    write_probabilities(tmp_path / "soft.tif", maps, image=image, names=("sky", "cell", "rim"))
    write_map(tmp_path / "map.tif", maps[0], key="uncertainty", image=image)
    channels = "T" * ("T" in space) + "C" + space.replace("T", "")
    moved = np.moveaxis(maps, 0, channels.index("C"))
    for name, wanted, own in (("labels", labels, space), ("soft", moved, channels), ("map", maps[0], space)):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert tiff.series[0].axes == own
            np.testing.assert_array_equal(tiff.asarray(), wanted)
        found = attributes(tmp_path / f"{name}.tif")
        assert {key: found.get(key) for key in SIZES} == {k: v if k[-1] in axes else None for k, v in SIZES.items()}
        assert found.get("TimeIncrement") == (2.5 if "T" in axes else None)
        assert read_info(tmp_path / f"{name}.tif").get("interval_s") == (2.5 if "T" in axes else None)
        assert ("PhysicalSizeZUnit" in found) == ("Z" in axes)
    assert [each["Name"] for each in attributes(tmp_path / "soft.tif")["Channel"]] == ["sky", "cell", "rim"]
    assert read(tmp_path / "soft.tif").channel_names == ("sky", "cell", "rim")
    assert read(tmp_path / "labels.tif").spacing == image.spacing
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.tif"), labels)
    np.testing.assert_array_equal(read_probabilities(tmp_path / "soft.tif"), maps)


@pytest.mark.parametrize("layer", ["labels", "probabilities", "uncertainty"])
def test_windows_are_written_as_they_come(tmp_path, layer):
    write_ome(tmp_path / "in.ome.tif", "TZCYX", compression="zlib")
    model = gmmseg.fit(tmp_path / "in.ome.tif", 2)
    for name, memory in (("whole", 1 << 30), ("parts", 1 << 14)):
        found = gmmseg.apply(model, tmp_path / "in.ome.tif", memory=memory)
        found.save(tmp_path / f"{name}.tif", layer=layer)
    assert not found.image.in_memory
    assert (tmp_path / "whole.tif").read_bytes() == (tmp_path / "parts.tif").read_bytes()


def test_the_same_numbers_are_the_same_file_and_others_have_another_identifier(tmp_path):
    first, second = np.ones((4, 5), np.uint8), np.full((4, 5), 2, np.uint8)
    for name, labels in (("a", first), ("b", first), ("c", second)):
        write_labels(tmp_path / f"{name}.ome.tif", labels)
    assert (tmp_path / "a.ome.tif").read_bytes() == (tmp_path / "b.ome.tif").read_bytes()
    identifiers = []
    for name in "ac":
        with tifffile.TiffFile(tmp_path / f"{name}.ome.tif") as tiff:
            identifiers.append(tifffile.xml2dict(tiff.ome_metadata)["OME"]["UUID"])
    assert identifiers[0] != identifiers[1]
    assert not any("00000000-0000" in each for each in identifiers)


def test_classes_are_in_the_description(tmp_path):
    write_labels(tmp_path / "a.ome.tif", np.ones((4, 5), np.uint8), names=("sky & sea", "cell"))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        described = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Description"]
    assert json.loads(described) == {"class_names": ["sky & sea", "cell"]}


def test_probabilities_in_proportion(tmp_path, rng):
    write_ome(tmp_path / "in.ome.tif", "ZYX")
    image = read(tmp_path / "in.ome.tif")
    maps = rng.random((2, *image.shape)).astype(np.float32)
    write_probabilities(tmp_path / "soft.tif", maps, image=image, dtype="uint8")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "soft.tif"), np.rint(maps * 255))


def test_names_have_no_characters_that_xml_lacks(tmp_path):
    write_probabilities(tmp_path / "s.ome.tif", np.full((2, 4, 5), 0.5, np.float32), names=("a\x01b", "<&>"))
    assert read(tmp_path / "s.ome.tif").channel_names == ("a b", "<&>")


@pytest.fixture
def slide(rng):
    """A picture of 1100 x 1300 pixels, bright on the right, in colours."""
    values = rng.integers(90, 120, (1100, 1300, 3)).astype(np.uint8)
    values[:, 600:] += 100
    return values


def write_levels(path, values, *, subifds, **options):
    """Write a pyramid of three levels."""
    common = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=options.pop("ome", False)) as tiff:
        tiff.write(values, subifds=2 if subifds else None, **common, **options)
        for step in (2, 4):
            tiff.write(np.ascontiguousarray(values[::step, ::step]), subfiletype=1, **common, metadata=None)


@pytest.mark.parametrize("memory", [1 << 30, 1 << 20])
def test_pyramids_of_slides_in_the_way_of_the_input(tmp_path, slide, memory):
    write_levels(tmp_path / "a.ome.tif", slide, subifds=True, ome=True, metadata={"axes": "YXS", "PhysicalSizeX": 0.5})
    write_levels(tmp_path / "a.svs", slide, subifds=False, description=APERIO, metadata=None)
    for name in ("a.ome.tif", "a.svs"):
        found = gmmseg.segment(tmp_path / name, 2, features="rgb", memory=memory)
        assert found.image.in_memory == (memory > 1 << 20)
        found.save(tmp_path / f"{name}_labels.tif")
        labels = found.labels
        with tifffile.TiffFile(tmp_path / f"{name}_labels.tif") as tiff:
            assert tiff.is_ome == (name == "a.ome.tif")
            levels = tiff.series[0].levels
            assert all(level.keyframe.is_reduced for level in levels[1:])
            assert [level.shape for level in levels] == [(1100, 1300), (550, 650), (275, 325)]
            for step, level in zip((1, 2, 4), levels, strict=True):
                np.testing.assert_array_equal(level.asarray(), labels[::step, ::step])
            assert bool(tiff.pages.first.subifds) == tiff.is_ome
    with tifffile.TiffFile(tmp_path / "a.svs_labels.tif") as tiff:
        page = tiff.pages.first
        assert page.get_resolution("micrometer") == pytest.approx((1 / 0.2525, 1 / 0.2525))
    with rasterio.open(tmp_path / "a.svs_labels.tif") as raster:
        assert raster.overviews(1) == [2, 4]
        np.testing.assert_array_equal(raster.read(1), labels)
    with Pillow.open(tmp_path / "a.svs_labels.tif") as picture:
        np.testing.assert_array_equal(np.asarray(picture), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.svs_labels.tif"), labels)


def test_aperios_size_of_a_pixel(tmp_path, slide):
    write_levels(tmp_path / "a.svs", slide, subifds=False, description=APERIO, metadata=None)
    image = read(tmp_path / "a.svs")
    assert image.spacing == (0.2525, 0.2525)
    assert image.place.metres == 1e-6
    assert read_info(tmp_path / "a.svs")["pixel_size_um"] == {"X": 0.2525, "Y": 0.2525}
    found = gmmseg.segment(image, 2, features="rgb").clean("60um2")
    assert found.min_size == 942  # 60 over 0.2525 squared


def test_large_results_have_levels_whatever_they_are_of(tmp_path, monkeypatch):
    monkeypatch.setattr(tiled, "_LARGE", 1000)
    labels = np.ones((40, 700), np.uint8)
    write_labels(tmp_path / "a.ome.tif", labels)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert [level.shape for level in tiff.series[0].levels] == [(40, 700), (20, 350)]


def test_what_lies_somewhere_is_no_slide(tmp_path, monkeypatch):
    monkeypatch.setattr(tiled, "_LARGE", 1000)
    labels = np.ones((40, 700), np.uint8)
    write_labels(tmp_path / "named.tif", labels, image=Image(np.zeros((40, 700))), names=("sky", "cell"))
    assert "<Category>cell</Category>" in (tmp_path / "named.tif.aux.xml").read_text()
    native = GeoReference(rpcs={"HEIGHT_OFF": "1"})
    for name, place in (("somewhere", Place(native=native)), ("nowhere", None)):
        write_labels(tmp_path / f"{name}.tif", labels, image=Image(np.zeros((40, 700)), place=place))
        with rasterio.open(tmp_path / f"{name}.tif") as raster:
            assert raster.overviews(1) == ([] if place else [2])
            assert raster.nodata == 0


def test_plain_labels_of_a_slide_have_no_colours(tmp_path, slide):
    write_levels(tmp_path / "a.svs", slide, subifds=False, description=APERIO, metadata=None)
    found = gmmseg.segment(tmp_path / "a.svs", 2, features="rgb")
    found.save(tmp_path / "colours.tif")
    found.save(tmp_path / "plain.tif", plain=True)
    for name, photometric in (("colours", "PALETTE"), ("plain", "MINISBLACK")):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert tiff.pages.first.photometric.name == photometric
            np.testing.assert_array_equal(tiff.asarray(), found.labels)


@pytest.mark.parametrize("layer", ["labels", "probabilities", "uncertainty"])
def test_ome_xml_is_as_its_schema_says(tmp_path, layer):
    etree = pytest.importorskip("lxml.etree", reason="lxml checks schemas")
    package = find_spec("ome_types")
    if package is None:
        pytest.skip("ome-types brings the schema")
    schema = etree.XMLSchema(etree.parse(Path(package.origin).with_name("ome-2016-06.xsd")))
    for axes in ("CYX", "TZCYX"):
        write_ome(tmp_path / "in.ome.tif", axes)
        gmmseg.segment(tmp_path / "in.ome.tif", 2, class_names=("sky & sea", "cell")).save(
            tmp_path / f"{axes}.ome.tif", layer=layer
        )
        with tifffile.TiffFile(tmp_path / f"{axes}.ome.tif") as tiff:
            schema.assertValid(etree.fromstring(tiff.ome_metadata.encode()))


def test_slides_as_aperio_lays_them_out(tmp_path, slide):
    """The scan, a thumbnail, a smaller level, pictures of the label and of the slide: nothing that needs a warning."""
    common = {"photometric": "rgb", "compression": "zlib", "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.svs") as tiff:
        tiff.write(slide, tile=(256, 256), description=APERIO, **common)
        tiff.write(
            np.ascontiguousarray(slide[::8, ::8]), description="Aperio Image Library v11\r\n -> 162x137 -", **common
        )
        tiff.write(np.ascontiguousarray(slide[::4, ::4]), tile=(256, 256), description=APERIO, **common)
        for name, kind in (("label", 1), ("macro", 9)):
            text = f"Aperio Image Library v11\r\n{name} 40x30"
            tiff.write(slide[:30, :40].copy(), subfiletype=kind, description=text, **common)
    image = read(tmp_path / "a.svs")
    assert (image.shape, image.color, image.spacing) == ((1100, 1300), True, (0.2525, 0.2525))
    gmmseg.segment(image, 2, features="rgb").save(tmp_path / "labels.tif")
    with tifffile.TiffFile(tmp_path / "labels.tif") as tiff:
        assert len(tiff.series[0].levels) == 3


@pytest.mark.parametrize("memory", [1 << 30, 1 << 20])
def test_the_size_of_a_pixel_is_kept_where_there_is_no_pyramid(tmp_path, slide, memory):
    path = tmp_path / "a.svs"
    tifffile.imwrite(path, slide, tile=(256, 256), description=APERIO, photometric="rgb", compression="zlib")
    found = gmmseg.segment(path, 2, features="rgb", memory=memory)
    assert found.image.in_memory == (memory > 1 << 20)
    for layer in ("labels", "probabilities", "uncertainty"):
        found.save(tmp_path / f"{layer}.tif", layer=layer)
        with tifffile.TiffFile(tmp_path / f"{layer}.tif") as tiff:
            assert tiff.pages.first.get_resolution("micrometer") == pytest.approx((1 / 0.2525, 1 / 0.2525))
