"""NIfTI results: nibabel reads them, and the place in the world stays to the bit."""

import nibabel
import numpy as np
import pytest

from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import tiles
from gmmseg.io import read, read_labels, read_probabilities, write_labels, write_map, write_probabilities
from gmmseg.io.contents import Contents
from gmmseg.io.writing import write_windows

OBLIQUE = np.array([[-1.1, 0.2, 0.1, 90.3], [0.15, 1.9, -0.3, -120.7], [0.12, 0.31, 2.3, -70.1], [0, 0, 0, 1]])


@pytest.mark.parametrize("name", ["l.nii", "l.nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_labels_lie_where_the_image_lies(save, volume, tmp_path, rng, name, dtype, kind):
    path = save("a.nii.gz", volume, kind=kind, dim_info=57)
    largest = {"u1": 3, "u2": 300, "u4": 70000}[dtype]
    labels = rng.integers(0, largest + 1, volume.shape).astype(dtype)
    labels[0, 0, 0] = largest
    write_labels(tmp_path / name, labels, image=read(path), names=("air", "fat", "muscle"))
    source, result = nibabel.load(path), nibabel.load(tmp_path / name)
    assert isinstance(result, kind)
    assert result.affine.tobytes() == source.affine.tobytes()
    for field in ("pixdim", "qform_code", "sform_code", "quatern_b", "qoffset_x", "srow_z", "xyzt_units", "dim_info"):
        assert result.header[field].tobytes() == source.header[field].tobytes(), field
    assert result.get_data_dtype() == np.dtype(dtype)
    assert result.header.get_intent()[0] == "label"
    np.testing.assert_array_equal(np.asarray(result.dataobj), labels)
    found = read_labels(tmp_path / name)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, labels)
    assert (tmp_path / f"{name}.txt").exists() == (largest <= 65535)
    (extension,) = result.header.extensions
    assert extension.get_content() in (b"1 air\n2 fat\n3 muscle\n", "1 air\n2 fat\n3 muscle\n")


def test_big_endian_sources(tmp_path, volume):
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(volume.astype(">i2"), OBLIQUE, header)
    image.header.set_sform(OBLIQUE, code="mni")
    nibabel.save(image, tmp_path / "a.nii")
    assert nibabel.load(tmp_path / "a.nii").header.endianness == ">"
    write_labels(tmp_path / "l.nii.gz", abs(volume), image=read(tmp_path / "a.nii"))
    result = nibabel.load(tmp_path / "l.nii.gz")
    assert result.affine.tobytes() == nibabel.load(tmp_path / "a.nii").affine.tobytes()
    np.testing.assert_array_equal(np.asarray(result.dataobj), abs(volume))


def test_a_label_table_lies_beside(save, volume, tmp_path):
    write_labels(tmp_path / "l.nii.gz", abs(volume) % 4, image=read(save("a.nii", volume)), names=("air", 'a\n"b"'))
    lines = [line for line in (tmp_path / "l.nii.gz.txt").read_text().splitlines() if line[0] != "#"]
    numbers = [line.split('"')[0].split() for line in lines]
    assert [int(row[0]) for row in numbers] == [0, 1, 2, 3]
    assert {len(row) for row in numbers} == {7}
    assert all(0 <= int(value) <= 255 for row in numbers for value in row[1:4])
    assert [line.split('"')[1] for line in lines] == ["Clear Label", "air", "a 'b'", "class 3"]


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0), ("uint16", 0.5 / 65535 + 1e-7)])
def test_probabilities_come_back(save, volume, tmp_path, rng, dtype, error):
    shares = rng.dirichlet(np.ones(3), volume.shape).astype("f4").transpose(3, 0, 1, 2)
    image = read(save("a.nii", volume))
    write_probabilities(tmp_path / "p.nii.gz", shares, image=image, names=("a", "b", "c"), dtype=dtype)
    result = nibabel.load(tmp_path / "p.nii.gz")
    assert result.shape == (*volume.shape, 3)
    assert result.affine.tobytes() == nibabel.load(tmp_path / "a.nii").affine.tobytes()
    assert result.get_data_dtype() == dtype
    np.testing.assert_allclose(np.moveaxis(result.get_fdata(), -1, 0), shares, atol=error, rtol=0)
    np.testing.assert_allclose(read_probabilities(tmp_path / "p.nii.gz"), shares, atol=error, rtol=0)


def test_maps(save, volume, tmp_path):
    values = np.where(volume < 0, np.nan, volume).astype("f4")
    write_map(tmp_path / "m.nii.gz", values, key="anomaly", image=read(save("a.nii", volume)))
    result = nibabel.load(tmp_path / "m.nii.gz")
    assert result.header.get_intent()[2] == "anomaly"
    np.testing.assert_array_equal(np.asarray(result.dataobj), values)
    assert not (tmp_path / "m.nii.gz.txt").exists()


@pytest.mark.parametrize("name", ["p.nii", "p.nii.gz"])
@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_windows_make_the_whole_in_any_order(save, volume, tmp_path, rng, name, kind):
    image = read(save("a.nii", volume))
    soft = kind == "soft"
    values = rng.random((3, *volume.shape)).astype("f4") if soft else abs(volume % 3).astype("u1")
    contents = Contents(kind, volume.shape, str(values.dtype), ("a", "b", "c"), image)
    windows = [tile.inner for tile in tiles(volume.shape, (4, 6, 2), 0)]
    for folder, order in (("x", windows), ("y", windows[::-1]), ("z", [(slice(0, 7), slice(0, 6), slice(0, 5))])):
        (tmp_path / folder).mkdir()
        write_windows(tmp_path / folder / name, contents, ((each, values[(..., *each)]) for each in order))
        assert {path.name for path in (tmp_path / folder).iterdir()} == ({name} if soft else {name, f"{name}.txt"})
    contents = [(tmp_path / folder / name).read_bytes() for folder in "xyz"]
    assert contents[0] == contents[1] == contents[2]
    stored = np.asarray(nibabel.load(tmp_path / "x" / name).dataobj)
    np.testing.assert_array_equal(np.moveaxis(stored, -1, 0) if soft else stored, values)


def test_images_without_a_place(tmp_path, rng):
    labels = rng.integers(0, 3, (6, 5, 4)).astype("u1")
    write_labels(tmp_path / "a.nii", labels)
    write_labels(tmp_path / "b.nii", labels, image=Image(labels[..., None], spacing=(3.0, 0.5, 0.25)))
    write_labels(tmp_path / "c.nii.gz", labels[0])
    assert nibabel.load(tmp_path / "a.nii").header["sform_code"] == 0
    assert nibabel.load(tmp_path / "b.nii").header.get_zooms() == (3.0, 0.5, 0.25)
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "b.nii").dataobj), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "c.nii.gz"), labels[0])


def test_lengths_are_in_millimetres_whatever_unit_the_image_has(tmp_path):
    labels = np.ones((4, 3, 2), np.uint8)
    image = Image(labels[..., None], spacing=(2.0, 0.5, 0.25), place=Place(unit="um"))
    write_labels(tmp_path / "a.nii", labels, image=image)
    header = nibabel.load(tmp_path / "a.nii").header
    assert header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(header.get_zooms(), (2e-3, 5e-4, 2.5e-4))


def test_long_axes_need_the_second_version(tmp_path):
    labels = np.ones((40000, 2, 1), np.uint8)
    write_labels(tmp_path / "a.nii.gz", labels)
    assert isinstance(nibabel.load(tmp_path / "a.nii.gz"), nibabel.Nifti2Image)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nii.gz"), labels)
