"""Where pixels lie in the world, by values that were computed by hand."""

from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg import Image, ParameterError
from gmmseg.export import Export, find_instances, to_geojson, write_export
from gmmseg.image.place import METRES, Place
from gmmseg.image.sizes import least_pixels
from gmmseg.io import read, write_labels
from gmmseg.io.geotiff import TiffPlace, place_of_tags

NORTH_UP = (30.0, 0.0, 500000.0, 0.0, -20.0, 9000000.0)


def tags(*, scale=(30.0, 20.0, 0.0), tie=(0, 0, 0, 500000.0, 9000000.0, 0), keys=()):
    directory = [1, 1, 0, len(keys), *(number for code, value in keys for number in (code, 0, 1, value))]
    return {
        33550: (12, 3, scale),
        33922: (12, 6, tie),
        34735: (3, len(directory), tuple(directory)),
    }


def test_rows_come_before_columns():
    matrix = Place(NORTH_UP).matrix(2)
    np.testing.assert_array_equal(matrix @ [0, 0, 1], [500000, 9000000])
    np.testing.assert_array_equal(matrix @ [1, 2, 1], [500060, 8999980])


def test_a_rotated_affine():
    a, b, d, e = 3.0, 4.0, 4.0, -3.0
    np.testing.assert_array_equal(Place((a, b, 10.0, d, e, 20.0)).matrix(2) @ [2, 1, 1], [10 + 3 + 8, 20 + 4 - 6])


def test_a_scan_of_two_and_of_three_axes():
    affine = ((2.0, 0, 0, -5), (0, 0, 3.0, -6), (0, 4.0, 0, -7), (0, 0, 0, 1))
    place = Place(affine3d=affine, unit="mm")
    np.testing.assert_array_equal(place.matrix(3) @ [1, 2, 3, 1], [2 - 5, 9 - 6, 8 - 7])
    np.testing.assert_array_equal(place.matrix(2) @ [1, 2, 1], [2 - 5, -6, 8 - 7])


def test_a_map_has_no_matrix_for_volumes_and_nowhere_has_none():
    assert Place(NORTH_UP).matrix(3) is None
    assert Place().matrix(2) is None


def test_matrices_of_any_numbers_are_taken():
    place = Place(affine=np.array(NORTH_UP, np.float32))
    assert place == Place([*map(int, NORTH_UP), 0, 0, 1]) == Place(NORTH_UP)  # nine numbers as of an Affine
    assert Place(affine3d=np.eye(4)) == Place(affine3d=[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert hash(place) == hash(Place(NORTH_UP))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"affine": (30.0, 0.0, 5.0, 0.0)}, r"affine has 4 numbers; give six, \(a, b, c, d, e, f\)"),
        ({"affine3d": np.eye(3)}, r"affine3d has rows of \[3, 3, 3\] numbers; give 4 rows of 4"),
        ({"affine": NORTH_UP, "affine3d": np.eye(4)}, "affine and affine3d are both given"),
        ({"affine": NORTH_UP, "crs": 32625}, "crs=32625 is no text; give 'EPSG:' and its code, or WKT"),
        (
            {"interval": (5, "minute")},
            r"interval=\(5, 'minute'\) is not usable; give a number above 0 and one of ns, µs,",
        ),
        ({"interval": 5.0}, r"interval=5\.0 is not usable"),
        ({"interval": ("five", "s")}, r"interval=\('five', 's'\) is not usable"),
        ({"interval": (0.0, "s")}, r"interval=\(0\.0, 's'\) is not usable"),
        ({"interval": (float("nan"), "s")}, r"interval=\(nan, 's'\) is not usable"),
        ({"unit": "metre"}, "unit='metre' is not known; use one of nm, um, mm, cm, m, km, foot"),
    ],
)
def test_what_says_no_place_is_refused(parts, message):
    with pytest.raises(ParameterError, match=message):
        Place(**parts)


def test_intervals_in_seconds():
    assert Place(interval=(2.5, "min")).seconds == 150
    assert Place(interval=(0.1, "ms")).seconds == 0.0001
    assert Place().seconds is None


def test_places_are_equal_however_a_file_says_them():
    assert Place(NORTH_UP, "EPSG:32625", native=TiffPlace()) == Place(NORTH_UP, "EPSG:32625")
    assert Place(NORTH_UP, "EPSG:32625") != Place(NORTH_UP, "EPSG:32626")


@pytest.mark.parametrize(
    ("keys", "unit", "metres"),
    [
        (((3072, 32625), (3076, 9001)), "m", 1.0),
        (((3072, 2263), (3076, 9002)), "foot", 0.3048),
        (((3072, 2263), (3076, 9003)), "US survey foot", 0.3048006096),
        (((3072, 32625), (3076, 9036)), "km", 1000.0),
        (((2048, 4326),), "degree", None),
        (((3072, 32625),), None, None),
    ],
)
def test_the_unit_that_geotiff_keys_name(keys, unit, metres):
    place = place_of_tags(TiffPlace(tags(keys=keys)))
    assert place.unit == unit
    assert place.metres == (None if metres is None else pytest.approx(metres, rel=1e-9))


def test_pixels_that_are_points_lie_half_a_pixel_farther():
    area = place_of_tags(TiffPlace(tags(keys=((3072, 32625),))))
    point = place_of_tags(TiffPlace(tags(keys=((1025, 2), (3072, 32625)))))
    assert (area.affine, area.crs) == (NORTH_UP, "EPSG:32625")
    assert point.affine == (30.0, 0.0, 499985.0, 0.0, -20.0, 9000010.0)


def test_micrometres_of_a_microscope():
    place = place_of_tags(TiffPlace(ome={"PhysicalSizeX": 0.2}))
    assert (place.affine, place.unit, place.metres) == (None, "um", 1e-6)


@pytest.mark.parametrize(
    ("unit", "size", "pixels"),
    [("m", "2.5ha", 42), ("mm", "6000mm2", 10), ("um", "6000um2", 10), ("foot", "100m2", 2), ("km", "1200km2", 2)],
)
def test_sizes_in_each_unit(unit, size, pixels):
    image = Image(np.zeros((90, 80, 1)), spacing=(20, 30), place=Place(unit=unit))
    assert least_pixels(size, image) == pixels
    assert METRES[unit] > 0


def test_degrees_are_no_size():
    image = Image(np.zeros((90, 80, 1)), spacing=(0.1, 0.1), place=Place(unit="degree"))
    with pytest.raises(ParameterError, match="measured in degrees"):
        least_pixels("2ha", image)
    with pytest.raises(ParameterError, match="the unit of length of its coordinates, which is not known"):
        least_pixels("2ha", Image(np.zeros((90, 80, 1)), spacing=(0.1, 0.1)))


def test_parts_of_an_image_keep_its_place():
    place = Place(NORTH_UP)
    image = Image(np.zeros((5, 6, 3), np.uint8), place=place)
    window = image.crop((slice(1, 3), slice(2, 4)))
    assert window.place is image.select("2").place is image.with_mask(np.ones((5, 6), int)).place is place
    assert (window.origin, window.extent) == ((1, 2), (5, 6))


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 2.0, 3.0)])
def test_a_spacing_has_a_number_an_axis(spacing):
    with pytest.raises(ParameterError, match=r"has \d numbers, but the image has 2 spatial axes; give one"):
        Image(np.zeros((4, 5, 1)), spacing=spacing)


def test_a_picture_that_is_given_a_place_is_written_with_it(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pixels = np.full((20, 30), 40, np.uint8)
    pixels[:, 15:] = 200
    image = Image(pixels, place=Place(NORTH_UP, "EPSG:32625"))
    gmmseg.segment(image, k=2, smooth=False).save(tmp_path / "labels.tif")
    with rasterio.open(Path(tmp_path, "labels.tif")) as raster:
        assert tuple(raster.transform)[:6] == NORTH_UP
        assert raster.crs.to_epsg() == 32625


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5)])
def test_a_scan_that_is_given_a_place_is_written_with_it(tmp_path, shape):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[0, 0, 2.0, 5], [0, 3.0, 0, 6], [4.0, 0, 0, 7], [0, 0, 0, 1]])
    image = Image(np.zeros((*shape, 1)), place=Place(affine3d=affine))
    labels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    write_labels(tmp_path / "labels.nii.gz", labels, image=image)
    result = nibabel.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(result.affine, affine)
    np.testing.assert_array_equal(np.asarray(result.dataobj), labels)
    assert read(tmp_path / "labels.nii.gz").place == image.place


@pytest.mark.parametrize("place", [Place(affine3d=np.eye(4)), Place(crs="EPSG:32625")])
def test_exports_of_what_lies_on_no_map_are_in_pixels(tmp_path, place):
    instances = find_instances(np.ones((2, 3), np.uint8))
    assert to_geojson(instances, place=place, keep_crs=True) == to_geojson(instances)
    write_export(tmp_path / "labels.npz", instances, "npz", options=Export(place=place))
    with np.load(tmp_path / "labels.npz") as arrays:
        assert set(arrays) == {"labels", "class_names"}


def test_a_geopackage_of_what_lies_on_no_map_names_no_system(tmp_path):
    raw = pytest.importorskip("pyogrio.raw")
    instances = find_instances(np.ones((2, 3), np.uint8))
    write_export(tmp_path / "labels.gpkg", instances, "gpkg", options=Export(place=Place(crs="EPSG:32625")))
    assert "EPSG:32625" not in str(raw.read(tmp_path / "labels.gpkg")[0]["crs"])
