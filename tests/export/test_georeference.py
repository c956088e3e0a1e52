"""Files of exports: all formats, whole or not at all, nothing replaced unasked."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.control
import rasterio.rpc
import rasterio.warp
from rasterio.transform import Affine

from gmmseg.errors import InputError
from gmmseg.export import Place, names_in, place_in, place_of
from gmmseg.export.georeference import ground_in
from gmmseg.io import read
from gmmseg.io.geotiff import place_of_tags


def test_names_beside_a_raster(tmp_path, labels):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": 40, "width": 70, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", transform=rasterio.Affine.scale(2), **profile) as raster:
        raster.write(labels[None])
    assert names_in(path) is None
    beside = tmp_path / "a.tif.aux.xml"
    categories = "".join(f"<Category>{name}</Category>" for name in ("none", "sea", "sand &amp; gravel"))
    beside.write_text(
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{categories}</CategoryNames></PAMRasterBand></PAMDataset>'
    )
    assert names_in(path) == ("sea", "sand & gravel")
    beside.write_text("<PAMDataset>")
    with pytest.raises(InputError, match=r"a\.tif\.aux\.xml cannot be read"):
        names_in(path)


@pytest.mark.parametrize("kind", ["gcps", "rpcs"])
def test_what_lies_by_control_points_is_refused_with_the_reason(tmp_path, labels, kind):
    path = tmp_path / "a.tif"
    gcps = [rasterio.control.GroundControlPoint(r, c, c / 100 + r / 1e4, -r / 100) for r in (0, 39) for c in (0, 69)]
    coefficients = {f"{name}_{part}_coeff": [1.0] * 20 for name in ("line", "samp") for part in ("num", "den")}
    numbers = ("height", "lat", "line", "long", "samp")
    scales = {f"{name}_{what}": 1.0 for name in numbers for what in ("off", "scale")}
    rpcs = rasterio.rpc.RPC(**coefficients, **scales, err_bias=0.0, err_rand=0.0)
    given = {"gcps": gcps, "crs": "EPSG:4326"} if kind == "gcps" else {"rpcs": rpcs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", height=40, width=70, count=1, dtype="uint8", **given) as raster:
            raster.write(labels[None])
    reason = "ground control points" if kind == "gcps" else r"a camera's coefficients \(RPC\)"
    with pytest.raises(InputError, match=rf"a\.tif lies on the ground by {reason} alone, .* gdalwarp, or export coco"):
        place_in(path)


def test_the_unit_of_a_place(tmp_path, labels):
    profile = {"driver": "GTiff", "height": 40, "width": 70, "count": 1, "dtype": "uint8"}
    for crs, expected in {"EPSG:32633": (0.0004, "ha"), "EPSG:2263": (4 * 0.3048006096**2 / 1e4, "ha")}.items():
        with rasterio.open(tmp_path / "a.tif", "w", crs=crs, transform=Affine.scale(2), **profile) as raster:
            raster.write(labels[None])
        ground = ground_in(tmp_path / "a.tif")
        area = ground.sums((slice(0, 40), slice(0, 70)), np.ones((40, 70), int), 2)[1]
        assert (area, ground.unit) == (pytest.approx(expected[0] * 2800, rel=6e-3), expected[1])
        assert place_in(tmp_path / "a.tif").unit is not None
    np.save(tmp_path / "a.npy", labels)
    assert not ground_in(tmp_path / "a.npy").known


TRANSFORMS = {
    "north up": (30.0, 0.0, 390_000.0, 0.0, -30.0, 5_820_000.0),
    "turned": (20.0, 5.0, 390_000.0, 6.0, -22.0, 5_820_000.0),
    "south up": (10.0, 0.0, 390_000.0, 0.0, 10.0, 5_820_000.0),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", None])
@pytest.mark.parametrize("point", ["Area", "Point"])
def test_tags_say_what_gdal_says(tmp_path, transform, crs, point):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8", "crs": crs}
    with rasterio.open(path, "w", transform=Affine(*transform), **profile) as raster:
        raster.write(np.ones((1, 3, 4), np.uint8))
        raster.update_tags(AREA_OR_POINT=point)
    by_gdal, by_tags = place_in(path), place_of_tags(read(path).place.native)
    assert by_tags.affine == pytest.approx(by_gdal.affine, rel=1e-12)
    assert by_tags.crs == crs
    assert (by_gdal.crs and rasterio.CRS.from_wkt(by_gdal.crs)) == (crs and rasterio.CRS.from_string(crs))


def test_tags_do_where_rasterio_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(path, "w", transform=Affine(*TRANSFORMS["north up"]), **profile) as raster:
        raster.write(np.ones((1, 3, 4), np.uint8))
    monkeypatch.setitem(sys.modules, "rasterio", None)
    assert place_in(path) == Place(TRANSFORMS["north up"], "EPSG:32633")


def test_images_that_carry_their_place(tmp_path):
    image = read_image(tmp_path)
    assert place_of(image) is None
    image = replace(image, place=Place((1.0, 0.0, 2.0, 0.0, -1.0, 3.0), "EPSG:25832"))
    assert place_of(image) == Place((1.0, 0.0, 2.0, 0.0, -1.0, 3.0), "EPSG:25832")


def read_image(folder):
    import tifffile

    tifffile.imwrite(folder / "plain.tif", np.ones((3, 4), np.uint8))
    assert place_in(folder / "plain.tif") is None
    return read(folder / "plain.tif")
