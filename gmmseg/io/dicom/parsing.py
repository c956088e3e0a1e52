"""DICOM files: which are images, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gmmseg.errors import InputError, warn
from gmmseg.io.dicom.dicom_file import DicomFile, open_file, phrase, text_of
from gmmseg.io.dicom.films import is_film
from gmmseg.io.dicom.frames import frames_of
from gmmseg.io.dicom.volumes import split_series, volumes_of
from gmmseg.io.formats import FORMATS
from gmmseg.io.request import Reading, require_bytes

__all__ = ["Listed", "first_in", "is_segmentation", "one_file", "one_series", "series_in"]

_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # the second holds label maps
_DIRECTORY = "1.2.840.10008.1.3.10"
_DICOM = next(known for known in FORMATS if known.name == "DICOM")
_LOCALIZER = re.compile(r"locali[sz]er|scout|topogram|^survey", re.IGNORECASE)
_OF_SLICES = ("CT", "MR", "PT", "NM")  # modalities whose files are slices, also where they do not say of which place
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
    """Open the files of the only image series of a folder, or of the one that is asked for.

    With a DICOMDIR in it the folders below belong to it. Files that are there twice and localizers are left out, with a
    DataWarning.
    """
    images = _image_series(folder, reading)
    scans = [members for members in images if not _are_localizers(members)] or images
    wanted, number = split_series(reading.series)
    chosen = scans if wanted is None else [each for each in images if wanted in _names(each)]
    if number is not None and not chosen:  # as part of a description
        chosen = [each for each in images if reading.series in _names(each)]
    if len(chosen) != 1:
        what = f"{len(chosen)} series" if wanted is None else f"{len(chosen) or 'no'} series {phrase(wanted)}"
        known = chosen or images
        numbers = [_numbered(each[0].header) for each in known]
        told = all(numbers) and len(set(numbers)) == len(numbers)  # apart by their numbers
        titles = [_title(each) if told else f"{_title(each)}, UID {_uid(each)}" for each in known[:8]]
        listed = "; ".join(titles) + ("; ..." if len(known) > 8 else "")
        how = f"pass series='{'NUMBER' if told else 'UID'}'"
        raise InputError(f"{folder} holds {what} ({listed}); {how}, or give one in a folder of its own")
    if wanted is None and len(scans) < len(images):
        aside = next(each for each in images if _are_localizers(each))
        _warn(f"{folder}: localizers are left out, series {_title(aside)}; pass series='NUMBER' for them")
    members = _apart(folder, chosen[0])
    for file in members:
        _require_image(file.path, file.header)
    return members


def _image_series(folder: Path, reading: Reading) -> list[list[DicomFile]]:
    """Open the image files of each series of a folder, in the order of the names of their first files.

    Raises
    ------
    InputError
        There is no image, or there are more files than memory for their headers.
    """
    paths = _dicom_files(folder.iterdir())
    if any(path.name.upper() == "DICOMDIR" for path in paths):  # what it names lies below, and links lead nowhere else
        inside = folder.resolve()
        paths = _dicom_files(path for path in folder.rglob("*") if path.resolve().is_relative_to(inside))
    paths = [path for path in paths if path.name.upper() != "DICOMDIR"]
    require_bytes(folder, len(paths) * _HEADER_BYTES, reading, f"the headers of its {len(paths)} files")
    series: dict[str, list[DicomFile]] = {}
    for path in paths:
        file = open_file(path, reading)
        series.setdefault(str(file.header.get("SeriesInstanceUID", "")), []).append(file)
    images = [[file for file in members if _is_image(file.header)] for members in series.values()]
    if not any(images):
        raise InputError(
            f"{folder} holds {len(paths)} DICOM files, but no image among them; give the folder of a series"
        )
    return list(filter(None, images))


def first_in(folder: Path) -> DicomFile | None:
    """Open the first DICOM file of a folder; None where there is none, as where a DICOMDIR lists those below."""
    return next((open_file(path, Reading()) for path in _dicom_files(folder.iterdir())), None)


class Listed(NamedTuple):
    """One image series of a folder, or one volume of it.

    Parameters
    ----------
    told_by : str
        What tells it from the others.
    called : str
        A name for its results.
    local : bool
        Whether it is a localizer.
    pictures : tuple of Path
        Its files, where each is an image of its own and not a slice of a volume.
    """

    told_by: str
    called: str
    local: bool
    pictures: tuple[Path, ...] = ()


def series_in(folder: Path) -> list[Listed]:
    """Return the image series of a folder; of a series of several volumes, each of them."""
    found = _image_series(folder, Reading())
    numbers = [_numbered(members[0].header) for members in found]
    unique = [number if numbers.count(number) == 1 and number else "" for number in numbers]
    listed = []
    for number, members in zip(unique, found, strict=True):
        told_by, local = number or _uid(members), _are_localizers(members)
        called = _called(members[0].header, told_by)
        count = 1 if local else _n_volumes(members)
        one = [Listed(told_by, called, local, () if local else _pictures_of(members))]
        listed += one if count == 1 else [Listed(f"{told_by}/{i}", f"{called}_{i}", False) for i in range(1, count + 1)]
    return listed


def _pictures_of(members: Sequence[DicomFile]) -> tuple[Path, ...]:
    """Return the files of a series of pictures, as views of X-rays are and films of ultrasound, else none."""
    headers = [file.header for file in members]
    placed = any("ImagePositionPatient" in each or "PerFrameFunctionalGroupsSequence" in each for each in headers)
    if placed or text_of(headers[0], "Modality") in _OF_SLICES or (len(members) == 1 and not is_film(headers[0])):
        return ()
    return tuple(file.path for file in members)


def _n_volumes(members: Sequence[DicomFile]) -> int:
    """Return how many volumes a series is; 1 where its files cannot tell, which is said when they are read."""
    slices = {str(file.header.get("SOPInstanceUID") or file.path): file for file in members if not _is_localizer(file)}
    try:
        return len(volumes_of([frame for file in slices.values() for frame in frames_of(file, Reading())]))
    except InputError:
        return 1


def _names(members: Sequence[DicomFile]) -> set[str]:
    """Return the words by which a series may be asked for: its number, its identifier, its description."""
    header = members[0].header
    return {_numbered(header), _uid(members), phrase(header.get("SeriesDescription") or "")} - {""}


def _numbered(header: Any) -> str:
    return phrase(header.get("SeriesNumber") or "")


def _uid(members: Sequence[DicomFile]) -> str:
    return phrase(members[0].header.get("SeriesInstanceUID") or "")


def _called(header: Any, told_by: str) -> str:
    """Return a name for the results of a series that any system takes for a file: "3_Head_native"."""
    words = "".join(letter if letter.isalnum() else " " for letter in phrase(header.get("SeriesDescription") or ""))
    return "_".join([told_by, *words.split()])


def _are_localizers(members: Sequence[DicomFile]) -> bool:
    return all(_is_localizer(file) for file in members)


def _is_localizer(file: DicomFile) -> bool:
    """Whether a file says so by its kind, as CT does, or by the description of its series, as many MR scanners do."""
    kinds = file.header.get("ImageType") or ()
    described = _LOCALIZER.search(phrase(file.header.get("SeriesDescription") or ""))
    return described is not None or "LOCALIZER" in ([kinds] if isinstance(kinds, str) else list(kinds))


def _apart(folder: Path, members: list[DicomFile]) -> list[DicomFile]:
    """Return the slices of a series, without localizers among them and without those that are there twice."""
    slices = [file for file in members if not _is_localizer(file)] or members
    if len(slices) < len(members):
        first = next(file.path.name for file in members if _is_localizer(file))
        _warn(f"{folder}: {len(members) - len(slices)} localizers among the slices are left out, as {first}")
    known: dict[str, DicomFile] = {}
    twice: list[tuple[Path, Path]] = []
    for file in slices:
        told_by = str(file.header.get("SOPInstanceUID") or file.path)
        if known.setdefault(told_by, file) is not file:
            twice.append((file.path, known[told_by].path))
    if twice:
        one, other = (path.relative_to(folder) for path in twice[0])
        _warn(f"{folder}: {len(twice)} slices are there twice and left out once, as {one}, which is {other} too")
    return list(known.values())


def _warn(text: str) -> None:
    warn(text)


def _dicom_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that begin as DICOM files do, in the order of their names."""
    found = []
    for path in sorted(paths):
        if path.name[0] != "." and path.is_file():  # what is no file, such as a named pipe, is not opened
            with open(path, "rb", buffering=0) as file:
                if _DICOM.sniff(file.read(132), path):
                    found.append(path)
    return found


def _title(members: Sequence[DicomFile]) -> str:
    first, header, _ = members[0]
    named = phrase(header.get("SeriesDescription") or header.get("Modality") or "without a name")
    count = "1 file" if len(members) == 1 else f"{len(members)} files"
    return f"{phrase(header.get('SeriesNumber', '?'))} {named}: {count} as {first.name}"
