"""Minimum sizes in pixels and physical units."""

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import rasterio
import tifffile

from gmmseg.errors import ParameterError
from gmmseg.image.sizes import Size, least_pixels
from gmmseg.io import read

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"


@pytest.mark.parametrize(
    ("text", "amount", "ndim"),
    [
        (50, 50, None),
        (np.int64(50), 50, None),
        (" 50 px", 50, None),
        ("12 voxels", 12, None),
        ("900m2", 900, 2),
        ("2.5ha", 25_000, 2),
        ("0.3 km2", 300_000, 2),
        ("20mm^2", 20e-6, 2),
        ("15\N{MICRO SIGN}m2", 15e-12, 2),
        ("15\N{GREEK SMALL LETTER MU}m²", 15e-12, 2),
        ("15um2", 15e-12, 2),
        ("4nm2", 4e-18, 2),
        ("1ml", 1e-6, 3),
        ("1cm3", 1e-6, 3),
        ("1 mL", 1e-6, 3),
        ("200mm³", 200e-9, 3),
        (".5l", 5e-4, 3),
    ],
)
def test_sizes_as_people_write_them(text, amount, ndim):
    size = Size.parse(text)
    assert size.amount == pytest.approx(amount, rel=1e-12)
    assert size.ndim == ndim


@pytest.mark.parametrize(
    "text", ["", "0", -5, "5mm", "5ha2", "50.5", "1e3", "nan", "inf", True, None, "20 mm4", "5 5", "0ha"]
)
def test_what_is_no_size(text):
    with pytest.raises(ParameterError, match=r"is not usable; use pixels or voxels \(50\), an area .* or a volume"):
        Size.parse(text)


@pytest.fixture
def raster(tmp_path):
    """Write a GeoTIFF file of 30 x 40 pixels: (coordinate system, size of a pixel) -> Image."""

    def write(crs, side):
        path = tmp_path / "scene.tif"
        profile = {"driver": "GTiff", "width": 40, "height": 30, "count": 1, "dtype": "uint8", "crs": crs}
        with rasterio.open(path, "w", transform=rasterio.Affine(side, 0, 10, 0, -side, 50), **profile) as file:
            file.write(np.zeros((1, 30, 40), np.uint8))
        return read(path)

    return write


def test_rasters_are_measured_by_their_coordinate_system(raster):
    assert least_pixels("900m2", raster("EPSG:32633", 10)) == 9
    assert least_pixels("901m2", raster("EPSG:32633", 10)) == 10
    assert least_pixels("2.5ha", raster("EPSG:3857", 30)) == 28
    assert least_pixels("900m2", raster("EPSG:2263", 10)) == 97  # in US survey feet
    with pytest.raises(
        ParameterError, match=r"measured in degrees; give a number of pixels, .* reproject it to metres"
    ):
        least_pixels("900m2", raster("EPSG:4326", 0.1))
    with pytest.raises(ParameterError, match="the unit of length of its coordinates, which is not known"):
        least_pixels("900m2", raster(None, 10))
    assert least_pixels(900, raster("EPSG:4326", 0.1)) == 900


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 1e-3), ("unknown", 1)])
def test_volumes_are_measured_in_millimetres(tmp_path, unit, factor):
    volume = nibabel.Nifti1Image(np.zeros((20, 30, 40), np.uint8), np.diag([1, 2, 2.5, 1]))
    volume.header.set_xyzt_units(unit)
    nibabel.save(volume, tmp_path / "scan.nii.gz")
    image = read(tmp_path / "scan.nii.gz")
    voxel = 5 * factor**3
    assert least_pixels(f"{20 * voxel:.12f}mm3", image) == 20
    assert least_pixels(f"{20.01 * voxel:.12f}mm3", image) == 21
    with pytest.raises(
        ParameterError, match="has 3 spatial axes, but a minimum size of 20mm2 is an area; give a volume"
    ):
        least_pixels("20mm2", image)


def test_a_dicom_slice_is_measured_by_its_spacing():
    image = read(CT)
    assert least_pixels("20mm2", image) == int(np.ceil(20 / np.prod(pydicom.dcmread(CT).PixelSpacing))) == 46
    with pytest.raises(ParameterError, match="is a volume; give an area or a number of pixels"):
        least_pixels("1ml", image)


def test_microscopy_is_measured_in_micrometres(tmp_path):
    facts = {"axes": "YX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "cells.ome.tif", np.zeros((30, 40), np.uint8), metadata=facts)
    assert least_pixels("15um2", read(tmp_path / "cells.ome.tif")) == 120
    assert least_pixels("1um2", read(tmp_path / "cells.ome.tif")) == 8


def test_where_no_size_of_a_pixel_is_known(pictures):
    image = read(pictures / "camera.png")
    with pytest.raises(
        ParameterError, match=r"camera.png: a minimum size of 20mm2 needs the size of a pixel, .* as in 50"
    ):
        least_pixels("20mm2", image)
    with pytest.raises(ParameterError, match=r"has 262144 pixels, fewer than a minimum size of 262145 pixels"):
        least_pixels(262145, image)
    assert least_pixels(262144, image) == 262144


def test_an_area_on_a_map_of_mercator_is_that_on_the_ground(tmp_path):
    """At 60 degrees north a pixel of 10 m on "Web Mercator" is about 5 m wide."""
    profile = {"driver": "GTiff", "height": 30, "width": 40, "count": 1, "dtype": "uint8", "crs": "EPSG:3857"}
    transform = rasterio.Affine(10, 0, 1e6, 0, -10, 8_399_888)
    with rasterio.open(tmp_path / "web.tif", "w", **profile, transform=transform) as file:
        file.write(np.ones((1, 30, 40), np.uint8))
    image = read(tmp_path / "web.tif")
    assert least_pixels("900m2", image) == 36  # 9, if a pixel were 100 m2
    assert least_pixels(9, image) == 9
