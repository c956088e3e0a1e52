"""The files that the shell commands of the guides name, made small in the current folder, and a cluster."""

import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pyogrio
import rasterio
import shapely
from mosaics import made_scene
from PIL import Image as Pillow
from satellite_scenes import CRS, LEFT, TOP, make_landsat, make_safe, stored_bands, write_band
from scipy.io import savemat

from gmmseg.web.log import Log


def photograph():
    """photo.jpg, what a page wrote that was open on it, and scenes.zip with a raster in it."""
    scene = made_scene()[:60, :80]
    Pillow.fromarray(scene).save("photo.jpg")
    Log("photo.jpg").do({"do": "set", "option": "k", "value": 3}).save(Path("photo.gmmseg.json"))
    write_band(Path("b.tif"), scene[..., 0], 10)
    with zipfile.ZipFile("scenes.zip", "w") as archive:
        archive.write("b.tif", "a/b.tif")


def delivered_scenes():
    """Two scenes of Sentinel-2, of which june.txt has one and the folder july the other, and one of Landsat.

    Beside them scene.tif with two training areas.
    """
    rng = np.random.default_rng(0)
    scl = np.full((30, 30), 4, np.uint8)
    june = make_safe(".", stored_bands(rng), scl=scl)
    Path("june.txt").write_text(f"{june}\n")
    make_safe("july", stored_bands(rng), scl=scl, date="20230705")
    landsat = {number: values for number, values in enumerate(stored_bands(rng).values(), 1) if number in range(1, 5)}
    clear = np.full((60, 60), 1 << 6, np.uint16)
    make_landsat(".", landsat | {5: landsat[4], 6: landsat[3], 7: landsat[2]}, satellite="LC09", qa=clear)
    write_band(Path("scene.tif"), landsat[1], 10)
    corners = [[LEFT + 50, TOP - 500, LEFT + 200, TOP - 50], [LEFT + 400, TOP - 500, LEFT + 550, TOP]]
    pyogrio.raw.write(
        "training.gpkg",
        geometry=shapely.to_wkb([shapely.box(*each) for each in corners]),
        field_data=[np.array(["water", "land"], object)],
        fields=["class"],
        crs=CRS,
        geometry_type="Polygon",
    )


def cubes():
    """A flight line of 20 bands in ENVI's format, its like of MATLAB with a truth, and a netCDF of EMIT."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(1, 17, dtype=np.uint8), 9).reshape(12, 12).repeat(4, axis=0).repeat(4, axis=1)
    spectra = rng.uniform(0.1, 0.9, (17, 20))
    cube = (spectra[truth] + rng.normal(0, 0.01, (48, 48, 20))).astype(np.float32)
    profile = {"driver": "ENVI", "height": 48, "width": 48, "count": 20, "dtype": "float32", "crs": CRS}
    with rasterio.open("flight.img", "w", **profile, transform=rasterio.Affine(10, 0, LEFT, 0, -10, TOP)) as file:
        file.write(np.moveaxis(cube, -1, 0))
    savemat("cube.mat", {"cube": cube})
    savemat("cube_gt.mat", {"cube_gt": np.where(np.arange(48) % 4 == 0, truth, 0)})
    with h5py.File("EMIT_L2A_RFL.nc", "w") as file:
        file["reflectance"] = cube
        for axis, (name, size) in enumerate(zip(("downtrack", "crosstrack", "bands"), cube.shape, strict=True)):
            file[name] = np.arange(size, dtype=np.float32)
            file[name].make_scale(name)
            file["reflectance"].dims[axis].attach_scale(file[name])


def mosaic():
    """mosaic.tif, and two rasters in scenes."""
    scene = made_scene()[..., 0]
    for path, values in (("mosaic.tif", scene), ("scenes/a.tif", scene[:60]), ("scenes/b.tif", scene[60:120])):
        write_band(Path(path), values, 10)


@contextmanager
def local_cluster():
    """Yield the address of a scheduler with one worker."""
    import distributed

    options = {"processes": False, "n_workers": 1, "protocol": "tcp://", "dashboard_address": ":0"}
    with distributed.LocalCluster(**options) as cluster:
        yield cluster.scheduler_address
