"""Margins that a file does not declare."""

import re
import warnings

import numpy as np
import pytest

import gmmseg
from gmmseg import Image
from gmmseg.errors import DataWarning
from gmmseg.fitting.undeclared_nodata import warn_of_margins
from gmmseg.image.place import Place
from gmmseg.io.nodata import with_nodata

PLACE = Place((10, 0, 300_000, 0, -10, 4_900_020), "EPSG:32632", unit="m")


def tilted(fill, rng, dtype=np.int16, n=3):
    """A scene whose corners are cut off."""
    values = rng.integers(100, 200, (60, 60, n)).astype(dtype)
    rows, columns = np.indices((60, 60))
    values[np.abs(rows - 29.5) + np.abs(columns - 29.5) > 40] = fill
    return values


@pytest.mark.parametrize("fill", [0, -9999])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_margins_bring_a_warning_that_says_what_to_do(rng, fill, dtype):
    image = Image(tilted(fill, rng, dtype), place=PLACE, name="scene.tif")
    with pytest.warns(
        DataWarning, match=rf"scene\.tif: .* % of its pixels are {fill} .*4 of its 4 corners.*--nodata {fill}"
    ):
        gmmseg.fit(image, 2)


def _is_quiet(image, k=2):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gmmseg.fit(image, k)
    return not caught


def test_what_is_declared_or_no_margin_brings_none(rng):
    scene = Image(tilted(0, rng), place=PLACE, name="scene.tif")
    assert _is_quiet(with_nodata(scene, 0))
    assert _is_quiet(Image(scene.array))  # on no map: 0 around a cell is what was measured
    lake = rng.integers(100, 200, (60, 60, 1)).astype(np.int16)
    lake[20:40, 20:40] = 0
    assert _is_quiet(Image(lake, place=PLACE))
    bay = rng.integers(100, 200, (60, 60, 2)).astype(np.int16)
    bay[:30, :30, 0] = 0  # in one band only
    assert _is_quiet(Image(bay, place=PLACE))


@pytest.mark.parametrize("fill", [0, -9999])
@pytest.mark.parametrize("margin", [np.s_[:, :6, 1], np.s_[:, -6:, 1], np.s_[-6:, :, 1], "tilted"])
def test_a_margin_of_one_band_brings_a_warning_of_that_band(rng, fill, margin):
    scene = rng.integers(100, 200, (60, 60, 3)).astype(np.int16)
    if margin == "tilted":
        scene[..., 1] = tilted(fill, rng)[..., 1]
    else:
        scene[margin] = fill
    image = Image(scene, place=PLACE, name="scene.tif", channel_names=("blue", "red", "nir"))
    with pytest.warns(DataWarning, match=rf"scene\.tif: \d+ % of band red are {fill}, .*--nodata none,{fill},none, or"):
        gmmseg.fit(image, 2)
    assert _is_quiet(with_nodata(image, [None, fill, None]))


def test_dark_water_along_a_part_of_a_side_and_a_colour_bring_none(rng):
    water = rng.integers(100, 200, (60, 60, 3)).astype(np.uint8)
    water[:50, :20, 1] = 0
    assert _is_quiet(Image(water, place=PLACE))
    dark = rng.integers(100, 200, (60, 60, 3)).astype(np.uint8)
    dark[:, :6, 1] = 0
    assert _is_quiet(Image(dark, place=PLACE, color=True))


def test_only_corners_of_suspicious_images_are_read(rng):
    class Unread(Image):
        def crop(self, window):
            raise AssertionError("it is read")

    warn_of_margins(Unread(tilted(7, rng), place=PLACE), np.full((10, 3), 7))
    with pytest.raises(AssertionError, match="it is read"):
        warn_of_margins(Unread(tilted(0, rng), place=PLACE), np.zeros((10, 3)))


def test_zeros_around_a_stripped_brain_are_said_to_become_a_class():
    rng = np.random.default_rng(0)
    brain = np.zeros((12, 14, 16), np.float32)
    brain[4:9, 3:11, 4:12] = rng.normal(100, 9, (5, 8, 8))
    place = Place(affine3d=tuple(map(tuple, np.eye(4))), unit="mm")
    with pytest.warns(DataWarning, match=r"scan: 8\d % of its voxels are 0, its corners too.*--nodata 0"):
        gmmseg.segment(Image(brain[..., None], name="scan", place=place), 2)
    valid = brain != 0
    gmmseg.segment(Image(brain[..., None], valid=valid, place=place), 2)  # no warning, which would be an error
    gmmseg.segment(Image(brain[..., None]), 2)  # no scan
    brain[-1, -1, -1] = 7  # a corner that was measured
    gmmseg.segment(Image(brain[..., None], place=place), 2)


def test_the_value_around_a_scan_is_named_with_all_its_digits():
    """As of integers that are scaled so that none of them stands for 0."""
    brain = np.full((12, 14, 16), np.float32(-0.000457763671875))
    brain[4:9, 3:11, 4:12] = np.random.default_rng(0).normal(100, 9, (5, 8, 8))
    scan = Image(brain[..., None], place=Place(affine3d=tuple(map(tuple, np.eye(4))), unit="mm"))
    with pytest.warns(DataWarning, match="its corners too") as given:
        gmmseg.segment(scan, 2)
    named = float(re.search(r"nodata=(\S+)\)", str(given[0].message))[1])
    np.testing.assert_array_equal(gmmseg.segment(scan, 2, nodata=named).labels == 0, brain < 0)


def test_what_lies_outside_of_the_round_field_of_a_ct_is_said_to_become_a_class():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:20j, -1:1:20j]
    outside = np.broadcast_to(x**2 + y**2 > 1, (6, 20, 20))
    head = np.where(x**2 + y**2 < 0.4, 40, -1000) + rng.normal(0, 8, outside.shape).round()
    place = Place(affine3d=tuple(map(tuple, np.eye(4))), unit="mm")

    def scan(fill):
        return Image(np.where(outside, fill, head).astype(np.int16)[..., None], name="ct", place=place)

    with pytest.warns(DataWarning, match=r"ct: 31 % of its voxels are -2000, its corners too.*--nodata -2000"):
        gmmseg.segment(scan(-2000), 3)
    gmmseg.segment(scan(-1024), 3)  # that much air may have been measured; no warning, which would be an error
