"""GeoTIFF tags: the place, the names of bands."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from gmmseg.io import read, read_info, write_labels, write_probabilities
from gmmseg.io.geotiff import tags_to_write
from gmmseg.io.tiff.decoding import tags_of

IMAGES = Path(__file__).parents[2] / "images"


def test_landsat_keeps_its_place():
    image = read(IMAGES / "L7_ETMs.tif")
    assert image.shape == (352, 349)
    assert image.n_channels == 6
    assert not image.color
    assert image.spacing == pytest.approx((28.5, 28.5))
    assert {33550, 33922, 34735} <= set(image.place.native.tags)
    info = read_info(IMAGES / "L7_ETMs.tif")
    assert (info["size"], info["channels"], info["georeferenced"]) == ([349, 352], 6, True)


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
def test_raster_from_rasterio(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "width": 8, "height": 6, "count": 2, "dtype": "float32", "nodata": -1}
    place = {"crs": "EPSG:32625", "transform": rasterio.transform.from_origin(500000, 9000000, 30, 20)}
    with rasterio.open(tmp_path / "r.tif", "w", **profile, **place) as raster:
        values = np.ones((2, 6, 8), "float32")
        values[:, 5] = -1
        raster.write(values)
        raster.set_band_description(1, "red & near")
        raster.set_band_description(2, "infrared")
    image = read(tmp_path / "r.tif")
    assert image.valid.sum() == 40
    assert image.spacing == (20.0, 30.0)
    assert image.channel_names == ("red & near", "infrared")


def test_georeference_in_tags(tmp_path):
    image = read(IMAGES / "L7_ETMs.tif")
    write_labels(tmp_path / "l.tif", image.array[..., 0] // 64 + 1, image=image)
    with tifffile.TiffFile(IMAGES / "L7_ETMs.tif") as source, tifffile.TiffFile(tmp_path / "l.tif") as result:
        for code in (33550, 33922, 34735, 34737):
            assert result.pages[0].tags[code].value == source.pages[0].tags[code].value
        assert result.pages[0].tags[42113].value == "0"
        assert 42112 not in result.pages[0].tags


def test_georeference_in_rasterio(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    image = read(IMAGES / "L7_ETMs.tif")
    numbers = image.array[..., 0] // 64
    write_labels(tmp_path / "l.tif", numbers, image=image)
    soft = np.stack([numbers == 1, numbers != 1]).astype(np.float32)
    write_probabilities(tmp_path / "s.tif", soft, image=image)
    with rasterio.open(IMAGES / "L7_ETMs.tif") as source:
        place = (source.crs, source.transform)
    with rasterio.open(tmp_path / "l.tif") as result:
        assert (result.crs, result.transform, result.nodata) == (*place, 0)
        np.testing.assert_array_equal(result.read(1), numbers)
    with rasterio.open(tmp_path / "s.tif") as result:
        assert (result.crs, result.transform, result.count) == (*place, 2)
        np.testing.assert_array_equal(result.read(), soft)


def test_names_in_other_letters_are_read_and_written(tmp_path):
    """A citation in Latin-1, as some programs write it."""
    tags = [
        (33550, "d", 3, (30.0, 20.0, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 9e6, 0.0), True),
        (34737, 7, 12, b"R\xe9seau|abcd\0", True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 5), np.uint8), extratags=tags)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        content[tiff.pages[0].tags[34737].offset + 2] = 2  # text, not any bytes
    (tmp_path / "a.tif").write_bytes(content)
    tags = tags_of(tmp_path / "a.tif")
    assert tags[34737][2] == "Réseau|abcd"
    (*_, written) = tags_to_write(tags, nodata=None)
    assert written[3] == "R?seau|abcd"
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((4, 5), np.uint8), extratags=[written])
