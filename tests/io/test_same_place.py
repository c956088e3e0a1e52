"""What is laid over a scan is laid where it lies: masks, strokes, truths and segmentations, in any order of axes."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import gmmseg
from gmmseg import io
from gmmseg.errors import InputError, ParameterError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.io.same_place import header_in, require_same_place, turn_of, turned_over

nibabel = pytest.importorskip("nibabel")

SHAPE = (5, 6, 7)
AFFINE = np.array([[1.5, 0, 0, -40], [0, 2, 0, 10], [0, 0, 2.5, 7], [0, 0, 0, 1.0]])
MASK = np.random.default_rng(0).random(SHAPE) < 0.4


def save(name, values, affine=AFFINE):
    nibabel.Nifti1Image(values, affine).to_filename(name)
    return name


@pytest.fixture(autouse=True)
def scan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(1).normal(100, 10, SHAPE).astype(np.float32)
    return save("t1.nii.gz", values)


def reoriented(name, values, code):
    """Save values at the same places in the order of axes that nibabel makes of a code such as PSR."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

    whole = nibabel.Nifti1Image(values, AFFINE)
    whole.as_reoriented(ornt_transform(io_orientation(AFFINE), axcodes2ornt(code))).to_filename(name)
    return name


CODES = ["".join(each) for order in itertools.permutations(("LR", "PA", "IS")) for each in itertools.product(*order)]


@pytest.mark.parametrize("code", CODES[::5])
def test_a_mask_of_any_orientation_is_the_same_mask(scan, code):
    mask = reoriented("mask.nii.gz", MASK.astype(np.uint8), code)
    np.testing.assert_array_equal(io.read(scan, mask=mask).valid, MASK)
    in_file = io.read(scan, mask=mask, memory=0)
    assert not in_file.in_memory
    window = (slice(1, 4), slice(2, 6), slice(0, 3))
    np.testing.assert_array_equal(in_file.crop(window).valid, MASK[window])


@pytest.mark.parametrize(
    ("values", "affine"),
    [
        (MASK, AFFINE + np.eye(4, k=3) * 30),
        (MASK[:, :, :-1], AFFINE),
        (MASK, AFFINE @ np.diag([1, 1, 1.1, 1])),
    ],
)
def test_a_mask_of_another_grid_is_refused_in_one_line(scan, values, affine):
    mask = save("mask.nii", values.astype(np.uint8), affine)
    with pytest.raises(InputError, match=r"^mask\.nii (lies elsewhere|is of another grid) than t1\.nii\.gz.*resample"):
        io.read(scan, mask=mask)


def test_a_mask_without_a_place_is_taken_as_it_is(scan):
    np.save("mask.npy", MASK)
    np.testing.assert_array_equal(io.read(scan, mask="mask.npy").valid, MASK)
    np.save("mask.npy", MASK[1:])
    with pytest.raises(ParameterError, match=r"mask.npy has shape \(4, 6, 7\)"):
        io.read(scan, mask="mask.npy")


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_masks_are_of_any_sign_and_of_fractions(scan, dtype):
    numbers = np.where(MASK, -2, 0).astype(dtype)
    numbers[0, 0, 0] = 3
    np.testing.assert_array_equal(io.read(scan, mask=save("mask.nii", numbers)).valid, numbers != 0)
    share = np.random.default_rng(2).random(SHAPE).astype(np.float32)
    share[1, 1, 1] = np.nan
    with pytest.warns(gmmseg.errors.DataWarning, match="NaN"):
        found = io.read(scan, mask=save("share.nii", share), mask_threshold=0.5)
    np.testing.assert_array_equal(found.valid, share >= 0.5)
    with pytest.raises(gmmseg.errors.EmptyInputError, match="no number from 7 on"):
        io.read(scan, mask="mask.nii", mask_threshold=7)
    with pytest.raises(ParameterError, match="mask_threshold=1 is of a mask that is a file"):
        io.read(scan, mask_threshold=1)


@pytest.mark.parametrize("memory", [None, 0])
def test_a_mask_of_probabilities_without_a_threshold_is_said(scan, memory):
    share = save("share.nii", (0.1 + 0.8 * MASK).astype(np.float32))
    words = r"t1.nii.gz: its mask share.nii holds fractions, of which all above 0 are used; .* mask_threshold=0.5"
    with pytest.warns(gmmseg.errors.DataWarning, match=words):
        found = io.read(scan, mask=share, memory=memory)
    assert found.crop(tuple(slice(0, n) for n in SHAPE)).valid is None  # nothing is left out
    # None of these is of probabilities: warnings are errors here.
    io.read(scan, mask=share, mask_threshold=0.5, memory=memory)
    for numbers in (MASK * 1.0, MASK * 2.5, np.where(MASK, -0.5, 0)):
        io.read(scan, mask=save("mask.nii", numbers.astype(np.float32)), memory=memory)
    io.read(share, mask=share, memory=memory)


def test_strokes_and_prior_maps_are_turned_as_well(scan):
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[0, 1, 2], strokes[4, 3, 1] = 1, 2
    turned = reoriented("strokes.nii", strokes, "PIL")
    maps = np.random.default_rng(3).random((2, *SHAPE)).astype(np.float32)
    for name, each in zip(("a.nii", "b.nii"), maps, strict=True):
        reoriented(name, each, "SAR")
    found = [
        gmmseg.segment(scan, 2, scribbles=lines, prior=prior, sample=None).labels
        for lines, prior in ((strokes, maps), (turned, "a.nii+b.nii"))
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("affine", [AFFINE + np.eye(4, k=3) * 30, AFFINE @ np.diag([1, 1, 1.1, 1])])
def test_strokes_of_another_grid_are_refused_in_one_line(scan, affine):
    strokes = np.zeros(SHAPE, np.uint8)
    strokes[0, 1, 2], strokes[4, 3, 1] = 1, 2
    with pytest.raises(InputError, match=r"^strokes\.nii lies elsewhere than t1\.nii\.gz.*resample"):
        gmmseg.segment(scan, 2, scribbles=save("strokes.nii", strokes, affine))


def test_a_volume_in_time_or_without_a_file_has_no_turn(scan):
    image = io.read(scan)
    assert turn_of(image, None) is None
    assert turn_of(image, header_in(Path(scan))).is_nothing


def test_systems_of_coordinates_count():
    pixels = np.zeros((3, 4, 1))
    here, there = (Image(pixels, place=Place((1.0, 0, 0, 0, 1.0, 0), crs)) for crs in ("EPSG:32632", "EPSG:32633"))
    assert require_same_place(here, here)
    with pytest.raises(InputError, match="another coordinate system"):
        require_same_place(here, there)


def test_pixels_that_are_their_own_coordinates_lie_nowhere():
    scene = Image(np.zeros((4, 5)), place=Place((10.0, 0, 300_000, 0, -10, 5_000_000), "EPSG:32632"))
    plain = Image(np.zeros((4, 5)), place=Place((1.0, 0, 0, 0, 1, 0)))
    assert turn_of(scene, plain) is None
    assert turn_of(plain, scene) is None
    with pytest.raises(InputError, match="lies elsewhere"):
        turn_of(scene, Image(np.zeros((4, 5)), name="a.tif", place=Place((1.0, 0, 9, 0, 1, 0))))


@pytest.mark.filterwarnings("ignore:.* voxels are NaN")
@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("code", CODES[::5])
def test_a_contrast_of_any_orientation_is_a_channel_of_the_first(scan, rng, code, memory):
    values = np.where(MASK, rng.normal(0, 1, SHAPE), np.nan).astype(np.float32)
    image = io.read([scan, reoriented("t2.nii.gz", values, code)], memory=memory)
    assert image.in_memory == (memory is None)
    assert (image.shape, image.channel_names) == (SHAPE, ("t1", "t2"))
    np.testing.assert_array_equal(image.array[..., 0], io.read(scan).array[..., 0])
    np.testing.assert_array_equal(image.array[..., 1], values)
    np.testing.assert_allclose(image.place.matrix(3), AFFINE[:3])
    window = (slice(1, 4), slice(2, 6), slice(0, 3))
    np.testing.assert_array_equal(image.crop(window).array[..., 1], values[window])


def test_a_contrast_of_another_grid_stays_as_it_is(scan):
    first = io.read(scan)
    for affine in (AFFINE + np.eye(4, k=3) * 30, AFFINE @ np.diag([1, 1, 1.1, 1])):
        other = io.read(save("t2.nii", MASK.astype(np.float32), affine))
        assert turned_over(first, other) is other
        with pytest.raises(InputError, match=r"^t2\.nii lies elsewhere than t1\.nii\.gz.*resample"):
            io.read([scan, "t2.nii"])
    assert turned_over(first, Image(np.zeros(SHAPE))).place is None


def test_a_map_that_is_stored_from_south_to_north_is_turned():
    values = np.arange(20.0).reshape(4, 5)
    north = Image(values, place=Place((10.0, 0, 300_000, 0, -10, 5_000_000), "EPSG:32632"))
    south = Image(values[::-1], place=Place((10.0, 0, 300_000, 0, 10, 5_000_000 - 40), "EPSG:32632"))
    np.testing.assert_array_equal(turned_over(north, south).array, north.array)
    np.testing.assert_array_equal(turned_over(south, north).array, south.array)
    beside = Image(values, place=Place((10.0, 0, 300_000, 0, 10, 5_000_000 - 50), "EPSG:32632"))
    assert turned_over(north, beside) is beside
