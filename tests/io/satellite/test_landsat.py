"""Folders of Landsat Collection 2: bands, and what their metadata say of stored numbers."""

import numpy as np
import pytest
from satellite_scenes import make_landsat

from gmmseg.errors import InputError
from gmmseg.io.satellite.landsat import landsat_product, metadata_groups

BANDS = dict.fromkeys((1, 2, 3, 4, 5, 6, 7, 10), np.full((8, 8), 9000, np.uint16))


def test_level_2_has_one_scale_for_all_scenes(tmp_path):
    for metadata in (True, False):
        found = landsat_product(make_landsat(tmp_path / str(metadata), BANDS, metadata=metadata))
        assert found.kind == "Landsat 8 L2"
        assert {(band.scale, band.offset) for band in found.chosen(None)} == {(2.75e-5, -0.2)}
        (thermal,) = found.chosen("thermal")
        assert (thermal.scale, thermal.offset) == (0.00341802, 149.0)
        assert len(found.chosen(None)) == 7


def test_level_1_has_its_own(tmp_path):
    found = landsat_product(make_landsat(tmp_path, BANDS, level=1))
    assert {(band.scale, band.offset) for band in found.chosen(None)} == {(2e-5, -0.1)}
    (thermal,) = found.chosen("B10")
    assert (thermal.scale, thermal.offset) == (3.342e-4, 0.1)


def test_level_1_without_metadata_is_refused(tmp_path):
    scene = make_landsat(tmp_path, BANDS, level=1, metadata=False)
    with pytest.raises(InputError, match=r"lacks LC08_L1TP_195028_20230605_20230613_02_T1_MTL\.txt, in which"):
        landsat_product(scene)


def test_a_band_of_the_metadata_that_is_not_there(tmp_path):
    scene = make_landsat(tmp_path, BANDS)
    next(scene.glob("*SR_B6.TIF")).unlink()
    assert landsat_product(scene).missing == {"SR_B6/swir1": f"{scene.name}_SR_B6.TIF"}


def test_masks(tmp_path):
    found = landsat_product(make_landsat(tmp_path, BANDS, qa=np.ones((8, 8), np.uint16)))
    assert set(found.masks) == {"QA_PIXEL"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("REFLECTANCE_MULT_BAND_4 = 2.0000E-05", "REFLECTANCE_MULT_BAND_4 = x", "has 'x' as scale or offset of band 4"),
        ("REFLECTANCE_MULT_BAND_4 = 2.0000E-05", "", "says no scale of band B4"),
        ("  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING", "  END_GROUP = OTHER", "group OTHER ends before it begins"),
    ],
)
def test_damaged_metadata(tmp_path, before, after, words):
    scene = make_landsat(tmp_path, BANDS, level=1)
    path = next(scene.glob("*_MTL.txt"))
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=rf"_MTL\.txt .*{words}.*download"):
        landsat_product(scene)


def test_groups_repeat_keys(tmp_path):
    path = next(make_landsat(tmp_path, BANDS).glob("*_MTL.txt"))
    groups = metadata_groups(path)
    key = "REFLECTANCE_MULT_BAND_2"
    assert groups["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"][key] == "2.75e-05"
    assert groups["LEVEL1_RADIOMETRIC_RESCALING"][key] == "2.0000E-05"
    path.write_text("no groups\n")
    with pytest.raises(InputError, match="has no group of metadata"):
        metadata_groups(path)
