"""What names and metadata say of a scene, before a pixel is read."""

import os
from pathlib import Path

import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.io.satellite.band_files import band_file
from gmmseg.io.satellite.product import Band, Product, metadata_text, of_one_scene, parsed


def _band(name, **facts):
    file = band_file(Path(f"T32TQM_20230605T101559_{name}.jp2"))
    return Band(file.name, (file,), **facts)


@pytest.fixture
def scene():
    bands = (_band("B01", surface=False), _band("B02"), _band("B04"), _band("B08"))
    return Product(Path("x.SAFE"), "Sentinel-2 L2A", bands, {"SCL": band_file(Path("SCL.jp2"))})


def test_bands_of_the_surface_come_first_and_are_read_where_nobody_chooses(scene):
    assert scene.names == ("B02/blue", "B04/red", "B08/nir", "B01/coastal")
    assert [band.name for band in scene.chosen(None)] == ["B02/blue", "B04/red", "B08/nir"]


@pytest.mark.parametrize("channels", ["nir,red,1", ["B08", "b04", 1], "B8,b4,B2", ("B08/nir", "Red", "blue")])
def test_bands_are_chosen_by_either_part_of_their_names_or_by_number(scene, channels):
    assert [band.name for band in scene.chosen(channels)] == ["B08/nir", "B04/red", "B02/blue"]
    assert scene.chosen("coastal")[0].name == "B01/coastal"


def test_bands_of_landsat_are_called_by_their_number_too():
    file = band_file(Path("LC08_L2SP_195028_20230605_20230613_02_T1_SR_B4.TIF"))
    scene = Product(Path("x"), "Landsat 8 L2", (Band(file.name, (file,)),), {})
    assert scene.chosen("B4") == scene.chosen("SR_B4") == scene.chosen("red") == scene.chosen(1) == scene.bands


def test_a_band_that_no_scene_of_the_kind_has(scene):
    with pytest.raises(ParameterError, match=r"x\.SAFE has no channel 'swir3'; use numbers from 1 to 4, or names: B"):
        scene.chosen("nir,swir3")


def test_a_band_that_metadata_name_but_that_is_not_there():
    scene = Product(Path("x"), "Sentinel-2", (_band("B02"), _band("B03")), {}, {"B11/swir1": "T_B11_20m.jp2"})
    with pytest.raises(InputError, match=r"x lacks T_B11_20m\.jp2, the band B11/swir1 .*; download it again"):
        scene.chosen(None)
    with pytest.raises(InputError, match=r"x lacks T_B11_20m\.jp2, its band B11/swir1; download it again, or"):
        scene.chosen("green,swir1")
    assert len(scene.chosen("B02,B03")) == 2


def test_masks_are_called_in_any_case(scene):
    assert scene.mask("scl").band == "SCL"
    assert scene.mask("QA_PIXEL") is None


def test_two_dates_in_one_folder_are_refused():
    files = [band_file(Path(f"T32TQM_2023060{day}T101559_B0{day}_10m.jp2")) for day in (5, 6)]
    with pytest.raises(InputError, match=r"x holds bands of two dates \(T32TQM_20230605.* and .*\); give each scene a"):
        of_one_scene(Path("x"), files)
    files = [band_file(Path(f"T32T{tile}_20230605T101559_B02_10m.jp2")) for tile in ("QM", "QN")]
    with pytest.raises(InputError, match="bands of two scenes"):
        of_one_scene(Path("x"), files)
    with pytest.raises(InputError, match="x has no band of a scene in it"):
        of_one_scene(Path("x"), [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<a>", "is damaged"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        (b"\xff\xfe\xff", "is no text"),
    ],
)
def test_metadata_that_cannot_be_read(tmp_path, content, words):
    (tmp_path / "MTD.xml").write_bytes(content)
    with pytest.raises(InputError, match=rf"MTD\.xml .*{words}.*download the scene again"):
        parsed(tmp_path / "MTD.xml")


def test_metadata_of_any_size_are_not_read(tmp_path):
    with open(tmp_path / "MTD.xml", "wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(InputError, match="more than 16 MiB"):
        metadata_text(tmp_path / "MTD.xml")


def test_metadata_that_are_no_file_of_the_folder(tmp_path):
    (tmp_path / "secret").write_text("<a/>")
    scene = tmp_path / "scene"
    scene.mkdir()
    (scene / "MTD.xml").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="which lies outside its folder"):
        parsed(scene / "MTD.xml")
    os.mkfifo(scene / "pipe.xml")
    with pytest.raises(InputError, match="which is no file here"):
        parsed(scene / "pipe.xml")
