"""Rasters on the grid of another one, as rasterio and a formula have them."""

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from satellite_scenes import CRS, LEFT, TOP, write_band

from gmmseg.errors import InputError
from gmmseg.image.place import Place
from gmmseg.io.raster.gdal import environment
from gmmseg.io.raster.warped import Grid, on_grid, require_overlap

UTM = rasterio.crs.CRS.from_string(CRS).to_wkt()
FINE = Grid((8, 8), (10.0, 0.0, LEFT, 0.0, -10.0, TOP), UTM)


BANDS = {"smooth": True, "nodata": 0, "dtype": "float32"}


def test_bilinear_lies_between_the_four_nearest_pixels(tmp_path):
    stored = np.arange(1, 17, dtype=np.uint16).reshape(4, 4) * 100
    with (
        rasterio.open(write_band(tmp_path / "a.tif", stored, 20)) as dataset,
        environment(),
        on_grid(dataset, FINE, **BANDS) as warped,
    ):
        found = warped.read(1)
    centre = (np.arange(8) + 0.5) / 2 - 0.5
    plane = 100 * (1 + 4 * np.clip(centre, 0, 3)[:, None] + np.clip(centre, 0, 3))
    np.testing.assert_allclose(found, plane, rtol=1e-6)


def test_no_data_takes_no_part(tmp_path):
    stored = np.full((4, 4), 300, np.uint16)
    stored[0, 0] = 0
    with (
        rasterio.open(write_band(tmp_path / "a.tif", stored, 20)) as dataset,
        environment(),
        on_grid(dataset, FINE, **BANDS) as warped,
    ):
        found = warped.read(1)
    assert (found[0, 0], found[7, 7]) == (0, 300)
    assert set(np.unique(found)) == {0, 300}


def test_masks_take_the_nearest_pixel(tmp_path):
    stored = np.arange(16, dtype=np.uint8).reshape(4, 4)
    with (
        rasterio.open(write_band(tmp_path / "a.tif", stored, 20)) as dataset,
        environment(),
        on_grid(dataset, FINE, smooth=False, nodata=None) as warped,
    ):
        np.testing.assert_array_equal(warped.read(1), stored.repeat(2, 0).repeat(2, 1))


def test_windows_are_those_of_the_whole(tmp_path, rng):
    stored = rng.integers(1, 9999, (300, 310)).astype(np.uint16)
    grid = Grid((1800, 1860), (10.0, 0.0, LEFT, 0.0, -10.0, TOP), UTM)
    with (
        rasterio.open(write_band(tmp_path / "a.tif", stored, 60)) as dataset,
        environment(),
        on_grid(dataset, grid, **BANDS) as warped,
    ):
        whole = warped.read(1)
        with on_grid(dataset, grid, **BANDS) as warped:
            for rows, columns in (((0, 700), (500, 1300)), ((511, 513), (0, 1860)), ((1000, 1800), (1023, 1026))):
                part = warped.read(1, window=(rows, columns))
                np.testing.assert_array_equal(part, whole[slice(*rows), slice(*columns)])


def test_a_grid_of_another_resolution_covers_the_same_area():
    assert FINE.at(20) == Grid((4, 4), (20.0, 0.0, LEFT, 0.0, -20.0, TOP), UTM)
    assert FINE.at(30).shape == (3, 3)  # the last pixels reach beyond
    assert FINE.at(10).is_same(FINE)
    assert not FINE.at(20).is_same(FINE)
    moved = Grid((8, 8), (10.0, 0.0, LEFT + 5, 0.0, -10.0, TOP), UTM)
    assert not moved.is_same(FINE)
    assert Grid(FINE.shape, FINE.transform, CRS).is_same(FINE)  # in another spelling


def test_what_has_no_place_has_no_grid(tmp_path):
    with rasterio.open(write_band(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), 20)) as dataset:
        assert Grid.of(dataset).shape == (4, 4)
    assert Grid.of_place(None, (4, 4)) is None
    assert Grid.of_place(Place((1, 0, 0, 0, 1, 0)), (4, 4)) is None
    assert Grid.of_place(Place(FINE.transform, CRS), (8, 8)).is_same(FINE)


def test_rasters_that_lie_elsewhere_are_refused():
    with environment():
        require_overlap(Path("a.tif"), FINE, FINE.at(20), "b")
        degrees = Grid((90, 90), (1e-4, 0.0, 6.4957, 0.0, -1e-4, 44.2273), "EPSG:4326")
        require_overlap(Path("a.tif"), degrees, FINE, "b")
        beside = Grid((8, 8), (10.0, 0.0, LEFT + 80, 0.0, -10.0, TOP), UTM)
        with pytest.raises(InputError, match=r"a\.tif lies elsewhere than b: it spans 300080, .*; give one of"):
            require_overlap(Path("a.tif"), beside, FINE, "b")
        far = Grid((8, 8), (1e-4, 0.0, 100.0, 0.0, -1e-4, 10.0), "EPSG:4326")
        with pytest.raises(InputError, match="lies elsewhere"):
            require_overlap(Path("a.tif"), far, FINE, "b")
        assert math.isclose(FINE.bounds_in(UTM)[2], LEFT + 80)
