"""Sizes of compressed pictures are those that decoders find."""

import io
import struct

import numpy as np
import pydicom
import pytest
from dicom_slices import SAMPLES
from PIL import Image
from pydicom.encaps import generate_frames

from gmmseg.io.dicom.codestream import Size, size_of


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "restart_marker_rows": 1, "comment": b"\xff\xc0" * 9}),
        ("JPEG2000", {"no_jp2": True}),
        ("JPEG2000", {"no_jp2": False}),
    ],
)
def test_pictures_that_pillow_writes(mode, kind, options):
    file = io.BytesIO()
    Image.new(mode, (37, 23), 7 if mode == "L" else (1, 2, 3)).save(file, kind, **options)
    assert size_of(file.getvalue()) == Size(23, 37, len(mode))


@pytest.mark.parametrize(
    "name", ["MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jls_lossy_line.dcm", "693_J2KI.dcm", "JPEG-lossy.dcm"]
)
def test_frames_of_files(name):
    dataset = pydicom.dcmread(SAMPLES / name)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    assert size_of(frame) == (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)


def test_what_is_no_picture():
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n"
    picture = io.BytesIO()
    Image.new("L", (5, 4)).save(picture, "JPEG")
    cut = [picture.getvalue()[:length] for length in (0, 2, 9, 30)]
    wrong = [b"\xff\xd8" + b"\xff" * 90, bytes(100), boxes, boxes + struct.pack(">I4s", 0, b"free") + bytes(90)]
    assert [size_of(each) for each in [*cut, *wrong, b"\xff\x4f\xff\x51"]] == [None] * 9
    rng = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(picture.getvalue())
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
        size_of(bytes(content))
