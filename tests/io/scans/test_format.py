"""Scans of FreeSurfer, MINC, Analyze, AFNI and Philips: the numbers and the place that nibabel finds."""

import gzip
import shutil
import struct
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK
from nibabel.fileholders import FileHolder

import gmmseg
from gmmseg.errors import InputError, OutputError
from gmmseg.image.place import Place
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_probabilities
from gmmseg.io.opening import open_image

DATA = Path(nibabel.__file__).parent / "tests" / "data"
TURN = np.array([[0.8, 0.6, 0.0], [-0.48, 0.64, 0.6], [0.36, -0.48, 0.8]]) @ np.diag([-0.9, 0.8, 2.4])
OBLIQUE = np.block([[TURN, np.array([[30.0], [-7.0], [11.0]])], [np.zeros((1, 3)), np.ones((1, 1))]])


@pytest.fixture
def volume(rng):
    numbers = rng.normal(100, 5, (12, 10, 8)).astype(np.float32)
    numbers[6:] += 80
    return numbers


@pytest.mark.parametrize(
    "name",
    ["test.mgz", "tiny.mnc", "minc1_1_scale.mnc", "minc2_1_scale.mnc", "example4d+orig.HEAD"],
)
def test_numbers_and_place_are_those_of_nibabel(name):
    image, facts = read(DATA / name), read_info(DATA / name)
    scan = nibabel.load(DATA / name)
    numbers = np.asarray(scan.dataobj).reshape(*scan.shape[:3], -1)
    np.testing.assert_allclose(image.array, numbers, rtol=1e-6)
    np.testing.assert_allclose(image.place.affine3d, scan.affine, atol=1e-4)
    np.testing.assert_allclose(image.spacing, nibabel.affines.voxel_sizes(scan.affine), rtol=1e-5)
    assert (facts["shape"], facts["orientation"]) == (
        list(scan.shape[:3]),
        "".join(nibabel.aff2axcodes(scan.affine)),
    )


@pytest.mark.parametrize("name", ["minc1_4d.mnc", "minc2_4d.mnc", "minc2-4d-d.mnc"])
def test_volumes_in_time_of_minc_are_channels(name):
    scan = nibabel.load(DATA / name)
    assert scan.dataobj.minc_file._dim_names[0] == "time"
    numbers = np.moveaxis(np.asarray(scan.dataobj), 0, -1)
    for image in (read(DATA / name), open_image(scan)):  # the first while nibabel has the file open
        assert image.name == str(DATA / name)
        np.testing.assert_allclose(image.array, numbers, rtol=1e-6)
        np.testing.assert_allclose(image.place.affine3d, scan.affine, atol=1e-4)
        np.testing.assert_allclose(image.spacing, nibabel.affines.voxel_sizes(scan.affine), rtol=1e-5)
    facts = read_info(DATA / name)
    assert (facts["shape"], facts["channels"]) == ([*scan.shape[1:]], scan.shape[0])


def test_minc_without_the_range_of_its_values_says_so(tmp_path):
    (tmp_path / "one.mnc").write_bytes((DATA / "tiny.mnc").read_bytes().replace(b"image-max", b"image-xxx"))
    shutil.copy(DATA / "minc2_1_scale.mnc", tmp_path / "two.mnc")
    with h5py.File(tmp_path / "two.mnc", "r+") as file:
        del file["minc-2.0/image/0/image-min"]
    for name, lacking in (("one", "image-max"), ("two", "image-min")):
        with pytest.raises(InputError, match=rf"{name}\.mnc lacks {lacking}, the range of its real values; write it"):
            read(tmp_path / f"{name}.mnc")


def test_analyze(tmp_path, volume):
    affine = np.diag([-2.0, 1.5, 3.0, 1.0])
    affine[:3, 3] = 20, -10, 5
    nibabel.Spm99AnalyzeImage(volume, affine).to_filename(tmp_path / "a.hdr")
    image = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(image.array[..., 0], volume)
    np.testing.assert_allclose(image.place.affine3d, nibabel.Spm99AnalyzeImage.from_filename(tmp_path / "a.hdr").affine)


def test_sub_bricks_have_a_scale_each():
    scan = nibabel.load(DATA / "scaled+tlrc.HEAD")
    expected = np.asarray(scan.dataobj)
    assert not np.array_equal(expected, scan.dataobj.get_unscaled())
    for image in (read(DATA / "scaled+tlrc.HEAD"), open_image(scan)):
        np.testing.assert_allclose(image.array[..., 0], expected.reshape(expected.shape[:3]), rtol=1e-6)


def test_par_rec():
    name = DATA / "phantom_EPI_asc_CLEAR_2_1.PAR"
    image = read(name)
    with open(name, encoding="utf-8") as header, open(name.with_suffix(".REC"), "rb") as numbers:
        scan = nibabel.parrec.PARRECImage.from_file_map(
            {"header": FileHolder(fileobj=header), "image": FileHolder(fileobj=numbers)}
        )
        np.testing.assert_allclose(image.array, scan.get_fdata().reshape(*scan.shape[:3], -1), rtol=1e-5)
    np.testing.assert_allclose(image.place.affine3d, scan.affine, atol=1e-4)


@pytest.mark.parametrize("suffix", [".mgz", ".mgh"])
def test_labels_go_back_into_mgh_files(tmp_path, volume, suffix):
    nibabel.MGHImage(volume, OBLIQUE).to_filename(tmp_path / f"t1{suffix}")
    found = gmmseg.segment(tmp_path / f"t1{suffix}", 2)
    target = tmp_path / f"l{suffix}"
    found.save(target)
    packed = target.read_bytes() if suffix == ".mgz" else gzip.compress(target.read_bytes())
    (tmp_path / "again.mgz").write_bytes(packed)  # nibabel leaves others open
    again = nibabel.load(tmp_path / "again.mgz")
    np.testing.assert_array_equal(np.asarray(again.dataobj), found.labels)
    np.testing.assert_allclose(again.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_array_equal(read_labels(target), found.labels)
    found.save(tmp_path / f"p{suffix}", layer="probabilities")
    np.testing.assert_array_equal(read_probabilities(tmp_path / f"p{suffix}"), found.probabilities)
    content = target.read_bytes()
    found.save(target, overwrite=True)
    assert target.read_bytes() == content
    found.save(tmp_path / "l.nii.gz")
    image = SimpleITK.ReadImage(str(tmp_path / "l.nii.gz"))
    index = [int(n) for n in np.argwhere(found.labels == 2)[0]]
    there = np.array(image.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
    np.testing.assert_allclose(there, (OBLIQUE @ [*index, 1])[:3], atol=1e-4)


def test_large_labels_and_pictures(tmp_path):
    labels = np.arange(60, dtype=np.uint32).reshape(3, 4, 5) * 70_000
    write_labels(tmp_path / "l.mgz", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.mgz"), labels)
    with pytest.raises(OutputError, match=r"l2\.mgz: its labels are too large for MGH files; write \.nii\.gz"):
        write_labels(tmp_path / "l2.mgz", labels * np.uint32(1000))
    with pytest.raises(OutputError, match=r"p\.mgh: MGH files hold volumes; write \.png, \.tif or \.nii\.gz"):
        write_probabilities(tmp_path / "p.mgh", np.full((2, 4, 5), 0.5, np.float32))


def test_voxels_without_a_place_keep_their_sides(tmp_path, volume):
    image = gmmseg.Image(volume[..., None], spacing=(1.0, 2.0, 3.0), place=Place(unit="mm"))
    write_labels(tmp_path / "l.mgz", (volume > 140).astype(np.uint8), image=image)
    assert nibabel.load(tmp_path / "l.mgz").header.get_zooms() == (1.0, 2.0, 3.0)


def test_numbers_that_are_not_beside_their_header(tmp_path):
    for name, beside in (("analyze.hdr", "analyze.img"), ("T1.PAR", "T1.REC")):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
        with pytest.raises(InputError, match=rf"{name} is the header of a pair, but {beside} is not beside it"):
            read(tmp_path / name)
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "secret").write_bytes(bytes(1 << 20))
    (tmp_path / "analyze.img").symlink_to(secret / "secret")
    with pytest.raises(InputError, match=r"analyze\.img is a link to a file in another folder"):
        read(tmp_path / "analyze.hdr")


@pytest.mark.parametrize("name", ["test.mgz", "tiny.mnc", "minc2_1_scale.mnc", "example4d+orig.HEAD"])
def test_damaged_files_are_one_line(tmp_path, name):
    content = (DATA / name).read_bytes()
    (tmp_path / "example4d+orig.BRIK.gz").write_bytes((DATA / "example4d+orig.BRIK.gz").read_bytes()[:5000])
    for part in (content[: len(content) // 2], content[:100]):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(InputError) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(("offset", "number"), [(4, -5), (4, 40_000), (30, np.inf), (30, 0.0)])
def test_headers_that_are_none(tmp_path, volume, offset, number):
    """Of axes, and of sides of voxels, as in files that are damaged or made to harm."""
    nibabel.MGHImage(volume, OBLIQUE).to_filename(tmp_path / "t1.mgz")
    content = bytearray(gzip.decompress((tmp_path / "t1.mgz").read_bytes()))
    content[offset : offset + 4] = struct.pack(">i" if isinstance(number, int) else ">f", number)
    (tmp_path / "t1.mgz").write_bytes(gzip.compress(content))
    for function in (read, read_labels, read_info):
        try:
            function(tmp_path / "t1.mgz")
        except InputError as error:
            assert "\n" not in str(error)
            assert "t1.mgz" in str(error)
        else:
            assert function is read_info
