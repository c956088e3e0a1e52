"""Rasters that rasterio wrote."""

import warnings

import pytest
import rasterio
from raster_windows import PLACE


@pytest.fixture
def write_raster(tmp_path):
    """Write a raster with rasterio: (bands (n, rows, columns), name, **profile) -> path."""

    def make(bands, name="r.tif", *, finish=lambda raster: None, **profile):
        count, rows, columns = bands.shape
        options = {"driver": "GTiff", **PLACE, "dtype": bands.dtype.name, **profile}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(tmp_path / name, "w", count=count, width=columns, height=rows, **options) as raster:
                finish(raster)
                raster.write(bands)
        return tmp_path / name

    return make
