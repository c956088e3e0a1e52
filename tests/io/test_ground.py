"""What pixels cover."""

import itertools
import tracemalloc

import numpy as np
import pytest

from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.image.place import Place
from gmmseg.image.windows import everything
from gmmseg.io.ground import Ground, pixels_of


def image(shape, spacing=None, place=None):
    return Image(np.zeros((*shape, 1), np.uint8), spacing=spacing, place=place)


@pytest.mark.parametrize(
    ("shape", "spacing", "unit", "name", "each"),
    [
        ((4, 5), None, None, "pixels", 1),
        ((4, 5), (2.0, 3.0), None, "pixels", 1),
        ((4, 5), (0.5, 0.25), "um", "area_um2", 0.125),
        ((4, 5), (500.0, 250.0), "nm", "area_um2", 0.125),
        ((4, 5), (2.0, 3.0), "mm", "area_mm2", 6),
        ((4, 5), (100.0, 50.0), "m", "area_ha", 0.5),
        ((3, 4, 5), (2.0, 10.0, 50.0), "mm", "volume_ml", 1),
        ((3, 4, 5), (2.0, 1.0, 0.5), "um", "volume_um3", 1),
        ((3, 4, 5), (2.0, 1.0, 0.5), "m", "volume_m3", 1),
    ],
)
def test_units_follow_the_place(shape, spacing, unit, name, each):
    found = Ground.of(image(shape, spacing, None if unit is None else Place(unit=unit)))
    assert (found.name, found.each) == (name, pytest.approx(each))
    labels = np.ones(shape, np.uint8)
    assert found.sums(everything(shape), labels, 2)[1] == pytest.approx(each * labels.size)


def whole(place, shape, spacing=(1.0, 1.0)):
    ground = Ground.of(image(shape, spacing, place))
    assert ground.name == "area_ha"
    return ground.sums(everything(shape), np.ones(shape, np.uint8), 2)[1] * 1e4  # in square metres


def geodesic(longitude, latitude):
    from pyproj import Geod

    return abs(Geod(ellps="WGS84").polygon_area_perimeter(longitude, latitude)[0])


def test_the_whole_earth_in_degrees():
    place = Place((1.0, 0, -180, 0, -1.0, 90), "EPSG:4326", unit="degree")
    assert whole(place, (180, 360)) == pytest.approx(5.10065621724e14, rel=1e-9)  # of WGS 84


def test_degrees_are_areas_on_the_ellipsoid():
    place = Place((0.01, 0, 10, 0, -0.01, 61), "EPSG:4326", unit="degree")
    rim = np.linspace(0, 1, 201)
    longitude = np.concatenate([10 + rim, np.full(201, 11.0), 11 - rim, np.full(201, 10.0)])
    latitude = np.concatenate([np.full(201, 60.0), 60 + rim, np.full(201, 61.0), 61 - rim])
    assert whole(place, (100, 100)) == pytest.approx(geodesic(longitude, latitude), rel=1e-6)


@pytest.mark.parametrize("shape", [(50, 40), (3000, 700)])
@pytest.mark.parametrize("code", [3857, 32633, 3035])
def test_what_a_projection_stretches_is_taken_back(code, shape):
    pyproj = pytest.importorskip("pyproj")
    to_map = pyproj.Transformer.from_crs(4326, code, always_xy=True)
    x, y = to_map.transform(14.0, 60.0)
    step = 20_000 / max(shape)
    place = Place((step, 0, x, 0, -step, y), f"EPSG:{code}", unit="m")
    rows, columns = shape[0] * step, shape[1] * step
    rim = np.linspace(0, 1, 101)
    xs = np.concatenate([x + rim * columns, np.full(101, x + columns), x + columns * (1 - rim), np.full(101, x)])
    ys = np.concatenate([np.full(101, y), y - rim * rows, np.full(101, y - rows), y - rows * (1 - rim)])
    expected = geodesic(*to_map.transform(xs, ys, direction="INVERSE"))
    found = whole(place, shape, (step, step))
    assert found == pytest.approx(expected, rel=1e-6)
    if code == 3857:
        assert found < 0.27 * rows * columns


def test_a_map_may_cross_the_antimeridian():
    place = Place((0.5, 0, 179, 0, -0.5, 1), "EPSG:4326", unit="degree")
    elsewhere = Place((0.5, 0, 0, 0, -0.5, 1), "EPSG:4326", unit="degree")
    assert whole(place, (4, 4)) == pytest.approx(whole(elsewhere, (4, 4)))
    pytest.importorskip("rasterio")
    mercator = Place((1e4, 0, 20_000_000, 0, -1e4, 1e4), "EPSG:3857", unit="m")
    usual = Place((1e4, 0, 1_000_000, 0, -1e4, 1e4), "EPSG:3857", unit="m")
    assert whole(mercator, (2, 20)) == pytest.approx(whole(usual, (2, 20)), rel=1e-6)


def test_parts_add_up():
    place = Place((0.01, 0, 10, 0, -0.01, 61), "EPSG:4326", unit="degree")
    labels = np.random.default_rng(0).integers(0, 4, (90, 70))
    ground = Ground.of(image(labels.shape, (0.01, 0.01), place))
    parts = [(slice(a, b), slice(c, d)) for a, b in ((0, 33), (33, 90)) for c, d in ((0, 20), (20, 70))]
    together = sum(ground.sums(part, labels[part], 4) for part in parts)
    np.testing.assert_allclose(together, ground.sums(everything(labels.shape), labels, 4))


def test_metres_that_are_said_to_be_degrees_have_no_area():
    metres = Place((10.0, 0, 600_000, 0, -10.0, 5_000_000), "EPSG:4326", unit="degree")
    with pytest.warns(DataWarning, match=r"its system is of degrees, but its latitudes reach 5e\+06; give"):
        assert Ground.at(metres, (20, 30)).name == "pixels"
    centred = Place((2.5, 0, -1.25, 0, -2.5, 91.25), "EPSG:4326", unit="degree")  # rows lie on the poles
    assert Ground.at(centred, (73, 144)).name == "area_ha"


def test_what_the_system_cannot_tell_is_said():
    pytest.importorskip("rasterio")
    place = Place((1e6, 0, 9e7, 0, -1e6, 9e7), "EPSG:32633", unit="m")
    with pytest.warns(DataWarning, match="areas are those of the map's plane"):
        found = Ground.of(image((3, 3), (1e6, 1e6), place))
    assert found.each == pytest.approx(1e12 / 1e4)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e308])
@pytest.mark.filterwarnings("ignore::gmmseg.errors.DataWarning")
def test_pixels_of_a_map_that_lies_nowhere_are_counted(number):
    pytest.importorskip("rasterio")
    place = Place((number, 0, 0, 0, -number, 0), "EPSG:32633", unit="m")
    found = Ground.at(place, (3, 3), spacing=(number, number))
    assert (found.name, found.each) == ("pixels", 1)


@pytest.mark.parametrize("unit", ["m", "foot", "um"])
def test_a_transform_alone_says_how_large_pixels_are(unit):
    place = Place((3.0, -4.0, 10.0, 4.0, 3.0, 20.0), unit=unit)
    name, metres = ("area_um2", 1.0) if unit == "um" else ("area_ha", (place.metres**2) * 1e-4)
    found = Ground.at(place, (6, 7))
    assert (found.name, found.unit, found.each) == (name, name[5:], pytest.approx(25 * metres))
    assert Ground.at(None, (6, 7)).unit == "pixels"


def test_sums_do_not_depend_on_the_order_of_windows(rng):
    place = Place((0.01, 0, 10, 0, -0.01, 75), "EPSG:4326", unit="degree")
    shape = (2500, 300)
    ground, labels = Ground.of(image(shape, (1.0, 1.0), place)), rng.integers(0, 4, shape).astype(np.uint8)
    whole = ground.sums(everything(shape), labels, 4)
    for _ in range(5):
        ends = np.unique([0, shape[0], *rng.integers(0, shape[0], 9)])
        windows = [(slice(a, b), slice(c, d)) for a, b in itertools.pairwise(ends) for c, d in ((0, 77), (77, 300))]
        rng.shuffle(windows)
        assert (sum(ground.counts(w, labels[w], 4) for w in windows) * ground.each).tolist() == whole.tolist()
    weights = ground.within(everything(shape)) * ground.each
    np.testing.assert_allclose(whole, np.bincount(labels.ravel(), weights.ravel()), rtol=1e-12)
    assert not ground.counts((slice(3, 3), slice(0, 300)), labels[3:3], 4).any()


def test_pixels_are_counted_in_strips(rng):
    numbers = rng.integers(0, 7, (2048, 2048), np.uint8)
    numbers[0] = 9
    expected = np.array([np.count_nonzero(numbers == number) for number in range(12)])
    tracemalloc.start()
    found = pixels_of(numbers, 12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int64
    assert peak < 4 * numbers.size  # at once counting takes 8 bytes a pixel
    np.testing.assert_array_equal(pixels_of(numbers[:0], 3), [0, 0, 0])
