"""MetaImage files, as ITK writes them and by hand."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.formats import identify
from gmmseg.io.opening import open_image

TURN = (0.8, 0.6, 0.0, -0.48, 0.64, 0.6, 0.36, -0.48, 0.8)


def volume(rng, dtype=np.int16):
    scan = SimpleITK.GetImageFromArray(rng.integers(0, 99, (3, 4, 5)).astype(dtype))
    scan.SetSpacing((0.5, 2.0, 3.0))
    scan.SetOrigin((10.0, -20.0, 30.0))
    scan.SetDirection(TURN)
    return scan


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("memory", [None, 0])
def test_a_volume_is_the_one_that_itk_holds(tmp_path, rng, name, compressed, memory):
    scan = volume(rng)
    SimpleITK.WriteImage(scan, tmp_path / name, compressed)
    image, expected = read(tmp_path / name, memory=memory), open_image(scan)
    np.testing.assert_array_equal(image.array, expected.array)
    np.testing.assert_allclose(image.place.affine3d, expected.place.affine3d, rtol=1e-6)
    np.testing.assert_allclose(image.spacing, expected.spacing)
    np.testing.assert_array_equal(read_labels(tmp_path / name), expected.array[..., 0])
    facts = read_info(tmp_path / name)
    assert (facts["format"], facts["shape"], facts["spacing_mm"]) == ("MetaImage", [5, 4, 3], [0.5, 2.0, 3.0])
    assert identify(tmp_path / name).suffix_of_labels(tmp_path / name, "auto") == ".mha"


@pytest.mark.parametrize("dtype", ["i1", "u1", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_types(tmp_path, rng, dtype):
    scan = volume(rng, dtype)
    SimpleITK.WriteImage(scan, tmp_path / "a.mha")
    image = read(tmp_path / "a.mha")
    np.testing.assert_array_equal(image.array, open_image(scan).array)
    assert image.array.dtype == dtype


@pytest.mark.parametrize("shape", [(6, 9, 1), (6, 9, 3), (6, 9, 4), (2, 6, 9, 2), (2, 3, 4, 5)])
def test_channels_colours_and_time(tmp_path, rng, shape):
    values = rng.integers(0, 256, shape, dtype=np.uint8)
    values = values[..., 0] if shape[-1] == 1 else values
    scan = SimpleITK.GetImageFromArray(values, isVector=shape[-1] < 5)
    SimpleITK.WriteImage(scan, tmp_path / "a.mha")
    image, expected = read(tmp_path / "a.mha"), open_image(scan)
    np.testing.assert_array_equal(image.array, expected.array)
    assert image.color == expected.color
    np.testing.assert_array_equal(image.valid, expected.valid)


def by_hand(path, *lines, content=bytes(24)):
    """Write a file of 2 x 3 x 4 voxels; a line given takes the place of the one of its key."""
    fields = {"ObjectType": "Image", "NDims": "3", "DimSize": "2 3 4", "ElementType": "MET_UCHAR"}
    fields |= {"ElementDataFile": "LOCAL"} | dict(line.split(" = ") for line in lines)
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    path.write_bytes("".join(f"{key} = {value}\n" for key, value in fields.items()).encode() + content)
    return path


def test_where_numbers_begin_and_in_which_order(tmp_path):
    values = np.arange(24, dtype=">u2")
    lines = ["ElementType = MET_USHORT", "ElementByteOrderMSB = True", "ElementDataFile = a.raw"]
    (tmp_path / "a.raw").write_bytes(b"12345" + values.tobytes())
    for skipped in ("5", "-1"):
        image = read(by_hand(tmp_path / "a.mhd", *lines, f"HeaderSize = {skipped}", content=b""))
        np.testing.assert_array_equal(image.array[..., 0], values.reshape(2, 3, 4, order="F"))
        assert (image.spacing, image.place) == (None, None)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["ElementDataFile = ../b.raw"], r"numbers in another folder \('\.\./b\.raw'\); copy them beside it"),
        (["ElementDataFile = /etc/passwd"], "numbers in another folder"),
        (["ElementDataFile = b.raw"], r"numbers in 'b\.raw', which is not beside it"),
        (["ElementDataFile = LIST"], "numbers in several files, which is not read"),
        (["ElementDataFile = b%03d.raw 1 3 1"], "numbers in several files, which is not read"),
        (["DimSize = 2 3"], "has DimSize 2 3 of 3 axes"),
        (["DimSize = 2 0 4"], "has DimSize 2 0 4 of 3 axes"),
        (["DimSize = 2 3 5"], "cut short: 6 bytes are missing"),
        (["DimSize = two"], "is damaged or cut short"),
        (["DimSize = 9999 9999 9999"], "cut short"),
        (["DimSize = 9999 9999 9999", "CompressedData = True"], "above the limit of"),
        (["CompressedData = True"], "is damaged or cut short"),
        (["NDims = 5", "DimSize = 1 1 1 1 24"], "has 5 axes of 1 numbers; save one volume"),
        (["ElementNumberOfChannels = 0"], "has DimSize 2 3 4 of 3 axes"),
        (["ElementType = MET_STRING"], "numbers of type 'MET_STRING', which is not read"),
        (["BinaryData = False"], "numbers as text"),
        (["HeaderSize = 99"], "cut short"),
        (["Comment = " + "x" * (1 << 20)], "header of more than 1 MiB"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, lines, message):
    path = by_hand(tmp_path / "a.mha", *lines)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_compressed_numbers_that_end_early(tmp_path):
    path = by_hand(tmp_path / "a.mha", "CompressedData = True", content=zlib.compress(bytes(20)))
    with pytest.raises(InputError, match="cut short: its numbers end early"):
        read(path)
    path = by_hand(tmp_path / "a.mha", "CompressedData = True", content=zlib.compress(bytes(1 << 20)))
    assert read(path).array.size == 24  # what is more is left packed


def test_a_link_to_another_folder_is_refused(tmp_path):
    (tmp_path / "inner").mkdir()
    Path(tmp_path / "b.raw").write_bytes(bytes(24))
    Path(tmp_path / "inner" / "b.raw").symlink_to(tmp_path / "b.raw")
    with pytest.raises(InputError, match="numbers in another folder"):
        read(by_hand(tmp_path / "inner" / "a.mhd", "ElementDataFile = b.raw", content=b""))
