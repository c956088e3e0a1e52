"""NIfTI: what files say, what is refused, and the command line."""

import itertools
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest

from gmmseg.cli import main
from gmmseg.errors import DataWarning, GmmsegError, InputError
from gmmseg.io import read, read_info, read_labels, read_probabilities

BRAIN = Path(__file__).with_name("brain.nii.gz")
COLLECTION = Path(nibabel.__file__).parent / "tests" / "data"
OBLIQUE = np.array([[-1.1, 0.2, 0.1, 90.3], [0.15, 1.9, -0.3, -120.7], [0.12, 0.31, 2.3, -70.1], [0, 0, 0, 1]])


def pixels_of(path, **options):
    image = read(path, **options)
    return image.array[..., 0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_content_decides_not_the_name(tmp_path, save, volume, order):
    header = nibabel.Nifti2Header(endianness=order)
    nibabel.save(nibabel.Nifti2Image(volume, OBLIQUE, header), tmp_path / "a.nii.gz")
    path = (tmp_path / "a.nii.gz").rename(tmp_path / "scan.dat")
    np.testing.assert_array_equal(pixels_of(path), volume)


def test_time_points_are_channels(save, rng):
    data = rng.random((5, 6, 4, 3)).astype("f4")  # three channels within 0 to 1 are no colour
    image = read(save("a.nii.gz", data))
    assert (image.shape, image.n_channels, image.color) == ((5, 6, 4), 3, False)
    np.testing.assert_array_equal(image.array, data)
    vectors = read(save("b.nii", data[:, :, :, None, :]))
    np.testing.assert_array_equal(vectors.array, data)
    single = read(save("c.nii", data[..., :1]))
    assert single.n_channels == 1


@pytest.mark.parametrize(("units", "factor"), [(1, 1000), (2, 1), (3, 0.001), (0, 1)])
def test_spacing_is_in_millimetres(save, volume, units, factor):
    image = read(save("a.nii", volume, xyzt_units=units))
    np.testing.assert_allclose(image.spacing, np.sqrt((OBLIQUE[:3, :3] ** 2).sum(0)) * factor, rtol=1e-6)


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_brain_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.nii.gz").write_bytes(BRAIN.read_bytes())
    assert main(["segment", "scan.nii.gz", "-k", "3", "--soft", "soft.nii.gz"]) == 0
    finished = capsys.readouterr()
    assert "its corners too, and become a class" in finished.err
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
