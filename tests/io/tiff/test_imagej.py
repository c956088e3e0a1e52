"""Results as ImageJ files: what tifffile reads of them."""

import numpy as np
import pytest
import tifffile
from microscope_files import pixels, write_imagej

import gmmseg
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_map, write_probabilities


@pytest.mark.parametrize("axes", ["YX", "CYX", "ZYX", "TYX", "TZYX", "TCYX", "TZCYX"])
def test_imagej_in_gives_imagej_out(tmp_path, rng, axes):
    write_imagej(tmp_path / "in.tif", axes)
    image = read(tmp_path / "in.tif")
    space = axes.replace("C", "")
    labels = rng.integers(0, 4, image.shape).astype(np.uint8)
    maps = rng.random((3, *image.shape)).astype(np.float32)
    write_labels(tmp_path / "labels.tif", labels, image=image)
    write_probabilities(tmp_path / "soft.tif", maps, image=image, names=("sky", "cell", "rim"))
    write_map(tmp_path / "map.tif", maps[0], key="uncertainty", image=image)
    channels = space.replace("YX", "CYX")
    moved = np.moveaxis(maps, 0, channels.index("C"))
    for name, wanted, own in (("labels", labels, space), ("soft", moved, channels), ("map", maps[0], space)):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert tiff.is_imagej
            assert tiff.series[0].axes == own
            np.testing.assert_array_equal(tiff.asarray(), wanted)
            facts, page = tiff.imagej_metadata, tiff.pages.first
            assert (facts["unit"], page.resolution) == ("micron", (5.0, 4.0))
            assert facts.get("spacing") == (1.5 if "Z" in axes else None)
            assert facts.get("finterval") == (2.5 if "T" in axes else None)
            if name == "soft":
                assert facts["Labels"][:4] == ["sky", "cell", "rim", "sky"][: len(facts["Labels"])]
        again = read(tmp_path / f"{name}.tif")
        assert (again.spacing, again.time) == (image.spacing, image.time)
    assert read(tmp_path / "soft.tif").channel_names == ("sky", "cell", "rim")
    np.testing.assert_array_equal(read_labels(tmp_path / "labels.tif"), labels)
    np.testing.assert_array_equal(read_probabilities(tmp_path / "soft.tif"), maps)


def test_other_units_and_letters_survive(tmp_path):
    write_imagej(tmp_path / "in.tif", "ZYX", unit="\\u00B5m", zunit="nm", spacing=300.0)
    image = read(tmp_path / "in.tif")
    assert image.spacing == pytest.approx((0.3, 0.25, 0.2))
    write_labels(tmp_path / "out.tif", np.ones(image.shape, np.uint8), image=image)
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        facts = tiff.imagej_metadata
    assert (facts["unit"], facts["zunit"], facts["spacing"]) == ("\\u00B5m", "nm", 300.0)


def test_sizes_that_a_caller_says_are_written(tmp_path):
    values = pixels("TZYX")
    found = gmmseg.segment(values, 2, axes="TZYX", spacing=(2.0, 0.5, 0.25), unit="um")
    found.save(tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert (tiff.is_imagej, tiff.series[0].axes) == (True, "TZYX")
        assert tiff.pages.first.resolution == (4.0, 2.0)
        assert (tiff.imagej_metadata["unit"], tiff.imagej_metadata["spacing"]) == ("um", 2.0)
    write_imagej(tmp_path / "in.tif", "TZYX")
    gmmseg.apply(found.model, tmp_path / "in.tif", spacing=(3, 2, 2), unit="um").save(tmp_path / "said.tif")
    assert read(tmp_path / "said.tif").spacing == pytest.approx((3, 2, 2))


def test_intervals_that_a_caller_says_are_written_in_seconds(tmp_path):
    image = Image(pixels("TYX")[..., None], time=True, place=Place(interval=(1.5, "min")))
    write_labels(tmp_path / "out.tif", np.ones(image.shape, np.uint8), image=image)
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert tiff.imagej_metadata["finterval"] == 90
    assert read(tmp_path / "out.tif").place.interval == (90, "s")
    assert read_info(tmp_path / "out.tif")["interval_s"] == 90


def test_labels_have_colours_and_keep_their_numbers(tmp_path):
    write_imagej(tmp_path / "in.tif", "YX")
    image = read(tmp_path / "in.tif")
    labels = (np.arange(24 * 30).reshape(24, 30) % 5).astype(np.uint8)
    for name, options in (("coloured", {}), ("plain", {"plain": True})):
        write_labels(tmp_path / f"{name}.tif", labels, image=image, names=("sky", "cell"), **options)
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as tiff:
            assert ("LUTs" in tiff.imagej_metadata) == (name == "coloured")
            assert tiff.imagej_metadata["Info"] == "1 = sky\n2 = cell"
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{name}.tif"), labels)


def test_numbers_that_imagej_does_not_hold_are_ome(tmp_path):
    write_imagej(tmp_path / "in.tif", "ZYX")
    image = read(tmp_path / "in.tif")
    write_labels(tmp_path / "out.tif", np.full(image.shape, 70_000, np.uint32), image=image)
    with tifffile.TiffFile(tmp_path / "out.tif") as tiff:
        assert tiff.is_ome
        assert tiff.asarray().max() == 70_000


def test_windows_in_any_order_are_the_same_file(tmp_path):
    values = pixels("TZCYX")
    np.save(tmp_path / "in.npy", values)
    model = gmmseg.fit(tmp_path / "in.npy", 2, axes="TZCYX")
    for name, memory in (("whole", 1 << 30), ("parts", 1 << 14)):
        found = gmmseg.apply(model, tmp_path / "in.npy", axes="TZCYX", memory=memory)
        for layer in ("labels", "probabilities"):
            found.save(tmp_path / f"{name}_{layer}.tif", layer=layer)
    for layer in ("labels", "probabilities"):
        contents = [(tmp_path / f"{name}_{layer}.tif").read_bytes() for name in ("whole", "parts")]
        assert contents[0] == contents[1]
    assert not found.image.in_memory


def test_a_single_image_of_an_array_is_no_imagej_file(tmp_path):
    write_labels(tmp_path / "a.tif", np.ones((4, 5), np.uint8), image=Image(np.zeros((4, 5))))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert not tiff.is_imagej
