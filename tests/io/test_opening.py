"""Anything that is an image, as an Image."""

import os

import numpy as np
import pytest

import gmmseg
from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.io.opening import Reading, open_image

VALUES = np.arange(24, dtype=np.uint8).reshape(4, 6)
MASK = VALUES % 2


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    np.save(tmp_path / "mask.npy", MASK)
    return tmp_path / "a.npy"


def sources(path):
    return {
        "path": path,
        "text": os.fspath(path),
        "array": VALUES,
        "list": VALUES.tolist(),
        "image": Image(VALUES[..., None]),
    }


@pytest.mark.parametrize("kind", ["path", "text", "array", "list", "image"])
def test_whatever_it_is_its_pixels_are_the_same(path, kind):
    source = sources(path)[kind]
    image = open_image(source)
    np.testing.assert_array_equal(image.array[..., 0], VALUES)
    for mask in (MASK, path.with_name("mask.npy")):
        masked = open_image(source, Reading(mask=mask))
        np.testing.assert_array_equal(masked.valid, MASK > 0)
        np.testing.assert_array_equal(masked.array, image.array)


def test_an_image_is_taken_as_it_is():
    image = Image(VALUES[..., None])
    assert open_image(image) is image


def test_axes_and_channels_are_those_asked_for(tmp_path):
    bands = np.arange(90, dtype=np.float32).reshape(5, 3, 6)
    np.save(tmp_path / "b.npy", bands)
    for source in (bands, tmp_path / "b.npy"):
        image = open_image(source, Reading(channel_axis=0, channels=(2, 5)))
        np.testing.assert_array_equal(image.array, np.moveaxis(bands[[1, 4]], 0, -1))
        with pytest.raises(ParameterError, match="channel_axis=-1 .* channel_axis=None"):
            open_image(source)


def test_memory_and_limit_are_of_files(path):
    assert not open_image(path, Reading(memory=1)).in_memory
    with pytest.raises(InputError, match="above the limit of 23"):
        open_image(path, Reading(max_pixels=23))
    assert open_image(VALUES, Reading(max_pixels=23, memory=1)).in_memory


def test_a_mask_of_another_size_and_a_file_that_is_not_there(path):
    with pytest.raises(ParameterError, match=r"mask has shape \(2, 2\)"):
        open_image(VALUES, Reading(mask=np.ones((2, 2), bool)))
    with pytest.raises(InputError, match=r"none\.npy does not exist"):
        open_image(path.with_name("none.npy"))


@pytest.mark.parametrize("kind", ["path", "array", "image"])
def test_how_large_a_pixel_is(path, kind):
    opened = open_image(sources(path)[kind], Reading(spacing=(2.0, 0.5), unit="um"))
    assert (opened.spacing, opened.place.unit) == ((2.0, 0.5), "um")


def test_an_image_has_its_axes():
    with pytest.raises(ParameterError, match=r"axes='YX': image is an Image, which has its axes; leave it out"):
        open_image(Image(VALUES), Reading(axes="YX"))
    assert open_image(np.zeros((2, 4, 6)), Reading(axes="TYX")).time


def scan_and_mask():
    """A scan of nibabel, and where it is bright stored from the other ends and in another order of axes."""
    nib = pytest.importorskip("nibabel")
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = 7, 8, 9
    turned = np.ascontiguousarray((values > 30).astype(np.float32)[::-1].transpose(2, 0, 1))
    there = affine @ np.array([[0, -1, 0, 2], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    return values, nib.Nifti1Image(values, affine), nib.Nifti1Image(turned, there)


@pytest.mark.parametrize("as_path", [False, True])
def test_a_mask_that_is_a_scan_is_turned_as_the_image_is(tmp_path, as_path):
    values, scan, mask = scan_and_mask()
    if as_path:
        scan.to_filename(tmp_path / "scan.nii")
    image = open_image(tmp_path / "scan.nii" if as_path else scan, Reading(mask=mask))
    np.testing.assert_array_equal(image.valid, values > 30)


def test_a_mask_of_simpleitk_lies_over_a_scan_of_nibabel():
    itk = pytest.importorskip("SimpleITK")
    values, scan, _ = scan_and_mask()
    mask = itk.GetImageFromArray((values / 59).transpose(2, 1, 0))
    mask.SetSpacing((1.0, 2.0, 3.0))
    mask.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    mask.SetOrigin((-7.0, -8.0, 9.0))
    image = open_image(scan, Reading(mask=mask, mask_threshold=0.5))
    np.testing.assert_array_equal(image.valid, values / 59 >= 0.5)
    mask.SetOrigin((23.0, -8.0, 9.0))
    with pytest.raises(InputError, match="mask lies elsewhere than image: pixel .* resample it to that grid"):
        open_image(scan, Reading(mask=mask))
    several = itk.Compose(mask, mask)
    with pytest.raises(ParameterError, match="mask has 2 numbers a voxel; a mask has one"):
        open_image(scan, Reading(mask=several))


def test_scans_and_masks_of_ants_itself(tmp_path):
    ants = pytest.importorskip("ants")
    values, _, _ = scan_and_mask()
    place = {"origin": (-10.0, 20.0, 5.0), "spacing": (1.0, 2.0, 3.0)}
    scan = ants.from_numpy(values, direction=np.array([[0, -1, 0], [0, 0, 1], [1.0, 0, 0]]), **place)
    ants.image_write(scan, str(tmp_path / "scan.nii.gz"))
    mask = ants.reorient_image2(ants.threshold_image(scan, 30.5, 99), "LPI")
    assert mask.shape != scan.shape
    image, expected = open_image(scan, Reading(mask=mask)), open_image(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(image.pixels.array, expected.pixels.array)
    np.testing.assert_allclose(image.place.affine3d, expected.place.affine3d, atol=1e-5)
    np.testing.assert_array_equal(image.valid, values > 30)


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_what_is_warned_of_is_held_once_by_the_image_and_by_what_is_found_in_it(path):
    fractions = path.with_name("shares.npy")
    np.save(fractions, MASK / 2)
    with open(path, "ab") as file:
        file.write(b"more")
    for source in (path, path.read_bytes()):
        image = open_image(open_image(source), Reading(mask=fractions))
        behind, shares = map(str, image.warnings)
        assert "4 bytes behind its array are not read" in behind
        assert "its mask shares.npy holds fractions" in shares
        assert tuple(gmmseg.segment(image, 2).warnings[:2]) == image.warnings
    kept = gmmseg.io.read(path)
    assert [str(each) for each in kept.warnings] == [f"{path}: 4 bytes behind its array are not read"]
    assert [str(each) for each in gmmseg.segment(path, 2).warnings] == [str(each) for each in kept.warnings]
    gaps = Image.from_array(np.where(VALUES == 3, np.nan, VALUES))
    assert "1 pixels are NaN" in str(gaps.warnings[0])
    assert gmmseg.apply(gmmseg.fit(VALUES, 2), gaps).warnings == list(gaps.warnings)
    assert open_image(VALUES).warnings == ()
