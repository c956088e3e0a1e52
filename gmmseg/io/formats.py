"""The registry of file formats: which one a file has (by its first bytes), and which one a new file gets (by its name).

To add a format here: a folder beside this module with a module `format` whose functions are called as those of
`FileFormat`, and a line in `FORMATS`. Elsewhere: a class that is a `FileFormat`, named in the package's metadata as an
entry point of the group "gmmseg.formats". The tests in tests/io/test_formats.py take every format that is registered.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from gmmseg.errors import GmmsegWarning, InputError, OutputError, one_line, warn
from gmmseg.io.addresses import is_scene_archive
from gmmseg.io.beginning import GZIP, first_bytes, is_text, stored_bytes, unpacked
from gmmseg.io.file_format import OUTLINES, BuiltIn, FileFormat, ResultKind, has_module
from gmmseg.io.variables import variable_of

__all__ = [
    "FORMATS",
    "GDAL",
    "GROUP",
    "SCENES",
    "FileFormat",
    "ResultKind",
    "choose",
    "each_format",
    "has_rasterio",
    "identify",
    "is_scene",
    "outsiders",
    "side_files",
    "suffix_of",
    "suffixes_for",
]

GROUP = "gmmseg.formats"
"""Entry points under which other packages name their formats."""

_NUMBERS: frozenset[ResultKind] = frozenset({"labels", "soft", "map"})
_PICTURE: frozenset[ResultKind] = frozenset({"picture"})
_CLASSES: frozenset[ResultKind] = frozenset({"labels", "soft"})
_NOTHING: frozenset[ResultKind] = frozenset()
# What DICOM files without a preamble begin with: lengths, versions, sets of characters, kinds and classes of images.
_BARE_DICOM = (
    *((0, b"\2\0" + each) for each in (b"\0\0UL\4\0", b"\1\0OB", b"\2\0UI", b"\x10\0UI")),
    *((0, b"\x08\0" + each) for each in (b"\0\0UL\4\0", b"\0\0\4\0\0\0", b"\5\0CS", b"\5\0\x0a\0\0\0", b"\x16\0UI")),
    *((0, b"\x08\0\x16\0\x1a\0\0\0"), (8, b"ORIGINAL\\"), (8, b"DERIVED\\")),
)

FORMATS: tuple[BuiltIn, ...] = (
    BuiltIn(
        "PNG",
        {".png": _PICTURE | {"labels"}},
        "picture.format:PNG",
        ((0, b"\x89PNG\r\n\x1a\n"),),
        planar=True,
        decoder="picture.plain_png",
        alone=True,
        answers=frozenset({"class_names", "class_colors"}),
    ),
    BuiltIn(
        "JPEG",
        {".jpg": _PICTURE, ".jpeg": _PICTURE},
        "picture.format:JPEG",
        ((0, b"\xff\xd8\xff"),),
        decoder="picture.opencv",
    ),
    BuiltIn(
        "TIFF",
        {".tif": _NUMBERS | _PICTURE, ".tiff": _NUMBERS | _PICTURE},
        "tiff.format",
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        labels=".tif",
        beside=dict.fromkeys(_NUMBERS, (".aux.xml",)),  # coordinate systems that GeoTIFF has no keys for
        lettered=True,
        answers=frozenset({"place", "suffix_of_labels", "class_names", "class_colors", "packing"}),
    ),
    BuiltIn("WebP", {".webp": _PICTURE}, "picture.format:WEBP", ((8, b"WEBP"),)),
    BuiltIn("BMP", {".bmp": _NOTHING}, "picture.simplified:BMP", ((0, b"BM"),), weak=True),
    BuiltIn("GIF", {".gif": _NOTHING}, "picture.simplified:GIF", ((0, b"GIF87a"), (0, b"GIF89a"))),
    BuiltIn("AVIF", {".avif": _NOTHING}, "picture.modern:AVIF", ((4, b"ftypavif"), (4, b"ftypavis"))),
    BuiltIn(
        "JPEG XL",
        {".jxl": _NOTHING},
        "picture.modern:JXL",
        ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n")),
        extra="jxl",
        needs="pillow_jxl",
        weak=True,
    ),
    BuiltIn(
        "NPY",
        {".npy": _NUMBERS},
        "array.format:NPY",
        ((0, b"\x93NUMPY"),),
        lettered=True,
        answers=frozenset({"suffix_of_labels"}),
    ),
    BuiltIn(
        "NPZ",
        {".npz": _NUMBERS},
        "array.format:NPZ",
        ((0, b"PK\x03\x04"), (0, b"PK\x05\x06")),
        weak=True,
        lettered=True,
        answers=frozenset({"class_names", "class_colors"}),
    ),
    BuiltIn(
        "Analyze",
        {".hdr": _NOTHING},
        "scans.format:ANALYZE",
        ((0, b"\x5c\1\0\0"), (0, b"\0\0\1\x5c")),
        labels=".nii.gz",
        extra="medical",
        needs="nibabel",
        named=True,
    ),
    BuiltIn(
        "MGH",
        dict.fromkeys((".mgz", ".mgh"), _NUMBERS),
        "scans.format:MGH",
        ((0, b"\0\0\0\1"),),
        labels=".mgz",
        extra="medical",
        needs="nibabel",
        named=True,
        unpacks=True,
        answers=frozenset({"check"}),
    ),
    BuiltIn(
        "AFNI",
        {".head": _NOTHING},
        "scans.format:AFNI",
        ((0, b""),),
        labels=".nii.gz",
        extra="medical",
        needs="nibabel",
        named=True,
    ),
    BuiltIn(
        "PAR/REC",
        {".par": _NOTHING},
        "scans.format:PAR",
        ((0, b"# === DATA DESCRIPTION FILE"),),
        labels=".nii.gz",
        extra="medical",
        needs="nibabel",
        named=True,
    ),
    BuiltIn(
        "NIfTI",
        {".nii": _NUMBERS, ".nii.gz": _NUMBERS},
        "nifti.format",
        ((344, b"n+1\0"), (4, b"n+2\0\r\n\x1a\n"), (344, b"ni1\0"), (4, b"ni2\0\r\n\x1a\n")),
        labels=".nii.gz",
        beside={"labels": (".txt",)},  # names of classes
        extra="medical",
        needs="nibabel",
        unpacks=True,
        answers=frozenset({"class_names", "class_colors"}),
    ),
    BuiltIn(
        "NRRD",
        {".nrrd": _NUMBERS, ".seg.nrrd": frozenset({"labels"}), ".nhdr": _NOTHING},
        "nrrd.format:NRRD",
        ((0, b"NRRD000"),),
        refusals={
            "soft": "probabilities cannot be written to .seg.nrrd or .nhdr files; write .nrrd",
            "map": "numbers cannot be written to .seg.nrrd or .nhdr files; write .nrrd",
            "labels": "a label map cannot be written to a header alone; write .nrrd or .seg.nrrd",
        },
        answers=frozenset({"suffix_of_labels", "class_names"}),
    ),
    BuiltIn(
        "MetaImage",
        {".mha": _NUMBERS, ".mhd": _NOTHING},
        "nrrd.format:METAIMAGE",
        ((0, b"ObjectType = Image"), (0, b"ObjectType=Image"), (0, b"NDims = ")),
        refusals=dict.fromkeys(_NUMBERS, "results cannot be written to a header alone; write .mha"),
        answers=frozenset({"suffix_of_labels"}),
    ),
    BuiltIn(
        "HDF5",
        dict.fromkeys((".h5", ".hdf5", ".hdf", ".he5"), _NOTHING),
        "hdf5.format",
        ((0, b"\x89HDF\r\n\x1a\n"),),
        extra="geo",
        needs="h5py",
        others=frozenset({".nc", ".nc4", ".cdf", ".mnc"}),  # netCDF of version 4, MINC 2
        answers=frozenset({"suffix_of_labels"}),
        lettered=True,
    ),
    BuiltIn(
        "MATLAB",
        {".mat": _NOTHING},
        "matlab.format",
        ((0, b"MATLAB 5.0 MAT-file"), (0, b"MATLAB 7.3 MAT-file")),
        answers=frozenset({"suffix_of_labels"}),
        lettered=True,
    ),
    BuiltIn(
        "MINC",
        {".mnc": _NOTHING},
        "scans.format:MINC",
        ((0, b"CDF\1"), (0, b"CDF\2"), (0, b"\x89HDF\r\n\x1a\n")),
        labels=".nii.gz",
        extra="medical",
        needs="nibabel",
        named=True,
    ),
    BuiltIn(
        "Zarr",
        {".zarr": frozenset({"labels"})},
        "zarr.format",
        folders=True,
        extra="zarr",
        needs="zarr",
        marks=("zarr.json", ".zgroup", ".zarray"),
        answers=frozenset({"packing", "suffix_of_labels"}),
        lettered=True,
    ),
    BuiltIn(
        "DICOM",
        {".dcm": _CLASSES},
        "dicom.format",
        ((128, b"DICM"), *_BARE_DICOM),
        labels=".dcm",
        folders=True,
        extra="medical",
        needs="pydicom",
        refusals={"map": "DICOM segmentations hold classes, not numbers; write .nii.gz, .tif or .npy"},
        answers=frozenset({"check", "suffix_of_labels", "class_names", "describe_series"}),
    ),
)
"""Those that come with gmmseg and say in their first bytes what they are, in the order in which messages name them."""

GDAL: FileFormat = BuiltIn(
    "GDAL raster",
    {},
    "raster.format",
    labels=".tif",
    extra="geo",
    needs="rasterio",
    answers=frozenset({"sniff", "class_colors"}),
)
"""What only GDAL can tell, by trying, and read. GeoTIFF files are TIFF files, which go there by themselves."""

SCENES: FileFormat = BuiltIn(
    "satellite scene", {}, "satellite.format", labels=".tif", folders=True, extra="geo", needs="rasterio"
)
"""Folders and archives of band files that are one image, by their names."""


@cache
def outsiders() -> tuple[FileFormat, ...]:
    """Return the formats of other packages; one that cannot be loaded is left out with a warning."""
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=GROUP):
        try:
            made = point.load()
            known = made() if isinstance(made, type) else made
            if not isinstance(known, FileFormat):
                raise TypeError("it is no gmmseg.io.formats.FileFormat")
        # Whatever another package does when it is loaded, it must not keep gmmseg from reading other files.
        except Exception as error:
            warn(
                f"the file format {point.name} ({point.value}) cannot be used ({one_line(error)}); "
                "update or remove the package it comes with",
                GmmsegWarning,
            )
        else:
            found.append(known)
    return tuple(found)


def each_format() -> tuple[FileFormat, ...]:
    """Return all formats, those of other packages last."""
    return (*FORMATS, GDAL, SCENES, *outsiders())


def has_rasterio() -> bool:
    """Whether GDAL can be asked."""
    return has_module("rasterio")


def is_scene(path: Path) -> bool:
    """Whether a path is a satellite scene: a folder of band files, or an archive of one."""
    return is_scene_archive(path) or (path.is_dir() and _of_folder(path) is SCENES)


def identify(path: Path) -> FileFormat:
    """Return the format of an existing file, whatever its suffix says.

    Raises
    ------
    InputError
        The file is missing, a folder, no regular file, empty, unreadable or of no known format.
    """
    if (variable := variable_of(path)) is not None:
        start = first_bytes(variable.file)
        return GDAL if variable.driver == "NETCDF" else _of_signature(variable.file, start) or GDAL
    if is_scene_archive(path):
        return SCENES
    if path.is_dir():
        known = _of_folder(path)
        if known is not None:
            return known
    stored = stored_bytes(path)
    start = unpacked(stored)
    known = _of_signature(path, start)
    if known is not None and not known.unpacks and stored.startswith(GZIP):
        raise InputError(
            f"{path} is {known.name} compressed by gzip; name it gzip://{path}, or unpack it: gunzip -k {path.name}"
        )
    if known is not None and known.name != "TIFF":
        return known
    from gmmseg.io.foreign import foreign  # here, because most images are of known formats

    if known is not None:  # a raw photograph is a TIFF file too, of which a reader finds the thumbnail
        raw = foreign(path, start)
        return known if raw is None else _of_others(path, start, raw)
    reason: InputError | None = None
    try:
        if GDAL.sniff(start, path):
            return GDAL
    except InputError as error:  # one that GDAL knows, but does not get; another package may read it
        reason = error
    return _of_others(path, start, foreign(path, start, has_gdal=has_rasterio()) or reason)


def _of_others(path: Path, start: bytes, error: InputError | None) -> FileFormat:
    """Return the format of another package, or raise what is wrong."""
    known = next((each for each in outsiders() if each.sniff(start, path)), None)
    if known is None:
        raise error or _unknown(path, start)
    return known


def _of_signature(path: Path, start: bytes) -> BuiltIn | None:
    for known in _beginning_with(start[:1]):
        if known.sniff(start, path):
            return known
    return None


@cache
def _beginning_with(first: bytes) -> tuple[BuiltIn, ...]:
    """Return the formats whose files may begin with this byte: to ask all takes as long as to read the header."""
    # DICOM first: what stands before its signature may be the start of a TIFF file.
    return tuple(known for known in reversed(FORMATS) if known.may_begin(first))


def _of_folder(folder: Path) -> FileFormat | None:
    """Return the format of which a folder is one image; None where it is none, such as a folder of many images."""
    from gmmseg.io.satellite.band_files import is_scene  # here, because most images are files

    with suppress(OSError):  # a folder that cannot be listed is none
        if is_scene(folder):
            return SCENES
    folders = [each for each in FORMATS if each.folders]
    known: FileFormat | None = next((each for each in folders if each.sniff(b"", folder)), None)
    if known is None:
        known = _most_in(folder, folders)
    if known is None and folder.suffix:  # an image that is a folder is named as one
        known = next((each for each in outsiders() if each.folders and each.sniff(b"", folder)), None)
    return known


def _most_in(folder: Path, candidates: list[BuiltIn]) -> BuiltIn | None:
    """Return the format of most images in a folder, if it is a candidate; texts do not count.

    None where one cannot be read before that is settled: no more are opened once half of all are of other formats.
    """
    held: list[BuiltIn] = []
    others = 0
    try:
        entries = sorted(folder.iterdir())
        for each in entries:
            if each.name[0] != "." and each.is_file() and each.stat().st_size:
                known = _of_signature(each, first_bytes(each))
                held += [] if known is None else [known]
                others += known is not None and not known.folders
                if 2 * others >= len(entries):
                    return None
    except (OSError, InputError):
        return None
    return next((each for each in candidates if 2 * sum(one is each for one in held) > len(held)), None)


def choose(path: Path, *, kind: ResultKind) -> FileFormat:
    """Return the format that a result of this kind is written in.

    Raises
    ------
    OutputError
        No format for this kind has the suffix.
    """
    known = _holding(path, kind, FORMATS) or _holding(path, kind, outsiders())
    if known is not None:
        return known
    suffix = path.suffix.lower()
    nouns = {"labels": "a label map", "soft": "probabilities", "map": "numbers", "picture": "a picture"}
    found = f"the suffix {suffix!r}" if suffix else "no suffix"
    usable = " ".join(suffixes_for(kind, each_format())) + OUTLINES.get(suffix if kind == "labels" else "", "")
    raise OutputError(f"{path} has {found}, which {nouns[kind]} cannot be written to; use one of {usable}")


def _holding(path: Path, kind: ResultKind, formats: tuple[FileFormat, ...]) -> FileFormat | None:
    """Return the first of some formats of which a file of this name can hold a result."""
    for known in formats:
        end = suffix_of(path, known)
        if end is not None and kind in known.suffixes[end]:
            return known
        if end is not None and kind in known.refusals:
            raise OutputError(f"{path}: {known.refusals[kind]}")
    return None


def suffix_of(path: Path, known: FileFormat) -> str | None:
    """Return the longest suffix of a format that a file's name ends with; None where it has none of them."""
    return max((end for end in known.suffixes if path.name.lower().endswith(end)), key=len, default=None)


def side_files(path: Path, kind: ResultKind, known: FileFormat) -> list[Path]:
    """Return the files that a format may write beside a result: replaced as little as the result itself.

    Examples
    --------
    >>> side_files(Path("a.nii.gz"), "labels", choose(Path("a.nii.gz"), kind="labels"))[0].name
    'a.nii.gz.txt'
    """
    return [path.with_name(path.name + ending) for ending in known.beside.get(kind, ())]


def suffixes_for(kind: ResultKind, formats: tuple[FileFormat, ...] = FORMATS) -> list[str]:
    """Return the suffixes of files that can hold a kind of result, of gmmseg's own formats or of these."""
    return [end for known in formats for end, kinds in known.suffixes.items() if kind in kinds]


def _unknown(path: Path, start: bytes) -> InputError:
    """Say what a file of no known format looks like."""
    from gmmseg.io.satellite.band_files import is_metadata  # here, because most files are known

    if is_metadata(path):
        return InputError(f"{path} is the metadata of a satellite scene; give the folder of the scene: {path.parent}")
    formats = (*FORMATS, *outsiders())
    known = ", ".join(each.name for each in formats)
    suffix = path.suffix.lower()
    promised = next((each.name for each in formats if suffix in each.suffixes), None)
    content = "text" if is_text(start) else f"bytes {start[:4].hex(' ')}"
    if promised is not None:
        return InputError(
            f"{os.fspath(path)} is named as a {promised} file, but starts with {content}; give an image file ({known})"
        )
    return InputError(f"{os.fspath(path)} starts with {content}, which is no known image; convert it to one of {known}")
