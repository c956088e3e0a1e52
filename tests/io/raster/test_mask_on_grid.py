"""Masks with another grid than their image."""

import numpy as np
import pytest
import rasterio
import rasterio.warp
from satellite_scenes import CRS, LEFT, TOP, write_band

from gmmseg.errors import EmptyInputError, InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io import read
from gmmseg.io.raster.mask_on_grid import mask_on_grid
from gmmseg.io.request import Reading

PLACE = Place((10, 0, LEFT, 0, -10, TOP), CRS)


@pytest.fixture
def image():
    return Image(np.ones((8, 8, 1), np.uint8), place=PLACE, name="scene")


@pytest.mark.parametrize("nodata", [None, 3])
def test_each_pixel_asks_the_nearest_one(tmp_path, image, nodata):
    coarse = np.arange(9, dtype=np.uint8).reshape(3, 3)
    path = write_band(tmp_path / "m.tif", coarse, 20, nodata=nodata)
    numbers, known = mask_on_grid(image, path, Reading()).read(everything(image.shape))
    there = np.zeros((8, 8), bool)
    there[:6, :6] = True
    fine = coarse.repeat(2, 0).repeat(2, 1)
    there[:6, :6] &= fine != (255 if nodata is None else nodata)
    np.testing.assert_array_equal(known, there)
    np.testing.assert_array_equal(numbers[:6, :6, 0][there[:6, :6]], fine[there[:6, :6]])


def test_masks_of_the_same_grid_and_without_a_place_are_not_warped(tmp_path, image):
    assert mask_on_grid(image, write_band(tmp_path / "a.tif", np.ones((8, 8), np.uint8), 10), Reading()) is None
    placeless = write_band(tmp_path / "b.tif", np.ones((4, 4), np.uint8), 20, crs=None)
    assert mask_on_grid(image, placeless, Reading()) is None
    np.save(tmp_path / "c.npy", np.ones((8, 8)))
    assert mask_on_grid(image, tmp_path / "c.npy", Reading()) is None


def test_masks_that_are_none(tmp_path, image):
    with pytest.raises(InputError, match=r"m\.tif is no mask: it is of float32"):
        mask_on_grid(image, write_band(tmp_path / "m.tif", np.ones((4, 4), np.float32), 20), Reading())
    elsewhere = write_band(tmp_path / "m.tif", np.ones((4, 4), np.uint8), 20, left=LEFT + 1000)
    with pytest.raises(InputError, match=r"m\.tif lies elsewhere than scene: it spans 301000, .*; give one"):
        mask_on_grid(image, elsewhere, Reading())


@pytest.mark.parametrize("memory", [None, 0])
def test_a_mask_of_another_grid_is_taken_by_its_place(tmp_path, rng, memory):
    picture = write_band(tmp_path / "p.tif", rng.integers(1, 99, (8, 8)).astype(np.uint8), 10)
    classes = np.array([[4, 5, 9], [0, 8, 4], [9, 9, 11]], np.uint8)
    mask = write_band(tmp_path / "m.tif", classes, 20, left=LEFT + 20)
    fine = np.zeros((8, 8), np.uint8)
    fine[:6, 2:] = classes.repeat(2, 0).repeat(2, 1)

    def valid(**how):
        image = read(picture, memory=memory, **how)
        return image.crop(everything(image.shape)).valid

    np.testing.assert_array_equal(valid(mask=mask), fine != 0)
    np.testing.assert_array_equal(valid(mask_values=f"{mask}:4-5"), np.isin(fine, (4, 5)))
    there = np.zeros((8, 8), bool)
    there[:6, 2:] = True
    np.testing.assert_array_equal(valid(mask_values=f"{mask}:~3"), there & (fine & 8 == 0))
    both = valid(mask_values=f"{mask}:4-5", mask=mask)
    np.testing.assert_array_equal(both, np.isin(fine, (4, 5)))


def test_a_mask_in_another_coordinate_system(tmp_path):
    picture = write_band(tmp_path / "p.tif", np.ones((40, 40), np.uint8), 10)
    with rasterio.open(picture) as file:
        left, bottom, right, top = rasterio.warp.transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    half = np.ones((10, 10), np.uint8)
    half[:, 5:] = 0
    transform = rasterio.Affine((right - left) / 10, 0, left, 0, -(top - bottom) / 10, top)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": 10, "width": 10}
    with rasterio.open(tmp_path / "m.tif", "w", **profile, crs="EPSG:4326", transform=transform) as file:
        file.write(half, 1)
    valid = read(picture, mask=tmp_path / "m.tif").valid
    assert valid[5:-5, 5:15].all()
    assert not valid[5:-5, 25:].any()


@pytest.mark.parametrize("memory", [None, 0])
def test_a_mask_without_the_value(tmp_path, memory):
    picture = write_band(tmp_path / "p.tif", np.ones((8, 8), np.uint8), 10)
    mask = write_band(tmp_path / "m.tif", np.full((8, 8), 9, np.uint8), 10)
    with pytest.raises(EmptyInputError, match=r"p\.tif: its mask m\.tif has no pixel of value 4, 5 there, only 9"):
        read(picture, mask_values=f"{mask}:4,5", memory=memory)
    with pytest.raises(EmptyInputError, match="has no pixel without the bits 0, 3 there, only 9"):
        read(picture, mask_values=f"{mask}:~0,3", memory=memory)
    with pytest.raises(ParameterError, match=r"p\.tif has no mask 'SCL', and there is no file of that name"):
        read(picture, mask_values="SCL:4", memory=memory)


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("metres", [10, 20])
def test_a_band_of_several_is_a_mask(tmp_path, rng, memory, metres):
    picture = write_band(tmp_path / "p.tif", rng.integers(1, 99, (8, 8)).astype(np.uint8), 10)
    clear, codes = np.zeros((2, 80 // metres, 80 // metres), np.uint8)
    clear[1:3], codes[:2] = 1, 8
    with rasterio.open(write_band(tmp_path / "one.tif", clear, metres)) as one:
        profile = one.profile | {"count": 2}
    with rasterio.open(tmp_path / "m.tif", "w", **profile) as file:
        file.write(np.stack([codes, clear]))
        file.descriptions = ("QA", "clear")

    def valid(rule):
        image = read(picture, memory=memory, mask_values=f"{tmp_path}/m.tif{rule}")
        return image.crop(everything(image.shape)).valid

    pixels = metres // 10
    np.testing.assert_array_equal(valid("@clear:1"), clear.repeat(pixels, 0).repeat(pixels, 1) == 1)
    np.testing.assert_array_equal(valid("@2:1"), valid("@clear:1"))
    np.testing.assert_array_equal(valid("@qa:~3"), codes.repeat(pixels, 0).repeat(pixels, 1) == 0)
    for mask in ({"mask": tmp_path / "m.tif"}, {"mask_values": f"{tmp_path}/m.tif:1"}):
        with pytest.raises(InputError, match=r"it has 2 bands|has 2 channels") as caught:
            read(picture, memory=memory, **mask)
        assert "(QA, clear)" in str(caught.value)
        assert f"mask_values='{tmp_path}/m.tif@QA:1'" in str(caught.value)
    with pytest.raises(InputError, match="has 2 (bands|channels)"):
        valid("@1-2:1")
    with pytest.raises(ParameterError, match=r"m\.tif has no channel 'cloud'; use numbers from 1 to 2, or names: QA"):
        valid("@cloud:1")


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("metres", [10, 20])
@pytest.mark.parametrize("n_bands", [3, 4])
def test_masks_that_gdal_calls_colors_have_their_own_names(tmp_path, rng, memory, metres, n_bands):
    picture = write_band(tmp_path / "p.tif", rng.integers(1, 99, (8, 8)).astype(np.uint8), 10)
    bands = rng.integers(0, 2, (n_bands, 80 // metres, 80 // metres)).astype(np.uint8)
    with rasterio.open(write_band(tmp_path / "one.tif", bands[0], metres)) as one:
        profile = one.profile | {"count": n_bands, "photometric": "rgb", "nodata": None}
    with rasterio.open(tmp_path / "m.tif", "w", **profile) as file:
        file.write(bands)
        file.descriptions = ("clear", "snow", "shade", "cloud")[:n_bands]
    for name, band in zip(("clear", "snow", "shade", "cloud"), bands, strict=False):
        image = read(picture, memory=memory, mask_values=f"{tmp_path}/m.tif@{name}:1")
        found = image.crop(everything(image.shape)).valid
        np.testing.assert_array_equal(found, band.repeat(metres // 10, 0).repeat(metres // 10, 1) == 1)
