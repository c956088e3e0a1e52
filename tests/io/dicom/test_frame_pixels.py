"""Frames of one file, decompressed one by one, and what they claim to be."""

import io

import numpy as np
import pytest
from dicom_slices import SAMPLES, dataset
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from gmmseg.errors import InputError
from gmmseg.io import read, read_info
from gmmseg.io.dicom.dicom_file import open_file
from gmmseg.io.dicom.frame_pixels import decoded
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading


def compressed(syntax, pictures):
    """Compress pictures of 8 bits, each on its own."""
    frames = []
    for picture in pictures:
        file = io.BytesIO()
        if syntax == JPEG2000Lossless:
            Image.fromarray(picture).save(file, "JPEG2000", no_jp2=True)
        else:
            Image.fromarray(picture).save(file, "JPEG", quality=95)
        frames.append(file.getvalue() + b"\0" * (len(file.getvalue()) % 2))
    return frames


@pytest.fixture
def stored(rng):
    """Seven frames, each one grey value with a stripe."""
    made = np.repeat(rng.integers(9, 200, (7, 1, 1), np.uint8), 24, axis=1).repeat(32, axis=2)
    made[:, 8:16] += 40
    return made


@pytest.fixture
def save(tmp_path, stored):
    """Write frames that are compressed already: (syntax, frames, table=, **attributes) -> path."""

    def write(syntax, frames, *, table="none", fragments=1, **attributes):
        made = dataset(0, stored, NumberOfFrames=len(stored), RescaleSlope=None, RescaleIntercept=None)
        made.BitsAllocated = made.BitsStored = 8
        made.HighBit = 7
        for name, value in attributes.items():
            setattr(made, name, value)
        made.file_meta.TransferSyntaxUID = syntax
        if table == "extended":
            made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(frames)
        else:
            made.PixelData = encapsulate(frames, has_bot=table == "basic", fragments_per_frame=fragments)
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
        made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        return tmp_path / "a.dcm"

    return write


@pytest.mark.parametrize(
    ("table", "fragments"), [("none", 1), ("basic", 1), ("basic", 3), ("extended", 1), ("none", 2)]
)
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGBaseline8Bit])
def test_frames_are_found_however_they_are_listed(save, stored, syntax, table, fragments):
    path = save(syntax, compressed(syntax, stored), table=table, fragments=fragments)
    file = open_file(path, Reading())
    frames = list(decoded(file, [5, 0, 6], Reading()))
    for frame, picture in zip(frames, stored[[5, 0, 6]], strict=True):
        np.testing.assert_allclose(frame, picture.astype(int), atol=0 if syntax == JPEG2000Lossless else 12)
    np.testing.assert_array_equal(read(path).array[5, ..., 0], frames[0])


def test_a_table_that_lies_is_not_followed(save, stored):
    frames = compressed(JPEG2000Lossless, stored)
    path = save(JPEG2000Lossless, frames, table="extended")
    content = path.read_bytes()
    offsets = np.cumsum([0, *(len(frame) + 8 for frame in frames[:-1])]).astype("<u8").tobytes()
    assert content.count(offsets) == 1
    path.write_bytes(content.replace(offsets, bytes(len(offsets))))
    np.testing.assert_array_equal(read(path).array[..., 0], stored)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGBaseline8Bit])
@pytest.mark.parametrize("shape", [(240, 320), (32, 24), (24, 32, 3)])
def test_frames_of_another_size_are_not_decoded(save, stored, syntax, shape):
    path = save(syntax, compressed(syntax, [*stored[:2], np.zeros(shape, np.uint8), *stored[3:]]))
    size = f"{shape[1]} x {shape[0]} pixels of {'3 samples' if len(shape) > 2 else '1 sample'}"
    with pytest.raises(
        InputError, match=rf"a\.dcm: frame 3 is {size}, but the header says 32 x 24 pixels of 1 sample; export"
    ):
        read(path)
    assert read_info(path)["shape"] == [7, 24, 32]


def test_runs_that_are_longer_than_a_frame(save, stored):
    runs = b"\1\0\0\0\x40" + bytes(59) + b"\x81\0" * 100_000
    path = save(RLELossless, [runs] * 7)
    with pytest.raises(InputError, match="frame 1 is 200064 bytes long, above the 4096 that its size allows"):
        read(path)


def test_frames_that_are_no_pictures_or_missing(save, stored):
    frames = compressed(JPEG2000Lossless, stored)
    with pytest.raises(InputError, match="frame 2 is no JPEG or JPEG 2000 picture"):
        read(save(JPEG2000Lossless, [frames[0], bytes(200), *frames[2:]]))
    with pytest.raises(InputError, match="is cut short: frame 7 is missing"):
        read(save(JPEG2000Lossless, frames[:6]))
    path = save(JPEG2000Lossless, frames)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"a\.dcm"):
        read(path)


def test_what_a_frame_takes_is_limited(tmp_path):
    file = io.BytesIO()
    Image.new("L", (4000, 3000)).save(file, "JPEG2000", no_jp2=True)
    made = dataset(0, np.zeros((3000, 4000), np.uint8), RescaleSlope=None, RescaleIntercept=None)
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    made.PixelData = encapsulate([file.getvalue()])
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match="pixels of a frame, .* above the limit of 64 MiB; raise memory"):
        read_with(tmp_path / "a.dcm", Reading(budget=1 << 26))
    assert read(tmp_path / "a.dcm").shape == (3000, 4000)


def test_fragments_that_never_end(tmp_path):
    source = SAMPLES / "SC_rgb_rle_2frame.dcm"
    content = source.read_bytes()
    path = tmp_path / "a.dcm"
    place = content.rindex(b"\xfe\xff\x00\xe0") + 4
    path.write_bytes(content[:place] + b"\xff\xff\xff\xff" + content[place + 4 :])
    with pytest.raises(InputError, match=r"a\.dcm is damaged .*its compressed frames do not follow one another"):
        read(path)
    path.write_bytes(content[:place] + b"\xf0\xff\xff\xff" + content[place + 4 :])  # 4 GB, of which few are there
    np.testing.assert_array_equal(read(path).array, read(source).array)
