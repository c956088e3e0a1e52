"""NIfTI files that lie: of sizes, of places, of what belongs to them; and files that change while they are used."""

import gzip
import os

import nibabel
import numpy as np
import pytest
from measured_reads import resident

from gmmseg.errors import DataWarning, InputError
from gmmseg.image.windows import everything
from gmmseg.io import read, read_info, read_labels, read_probabilities
from gmmseg.io.nifti.stored import StoredVolume
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading

READERS = (read, read_info, read_labels, read_probabilities)


@pytest.fixture
def lying(save, volume, tmp_path):
    """Write a volume with other bytes at some places of its header: ({offset: (dtype, value)}) -> path."""

    def write(changes, name="lying.nii", kind=nibabel.Nifti1Image):
        content = bytearray(save("true.nii", volume, kind=kind).read_bytes())
        for offset, (dtype, value) in changes.items():
            new = np.array(value, dtype).tobytes()
            content[offset : offset + len(new)] = new
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


DIM, PIXDIM, OFFSET, UNITS, QFORM, SFORM, QUATERN, SROW = 40, 76, 108, 123, 252, 254, 256, 280


@pytest.mark.parametrize("name", ["lying.nii", "lying.nii.gz"])
@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({DIM: ("<i2", [3, 0, 6, 5])}, "0 x 6 x 5 voxels in size; it needs at least one"),
        ({DIM: ("<i2", [3, -7, 6, 5])}, "-7 x 6 x 5 voxels in size; it needs at least one"),
        ({DIM: ("<i2", [3, 32767, 32767, 32767])}, "is cut short: .*bytes are missing"),
        ({DIM: ("<i2", [7, *[32767] * 7])}, "too many axes"),
        ({DIM: ("<i2", [0, 7, 6, 5])}, "damaged|voxel"),
        ({OFFSET: ("<f4", 1e30)}, "says that its numbers begin at byte 1e.30"),
        ({OFFSET: ("<f4", np.nan)}, "says that its numbers begin at byte nan"),
        ({OFFSET: ("<f4", -16)}, r"too low for single file"),
        ({OFFSET: ("<f4", 1e8)}, "is cut short"),
    ],
)
def test_sizes_and_places_that_no_file_has(lying, name, changes, pattern):
    path = lying(changes, name)
    for reader in READERS:
        with pytest.raises(InputError, match=pattern) as caught:
            reader(path)
        assert str(path) in str(caught.value)


def test_axes_of_version_2_that_overflow(lying):
    path = lying({16: ("<i8", [3, 1 << 62, 1 << 62, 1 << 62])}, kind=nibabel.Nifti2Image)
    with pytest.raises(InputError, match="is cut short"):
        read(path, max_pixels=1 << 200)


@pytest.mark.parametrize("size", [8, 24, 1 << 30, -16])
def test_extensions_that_lie_are_not_read(lying, save, volume, size):
    path = lying({348: ("u1", [1, 0, 0, 0])})
    content = path.read_bytes()
    extension = np.array([size, 6], "<i4").tobytes() + bytes(8)
    shifted = bytearray(content[:352] + extension + content[352:])
    shifted[OFFSET : OFFSET + 4] = np.array(368, "<f4").tobytes()
    path.write_bytes(shifted)
    np.testing.assert_array_equal(read(path).array[..., 0], volume)


NOWHERE = [
    {SFORM: ("<i2", 1), SROW: ("<f4", np.zeros(12))},
    {SFORM: ("<i2", 1), SROW: ("<f4", np.full(12, np.nan))},
    {SFORM: ("<i2", 1), SROW: ("<f4", [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0])},
    {SFORM: ("<i2", 0), QFORM: ("<i2", 1), QUATERN: ("<f4", [5, 5, 5])},
    {SFORM: ("<i2", 0), QFORM: ("<i2", 1), QUATERN: ("<f4", [np.nan] * 6)},
]


@pytest.mark.parametrize("changes", NOWHERE)
def test_an_orientation_that_is_none_leaves_the_sides_of_voxels(lying, changes, volume):
    path = lying(changes)
    with pytest.warns(DataWarning, match=r"lying\.nii: it says no orientation that a patient could have"):
        image = read(path)
    np.testing.assert_array_equal(image.array[..., 0], volume)
    sides = np.linalg.norm(np.array(image.place.affine3d)[:3, :3], axis=0)
    np.testing.assert_allclose(sides, image.spacing, rtol=1e-6)
    with pytest.warns(DataWarning, match="no orientation"):
        assert read_info(path)["orientation"] == "LAS"


def test_voxels_without_sides(lying, volume):
    zero = lying({PIXDIM: ("<f4", [1, 0, 0, 0]), SFORM: ("<i2", 0), QFORM: ("<i2", 0)})
    with pytest.warns(DataWarning, match=r"pixdim\[1,2,3\] should be non-zero; setting 0 dims to 1"):
        assert read(zero).spacing == (1.0, 1.0, 1.0)
    nan = lying({PIXDIM: ("<f4", [np.nan] * 4), SFORM: ("<i2", 0), QFORM: ("<i2", 0), UNITS: ("u1", 255)})
    with pytest.warns(DataWarning, match="no orientation"):
        image = read(nan)
    assert (image.spacing, image.place.affine3d) == (None, None)
    with pytest.warns(DataWarning):
        assert read_info(nan)["orientation"] == "???"


def test_a_warning_that_nibabel_only_logs_is_given(lying, caplog):
    path = lying({SFORM: ("<i2", 99)})
    with pytest.warns(DataWarning, match=r"lying\.nii: sform_code 99 not valid; setting to 0"):
        read(path)
    assert not caplog.records


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_bytes_are_limited_before_they_are_taken(tmp_path, monkeypatch, suffix):
    """A slice of 256 MiB that a file of some hundred kilobytes holds."""
    path = tmp_path / f"a{suffix}"
    header = nibabel.Nifti1Header()
    header.set_data_shape((16384, 16384, 1))
    header.set_data_dtype(np.uint8)
    header["vox_offset"] = 352
    start = header.binaryblock + bytes(4)
    if suffix == ".nii":
        with open(path, "wb") as file:
            file.write(start)
            file.truncate(352 + (1 << 28))
    else:
        path.write_bytes(gzip.compress(start) + gzip.compress(bytes(1 << 24)) * 16)
    monkeypatch.setattr(StoredVolume, "whole", None)
    for reading in (Reading(budget=1 << 27), Reading(memory=1 << 26, budget=1 << 27)):
        with pytest.raises(InputError, match=r"a\.nii.*MiB, above the limit of 128 MiB; raise memory"):
            read_with(path, reading)
    for reader in (read_labels, read_probabilities):
        with pytest.raises(InputError, match="above the limit of 128 MiB"):
            reader(path, memory=1 << 27)
    assert read_info(path)["shape"] == [16384, 16384, 1]


def test_decoders_of_very_many_volumes_are_limited(save):
    path = save("a.nii.gz", np.zeros((2, 2, 2, 3000), np.uint8))
    with pytest.raises(InputError, match="its slices take .* MiB, above the limit of 64 MiB; raise memory"):
        read(path, memory=1000)


def test_a_pair_stays_in_its_folder(save, volume, tmp_path):
    path = save("a.hdr", volume, kind=nibabel.Nifti1Pair)
    inside, outside = tmp_path / "b.img", tmp_path / "elsewhere" / "a.img"
    outside.parent.mkdir()
    (tmp_path / "a.img").rename(inside)
    (tmp_path / "a.img").symlink_to(inside)
    np.testing.assert_array_equal(read(path).array[..., 0], volume)
    inside.rename(outside)
    (tmp_path / "a.img").unlink()
    (tmp_path / "a.img").symlink_to(outside)
    with pytest.raises(InputError, match=r"a\.img is a link to a file in another folder; copy that file beside a\.hdr"):
        read(path)
    (tmp_path / "a.img").unlink()
    os.mkfifo(tmp_path / "a.img")
    with pytest.raises(InputError, match=r"a\.img is not beside it"):
        read(path)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def written_over(path):
    content = path.read_bytes()
    path.write_bytes(content[:-40] + bytes(40))
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("change", [cut, written_over])
def test_a_file_that_has_changed_is_no_longer_read(save, volume, name, change):
    path = save(name, volume)
    whole, lazy = read(path), read(path, memory=0)
    lazy.pixels.read((slice(0, 7), slice(0, 6), slice(0, 2)))
    change(path)
    np.testing.assert_array_equal(whole.array[..., 0], volume)  # it was read when it was opened
    with pytest.raises(InputError, match=rf"{name} has changed since it was opened .*; segment it again"):
        lazy.pixels.read(everything(lazy.shape))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((700, 700, 700), "<i2"), ((11000, 11000, 1), "<f8"), ((9, 9, 9), "<f4"), ((1, 1, 1, 9999), "u1")],
)
def test_a_small_file_takes_no_more_than_the_budget(tmp_path, fresh_python, shape, dtype):
    """What is inflated, and what follows it, up to 3 GB."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header["vox_offset"] = 352
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4)) + gzip.compress(bytes(1 << 24)) * 180)
    assert path.stat().st_size < 5e6
    readers = ["read_info", "read", "windows", "read_labels", "read_probabilities"]
    assert resident(fresh_python, path, *readers) < 1324 << 10
