"""What is known, but not read: told by its first bytes or its name, with what makes an image of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gmmseg.errors import InputError

__all__ = ["foreign"]

_CONVERT = "convert it, as with: bfconvert {name} {stem}.ome.tif"
_EXPORT = "export it as PNG or TIFF"


@dataclass(frozen=True)
class _Foreign:
    """A kind of file.

    Parameters
    ----------
    what : str
        With its article.
    remedy : str
    starts : tuple of (int, bytes)
        Offset and bytes, of which one is there.
    suffixes : tuple of str
        By which alone it is known where none is.
    """

    what: str
    remedy: str
    starts: tuple[tuple[int, bytes], ...] = ()
    suffixes: tuple[str, ...] = ()

    def holds(self, start: bytes, suffix: str) -> bool:
        """Whether a file is of this kind."""
        signed = any(start[offset : offset + len(magic)] == magic for offset, magic in self.starts)
        return signed or suffix in self.suffixes


def _brands(*names: str) -> tuple[tuple[int, bytes], ...]:
    """Return the signatures of files of boxes by their brands."""
    return tuple((4, f"ftyp{name}".encode()) for name in names)


_CONVERT3D = "convert it, as with: c3d {name} -o {stem}.nii.gz"
_RAW = (".3fr", ".arw", ".cr2", ".cr3", ".dng", ".iiq", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srf", ".srw")
_KINDS = (
    _Foreign(
        "a HEIC picture",
        "convert it, as with: heif-convert {name} {stem}.png",
        _brands("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"),
    ),
    _Foreign(
        "a raw photograph of a camera",
        "develop it to a TIFF file, as with: rawtherapee-cli -t -c {name}",
        (
            *_brands("crx "),
            *((0, each) for each in (b"IIRO", b"IIRS", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb")),
            (8, b"CR\2\0"),
        ),
        _RAW,
    ),
    _Foreign(
        "a video",
        "take pictures out of it, as with: ffmpeg -i {name} {stem}_%04d.png",
        (
            *_brands("isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V", "qt", "3gp", "MSNV"),
            *((0, each) for each in (b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\1", b"OggS")),
            *((0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), (4, b"moov"), (4, b"mdat"), (8, b"AVI ")),
        ),
    ),
    _Foreign("a file of a Zeiss microscope (CZI)", _CONVERT, ((0, b"ZISRAWFILE"),)),
    _Foreign("a file of a Nikon microscope (ND2)", _CONVERT, ((0, b"\xda\xce\xbe\x0a"),), (".nd2",)),
    _Foreign("a file of a Leica microscope (LIF)", _CONVERT, ((0, b"\x70\0\0\0"),), (".lif",)),
    _Foreign("a file of an Olympus microscope", _CONVERT, suffixes=(".oib", ".oif", ".vsi")),
    _Foreign("a document of Photoshop", _EXPORT, ((0, b"8BPS"),)),
    _Foreign("a document of GIMP", _EXPORT, ((0, b"gimp xcf"),)),
    _Foreign("a PDF document", "take pictures out of it, as with: pdftoppm -png {name} {stem}", ((0, b"%PDF"),)),
    _Foreign("an OpenEXR picture", "convert it, as with: oiiotool {name} -o {stem}.tif", ((0, b"\x76\x2f\x31\x01"),)),
    _Foreign("a JPEG XR picture", _EXPORT, ((0, b"II\xbc\1"),)),
    _Foreign("an image of MRtrix", "convert it, as with: mrconvert {name} {stem}.nii.gz", ((0, b"mrtrix image"),)),
    _Foreign("a file of ECAT 7", "convert it, as with: nib-convert {name} {stem}.nii.gz", ((0, b"MATRIX7"),)),
    _Foreign("a VTK file", _CONVERT3D, ((0, b"# vtk DataFile"), (0, b"<VTKFile")), (".vti",)),
    _Foreign("a GIPL image", _CONVERT3D, ((252, b"\xef\xff\xe9\xb0"), (252, b"\x2a\xe3\x89\xb8")), (".gipl",)),
    _Foreign("an MRC file (electron microscopy)", "convert it, as with: mrc2tif {name} {stem}.tif", ((208, b"MAP "),)),
    _Foreign("an Interfile header", "convert it, as with: medcon -c nifti -f {name}", ((0, b"!INTERFILE"),)),
    _Foreign("a surface (GIFTI)", "give the volume that it was made of", suffixes=(".gii",)),
)
# Numbers without a header, by the end of their name, and what their header is called.
_HEADERS = {".img": (".hdr",), ".brik": (".HEAD",), ".rec": (".PAR", ".par"), ".raw": (".mhd", ".nhdr")}
_OF_GDAL = tuple(
    _Foreign(f"{what}, which needs rasterio, which is not installed", "pip install 'gmmseg[geo]'", starts)
    for what, starts in (
        ("a JPEG 2000 picture", ((0, b"\0\0\0\x0cjP  \r\n\x87\n"), (0, b"\xff\x4f\xff\x51"))),
        # Of version 4 too: what is named as HDF5 is no stranger by now.
        ("a netCDF file", tuple((0, each) for each in (b"\x89HDF\r\n\x1a\n", b"CDF\1", b"CDF\2", b"CDF\5"))),
    )
)


def foreign(path: Path, start: bytes, *, has_gdal: bool = True) -> InputError | None:
    """Return what to raise for a file that is known, but not read; None for any other.

    Parameters
    ----------
    path : Path
    start : bytes
        What it begins with.
    has_gdal : bool
        Whether there is GDAL, which reads some of them.

    Examples
    --------
    >>> print(foreign(Path("clip.mkv"), bytes.fromhex("1a45dfa3")))
    clip.mkv is a video; take pictures out of it, as with: ffmpeg -i clip.mkv clip_%04d.png
    """
    whole = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    for suffix in _HEADERS.get(whole.suffix.lower(), ()):
        header = whole.with_suffix(suffix)
        if header.exists():
            return InputError(f"{path} holds the numbers of {header.name}; give that file, which says what they are")
    kinds = _KINDS if has_gdal else (*_KINDS, *_OF_GDAL)
    known = next((each for each in kinds if each.holds(start, path.suffix.lower())), None)
    if known is None:
        return None
    return InputError(f"{path} is {known.what}; {known.remedy.format(name=path.name, stem=path.stem)}")
