"""The pixels of DICOM slices, in the scanner's units."""

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_slices import SAMPLES, dataset, enhanced
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from gmmseg.errors import InputError
from gmmseg.io import read


@pytest.mark.parametrize(
    ("attributes", "dtype", "factor", "offset"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": 0}, "u2", 1, 0),
        ({"RescaleSlope": 2, "RescaleIntercept": -1024}, "i2", 2, -1024),
        ({"RescaleSlope": 20, "RescaleIntercept": -1024}, "i4", 20, -1024),
        ({"RescaleSlope": "0.5", "RescaleIntercept": "-0.25"}, "f4", 0.5, -0.25),
    ],
)
def test_units_of_the_scanner(series, head, attributes, dtype, factor, offset):
    found = read(series(**attributes)).array[..., 0]
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, head * float(factor) + offset)


def test_each_slice_has_its_own_scale(series, head):
    """As PET scanners write them."""

    def change(made):
        made.RescaleSlope, made.RescaleIntercept = made.InstanceNumber * 0.5, 0
        return made

    found = read(series(change=change)).array[..., 0]
    np.testing.assert_allclose(found, head * 0.5 * np.arange(1, 7)[:, None, None])


def test_padding_is_no_data(series, head):
    stored = head.copy()
    stored[:, :2], stored[:, 2] = 0, 5
    image = read(series(stored=stored, PixelPaddingValue=0))
    np.testing.assert_array_equal(image.valid, np.broadcast_to(stored != 0, head.shape))
    image = read(series("range", stored=stored, PixelPaddingValue=0, PixelPaddingRangeLimit=5))
    np.testing.assert_array_equal(image.valid, stored > 5)


def test_white_at_zero_is_turned_around(tmp_path, head):
    made = dataset(0, head[0], PhotometricInterpretation="MONOCHROME1", RescaleSlope=None, RescaleIntercept=None)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").array[..., 0], 4095 - head[0])
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "b.dcm").array[..., 0], head[0].astype(int) - 1024)


LOSSLESS = [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]


@pytest.mark.parametrize("syntax", [*LOSSLESS, JPEGLSLossless, JPEG2000Lossless], ids=lambda syntax: syntax.keyword)
def test_every_lossless_syntax_holds_the_same_pixels(tmp_path, head, syntax):
    stored = np.tile(head[0], (4, 4))
    made = dataset(0, stored)
    if syntax.is_encapsulated:
        if not pydicom.pixels.get_encoder(syntax).is_available:
            pytest.skip("no encoder")
        made.compress(syntax)
    else:
        made.file_meta.TransferSyntaxUID = syntax
        made["PixelData"].VR = "OW"
        if not syntax.is_little_endian:
            made.PixelData = stored.astype(">u2").tobytes()
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").array[..., 0], stored.astype(int) - 1024)


def test_a_missing_decoder_is_named(monkeypatch, refused):
    decoder = pydicom.pixels.get_decoder(JPEGLSLossless)
    monkeypatch.setattr(type(decoder), "is_available", property(lambda self: False))
    message = refused(SAMPLES / "MR_small_jpeg_ls_lossless.dcm")
    assert message.endswith("JPEG-LS Lossless Image Compression, for which a decoder is missing; pip install pyjpegls")
    assert refused(SAMPLES / "MR_small_jp2klossless.dcm").endswith("pip install pylibjpeg pylibjpeg-openjpeg")
    assert refused(SAMPLES / "JPGExtended.dcm").endswith("pip install pylibjpeg pylibjpeg-libjpeg")


def test_jpeg_lossless_as_other_programs_write_it(monkeypatch, tmp_path, refused):
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(tmp_path / "a.dcm"))
    stored = np.arange(320, dtype=np.uint16).reshape(16, 20)
    writer.Execute(SimpleITK.GetImageFromArray(stored))
    decoder = pydicom.pixels.get_decoder(JPEGLosslessSV1)
    if decoder.is_available:
        np.testing.assert_array_equal(read(tmp_path / "a.dcm").array[..., 0], stored)
    monkeypatch.setattr(type(decoder), "is_available", property(lambda self: False))
    assert refused(tmp_path / "a.dcm").endswith(
        "is compressed as JPEG Lossless, Non-Hierarchical, First-Order Prediction, for which a decoder is missing; "
        "pip install pylibjpeg pylibjpeg-libjpeg"
    )


def test_videos_are_refused(tmp_path, head, refused):
    made = dataset(0, head[0])
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    made.PixelData = pydicom.encaps.encapsulate([b"\0" * 10])
    made["PixelData"].VR = "OB"
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "MPEG2" in refused(tmp_path / "a.dcm")


def test_windows_are_parts_of_the_whole(tmp_path, series, head):
    stored = head.copy()
    stored[0, 0, 0] = 0
    many = enhanced(stored, (3, 0, 5, 1, 4, 2))
    many.PixelPaddingValue = 0
    many.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for path in (series(stored=stored, PixelPaddingValue=0), tmp_path / "a.dcm"):
        whole = read(path)
        assert whole.valid.sum() == whole.valid.size - 1
        image = read(path, memory=whole.array.nbytes - 1, max_pixels=1)
        assert not image.in_memory
        for window in ((slice(0, 6), slice(0, 20), slice(0, 25)), (slice(2, 5), slice(3, 9), slice(20, 25))):
            found, valid = image.pixels.read(window)
            np.testing.assert_array_equal(found, whole.array[window])
            assert (valid is None) == (window[0].start > 0)
    with pytest.raises(InputError, match="3000 pixels, above the limit of 2999"):
        read(tmp_path / "a.dcm", max_pixels=2999)


def test_colors_are_rgb():
    for name in ("SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_small_odd.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm"):
        image = read(SAMPLES / name)
        theirs = pydicom.dcmread(SAMPLES / name)
        expected = theirs.pixel_array
        if theirs.PhotometricInterpretation == "PALETTE COLOR":
            expected = pydicom.pixels.apply_color_lut(expected, theirs)
        assert image.color
        np.testing.assert_array_equal(image.array, expected)
