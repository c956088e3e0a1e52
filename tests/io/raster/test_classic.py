"""Headers of netCDF that say what cannot be: GDAL would crash on some of them."""

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from gmmseg.errors import InputError
from gmmseg.io import read, read_info

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


def test_false_lengths_in_a_header_of_netcdf(tmp_path, write_raster):
    with rasterio.open(write_raster(np.ones((1, 4, 5), np.uint8))) as raster:
        copy(raster, tmp_path / "a.nc", driver="netCDF")
    content = (tmp_path / "a.nc").read_bytes()
    assert (read(tmp_path / "a.nc").array == 1).all()
    start = content.index(b"\0\0\0\x0a", 4) + 8  # the first name of a dimension
    for place in range(8, start + 4, 4):
        (tmp_path / "b.nc").write_bytes(content[:place] + b"\x7f\0\0\x01" + content[place + 4 :])
        with pytest.raises(InputError, match=r"b\.nc is damaged or cut short \(its header: .*\); download it again"):
            read(tmp_path / "b.nc")
    for end in range(5, 300, 7):
        (tmp_path / "b.nc").write_bytes(content[:end])
        with pytest.raises(InputError, match="damaged"):
            read_info(tmp_path / "b.nc")
