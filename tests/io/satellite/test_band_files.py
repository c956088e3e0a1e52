"""Names of files of satellite scenes."""

from pathlib import Path

import pytest

from gmmseg.errors import ParameterError
from gmmseg.io.satellite.band_files import SAFE, band_file, files_in, is_metadata, is_scene, require_whole_scenes

LANDSAT = "LC08_L2SP_195028_20230605_20230613_02_T1"


@pytest.mark.parametrize(
    ("name", "band", "common", "date", "metres"),
    [
        ("T32TQM_20230605T101559_B08_10m.jp2", "B08", "nir", "20230605", 10),
        ("T32TQM_20230605T101559_B8A.jp2", "B8A", "nir08", "20230605", None),
        ("L2A_T32TQM_20170605T101559_B11_20m.jp2", "B11", "swir1", "20170605", 20),
        ("B02.tif", "B02", "blue", "", None),
        ("b12_20m.TIFF", "B12", "swir2", "", 20),
        ("T32TQM_20230605T101559_SCL_20m.jp2", "SCL", None, "20230605", 20),
        ("MSK_CLDPRB_20m.jp2", "CLDPRB", None, "", 20),
        (f"{LANDSAT}_SR_B5.TIF", "SR_B5", "nir", "20230605", None),
        (f"{LANDSAT}_ST_B10.TIF", "ST_B10", "thermal", "20230605", None),
        (f"{LANDSAT}_QA_PIXEL.TIF", "QA_PIXEL", None, "20230605", None),
        ("LE07_L1TP_195028_20010605_20200917_02_T1_B4.TIF", "B4", "nir", "20010605", None),
        ("LE07_L1TP_195028_20010605_20200917_02_T1_B6_VCID_2.TIF", "B6_VCID_2", "thermal2", "20010605", None),
    ],
)
def test_names_say_band_date_and_size_of_a_pixel(name, band, common, date, metres):
    found = band_file(Path("x") / name)
    assert (found.band, found.common, found.date, found.metres) == (band, common, date, metres)
    assert found.name == (band if common is None else f"{band}/{common}")


@pytest.mark.parametrize(
    "name",
    [
        "scene.tif",
        "B2.tif",
        "B13.jp2",
        "B02.png",
        "x_B02.tif",
        "T32TQM_20230605T101559_TCI_10m.jp2",
        f"{LANDSAT}_MTL.txt",
    ],
)
def test_other_names_say_nothing(name):
    assert band_file(Path(name)) is None


def test_one_number_is_other_light_on_other_satellites():
    old = "LT05_L1TP_195028_20010605_20200917_02_T1"
    assert band_file(Path(f"{LANDSAT}_SR_B4.TIF")).common == "red"
    assert band_file(Path(f"{old}_B4.TIF")).common == "nir"


def test_scenes_are_known_by_the_name_of_the_folder_or_of_its_files(tmp_path):
    safe = tmp_path / "S2B_MSIL1C_20230605T101559_N0509_R065_T32TQM_20230605T150000.SAFE"
    assert SAFE.fullmatch(safe.name)
    assert is_scene(safe)
    for name in ("plain", "loose", "masks", "renamed", "wells", "tiffs"):
        (tmp_path / name).mkdir()
    (tmp_path / "plain" / "photo.tif").touch()
    (tmp_path / "loose" / "B02.jp2").touch()
    (tmp_path / "masks" / "SCL.tif").touch()
    (tmp_path / "renamed" / "MTD_MSIL2A.xml").touch()
    for well in ("B02", "B03", "C02"):  # of a plate under a microscope
        (tmp_path / "wells" / f"{well}.tif").touch()
    for band in ("B02", "B8A"):
        (tmp_path / "tiffs" / f"{band}.tif").touch()
    scenes = [each.name for each in sorted(tmp_path.iterdir()) if is_scene(each)]
    assert scenes == ["loose", "renamed", "tiffs"]


def test_files_are_found_where_products_have_them(tmp_path):
    places = ("B02.jp2", "R20m/B05.jp2", "GRANULE/L2A_x/IMG_DATA/R10m/B03_10m.jp2", "GRANULE/L1C_x/IMG_DATA/B04.jp2")
    for place in (*places, "GRANULE/L2A_x/QI_DATA/MSK_CLDPRB_20m.jp2", "deep/er/B08.jp2"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert sorted(each.band for each in files_in(tmp_path)) == ["B02", "B03", "B04", "B05", "CLDPRB"]


def test_loose_bands_of_one_scene_are_refused_with_the_folder_and_the_plus(tmp_path):
    safe = tmp_path / "S2A_MSIL2A_20230605T101559_N0509_R065_T32TQM_20230605T150000.SAFE"
    bands = [safe / "GRANULE" / f"T32TQM_20230605T101559_{band}_10m.jp2" for band in ("B02", "B03")]
    with pytest.raises(ParameterError, match=r"B02_10m\.jp2 and .*B03_10m\.jp2 are bands of one scene") as refused:
        require_whole_scenes(bands)
    assert f"({safe})" in str(refused.value)
    assert f"{bands[0].name}+{bands[1].name}" in str(refused.value)
    with pytest.raises(ParameterError, match="bands of one scene"):
        require_whole_scenes([Path("a/B02.jp2"), Path("a/B03.jp2")])


def test_one_band_of_several_scenes_and_other_files_are_images_of_their_own():
    require_whole_scenes(
        [Path("a/B02.jp2"), Path("b/B03.jp2"), Path("photo.tif"), Path("a/B02.jp2"), Path("a/SCL.jp2")]
    )
    require_whole_scenes([Path(f"T32TQM_2023060{day}T101559_B02_10m.jp2") for day in (5, 7)])


def test_metadata_are_known_by_their_names():
    assert is_metadata(Path("x.SAFE/MTD_MSIL2A.xml"))
    assert is_metadata(Path(f"{LANDSAT}_MTL.txt"))
    assert not is_metadata(Path("list.txt"))


def test_wells_of_a_plate_are_images_of_their_own():
    require_whole_scenes([Path("plate/B02.tif"), Path("plate/B03.tif")])
