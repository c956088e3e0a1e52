"""Folders of Sentinel-2: bands, and what their metadata say of stored numbers."""

import pytest
from satellite_scenes import make_safe, s2_metadata, stored_bands

from gmmseg.errors import InputError
from gmmseg.io.satellite.sentinel import sentinel_product


@pytest.fixture
def safe(tmp_path, rng):
    return make_safe(tmp_path, stored_bands(rng), suffix=".tif")


@pytest.mark.parametrize("level", ["1C", "2A"])
@pytest.mark.parametrize(("offset", "expected"), [(-1000, -0.1), (None, 0.0), (0, 0.0)])
def test_scale_and_offset_are_those_of_the_metadata(tmp_path, rng, level, offset, expected):
    found = sentinel_product(make_safe(tmp_path, stored_bands(rng), level=level, offset=offset, suffix=".tif"))
    assert found.kind == f"Sentinel-2 L{level}"
    assert {(band.scale, band.offset) for band in found.bands} == {(1e-4, expected)}
    assert found.facts["baseline"] == ("02.14" if offset is None else "05.09")
    assert not found.remark


def test_offsets_belong_to_bands_by_their_number(safe):
    path = safe / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace('band_id="7">-1000', 'band_id="7">-500'))
    offsets = {band.name: band.offset for band in sentinel_product(safe).bands}
    assert offsets.pop("B08/nir") == -0.05
    assert set(offsets.values()) == {-0.1}


def test_bands_for_the_air_are_not_read_unasked(safe):
    found = sentinel_product(safe)
    assert [band.name for band in found.bands if not band.surface] == ["B01/coastal", "B09/nir09"]
    assert len(found.chosen(None)) == 10


def test_a_folder_of_bands_without_metadata_says_that_its_offset_is_not_known(tmp_path, safe):
    (safe / "MTD_MSIL2A.xml").unlink()
    found = sentinel_product(safe)
    assert found.kind == "Sentinel-2"
    assert "offset is not known without MTD_MSIL2A.xml" in found.remark
    assert {(band.scale, band.offset) for band in found.bands} == {(1e-4, 0.0)}


def test_finest_files_come_first(tmp_path, rng, safe):
    coarse = next(safe.rglob("*B02_10m.tif")).parent.parent / "R60m" / "T32TLQ_20230605T101559_B02_60m.tif"
    coarse.touch()
    blue = next(band for band in sentinel_product(safe).bands if band.name == "B02/blue")
    assert [each.metres for each in blue.files] == [10, 60]


def test_a_band_of_the_metadata_that_is_not_there(safe):
    next(safe.rglob("*B11_20m.tif")).unlink()
    assert sentinel_product(safe).missing == {"B11/swir1": "T32TLQ_20230605T101559_B11_20m.jp2"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("<BOA_QUANTIFICATION_VALUE", "<X><A", "is damaged"),
        (">10000<", ">ten<", "has 'ten' as the quantification value"),
        (">10000<", ">0<", "a quantification value of 0"),
        ('band_id="3">-1000<', 'band_id="3">nan<', "has 'nan' as an offset"),
        ('band_id="3"', 'band_id="13"', "band_id 13"),
        ('band_id="3"', "", "None as the band_id"),
        ("BOA_QUANTIFICATION_VALUE", "BOA_SOMETHING", "has no QUANTIFICATION_VALUE"),
    ],
)
def test_damaged_metadata(safe, before, after, words):
    path = safe / "MTD_MSIL2A.xml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(InputError, match=rf"MTD_MSIL2A\.xml.*{words}.*download the scene again"):
        sentinel_product(safe)


def test_a_folder_that_is_only_named_so(tmp_path):
    folder = tmp_path / "S2A_MSIL2A_20230605T101559_N0509_R065_T32TLQ_20230605T150000.SAFE"
    folder.mkdir()
    (folder / "MTD_MSIL2A.xml").write_text(s2_metadata("2A", []))
    with pytest.raises(InputError, match="has no band of a scene in it; download it again, with its GRANULE folder"):
        sentinel_product(folder)
