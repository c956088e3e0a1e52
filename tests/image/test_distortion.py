"""Areas on the ground, against PROJ's own."""

import math

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.warp import transform

from gmmseg.image import Image
from gmmseg.image.distortion import ground_share
from gmmseg.image.place import Place

WORLD_2SP = (
    'PROJCS["c",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Mercator_2SP"],PARAMETER["standard_parallel_1",42],'
    'PARAMETER["central_meridian",51],PARAMETER["false_easting",0],PARAMETER["false_northing",1000],UNIT["metre",1]]'
)


def _on_the_ground(crs, x, y, side=1.0):
    """Area of a small square of the map by the ellipsoid's radii, at the latitudes that PROJ finds."""
    longitudes, latitudes = transform(crs, "EPSG:4326", [x, x + side, x], [y, y, y + side])
    latitude, e2, a = math.radians(latitudes[0]), 0.00669437999014, 6378137
    across = a / math.sqrt(1 - e2 * math.sin(latitude) ** 2)
    along = across * (1 - e2) / (1 - e2 * math.sin(latitude) ** 2)
    east = across * math.cos(latitude) * math.radians(longitudes[1] - longitudes[0])
    return east * along * math.radians(latitudes[2] - latitudes[0]) / side**2


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:3395", WORLD_2SP])
@pytest.mark.parametrize("northing", [0, 5_000_000, -8_000_000, 12_000_000])
def test_maps_of_mercator(crs, northing):
    expected = _on_the_ground(crs, 1e6, northing, 100.0)
    for text in (crs, CRS.from_user_input(crs).to_wkt(), CRS.from_user_input(crs).to_wkt(version="WKT2_2019")):
        place = Place((10, 0, 1e6, 0, -10, northing + 50), text, unit="m")
        image = Image(np.zeros((10, 10, 1)), place=place)
        assert ground_share(image) == pytest.approx(expected, rel=2e-4)


def test_the_middle_of_the_whole_image_counts():
    place = Place((10, 0, 0, 0, -10, 8_000_000), "EPSG:3857", unit="m")
    whole = Image(np.zeros((100, 100, 1)), place=place)
    window = whole.crop((slice(0, 10), slice(0, 10)))
    assert ground_share(window) == ground_share(whole)


def test_other_maps_are_taken_as_they_are():
    pixels = np.zeros((4, 4, 1))
    for place in (None, Place((10, 0, 3e5, 0, -10, 5e6), "EPSG:32632", unit="m"), Place((1, 0, 0, 0, -1, 0))):
        assert ground_share(Image(pixels, place=place)) == 1
