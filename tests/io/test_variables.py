"""Variables of files that hold several arrays."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from scipy.io import netcdf_file

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.parts import name_of
from gmmseg.io.variables import Variable, file_of, variable_of

VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.fixture
def climate(tmp_path):
    """A file of netCDF's version 3, rows from south to north, with two variables."""
    with netcdf_file(tmp_path / "c.nc", "w") as file:
        file.createDimension("y", 4)
        file.createDimension("x", 6)
        for name, factor in (("warm", 1), ("wet", 10)):
            variable = file.createVariable(name, "f4", ("y", "x"))
            variable[:] = VALUES * factor
    return tmp_path / "c.nc"


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("NETCDF:a.nc:b", Variable("NETCDF", Path("a.nc"), "b")),
        ('NETCDF:"/x y/a.nc":b', Variable("NETCDF", Path("/x y/a.nc"), "b")),
        ("HDF5:/x/a.h5://g/b", Variable("HDF5", Path("/x/a.h5"), "g/b")),
        ("a.nc", None),
        ("NETCDF:a.nc", None),
        ("GRIB:a.grb:b", None),
    ],
)
def test_names(text, variable):
    assert variable_of(Path(text)) == variable


def test_a_file_of_that_name_is_meant_first(tmp_path):
    path = tmp_path / "NETCDF:a.nc:b"
    path.touch()
    assert variable_of(Path("NETCDF:a.nc:b")) is not None
    assert variable_of(path) is None
    assert file_of(path) == path


@pytest.mark.parametrize("form", ["NETCDF:{}:wet", 'NETCDF:"{}":wet'])
@pytest.mark.parametrize("memory", [None, 0])
def test_one_variable_is_an_image(climate, form, memory):
    name = form.format(climate)
    image = read(name, memory=memory)
    assert image.in_memory == (memory is None)
    np.testing.assert_array_equal(image.array[::-1, :, 0], VALUES * 10)  # as GDAL turns what lies upside down
    assert name_of(name) == "c_wet"
    assert read_info(name)["size"] == [6, 4]


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("placed", [False, True])
def test_rows_without_coordinates_are_read_as_they_are_stored(tmp_path, memory, placed):
    with h5py.File(tmp_path / "swath.nc", "w") as file:
        file["group/light"] = VALUES
        for axis, (name, length) in enumerate((("down", 4), ("across", 6))):
            file[name] = np.arange(length) / 10 if placed else np.zeros(length)
            lacking = "This is a netCDF dimension but not a netCDF variable.         4"
            file[name].make_scale(name if placed else lacking)
            file["group/light"].dims[axis].attach_scale(file[name])
    image = read(f"NETCDF:{tmp_path}/swath.nc:group/light", memory=memory)
    np.testing.assert_array_equal(image.array[..., 0], VALUES[::-1] if placed else VALUES)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_of_gdal_begin_in_the_south(tmp_path):
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", dtype="float32", count=1, height=4, width=6) as file:
        file.write(VALUES, 1)
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "gdal.nc", driver="netCDF", FORMAT="NC4")
    np.testing.assert_array_equal(read(tmp_path / "gdal.nc").array[..., 0], VALUES)


def test_what_is_not_there(climate, tmp_path):
    with pytest.raises(InputError, match=r"none\.nc does not exist"):
        read(f"NETCDF:{tmp_path}/none.nc:a")
    with pytest.raises(InputError, match=r"c\.nc has no variable dry; name one of warm, wet"):
        read(f"NETCDF:{climate}:dry")
    with pytest.raises(
        InputError, match=r"c\.nc holds several rasters \(warm, wet\); name one, as in NETCDF:.*c\.nc:warm"
    ):
        read(climate)


def test_files_that_lead_elsewhere_are_refused_by_variable_too(climate, tmp_path):
    with h5py.File(tmp_path / "l.nc", "w") as file:
        file["other"] = h5py.ExternalLink(tmp_path / "secret.h5", "/a")
        file["a"] = VALUES
    with pytest.raises(InputError, match=r"l\.nc"):
        read(f"NETCDF:{tmp_path}/l.nc:a")
