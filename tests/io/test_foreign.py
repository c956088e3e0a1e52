"""What is known, but not read."""

import re
from pathlib import Path

import pytest

from gmmseg.errors import InputError
from gmmseg.io import formats, read
from gmmseg.io.foreign import foreign

REMEDIES = {
    "heic": (b"\0\0\0\x18ftypheic", "is a HEIC picture; convert it, as with: heif-convert a.heic a.png"),
    "heif": (b"\0\0\0\x18ftypmif1", "is a HEIC picture; convert it, as with: heif-convert a.heif a.png"),
    "cr2": (
        b"II*\0\x10\0\0\0CR\2\0",
        "is a raw photograph of a camera; develop it to a TIFF file, as with:",
    ),
    "nef": (b"MM\0*\0\0\0\x08", "is a raw photograph of a camera"),
    "dng": (b"II*\0\x08\0\0\0", "is a raw photograph of a camera"),
    "cr3": (b"\0\0\0\x18ftypcrx ", "is a raw photograph of a camera"),
    "raf": (b"FUJIFILMCCD-RAW", "is a raw photograph of a camera"),
    "mp4": (b"\0\0\0\x18ftypisom", "is a video; take pictures out of it, as with: ffmpeg -i a.mp4 a_%04d.png"),
    "mov": (b"\0\0\0\x14ftypqt  ", "is a video"),
    "avi": (b"RIFF\0\0\0\0AVI ", "is a video"),
    "mkv": (b"\x1a\x45\xdf\xa3", "is a video"),
    "czi": (b"ZISRAWFILE\0", "is a file of a Zeiss microscope (CZI); convert it, as with: bfconvert a.czi a.ome.tif"),
    "nd2": (b"\xda\xce\xbe\x0a", "is a file of a Nikon microscope (ND2); convert it"),
    "lif": (b"\x70\0\0\0\2\0\0\0*", "is a file of a Leica microscope (LIF); convert it"),
    "oib": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a file of an Olympus microscope; convert it"),
    "psd": (b"8BPS\0\1", "is a document of Photoshop; export it as PNG or TIFF"),
    "pdf": (b"%PDF-1.7", "is a PDF document; take pictures out of it, as with: pdftoppm -png a.pdf a"),
    "exr": (b"\x76\x2f\x31\x01", "is an OpenEXR picture; convert it, as with: oiiotool a.exr -o a.tif"),
    "mif": (b"mrtrix image\ndim: 4,4,4\n", "is an image of MRtrix; convert it, as with: mrconvert a.mif a.nii.gz"),
    "v": (b"MATRIX72v\0", "is a file of ECAT 7; convert it, as with: nib-convert a.v a.nii.gz"),
    "vtk": (b"# vtk DataFile Version 3.0\n", "is a VTK file; convert it, as with: c3d a.vtk -o a.nii.gz"),
    "gipl": (b"\0\x28" + bytes(250) + b"\xef\xff\xe9\xb0", "is a GIPL image; convert it, as with: c3d a.gipl"),
    "mrc": (b"\x28" + bytes(207) + b"MAP DD", "is an MRC file (electron microscopy); convert it"),
    "hv": (b"!INTERFILE :=\n", "is an Interfile header; convert it, as with: medcon -c nifti -f a.hv"),
    "gii": (b'<?xml version="1.0"?>\n<GIFTI>', "is a surface (GIFTI); give the volume that it was made of"),
}


@pytest.mark.parametrize("suffix", REMEDIES)
def test_each_is_named_as_what_it_is(tmp_path, suffix):
    start, message = REMEDIES[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(start + bytes(600))
    with pytest.raises(InputError) as caught:
        read(path)
    assert f"{path} {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        *(("a.img", "a.hdr"), ("a.img.gz", "a.hdr"), ("a+orig.BRIK", "a+orig.HEAD"), ("a+orig.BRIK.gz", "a+orig.HEAD")),
        *(("a.REC", "a.PAR"), ("a.rec", "a.par"), ("a.raw", "a.mhd"), ("a.raw.gz", "a.nhdr")),
    ],
)
def test_numbers_beside_their_header_name_it(tmp_path, name, header):
    path = tmp_path / name
    path.write_bytes(bytes(600))
    assert foreign(path, bytes(600)) is None
    (tmp_path / header).write_text("a header")
    with pytest.raises(InputError, match=rf"{re.escape(name)} holds the numbers of {re.escape(header)}; give that"):
        read(path)


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 picture"),
        ("a.j2k", b"\xff\x4f\xff\x51", "JPEG 2000 picture"),
        ("a.nc", b"\x89HDF\r\n\x1a\n", "netCDF file"),
        ("a.nc", b"CDF\1", "netCDF file"),
    ],
)
def test_what_gdal_reads_names_the_extra_where_it_is_missing(tmp_path, monkeypatch, name, start, what):
    path = tmp_path / name
    path.write_bytes(start + bytes(600))
    monkeypatch.setattr("gmmseg.io.formats.has_rasterio", lambda: False)
    monkeypatch.setattr("gmmseg.io.file_format.has_module", lambda name: False)
    with pytest.raises(InputError, match=rf"{name} is a {what}, which needs .*; pip install 'gmmseg\[geo\]'"):
        formats.identify(path)
    assert foreign(path, start) is None


def test_ordinary_files_are_not_foreign():
    for name, start in (("a.tif", b"II*\0\x08\0\0\0"), ("a.png", b"\x89PNG"), ("a.bin", bytes(20)), ("a", b"hello")):
        assert foreign(Path(name), start) is None
