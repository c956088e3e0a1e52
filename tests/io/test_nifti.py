"""NIfTI: nibabel reads what we write, we read what nibabel writes, and the place in the world stays to the bit."""

import gzip
import itertools
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest

from gmmseg.cli import main
from gmmseg.errors import DataWarning, GmmsegError, InputError
from gmmseg.image import Image
from gmmseg.image.windows import strips, tiles
from gmmseg.io import read, read_info, read_labels, read_probabilities, write_labels, write_map, write_probabilities
from gmmseg.io.contents import Contents
from gmmseg.io.nifti.stored import GzipStream
from gmmseg.io.writing import write_windows

BRAIN = Path(__file__).with_name("brain.nii.gz")
COLLECTION = Path(nibabel.__file__).parent / "tests" / "data"
OBLIQUE = np.array([[-1.1, 0.2, 0.1, 90.3], [0.15, 1.9, -0.3, -120.7], [0.12, 0.31, 2.3, -70.1], [0, 0, 0, 1]])


@pytest.fixture
def volume(rng):
    made = rng.integers(-300, 300, (7, 6, 5), dtype=np.int16)
    made.flags.writeable = False
    return made


@pytest.fixture
def save(tmp_path):
    """Write a file with nibabel: (name, data, **header fields) -> path."""

    def write(name, data, *, kind=nibabel.Nifti1Image, slope=None, **fields):
        image = kind(data, OBLIQUE)
        image.header.set_sform(OBLIQUE, code="scanner")
        image.header.set_qform(OBLIQUE, code="aligned")
        image.header.set_xyzt_units("mm", "sec")
        for field, value in fields.items():
            image.header[field] = value
        if slope is not None:
            image.header.set_slope_inter(*slope)
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write


def pixels_of(path, **options):
    image = read(path, **options)
    return image.array[..., 0]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"])
def test_numbers_are_those_of_nibabel(save, volume, name, dtype):
    kind = nibabel.Nifti1Pair if name.endswith("hdr") else nibabel.Nifti1Image
    data = abs(volume % 200).astype(dtype)
    path = save(name, data, kind=kind)
    image = read(path)
    assert image.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert image.shape == volume.shape
    np.testing.assert_array_equal(image.array[..., 0], np.asarray(nibabel.load(path).dataobj))
    np.testing.assert_allclose(image.spacing, nibabel.load(path).header.get_zooms())
    np.testing.assert_array_equal(image.place.affine3d, nibabel.load(path).affine)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_content_decides_not_the_name(tmp_path, save, volume, order):
    header = nibabel.Nifti2Header(endianness=order)
    nibabel.save(nibabel.Nifti2Image(volume, OBLIQUE, header), tmp_path / "a.nii.gz")
    path = (tmp_path / "a.nii.gz").rename(tmp_path / "scan.dat")
    np.testing.assert_array_equal(pixels_of(path), volume)


def test_scaled_numbers_are_floats(save, volume, tmp_path):
    path = save("a.nii.gz", volume)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[112:120] = np.array([0.25, -7.5], "<f4").tobytes()  # scl_slope and scl_inter
    (tmp_path / "b.nii").write_bytes(content)
    found = pixels_of(tmp_path / "b.nii")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, nibabel.load(tmp_path / "b.nii").get_fdata())
    assert read_info(tmp_path / "b.nii")["scaling"] == {"slope": 0.25, "intercept": -7.5}


def test_time_points_are_channels(save, rng):
    data = rng.random((5, 6, 4, 3)).astype("f4")  # three channels within 0 to 1 are no colour
    image = read(save("a.nii.gz", data))
    assert (image.shape, image.n_channels, image.color) == ((5, 6, 4), 3, False)
    np.testing.assert_array_equal(image.array, data)
    vectors = read(save("b.nii", data[:, :, :, None, :]))
    np.testing.assert_array_equal(vectors.array, data)
    single = read(save("c.nii", data[..., :1]))
    assert single.n_channels == 1


@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
def test_colors(save, rng, channels):
    data = np.zeros((5, 6, 4), [(name, "u1") for name in channels])
    for name in channels:
        data[name] = rng.integers(0, 256, data.shape)
    if "A" in channels:
        data["A"][0] = 0
        with pytest.warns(DataWarning, match="30 voxels|2[0-9] voxels"):
            image = read(save("a.nii.gz", data))
        np.testing.assert_array_equal(image.valid, data["A"] != 0)
    else:
        image = read(save("a.nii.gz", data))
        assert image.valid is None
    assert image.color
    np.testing.assert_array_equal(image.array, np.stack([data[name] for name in "RGB"], -1))


def test_missing_numbers(save, rng):
    data = rng.random((4, 5, 6, 2)).astype("f4")
    data[0, 0, 0, 0] = np.nan  # one contrast is missing: the other decides
    data[1, 1, 1] = np.inf
    with pytest.warns(DataWarning, match=r"a\.nii\.gz: 1 voxels"):
        image = read(save("a.nii.gz", data))
    assert np.argwhere(~image.valid).tolist() == [[1, 1, 1]]
    whole, valid = read(save("b.nii.gz", data), memory=0).pixels.read((slice(0, 4), slice(0, 5), slice(1, 3)))
    np.testing.assert_array_equal(whole, data[:, :, 1:3])
    assert np.argwhere(~valid).tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(("units", "factor"), [(1, 1000), (2, 1), (3, 0.001), (0, 1)])
def test_spacing_is_in_millimetres(save, volume, units, factor):
    image = read(save("a.nii", volume, xyzt_units=units))
    np.testing.assert_allclose(image.spacing, np.sqrt((OBLIQUE[:3, :3] ** 2).sum(0)) * factor, rtol=1e-6)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "two.nii.gz"])
@pytest.mark.parametrize("n_volumes", [1, 3])
def test_windows_are_parts_of_the_whole(save, rng, name, n_volumes):
    data = rng.integers(0, 9000, (9, 8, 7, n_volumes)).astype("i2")
    path = save(name, data)
    if name == "two.nii.gz":  # gzip parts in a row, as block-wise compressors write them
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(b"".join(gzip.compress(content[i : i + 700]) for i in range(0, len(content), 700)))
    image = read(path, memory=data.nbytes - 1)
    assert not image.in_memory
    assert read(path, memory=data.nbytes).in_memory
    source = image.pixels
    assert (source.shape, source.dtype, source.blocks, source.sweep) == (data.shape, data.dtype, (9, 8, 1), 2)
    forward = [tile.outer for strip in strips(image.shape, source.blocks, 2, 3 * 72, 1) for tile in strip]
    anywhere = [tile.outer for tile in tiles(image.shape, (4, 5, 3), 1)]
    for window in [*forward, *anywhere, *reversed(anywhere), *forward]:
        found, valid = source.read(window)
        assert valid is None
        np.testing.assert_array_equal(found, data[window])


@pytest.mark.parametrize("n_volumes", [1, 4])
def test_a_sweep_decompresses_a_file_once(save, rng, monkeypatch, n_volumes):
    data = rng.integers(0, 60000, (64, 64, 40, n_volumes)).astype("u2")
    path = save("a.nii.gz", data)
    read_bytes = []
    more = GzipStream._more

    def counted(self, file):
        data = more(self, file)
        read_bytes.append(len(data))
        return data

    monkeypatch.setattr(GzipStream, "_more", counted)
    source = read(path, memory=0).pixels
    for sweep in range(2):
        read_bytes.clear()
        for z in range(0, 40, 2):
            source.read((slice(0, 64), slice(0, 64), slice(max(0, z - 3), z + 2)))
        passes = 2 if sweep == 0 and n_volumes > 1 else 1
        # Each decoder reads ahead by one piece of the file.
        assert sum(read_bytes) <= passes * path.stat().st_size + n_volumes * (1 << 18)


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


def test_long_axes_need_the_second_version(tmp_path):
    labels = np.ones((40000, 2, 1), np.uint8)
    write_labels(tmp_path / "a.nii.gz", labels)
    assert isinstance(nibabel.load(tmp_path / "a.nii.gz"), nibabel.Nifti2Image)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.nii.gz"), labels)


def test_masks_are_often_floats(save, volume):
    mask = (volume > 0).astype("f8")
    mask[0, 0, 0] = np.nan
    found = read_labels(save("m.nii.gz", mask))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.nan_to_num(mask))
    for wrong, pattern in ((mask + 0.5, "0 to 1.5.*whole numbers"), (-mask, "-1 to -?0.*whole numbers from 0")):
        with pytest.raises(InputError, match=pattern):
            read_labels(save("w.nii", wrong))
    with pytest.raises(InputError, match="2 volumes.*one"):
        read_labels(save("w.nii", np.stack([mask, mask], -1)))


@pytest.mark.parametrize(
    ("data", "pattern"),
    [
        (np.zeros((2, 2, 2), "c8"), "complex64.*magnitude"),
        (np.zeros((2, 2, 2, 2, 2), "u1"), "2 x 2 x 2 x 2 x 2.*too many axes"),
    ],
)
def test_what_is_no_image(save, data, pattern):
    with pytest.raises(InputError, match=pattern):
        read(save("a.nii", data))


def test_limits_count_before_decoding(save, volume):
    path = save("a.nii.gz", volume)
    with pytest.raises(InputError, match=r"210 pixels, above the limit of 209.*raise max_pixels"):
        read(path, max_pixels=209)
    assert read(path, max_pixels=209, memory=0).shape == volume.shape


def test_damaged_files(save, volume, tmp_path):
    plain, packed = save("a.nii", volume).read_bytes(), save("b.nii.gz", volume).read_bytes()
    (tmp_path / "c.nii").write_bytes(plain[:-1])
    with pytest.raises(InputError, match=r"c\.nii is cut short: 1 bytes are missing"):
        read(tmp_path / "c.nii")
    wrong_sum = packed[:-8] + bytes(4) + packed[-4:]
    (tmp_path / "d.nii.gz").write_bytes(wrong_sum)
    with pytest.raises(InputError, match="incorrect data check"):
        read(tmp_path / "d.nii.gz")
    (tmp_path / "e.nii.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match="cut short"):
        read(tmp_path / "e.nii.gz")
    source = read(tmp_path / "e.nii.gz", memory=0).pixels
    with pytest.raises(InputError, match=r"e\.nii\.gz is cut short: its numbers end early"):
        source.read((slice(0, 7), slice(0, 6), slice(0, 5)))
    save("f.hdr", volume, kind=nibabel.Nifti1Pair)
    (tmp_path / "f.img").unlink()
    with pytest.raises(InputError, match=r"f\.img is not beside it"):
        read(tmp_path / "f.hdr")


@pytest.mark.parametrize("path", sorted(p for p in COLLECTION.iterdir() if p.is_file()), ids=lambda p: p.name)
def test_any_file_is_read_or_refused_in_one_line(path, tmp_path):
    """Every file of nibabel's own tests, whole and cut, with each byte of the header turned around in some."""
    content = path.read_bytes()
    nifti = ".nii" in path.name or path.name.startswith("nifti")
    variants = [content, content[: len(content) // 2], content[:400], content[:-3]]
    if nifti and not path.name.endswith(".gz"):
        variants += [content[:i] + bytes(each ^ 255 for each in content[i : i + 2]) + content[i + 2 :] for i in HEADER]
    for variant, reader in itertools.product(variants, (read, read_info, read_labels, read_probabilities)):
        file = tmp_path / path.name
        file.write_bytes(variant)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataWarning)
                reader(file)
        except InputError as error:
            assert str(file) in str(error)
            assert "\n" not in str(error)
        except GmmsegError as error:
            assert "\n" not in str(error)


HEADER = [*range(0, 124, 2), *range(252, 348, 4)]


def test_without_nibabel(monkeypatch, save, volume):
    path = save("a.nii", volume)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(GmmsegError, match=r"NIfTI files need nibabel.*pip install 'gmmseg\[medical\]'"):
        read(path)


def test_info(capsys):
    assert main(["info", str(BRAIN)]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["orientation"] == "RAS"
    assert shown["shape"] == "46 x 55 x 46"
    assert shown["spacing_mm"] == "4 x 4 x 4"
    assert shown["sform"] == "mni"


def test_a_brain_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.nii.gz").write_bytes(BRAIN.read_bytes())
    assert main(["segment", "scan.nii.gz", "-k", "3", "--soft", "soft.nii.gz"]) == 0
    finished = capsys.readouterr()
    assert finished.err == ""
    assert "wrote scan_labels.nii.gz, soft.nii.gz" in finished.out
    source, labels, soft = (nibabel.load(n) for n in ("scan.nii.gz", "scan_labels.nii.gz", "soft.nii.gz"))
    assert source.affine.tobytes() == labels.affine.tobytes() == soft.affine.tobytes()
    numbers, shares = np.asarray(labels.dataobj), soft.get_fdata()
    np.testing.assert_array_equal(shares.argmax(-1) + 1, numbers)
    means = [np.asarray(source.dataobj)[numbers == label].mean() for label in (1, 2, 3)]
    assert means[0] < 10 < means[1] < 100 < means[2]
    assert main(["segment", "scan.nii.gz", "-k", "2", "-o", "in.nii", "--mask", "scan_labels.nii.gz"]) == 0
    assert main(["segment", "scan.nii.gz", "-k", "3", "-o", "p.nii", "--prior", "soft.nii.gz", "-q"]) == 0
    assert (np.asarray(nibabel.load("p.nii").dataobj) == numbers).mean() > 0.95
