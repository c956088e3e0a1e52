"""NRRD files, as ITK writes them and by hand."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from gmmseg.errors import InputError, ParameterError
from gmmseg.io import read, read_info, read_labels, read_probabilities
from gmmseg.io.formats import identify
from gmmseg.io.opening import open_image

BRAIN = Path(__file__).parents[1] / "nifti" / "brain.nii.gz"


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("memory", [None, 0])
def test_a_volume_of_itk_is_the_nifti_file_of_it(tmp_path, name, compressed, memory):
    SimpleITK.WriteImage(SimpleITK.ReadImage(BRAIN), tmp_path / name, compressed)
    image, expected = read(tmp_path / name, memory=memory), read(BRAIN)
    assert image.in_memory == (memory is None)
    np.testing.assert_array_equal(image.array, expected.array)
    np.testing.assert_allclose(image.place.affine3d, expected.place.affine3d, atol=1e-4)
    np.testing.assert_allclose(image.spacing, expected.spacing, rtol=1e-6)
    np.testing.assert_array_equal(read_labels(tmp_path / name), expected.array[..., 0])
    assert read_info(tmp_path / name)["shape"] == list(expected.shape)
    assert identify(tmp_path / name).suffix_of_labels(tmp_path / name, "auto") == ".seg.nrrd"


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4])
def test_pictures_of_itk_have_rows_and_columns(tmp_path, rng, n_parts):
    values = rng.integers(0, 256, (6, 9, n_parts), dtype=np.uint8)
    picture = SimpleITK.GetImageFromArray(values, isVector=True)
    picture.SetSpacing((0.5, 2.0))
    SimpleITK.WriteImage(picture, tmp_path / "a.nrrd")
    image, expected = read(tmp_path / "a.nrrd"), open_image(picture)
    np.testing.assert_array_equal(image.array, expected.array)
    assert (image.color, image.spacing) == (expected.color, (2.0, 0.5))
    assert identify(tmp_path / "a.nrrd").suffix_of_labels(tmp_path / "a.nrrd", "auto") == ".png"


def written(path, values, *lines, encoding="raw", content=None):
    """Write a file by hand, its numbers with the first axis fastest."""
    names = {"u": "uint", "i": "int"}
    kind = {"f4": "float", "f8": "double"}.get(
        values.dtype.str[1:]
    ) or f"{names[values.dtype.kind]}{values.itemsize * 8}"
    numbers = values.tobytes(order="F")
    header = ["NRRD0005", "# a comment: none", f"type: {kind}", f"dimension: {values.ndim}", "key:=value: other"]
    header += [f"sizes: {' '.join(map(str, values.shape))}", f"encoding: {encoding}", *lines]
    stored = gzip.compress(numbers) if encoding in ("gz", "gzip") else numbers
    path.write_bytes("\n".join(header).encode() + b"\n\n" + (stored if content is None else content))
    return path


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8", "f4", "f8"])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "gz"])
def test_types_orders_and_encodings(tmp_path, dtype, endian, encoding):
    values = np.arange(24).reshape(2, 3, 4).astype({"little": "<", "big": ">"}[endian] + dtype)
    image = read(written(tmp_path / "a.nrrd", values, f"endian: {endian}", encoding=encoding))
    np.testing.assert_array_equal(image.array[..., 0], values)
    assert image.array.dtype == values.dtype.newbyteorder("=")
    assert (image.spacing, image.place) == (None, None)


@pytest.mark.parametrize(
    ("space", "signs"),
    [("right-anterior-superior", (1, 1, 1)), ("LPS", (-1, -1, 1)), ("left-anterior-superior", (-1, 1, 1))],
)
def test_axes_of_a_patient(tmp_path, space, signs):
    values = np.zeros((2, 3, 4), np.uint8)
    lines = [f"space: {space}", "space directions: (0,2,0) (3,0,0) (0,0,-4)", "space origin: (10,20,30)"]
    image = read(written(tmp_path / "a.nrrd", values, *lines))
    matrix = np.array([[0, 3, 0, 10], [2, 0, 0, 20], [0, 0, -4, 30]]) * np.array(signs)[:, None]
    np.testing.assert_array_equal(np.array(image.place.affine3d)[:3], matrix)
    assert image.spacing == (2.0, 3.0, 4.0)


def test_channels_and_units(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = written(tmp_path / "a.nrrd", values, "kinds: domain list domain", 'units: "um" "" "um"', "spacings: 5 NaN 7")
    image = read(path)
    np.testing.assert_array_equal(image.array, values.transpose(2, 0, 1))  # rows, columns, channels
    np.testing.assert_allclose(image.spacing, (0.007, 0.005))
    np.testing.assert_array_equal(read(path, channels="3,1").array, image.array[..., [2, 0]])
    assert not image.color
    rgb = np.moveaxis(np.arange(36, dtype=np.uint16).reshape(3, 4, 3), -1, 0)
    image = read(written(tmp_path / "c.nrrd", rgb, "kinds: RGB-color space space"))
    assert image.color
    np.testing.assert_array_equal(image.array, rgb.transpose(2, 1, 0))


def test_missing_numbers_of_a_volume(tmp_path):
    values = np.zeros((2, 3, 4), np.float32)
    values[1, 2, 3] = np.nan
    image = read(written(tmp_path / "a.nrrd", values, encoding="gzip"))
    assert not image.valid[1, 2, 3]
    assert image.valid.sum() == 23


def test_where_numbers_begin(tmp_path):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    numbers = values.tobytes(order="F")
    for line, content in (
        ("byte skip: 4", b"1234" + numbers),
        ("byte skip: -1", b"of any length" + numbers),
        ("line skip: 2", b"a\nb\n" + numbers),
    ):
        image = read(written(tmp_path / "a.nrrd", values, line, content=content))
        np.testing.assert_array_equal(image.array[..., 0], values.T)
    (tmp_path / "a.raw").write_bytes(b"12" + numbers)
    image = read(written(tmp_path / "a.nhdr", values, "data file: a.raw", "byteskip: 2", content=b""))
    np.testing.assert_array_equal(image.array[..., 0], values.T)


@pytest.mark.parametrize(
    ("lines", "encoding", "message"),
    [
        (["data file: ../b.raw"], "raw", r"numbers in another folder \('\.\./b\.raw'\); copy them beside it"),
        (["data file: b.raw"], "raw", r"numbers in 'b\.raw', which is not beside it"),
        (["data file: a\0b"], "raw", "numbers in several files, which is not read"),
        (["data file: LIST"], "raw", "numbers in several files, which is not read"),
        (["kinds: list list"], "raw", "has 2 axes, of which 0 are in space"),
        ([], "bzip2", "has encoding 'bzip2', which is not read; save it again with gzip or raw"),
        ([], "ascii", "has encoding 'ascii', which is not read"),
        (["sizes: 2 0"], "raw", "has sizes 2 0, which are of no image"),
        (["sizes: 2 4"], "raw", r"cut short: 2 bytes are missing"),
        (["sizes: 2 4"], "gzip", "cut short: its numbers end early"),
        (["sizes: two"], "raw", "is damaged or cut short"),
        (["type: block"], "raw", "numbers of type 'block', which is not read"),
        (["sizes: 99999 99999"], "gzip", "above the limit of"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, lines, encoding, message):
    path = written(tmp_path / "a.nrrd", np.zeros((2, 3), np.uint8), *lines, encoding=encoding)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_what_is_asked_for_does_not_fit(tmp_path):
    path = written(tmp_path / "a.nrrd", np.zeros((2, 3, 2), np.float32), "kinds: domain domain list")
    with pytest.raises(ParameterError, match=r"channel_axis=0 does not fit .*: NRRD says which axes it has"):
        read(path, channel_axis=0)
    with pytest.raises(InputError, match="2 channels, so it is not a label map"):
        read_labels(path)
    assert read_probabilities(path).shape == (2, 3, 2)
    with pytest.raises(InputError, match="above the limit of 5"):
        read(path, max_pixels=5)
