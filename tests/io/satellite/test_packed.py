"""Scenes in the archives in which they are downloaded: the same image as the folder, and nothing written beside it."""

import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from satellite_scenes import make_landsat, make_safe, stored_bands

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info
from gmmseg.io.formats import SCENES, identify
from gmmseg.io.request import Reading
from gmmseg.io.satellite.packed import is_packed, unpack_scene


@pytest.fixture
def safe(tmp_path, rng):
    scl = np.where(np.arange(900).reshape(30, 30) % 30 < 20, 4, 9).astype(np.uint8)
    return make_safe(tmp_path, stored_bands(rng), suffix=".tif", scl=scl)


@pytest.fixture
def packed(safe):
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(safe.rglob("*")):
            archive.write(each, each.relative_to(safe.parent))
    return path


@pytest.fixture
def landsat(tmp_path, rng):
    bands = {band: rng.integers(7000, 40_000, (40, 50)).astype(np.uint16) for band in range(1, 8)}
    return make_landsat(tmp_path, bands, qa=np.uint16(rng.choice([1 << 6, 1 << 3], (40, 50))))


@pytest.fixture
def tar(landsat):
    path = landsat.with_suffix(".tar")
    with tarfile.open(path, "w") as archive:
        for each in sorted(landsat.iterdir()):
            archive.add(each, each.name)
    return path


def _same(one, other):
    np.testing.assert_array_equal(one.array, other.array)
    assert (one.channel_names, one.spacing, one.place.affine) == (
        other.channel_names,
        other.spacing,
        other.place.affine,
    )


@pytest.mark.parametrize("options", [{}, {"channels": "nir,red"}, {"resolution": 20}, {"mask_values": "SCL:4"}])
def test_a_zipped_safe_is_its_folder(safe, packed, options):
    assert identify(packed) is SCENES
    folder, image = read(safe, **options), read(packed, **options)
    _same(image, folder)
    assert image.name == str(packed)
    if "mask_values" in options:
        np.testing.assert_array_equal(image.valid, folder.valid)
        assert not image.valid.all()


def test_pixels_stay_in_the_copy_while_they_are_read(packed):
    whole, lazy = read(packed), read(packed, memory=0)
    assert not lazy.in_memory
    window = (slice(5, 33), slice(11, 60))
    np.testing.assert_array_equal(lazy.crop(window).array, whole.array[window])


def test_the_tar_of_landsat_is_its_folder(landsat, tar):
    assert identify(tar) is SCENES
    options = {"mask_values": "QA_PIXEL:~3"}
    folder, image = read(landsat, **options), read(tar, **options)
    _same(image, folder)
    np.testing.assert_array_equal(image.valid, folder.valid)
    assert read_info(tar)["bands"] == read_info(landsat)["bands"]


def test_of_a_band_only_what_is_read_is_unpacked(safe, packed):
    fine = next(safe.rglob("*B02_10m.tif"))
    coarse = "GRANULE/x/IMG_DATA/R60m/" + fine.name.replace("10m", "60m")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.write(fine, f"{safe.name}/{coarse}")
        archive.writestr(f"{safe.name}/HTML/star.png", b"no band")
    finest, asked = unpack_scene(packed, Reading()), unpack_scene(packed, Reading(resolution=60))
    named = {each.name for each in finest.path.iterdir()}
    assert fine.name in named
    assert not any(each.startswith("star") or "B02_60m" in each for each in named)
    exact = {each.name for each in asked.path.iterdir()}
    assert fine.name.replace("10m", "60m") in exact
    assert fine.name not in exact


def test_a_packed_scene_is_segmented_and_a_model_finds_its_bands(safe, packed):
    seg = gmmseg.segment(packed, k=2)
    assert seg.image.name == str(packed)
    np.testing.assert_array_equal(seg.labels, gmmseg.segment(safe, k=2).labels)
    model = gmmseg.fit(read(safe, channels="nir,red"), k=2)
    np.testing.assert_array_equal(gmmseg.apply(model, packed).labels, gmmseg.apply(model, safe).labels)


def test_messages_name_the_archive(packed):
    with pytest.raises(ParameterError) as caught:
        read(packed, channels="nir,pan")
    assert str(caught.value).startswith(f"{packed} has no channel 'pan'; use numbers from 1 to 12, or names: B02/blue")
    content = bytearray(packed.read_bytes())
    content[5000:5020] = bytes(20)
    packed.write_bytes(content)
    with pytest.raises(InputError, match=rf"{packed.name} is damaged.*; unpack it and give the file"):
        read(packed)


@pytest.mark.parametrize("archive", ["packed", "tar"])
def test_a_download_that_was_cut_short_is_said_to_be_one(request, archive):
    path = request.getfixturevalue(archive)
    content = path.read_bytes()
    path.write_bytes(content[:300] if archive == "tar" else content[:-3000])
    assert identify(path) is SCENES
    with pytest.raises(InputError, match=rf"{path.name} is damaged.*; unpack it and give the file"):
        read(path)


def test_other_archives_are_no_scenes_and_bombs_are_not_unpacked(tmp_path, packed, safe):
    other = tmp_path / "photos.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("B02.tif", b"a well of a plate")
    assert not is_packed(other)
    assert not is_packed(shutil.copy(next(safe.rglob("*B02_10m.tif")), tmp_path / "a.zip"))
    bomb = tmp_path / "S2A_MSIL2A_20230605T101559_bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/T32TLQ_20230605T101559_B02_10m.tif", bytes(100 << 20))
    with pytest.raises(InputError, match=r"bomb\.zip is larger than the 64 MiB that are copied"):
        read(bomb, memory=1)
