"""Where GDAL says that a raster lies."""

import numpy as np
import pytest
import rasterio
from raster_windows import PLACE

from gmmseg.errors import InputError
from gmmseg.io.raster.location import place_in

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
ONES = np.ones((1, 4, 5), np.uint8)


def test_a_raster_on_a_map(write_raster):
    place = place_in(write_raster(ONES))
    assert place.affine == (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)
    assert rasterio.CRS.from_wkt(place.crs) == rasterio.CRS.from_epsg(32625)


@pytest.mark.parametrize("crs", [None, 'LOCAL_CS["unnamed",UNIT["metre",1]]'])
def test_a_system_that_is_of_no_place_on_earth_is_none(write_raster, crs):
    place = place_in(write_raster(ONES, crs=crs))
    assert place.affine == tuple(PLACE["transform"])[:6]
    assert place.crs is None


def test_a_system_alone_is_kept(write_raster):
    place = place_in(write_raster(ONES, transform=None))
    assert place.affine == (1, 0, 0, 0, 1, 0)
    assert rasterio.CRS.from_wkt(place.crs).to_epsg() == 32625


def test_a_picture_lies_nowhere(write_raster):
    assert place_in(write_raster(ONES, crs=None, transform=None)) is None


def test_what_gdal_cannot_open_is_one_line(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + bytes(6))  # a directory without tags
    with pytest.raises(
        InputError, match=r"a\.tif: its georeferencing cannot be read \(.*\); export the file again"
    ) as caught:
        place_in(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)
