"""Satellite scenes on the command line: one image each, one model for many, and one line where something is wrong."""

import json

import numpy as np
import pytest
import rasterio
from satellite_scenes import make_landsat, make_safe, stored_bands, write_band

CLEAR, CLOUD = 4, 9


@pytest.fixture
def june(folder, rng):
    """A scene whose northern third is cloud."""
    scl = np.full((30, 30), CLEAR, np.uint8)
    scl[:10] = CLOUD
    return make_safe(folder / "june", stored_bands(rng), suffix=".tif", scl=scl)


@pytest.fixture
def july(folder, rng):
    """A scene of another date, in the light of which all is a third brighter."""
    stored = {band: (1.3 * values).astype(np.uint16) for band, values in stored_bands(rng).items()}
    return make_safe(folder / "july", stored, suffix=".tif", date="20230705", scl=np.full((30, 30), CLEAR, np.uint8))


@pytest.fixture
def cloudy(folder, rng):
    """A scene of nothing but cloud."""
    cloud = np.full((30, 30), CLOUD, np.uint8)
    return make_safe(folder / "cloudy", stored_bands(rng), suffix=".tif", date="20230625", scl=cloud)


def labels_in(path):
    with rasterio.open(path) as file:
        return file.read(1)


def test_a_scene_is_segmented_by_one_command(run, june):
    finished = run("segment", june, "-k", 2, "--channels", "nir,red,green", "--json")
    assert (finished.code, finished.err) == (0, "")
    (record,) = json.loads(finished.out)
    assert record["outputs"]["labels"] == f"{june.stem}_labels.tif"
    assert list(record["classes"][0]["means"]) == ["B08/nir", "B04/red", "B03/green"]
    assert record["classes"][0]["means"]["B08/nir"] == pytest.approx(0.065, abs=0.002)  # (1650 - 1000) / 10 000
    labels = labels_in(record["outputs"]["labels"])
    assert labels.shape == (60, 60)
    assert set(np.unique(labels[:, :28])) == {1}


def test_the_same_by_windows(run, june):
    """With so little memory that pixels stay in their files."""
    whole = run("segment", june, "-k", 2, "-o", "whole.tif", "--no-smooth")
    parts = run("segment", june, "-k", 2, "-o", "parts.tif", "--no-smooth", "--memory", "64MiB")
    assert (whole.code, parts.code) == (0, 0)
    np.testing.assert_array_equal(labels_in("whole.tif"), labels_in("parts.tif"))


def test_clouds_are_left_out(run, june):
    assert run("segment", june, "-k", 2, "--mask-values", "SCL:4,5,6,7", "-o", "a.tif").code == 0
    labels = labels_in("a.tif")
    assert not labels[:20].any()
    assert labels[20:].all()


def test_clouds_of_landsat_are_bits(run, folder, rng):
    stored = {band: rng.integers(9000, 9500, (40, 50)).astype(np.uint16) for band in (2, 3, 4, 5)}
    qa = np.full((40, 50), 1 << 6, np.uint16)
    qa[:10], qa[30:] = 1 << 3, 1 << 4
    scene = make_landsat(folder, stored, qa=qa)
    assert run("segment", scene, "-k", 2, "--mask-values", "QA_PIXEL:~3,4", "-o", "a.tif").code == 0
    labels = labels_in("a.tif")
    assert not labels[:10].any()
    assert not labels[30:].any()
    assert labels[10:30].all()


def test_bands_that_are_given_loose(run, june):
    bands = sorted(june.rglob("*_B0[34]_10m.tif"))
    finished = run("segment", *bands, "--out-dir", "out")
    assert finished.code == 2
    assert len(finished.err.splitlines()) == 1
    assert "are bands of one scene, not images of their own; give its folder (" in finished.err
    for command in (("fit", *bands, "-o", "m.json"), ("batch", *bands, "--out-dir", "out")):
        assert "are bands of one scene" in run(*command).err


def test_one_model_for_scenes_of_a_list_without_those_of_nothing_but_cloud(run, folder, june, cloudy):
    (folder / "list.txt").write_text(f"{june.relative_to(folder)}\n{cloudy.relative_to(folder)}\n")
    options = ("-k", 2, "--channels", "nir,red,swir1", "--mask-values", "SCL:4", "--weight", "area", "-o", "m.json")
    finished = run("fit", "list.txt", *options)
    assert finished.code == 0
    assert "cloudy" in finished.err
    assert "has no pixel of value 4 there, only 9; choose among these; it is left out of the fit" in finished.err
    finished = run("fit", cloudy, *options, "--overwrite")
    assert finished.code == 1
    assert "only 9; choose among these" in finished.err


def test_a_model_takes_its_bands_by_name(run, folder, june):
    assert run("fit", june, "-k", 2, "--channels", "nir,red", "-o", "m.json").code == 0
    assert run("apply", "m.json", june, "-o", "a.tif").code == 0
    assert (labels_in("a.tif")[:, :28] == 1).all()
    assert run("batch", "june", "--model", "m.json", "--out-dir", "out").code == 0
    np.testing.assert_array_equal(labels_in(f"out/{june.stem}_labels.tif"), labels_in("a.tif"))
    profile = {"driver": "GTiff", "count": 2, "height": 9, "width": 9, "dtype": "float32", "crs": "EPSG:32632"}
    with rasterio.open(june.parent / "b.tif", "w", **profile, transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as file:
        file.descriptions = ("green", "blue")
        file.write(np.ones((2, 9, 9), np.float32))
    finished = run("apply", "m.json", june.parent / "b.tif", "-o", "b.tif")
    assert finished.code == 1
    assert "b.tif has no channel 'B08/nir', as the model has; it has green, blue" in finished.err
    assert not (folder / "b.tif").exists()


def test_one_adaptation_for_the_scenes_of_a_date(run, june, july):
    assert run("fit", june, "-k", 2, "--channels", "nir,red", "-o", "m.json").code == 0
    finished = run("apply", "m.json", july, "--adapt", "together", "-o", "a.tif")
    assert (finished.code, finished.err) == (0, "")
    assert (labels_in("a.tif")[:, :28] == 1).all()


def test_one_bad_scene_does_not_stop_the_others(run, folder, june, july):
    next(july.rglob("*_B11_20m.tif")).unlink()
    finished = run("segment", july, june, "-k", 2, "--out-dir", "out")
    assert finished.code == 3
    assert len(finished.err.splitlines()) == 1
    assert (
        "lacks T32TLQ_20230705T101559_B11_20m.jp2, the band B11/swir1 that its metadata name; download it"
        in finished.err
    )
    assert [path.name for path in (folder / "out").glob("*.tif")] == [f"{june.stem}_labels.tif"]
    finished = run("batch", "june", "july", "-k", 2, "--out-dir", "bat")
    assert finished.code == 3
    assert len(list((folder / "bat").rglob("*_labels.tif"))) == 1


def test_a_batch_of_scenes_is_resumed_and_sees_what_has_changed(run, june):
    arguments = ("batch", "june", "-k", 2, "--out-dir", "out", "--resume")
    assert run(*arguments).code == 0
    assert "nothing to do" in run(*arguments).out
    path = next(june.rglob("*_B11_20m.tif"))
    write_band(path, np.full((30, 30), 3000, np.uint16), 20)
    assert "1 done" in run(*arguments).out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--channels", "nir,swir9"), 2, "has no channel 'swir9'; use numbers from 1 to 12, or names: B02/blue,"),
        (("--mask-values", "QA_PIXEL:1"), 2, "has no mask 'QA_PIXEL' (it has SCL), and there is no file of that name"),
        (("--mask-values", "SCL:1-3"), 1, "SCL_20m.tif has no pixel of value 1, 2, 3 there, only 4, 9; choose among"),
        (("--mask-values", "SCL"), 2, "--mask-values 'SCL' is not usable; give a mask and the values"),
        (("--nodata", "-9999"), 2, "is a satellite scene, in which 0 as stored is no data; leave nodata out"),
        (("--nodata", "x"), 2, "'x' is not usable; use a number, or one a channel"),
        (("--resolution", "0"), 2, "0 is not usable; use a number above 0"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(refuse, june, options, code, words):
    assert words in refuse("segment", june, "-k", 2, *options, code=code)


def test_two_dates_in_one_stack(refuse, folder, june, july):
    bands = [next(scene.rglob("*_B08_10m.tif")).relative_to(folder) for scene in (june, july)]
    refused = refuse("segment", "+".join(map(str, bands)), "-k", 2, "-o", "a.tif", code=1)
    assert "are of two dates, not bands of one scene" in refused


def test_info_of_a_scene(run, june):
    told = run("info", june).out
    for words in ("Sentinel-2 L2A", "B08/nir", "B01/coastal, B09/nir09", "0.0001", "-0.1", "SCL", "60 x 60 pixels"):
        assert words in told


def test_metadata_in_place_of_the_scene(refuse, folder, june):
    path = (june / "MTD_MSIL2A.xml").relative_to(folder)
    said = f"{path} is the metadata of a satellite scene; give the folder of the scene: {path.parent}"
    assert said in refuse("segment", path, "-k", 2, code=1)
    assert "is the metadata of a satellite scene" in refuse("info", path, code=1)
