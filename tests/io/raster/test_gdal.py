"""GDAL: no network, and any name of a file."""

import shutil

import numpy as np
import pytest

from gmmseg.errors import InputError
from gmmseg.io import read, read_info

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")


@pytest.mark.parametrize(
    "name", ["/vsicurl/http://localhost/a.tif", "http://localhost/a.tif", "WMS:http://localhost/", "../gone.tif", "\0"]
)
def test_virtual_rasters_stay_on_this_computer(tmp_path, name):
    source = f"<SimpleSource><SourceFilename>{name}</SourceFilename></SimpleSource>".replace("\0", "")
    body = f'<VRTRasterBand dataType="Byte" band="1">{source if name != chr(0) else "<"}</VRTRasterBand>'
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{body}</VRTDataset>')
    with pytest.raises(InputError, match="virtual raster"):
        read(tmp_path / "v.vrt")


def test_a_virtual_raster_of_a_description_of_the_network(tmp_path):
    (tmp_path / "w.xml").write_text('<GDAL_WMS><Service name="TMS"><ServerUrl>http://localhost</ServerUrl></Service>')
    source = '<SimpleSource><SourceFilename relativeToVRT="1">w.xml</SourceFilename></SimpleSource>'
    body = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    (tmp_path / "v.vrt").write_text(f'<VRTDataset rasterXSize="5" rasterYSize="4">{body}</VRTDataset>')
    with pytest.raises(InputError, match="elsewhere"):
        read(tmp_path / "v.vrt")
    with pytest.raises(InputError, match="no known image"):
        read(tmp_path / "w.xml")


@pytest.mark.parametrize("name", ["a b.tif", "a\nb.tif", "größe 東京.tif", "http:x.tif", "zip+x!y.tif", "a?b#c%20.tif"])
def test_names(tmp_path, write_raster, name):
    shutil.copy(write_raster(np.full((1, 4, 5), 3, np.uint8)), tmp_path / name)
    assert (read(tmp_path / name).array == 3).all()
    assert read_info(tmp_path / name)["georeferenced"]
