"""DICOM files: which are images, and which belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError
from gmmseg.io.dicom.dicom_file import DicomFile, open_file, phrase
from gmmseg.io.request import Reading, require_bytes

__all__ = ["is_segmentation", "one_file", "one_series"]

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # the second holds label maps
_DIRECTORY = "1.2.840.10008.1.3.10"
_HEADER_BYTES = 32 << 10  # what pydicom makes of an ordinary header


def is_segmentation(header: Any) -> bool:
    """Whether a file is a DICOM SEG."""
    return header.get("SOPClassUID") in _SEGMENTATIONS


def one_file(path: Path, reading: Reading) -> DicomFile:
    """Open an image file."""
    file = open_file(path, reading)
    _require_image(path, file.header)
    return file


def _require_image(path: Path, header: Any) -> None:
    """Say what a file holds instead of pixels that could be segmented."""
    if header.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY:
        raise InputError(f"{path} is a DICOMDIR, a list of files; give the folder that holds one series")
    if is_segmentation(header):
        raise InputError(f"{path} is a segmentation (DICOM SEG), not an image; give it as mask, or the source images")
    if not _is_image(header):
        kind = phrase(getattr(header.get("SOPClassUID"), "name", None) or "of an unknown class")
        raise InputError(f"{path} holds no pixels ({kind}); give a file or a folder of images")
    if "TotalPixelMatrixRows" in header:
        raise InputError(f"{path} is a whole-slide image stored in tiles; convert it to a tiled TIFF")


def _is_image(header: Any) -> bool:
    return bool(header.get("Rows") and header.get("Columns")) and not is_segmentation(header)


def one_series(folder: Path, reading: Reading) -> list[DicomFile]:
    """Open the files of the only image series of a folder, or of the folders below where it holds only a DICOMDIR."""
    paths = [path for path in _dicom_files(folder.iterdir()) if path.name.upper() != "DICOMDIR"]
    if not paths:  # what a DICOMDIR names lies in its folder, and links lead nowhere else
        inside = folder.resolve()
        below = (path for path in folder.rglob("*") if path.name.upper() != "DICOMDIR")
        paths = _dicom_files(path for path in below if path.resolve().is_relative_to(inside))
    require_bytes(folder, len(paths) * _HEADER_BYTES, reading, f"the headers of its {len(paths)} files")
    series: dict[str, list[DicomFile]] = {}
    for path in paths:
        file = open_file(path, reading)
        series.setdefault(str(file.header.get("SeriesInstanceUID", "")), []).append(file)
    images = [members for members in series.values() if any(_is_image(file.header) for file in members)]
    if not images:
        raise InputError(
            f"{folder} holds {len(paths)} DICOM files, but no image among them; give the folder of a series"
        )
    if len(images) > 1:
        listed = "; ".join(_title(members) for members in images[:8]) + ("; ..." if len(images) > 8 else "")
        raise InputError(f"{folder} holds {len(images)} series ({listed}); put the files of one in a folder of its own")
    members = [file for file in images[0] if _is_image(file.header)]
    for file in members:
        _require_image(file.path, file.header)
    return members


def _dicom_files(paths: Iterator[Path]) -> list[Path]:
    """Return the files that begin as DICOM files do, in the order of their names."""
    found = []
    for path in sorted(paths):
        if path.name[0] != "." and path.is_file():  # what is no file, such as a named pipe, is not opened
            with open(path, "rb", buffering=0) as file:
                if file.read(132)[128:] == b"DICM":
                    found.append(path)
    return found


def _title(members: Sequence[DicomFile]) -> str:
    first, header, _ = members[0]
    named = phrase(header.get("SeriesDescription") or header.get("Modality") or "without a name")
    count = "1 file" if len(members) == 1 else f"{len(members)} files"
    return f"{phrase(header.get('SeriesNumber', '?'))} {named}: {count} as {first.name}"
