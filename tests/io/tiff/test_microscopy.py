"""What OME-TIFF and ImageJ files say of channels and sizes."""

import numpy as np
import pytest
import tifffile

from gmmseg.errors import ParameterError
from gmmseg.io import read, read_info


def write_ome(path, values, **facts):
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=facts)


def test_ome_channels_and_sizes(tmp_path, rng):
    values = rng.integers(0, 4000, (3, 2, 10, 12)).astype(np.uint16)
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm"}
    sizes |= {"PhysicalSizeZ": 0.001, "PhysicalSizeZUnit": "mm"}
    write_ome(tmp_path / "a.ome.tif", values, axes="ZCYX", Channel={"Name": ["DAPI", "GFP"]}, **sizes)
    image = read(tmp_path / "a.ome.tif")
    assert image.channel_names == ("DAPI", "GFP")
    assert image.spacing == pytest.approx((1.0, 0.25, 0.2))
    assert image.place.native.ome["PhysicalSizeZUnit"] == "µm"
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif", channels="gfp").array[..., 0], values[:, 1])
    info = read_info(tmp_path / "a.ome.tif")
    assert info["channel_names"] == {"1": "DAPI", "2": "GFP"}
    assert info["pixel_size_um"] == pytest.approx({"X": 0.2, "Y": 0.25, "Z": 1.0})


def test_sizes_that_are_not_all_known_are_no_spacing(tmp_path):
    write_ome(tmp_path / "a.ome.tif", np.zeros((3, 10, 12), np.uint8), axes="ZYX", PhysicalSizeX=0.2, PhysicalSizeY=0.2)
    image = read(tmp_path / "a.ome.tif")
    assert image.spacing is None
    assert set(image.place.native.ome) == {f"PhysicalSize{a}{u}" for a in "XY" for u in ("", "Unit")}
    write_ome(tmp_path / "b.ome.tif", np.zeros((3, 4), np.uint8), axes="YX", PhysicalSizeX=1, PhysicalSizeXUnit="pixel")
    assert not read(tmp_path / "b.ome.tif").place.native.ome


def test_imagej_calibration_and_labels(tmp_path):
    values = np.zeros((2, 10, 12), np.uint16)
    facts = {"unit": "um", "Labels": ["DAPI", "GFP"], "axes": "CYX"}
    tifffile.imwrite(tmp_path / "c.tif", values, imagej=True, resolution=(5, 4), metadata=facts)
    image = read(tmp_path / "c.tif")
    assert image.channel_names == ("DAPI", "GFP")
    assert image.spacing == pytest.approx((0.25, 0.2))
    facts = {"unit": "nm", "spacing": 500.0, "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "z.tif", values, imagej=True, resolution=(0.02, 0.02), metadata=facts)
    image = read(tmp_path / "z.tif")
    assert image.channel_names == ()
    assert image.spacing == pytest.approx((0.5, 0.05, 0.05))
    tifffile.imwrite(tmp_path / "n.tif", values, imagej=True, metadata={"axes": "ZYX"})
    assert read(tmp_path / "n.tif").spacing is None


def test_odd_descriptions(tmp_path):
    from gmmseg.io.tiff.microscopy import _of_imagej

    odd = {
        "channels": "many",
        "images": float("inf"),
        "slices": None,
        "Labels": ["a", "b"],
        "spacing": "x",
        "unit": "um",
    }
    assert _of_imagej(odd, {}).names == ()
    assert _of_imagej(odd, {}).sizes == {}
    facts = {"TimeIncrement": 2, "TimeIncrementUnit": "fortnight"}
    write_ome(tmp_path / "a.ome.tif", np.zeros((2, 4, 5), np.uint8), axes="TYX", **facts)
    found = read(tmp_path / "a.ome.tif").place
    assert not found.native.ome
    assert found.interval is None


def test_damaged_xml_names_nothing(tmp_path):
    from gmmseg.io.tiff.microscopy import Microscopy, _of_ome

    assert _of_ome("<OME><Image") == _of_ome("<OME/>") == Microscopy()


def test_names_by_the_labels_of_planes(tmp_path):
    values = np.zeros((2, 3, 2, 10, 12), np.uint16)
    for labels, names in (
        (["DAPI", "GFP"] * 6, ("DAPI", "GFP")),
        (["DAPI", "GFP"], ("DAPI", "GFP")),
        ([f"{c}, plane {z}" for z in range(6) for c in ("DAPI", "GFP")], ()),
        (["DAPI", ""] * 6, ()),
    ):
        tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZCYX", "Labels": labels})
        assert read(tmp_path / "a.tif").channel_names == names
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZCYX", "Labels": ["DAPI", "GFP"] * 6})
    green = read(tmp_path / "a.tif", channels="gfp")
    assert (green.n_channels, green.channel_names, green.time) == (1, ("GFP",), True)
    with pytest.raises(
        ParameterError, match=r"a\.tif has no channel 'RFP'; use numbers from 1 to 2, or names: DAPI, GFP"
    ):
        read(tmp_path / "a.tif", channels="DAPI,RFP")


def test_units_of_depth_and_no_depth_of_pictures(tmp_path):
    facts = {"unit": "um", "zunit": "nm", "spacing": 400.0, "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "z.tif", np.zeros((2, 4, 5), np.uint8), imagej=True, resolution=(2, 2), metadata=facts)
    assert read(tmp_path / "z.tif").spacing == pytest.approx((0.4, 0.5, 0.5))
    for axes, shape in (("YX", (4, 5)), ("CYX", (2, 4, 5)), ("TYX", (3, 4, 5))):
        facts = {"unit": "um", "axes": axes}
        tifffile.imwrite(tmp_path / "y.tif", np.zeros(shape, np.uint8), imagej=True, resolution=(2, 2), metadata=facts)
        image = read(tmp_path / "y.tif")
        assert image.spacing == (0.5, 0.5)
        assert not any("Z" in name for name in image.place.native.ome)


@pytest.mark.parametrize(("said", "size"), [("MPP = 0.25", 0.25), ("MPP=0.5022|x", 0.5022), ("MPP = no", None)])
def test_aperio(tmp_path, said, size):
    text = f"Aperio Image Library v1|AppMag = 20|{said}"
    tifffile.imwrite(tmp_path / "a.svs", np.zeros((64, 64), np.uint8), tile=(32, 32), description=text, metadata=None)
    assert read(tmp_path / "a.svs").spacing == (None if size is None else (size, size))
