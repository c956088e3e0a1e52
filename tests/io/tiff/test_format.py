"""TIFF: which files go to GDAL and which to tifffile, and as what results are written."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile

from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io.contents import Contents
from gmmseg.io.geotiff import TiffPlace
from gmmseg.io.raster.location import GeoReference
from gmmseg.io.request import Reading
from gmmseg.io.tiff import format as subject

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
PLACE = Place((30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0), "EPSG:32625", unit="m")
VALUES = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture
def plain(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", VALUES)
    return tmp_path / "plain.tif"


@pytest.fixture
def placed(tmp_path):
    """A file that GDAL wrote, with its place."""
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "uint8", "crs": PLACE.crs}
    with rasterio.open(tmp_path / "placed.tif", "w", transform=rasterio.Affine(*PLACE.affine), **profile) as raster:
        raster.write(VALUES[None])
    return tmp_path / "placed.tif"


def test_georeferenced_files_are_read_by_gdal_and_others_by_tifffile(plain, placed, monkeypatch):
    found = {path.stem: subject.read(path, Reading()) for path in (plain, placed)}
    for image in found.values():
        np.testing.assert_array_equal(image.array[..., 0], VALUES)
    assert not isinstance(found["plain"].place.native, GeoReference)
    assert isinstance(found["placed"].place.native, GeoReference)
    assert "driver" in subject.describe(placed)
    assert "compression" in subject.describe(plain)
    monkeypatch.setattr(subject, "has_rasterio", lambda: False)
    alone = subject.read(placed, Reading())
    np.testing.assert_array_equal(alone.array, found["placed"].array)
    assert type(alone.place.native) is TiffPlace
    assert alone.place == PLACE
    assert "driver" not in subject.describe(placed)


@pytest.mark.parametrize("gdal", [True, False])
def test_places_of_label_maps(plain, placed, monkeypatch, gdal):
    if not gdal:
        monkeypatch.setattr(subject, "has_rasterio", lambda: False)
    assert subject.place(plain) is None
    found = subject.place(placed)
    assert found.affine == PLACE.affine
    assert rasterio.CRS.from_string(found.crs) == rasterio.CRS.from_epsg(32625)


def write(path, values, image=None, *, kind="labels", names=(), **options):
    shape = values.shape[1:] if kind == "soft" else values.shape[:2]
    contents = Contents(kind, shape, str(values.dtype), names, image, options, path)
    return subject.write(path, contents, [(everything(shape), values)])


def test_results_of_a_placed_image_lie_where_it_does(tmp_path, placed):
    image = subject.read(placed, Reading())
    write(tmp_path / "l.tif", VALUES, image)
    with rasterio.open(tmp_path / "l.tif") as raster:
        assert raster.transform == rasterio.Affine(*PLACE.affine)
        np.testing.assert_array_equal(raster.read(1), VALUES)
        assert raster.nodata == 0
    # OME-TIFF knows no place on a map.
    ome = tmp_path / "l.ome.tif"
    write(ome, VALUES, image)
    with tifffile.TiffFile(ome) as tiff:
        assert tiff.is_ome
        np.testing.assert_array_equal(tiff.asarray(), VALUES)


def test_results_without_a_place(tmp_path, rng):
    assert write(tmp_path / "l.tif", VALUES.astype(np.uint32)) == {}
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tif"), VALUES.astype(np.uint32), strict=True)
    soft = rng.random((2, 3, 4)).astype(np.float32)
    write(tmp_path / "s.tif", soft, kind="soft", names=("a", "b"))
    np.testing.assert_array_equal(subject.read_probabilities(tmp_path / "s.tif", Reading()), soft)
    write(tmp_path / "m.tif", soft[0], kind="map", names=("gain",))
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        np.testing.assert_array_equal(tiff.asarray(), soft[0])
        assert tiff.pages[0].description == "gain"
    picture = rng.integers(0, 255, (3, 4, 3)).astype(np.uint8)
    write(tmp_path / "p.tif", picture, Image(picture, color=True), kind="picture")
    np.testing.assert_array_equal(subject.read(tmp_path / "p.tif", Reading()).array, picture)
    np.testing.assert_array_equal(subject.read_labels(tmp_path / "l.tif", Reading()), VALUES)


@pytest.mark.parametrize(
    ("values", "kind", "options", "words"),
    [
        (VALUES, "labels", {"cog": True}, r"cog=True is of another format, or of images that have a place"),
        (np.zeros((2, 3, 4), np.float32), "soft", {"level": 3}, r"level=3 is of another format"),
        (VALUES, "picture", {}, r"has shape \(3, 4\) and dtype uint8, expected \(rows, columns, 3\) uint8"),
    ],
)
def test_what_it_cannot_write(tmp_path, values, kind, options, words):
    with pytest.raises(ParameterError, match=words):
        write(Path(tmp_path / "a.tif"), values, kind=kind, **options)
    assert list(tmp_path.iterdir()) == []
