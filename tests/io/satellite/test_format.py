"""Scenes as images: found by their names, read in memory and by windows, described and segmented."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from satellite_scenes import CRS, LEFT, TOP, make_landsat, make_safe, stored_bands

import gmmseg
from gmmseg.errors import DataWarning, InputError, ParameterError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.formats import SCENES, identify
from gmmseg.io.reading import read_probabilities
from gmmseg.io.satellite.format import mask_file, product

SURFACE = ("B02/blue", "B03/green", "B04/red", "B05/rededge1", "B06/rededge2", "B07/rededge3", "B08/nir", "B8A/nir08")


@pytest.fixture
def stored(rng):
    return stored_bands(rng)


def test_a_safe_folder_is_one_image(tmp_path, stored):
    for level, suffix in (("2A", ".jp2"), ("1C", ".tif")):
        safe = make_safe(tmp_path, stored, level=level, suffix=suffix)
        assert identify(safe) is SCENES
        image = read(safe)
        assert image.channel_names == (*SURFACE, "B11/swir1", "B12/swir2")
        assert (image.shape, image.spacing, image.place.unit, image.color) == ((60, 60), (10, 10), "m", False)
        assert image.place.affine == (10, 0, LEFT, 0, -10, TOP)
        np.testing.assert_allclose(image.select("nir").array[..., 0], stored["B08"] / 1e4 - 0.1, atol=1e-7)


def test_a_folder_of_its_bands_is_one_image_whose_offset_is_not_known(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    place = tmp_path / "bands"
    place.mkdir()
    for path in safe.rglob("*.tif"):
        shutil.copy(path, place)
    with pytest.warns(DataWarning, match=r"bands: its offset is not known without MTD_MSIL2A\.xml"):
        image = read(place, channels="nir,red")
    np.testing.assert_allclose(image.array[..., 0], stored["B08"] / 1e4, atol=1e-7)


def test_bands_by_name_and_windows_are_those_of_the_whole(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    whole, lazy = read(safe, channels="nir,red,swir1"), read(safe, channels="B08,B04,B11", memory=0)
    assert whole.in_memory
    assert not lazy.in_memory
    assert whole.channel_names == lazy.channel_names == ("B08/nir", "B04/red", "B11/swir1")
    window = (slice(5, 33), slice(11, 60))
    np.testing.assert_array_equal(lazy.crop(window).array, whole.array[window])
    np.testing.assert_array_equal(lazy.select("swir1").array, whole.select("swir1").array)


def test_a_scene_that_changes_while_it_is_read_is_an_error(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    image = read(safe, memory=0)
    with open(next(safe.rglob("*B08_10m.tif")), "ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match=r"B08_10m\.tif has changed since it was opened"):
        image.crop((slice(0, 4), slice(0, 4)))


def test_landsat_is_reflectance_and_kelvin(tmp_path, rng):
    stored = {band: rng.integers(7000, 40_000, (40, 50)).astype(np.uint16) for band in (1, 2, 3, 4, 5, 6, 7, 10)}
    scene = make_landsat(tmp_path, stored)
    image = read(scene)
    assert image.channel_names[3:5] == ("SR_B4/red", "SR_B5/nir")
    np.testing.assert_allclose(image.select("red").array[..., 0], stored[4] * 2.75e-5 - 0.2, atol=1e-6)
    kelvin = read(scene, channels="thermal").array[..., 0]
    np.testing.assert_allclose(kelvin, stored[10] * 0.00341802 + 149, atol=1e-4)
    old = make_landsat(tmp_path, stored, level=1)
    np.testing.assert_allclose(read(old).select("red").array[..., 0], stored[4] * 2e-5 - 0.1, atol=1e-6)


def test_a_scene_is_segmented_and_its_labels_lie_where_it_does(tmp_path, stored):
    seg = gmmseg.segment(make_safe(tmp_path, stored, suffix=".tif"), k=2)
    assert set(np.unique(seg.labels[:, :28])) == {1}
    assert set(np.unique(seg.labels[:, 32:])) == {2}
    seg.save(tmp_path / "labels.tif")
    with rasterio.open(tmp_path / "labels.tif") as file:
        assert file.crs == CRS
        assert file.transform[:6] == (10, 0, LEFT, 0, -10, TOP)
        np.testing.assert_array_equal(file.read(1), seg.labels)


def test_what_a_scene_says_of_itself(tmp_path, stored):
    found = read_info(make_safe(tmp_path, stored, suffix=".tif", scl=np.full((30, 30), 4, np.uint8)))
    assert json.loads(json.dumps(found)) == found
    assert found["scene"] == "Sentinel-2 L2A"
    assert (found["scale"], found["offset"], found["baseline"], found["masks"]) == (1e-4, -0.1, "05.09", ["SCL"])
    assert found["other_bands"] == ["B01/coastal", "B09/nir09"]
    assert (found["size"], found["pixel_size"], found["bounds"]["right"]) == ([60, 60], [10, 10], LEFT + 600)
    assert found["bytes"] > 60 * 60 * 2 * 4


def test_masks_of_a_scene(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif", scl=np.full((30, 30), 4, np.uint8))
    assert mask_file(safe, "scl").name.endswith("SCL_20m.tif")
    assert mask_file(safe, "QA_PIXEL") is None


def test_a_scene_is_no_label_map(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    with pytest.raises(InputError, match="is a satellite scene, not a label map"):
        read_labels(safe)
    with pytest.raises(InputError, match="is a satellite scene, not probability maps"):
        read_probabilities(safe)


def test_links_that_lead_out_of_the_scene_are_refused(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    band = next(safe.rglob("*B08_10m.tif"))
    band.rename(tmp_path / "elsewhere.tif")
    band.symlink_to(tmp_path / "elsewhere.tif")
    with pytest.raises(InputError, match="which lies outside its folder"):
        product(safe)


def test_resolution_is_of_scenes(tmp_path, stored):
    assert read(make_safe(tmp_path, stored, suffix=".tif"), resolution=20).shape == (30, 30)
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    with pytest.raises(ParameterError, match=r"resolution=10 is of satellite scenes, and .*a\.npy is none"):
        read(tmp_path / "a.npy", resolution=10)
    with pytest.raises(ParameterError, match="resolution=0 is no width of a pixel"):
        read(tmp_path / "a.npy", resolution=0)


def test_limits(tmp_path, stored):
    safe = make_safe(tmp_path, stored, suffix=".tif")
    with pytest.raises(InputError, match="60 x 60 = 3600 pixels, above the limit of 3599"):
        read(safe, max_pixels=3599)
    with pytest.raises(ParameterError, match="channel_axis=0 does not fit"):
        read(safe, channel_axis=0)
