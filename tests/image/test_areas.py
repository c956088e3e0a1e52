"""How large pixels are on the ground."""

import numpy as np
import pytest

from gmmseg.image.areas import pixel_areas, voxel_volume
from gmmseg.image.place import Place


@pytest.mark.parametrize(
    ("unit", "step", "expected"),
    [
        ("m", 30, (0.09, "ha")),
        ("foot", 100, (0.0929, "ha")),
        ("um", 0.5, (0.25, "um2")),
        (None, 30, (1, "pixels")),
    ],
)
def test_units(unit, step, expected):
    size, name = pixel_areas(Place((0, -step, 0, step, 0, 0), unit=unit), 3)
    assert (size, name) == (pytest.approx(expected[0], rel=1e-3), expected[1])


def test_under_a_microscope():
    assert pixel_areas(Place(unit="um"), 3, spacing=(0.5, 0.25)) == (0.125, "um2")
    assert pixel_areas(Place(unit="um"), 3) == (1.0, "pixels")


def test_volumes():
    assert voxel_volume(Place(unit="mm"), (5, 2, 1)) == (pytest.approx(0.01), "ml")
    assert voxel_volume(Place(unit="um"), (5, 2, 1)) == (10, "um3")
    assert voxel_volume(None, (5, 2, 1)) == voxel_volume(Place(unit="mm"), None) == (1.0, "voxels")


def test_degrees_are_measured_on_the_ellipsoid():
    pyproj = pytest.importorskip("pyproj")
    step, top, rows = 0.25, 60.0, 480
    areas, unit = pixel_areas(Place((step, 0, 10, 0, -step, top), "EPSG:4326", unit="degree"), rows)
    assert unit == "ha"
    geod = pyproj.Geod(ellps="WGS84")
    for row in (0, 239, 240, 479):
        north = top - step * row
        # Parallels are no geodesics: many corners keep them.
        along = np.linspace(10, 10 + step, 400)
        longitudes = [*along, *along[::-1]]
        latitudes = [north - step] * 400 + [north] * 400
        expected = abs(geod.polygon_area_perimeter(longitudes, latitudes)[0]) / 1e4
        assert areas[row] == pytest.approx(expected, rel=1e-6)


def test_the_earth_has_its_size():
    areas, _ = pixel_areas(Place((1, 0, -180, 0, -1, 90), "EPSG:4326", unit="degree"), 180)
    assert 360 * areas.sum() == pytest.approx(51_006_562_172, rel=1e-9)
