"""DICOM files: which are images, which belong together, and what is wrong with a file in one line."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError, one_line
from gmmseg.io import damage

__all__ = ["explained", "is_segmentation", "one_file", "one_series", "quiet", "read_header"]

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # the second holds label maps
_DIRECTORY = "1.2.840.10008.1.3.10"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what pydicom, highdicom and the decoders warn of and log to themselves."""
    logs = [logging.getLogger(name) for name in ("pydicom", "highdicom", "pylibjpeg", "libjpeg", "openjpeg")]
    levels = [log.level for log in logs]
    try:
        for log in logs:
            log.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what pydicom and the decoders raise into one line, and keep them quiet."""
    with (
        damage.explained(
            path,
            "export or download it again",
            smaller="give fewer slices",
            reason=lambda error: one_line(error, 160),
            known=_known,
        ),
        quiet(),
    ):
        yield


def _known(reason: str) -> str | None:
    if "no 'Pixel Data'" in reason:
        return "holds no pixels, only a header; export or download it again"
    if reason.startswith("Unable to decode"):
        return f"cannot be decompressed ({reason.split(': ', 1)[-1]}); export it again without compression"
    return None


def read_header(path: Path) -> Any:
    """Return all of a file but its pixels."""
    from pydicom import dcmread

    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            raise InputError(f"{path} is a DICOM file within a gzip file; unpack it with gunzip first")
    with explained(path):
        return dcmread(path, stop_before_pixels=True)


def is_segmentation(header: Any) -> bool:
    """Whether a file is a DICOM SEG."""
    return header.get("SOPClassUID") in _SEGMENTATIONS


def one_file(path: Path) -> list[tuple[Path, Any]]:
    """Return an image file and its header."""
    header = read_header(path)
    _require_image(path, header)
    return [(path, header)]


def _require_image(path: Path, header: Any) -> None:
    """Say what a file holds instead of pixels that could be segmented."""
    if header.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY:
        raise InputError(f"{path} is a DICOMDIR, a list of files; give the folder that holds one series")
    if is_segmentation(header):
        raise InputError(f"{path} is a segmentation (DICOM SEG), not an image; give it as mask, or the source images")
    if not _is_image(header):
        kind = getattr(header.get("SOPClassUID"), "name", None) or "of an unknown class"
        raise InputError(f"{path} holds no pixels ({kind}); give a file or a folder of images")
    if "TotalPixelMatrixRows" in header:
        raise InputError(f"{path} is a whole-slide image stored in tiles; convert it to a tiled TIFF")


def _is_image(header: Any) -> bool:
    return bool(header.get("Rows") and header.get("Columns")) and not is_segmentation(header)


def one_series(folder: Path) -> list[tuple[Path, Any]]:
    """Return the files of the only image series of a folder, or of the folders below where it holds only a DICOMDIR."""
    files = [file for file in _dicom_files(folder.iterdir()) if file.name.upper() != "DICOMDIR"]
    files = files or [file for file in _dicom_files(folder.rglob("*")) if file.name.upper() != "DICOMDIR"]
    series: dict[str, list[tuple[Path, Any]]] = {}
    for file in files:
        header = read_header(file)
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    images = [members for members in series.values() if any(_is_image(header) for _, header in members)]
    if not images:
        raise InputError(
            f"{folder} holds {len(files)} DICOM files, but no image among them; give the folder of a series"
        )
    if len(images) > 1:
        listed = "; ".join(_title(members) for members in images[:8]) + ("; ..." if len(images) > 8 else "")
        raise InputError(f"{folder} holds {len(images)} series ({listed}); put the files of one in a folder of its own")
    members = [(file, header) for file, header in images[0] if _is_image(header)]
    for file, header in members:
        _require_image(file, header)
    return members


def _dicom_files(paths: Iterator[Path]) -> list[Path]:
    """Return the files that begin as DICOM files do, in the order of their names."""
    found = []
    for path in sorted(paths):
        if path.is_file() and path.name[0] != ".":
            with open(path, "rb") as file:
                if file.read(132)[128:] == b"DICM":
                    found.append(path)
    return found


def _title(members: Sequence[tuple[Path, Any]]) -> str:
    first, header = members[0]
    named = " ".join(str(header.get("SeriesDescription") or header.get("Modality") or "without a name").split())
    count = "1 file" if len(members) == 1 else f"{len(members)} files"
    return f"{header.get('SeriesNumber', '?')} {named}: {count} as {first.name}"
