"""A study: scans with files of their own beside them (a mask, a prior), from a table or by patterns."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from gmmseg.batch.guide_names import called, lacking_guide, named_by, require_words
from gmmseg.batch.inputs import Found
from gmmseg.errors import GmmsegError, InputError, ParameterError
from gmmseg.io.formats import identify
from gmmseg.io.parts import files_of, lacking_part
from gmmseg.io.regular import require_regular

__all__ = [
    "GUIDES",
    "Choice",
    "Subject",
    "each_series",
    "read_study",
    "subjects_of",
]

GUIDES = ("mask", "prior")
"""What lies over one image: columns of a table, and options that may be patterns."""

_COLUMNS = ("image", *GUIDES, "out")
_NONE = ("", "n/a")  # the second is BIDS's word for an empty cell


@dataclass(frozen=True)
class Choice:
    """Which images of a batch are meant, and how results are named.

    Parameters
    ----------
    include, exclude : tuple of str
        Patterns of names, or of paths below the folder that is given, as in "*_T1w.nii.gz".
    missing_channels : {"refuse", "ok"}
        Whether an image may lack some of the files that its channels are in; otherwise it fails.
    bids : bool
        Whether images are of a BIDS data set, T1w by default, and the results become a derivative of it.
    more_channels : tuple of Path
        Patterns, as of `subjects_of`, of files that are further channels of each image, but for those of a table.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    missing_channels: str = "refuse"
    bids: bool = False
    more_channels: Sequence[Path] = ()


_EVERYTHING = Choice()


@dataclass(frozen=True)
class Subject:
    """One image of a batch, and what belongs to it alone.

    Parameters
    ----------
    found : Found
    guides : mapping of str to Path
        Of `GUIDES` those that it has, and "mask_values": the mask that values are of.
    out : str
        What its results are called, below the folder of the results and without suffix; empty to call them after the
        image.
    fault : str
        Why it cannot be done, in one line that names it; empty where nothing is known to be wrong.
    series : str
        Which one of a folder with several series of DICOM files; empty of anything else.
    """

    found: Found
    guides: Mapping[str, Path] = field(default_factory=dict)
    out: str = ""
    fault: str = ""
    series: str = ""


def read_study(path: Path) -> list[Subject]:
    """Read the table of a study.

    Parameters
    ----------
    path : Path
        Text in columns between tabs, the first line their names: "image", and if need be "mask", "prior" and "out",
        what the results are called, below their folder and without suffix. Other columns are passed over. Paths are
        relative to the folder of the table; cells that are empty or n/a name nothing.

    Returns
    -------
    list of Subject
        A row that has too few or too many cells, or names a file that is not there, has its fault.

    Raises
    ------
    InputError
        It cannot be read, has no column image or no row, or a row names no image.
    """
    try:
        require_regular(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; give the table of a study") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8; save the table as text in columns between tabs") from None
    try:
        rows = list(csv.reader(text.splitlines(), delimiter="\t", strict=True))
    except csv.Error as error:
        raise InputError(f"{path} is no table: {error}; save it as text in columns between tabs") from None
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if "image" not in names:
        raise InputError(
            f"{path} has no column image, its first line is {' '.join(names) or 'empty'}; "
            f"name its columns {', '.join(_COLUMNS)}, with tabs between them"
        )
    subjects = [_of_row(path, number, names, row) for number, row in enumerate(rows[1:], 2) if any(map(str.strip, row))]
    if not subjects:
        raise InputError(f"{path} has no row below its first line; write one an image")
    base = Path(os.path.commonpath([os.path.abspath(each.found.path.parent) for each in subjects]))
    return [replace(each, found=replace(each.found, base=base)) for each in subjects]


def _of_row(path: Path, number: int, names: Sequence[str], row: Sequence[str]) -> Subject:
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip() not in _NONE}
    where = f"{path}, line {number}"
    if "image" not in cells:
        raise InputError(f"{where} names no image; write one, or remove the line")
    image = _joined(path.parent, cells["image"])
    fault = ""
    if len(row) != len(names):
        fault = f"{image}: {where} has {len(row)} cells for {len(names)} columns ({', '.join(names)}); mend the line"
    elif not any(each.exists() for each in files_of(image)):
        fault = f"{image}: it does not exist, but {where} names it; check the path"
    guides = {kind: _joined(path.parent, cells[kind]) for kind in GUIDES if kind in cells}
    return Subject(Found(image, image.parent), guides, cells.get("out", ""), fault)


def _joined(folder: Path, cell: str) -> Path:
    """Return a path in a cell, of which each part that "+" names is relative to the folder of the table."""
    whole = folder / cell
    if "+" not in cell or whole.exists():
        return whole
    return Path("+".join(str(folder / part) for part in cell.split("+")))


def subjects_of(
    given: Iterable[Found | Subject],
    patterns: Mapping[str, Path],
    choice: Choice = _EVERYTHING,
) -> list[Subject]:
    """Return the images that are meant, each with its own files.

    Parameters
    ----------
    given : iterable of Found or Subject
    patterns : mapping of str to Path
        Of `GUIDES` those that are found by the image's own path: "{folder}" is its folder, "{name}" its name without
        suffix, "{stem}" that name up to its last "_", "{subject}" and "{session}" what is called sub-... and ses-... in
        its path, "{dataset}" the folder above sub-..., "{subfolder}" what leads from there to its folder; without a
        sub-... the subject is the name, the data set its folder. What a table says of an image goes first.
    choice : Choice
        Only images that match a pattern of `include`, and none of `exclude`, are kept.

    Returns
    -------
    list of Subject
        What lies over one of them, or is a channel of one, is no image itself.

    Raises
    ------
    ParameterError
        A pattern has another word in braces.
    """
    for kind, pattern in (*patterns.items(), *(("channel", each) for each in choice.more_channels)):
        require_words(kind, pattern)
    all_of_them = ((each.found if isinstance(each, Subject) else each, each) for each in given)
    meant = (each for found, each in all_of_them if _is_meant(found, choice.include, choice.exclude))
    chosen = (each if isinstance(each, Subject) else _stacked(each, choice.more_channels) for each in meant)
    subjects = [each if each.found.reason else _with_files(each, patterns, choice.missing_channels) for each in chosen]
    laid_over = {os.path.realpath(path): kind for each in subjects for kind, path in each.guides.items()}
    if choice.more_channels:
        laid_over |= {os.path.realpath(p): "channel" for each in subjects for p in files_of(each.found.path)[1:]}

    def apart(subject: Subject) -> Subject:
        first = files_of(subject.found.path)[0] if laid_over else subject.found.path
        kind = laid_over.get(os.path.realpath(first))
        if kind is None:
            return subject
        return Subject(replace(subject.found, path=first, reason=f"is the {called(kind)} of an image"))

    return [apart(each) for each in subjects]


def _stacked(found: Found, patterns: Sequence[Path]) -> Subject:
    """Return an image with the files that patterns name as further channels."""
    if found.reason or not patterns:
        return Subject(found)
    try:
        named = [named_by("channel", each, found.path) for each in patterns]
    except ParameterError as error:
        return Subject(found, fault=str(error))
    return Subject(replace(found, path=Path("+".join(map(str, (found.path, *named))))))


def each_series(found: Found) -> list[Found | Subject]:
    """Return a folder of several series of DICOM files once for each, with a name of its own; else what is given.

    Of a series of pictures, as views of X-rays are, each file is an image. Localizers are none.
    """
    if found.reason or not (found.path.is_dir() or found.path.name.upper() == "DICOMDIR"):
        return [found]
    if identify(found.path).name != "DICOM":
        return [found]
    from gmmseg.io.dicom.parsing import series_in  # here, because most batches have no DICOM files

    folder = found.path if found.path.is_dir() else found.path.parent
    try:
        known = series_in(folder)
    except GmmsegError:  # which is said when it is the folder's turn
        return [found]
    scans = [each for each in known if not each.local]
    if not scans:
        return [replace(found, reason="holds localizers only")]
    pictures = [replace(found, path=path) for each in scans for path in each.pictures]
    if len(scans) < 2 and not pictures:
        return [found]
    place = Path(os.path.relpath(os.path.abspath(folder), os.path.abspath(found.base)))
    volumes = [each for each in scans if not each.pictures]
    parts = [Subject(found, out=(place / each.called).as_posix(), series=each.told_by) for each in volumes]
    aside = [replace(found, reason=f"series {each.told_by} is a localizer") for each in known if each.local]
    return [*parts, *pictures, *aside]


def _is_meant(found: Found, include: Sequence[str], exclude: Sequence[str]) -> bool:
    if not (include or exclude):
        return True
    place = Path(found.place).as_posix()

    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, each) for each in patterns for name in (found.path.name, place))

    return (not include or matches(include)) and not matches(exclude)


def _with_files(subject: Subject, patterns: Mapping[str, Path], missing_channels: str) -> Subject:
    image = subject.found.path
    guides, faults = dict(subject.guides), [subject.fault] if subject.fault else []
    for kind in (each for each in patterns if each not in guides):
        try:
            guides[kind] = named_by(kind, patterns[kind], image)
        except ParameterError as error:
            faults.append(str(error))
    for kind, path in guides.items():
        fault = lacking_guide(kind, path, image)
        if fault:
            faults.append(fault)
    lacking = lacking_part(image)
    if lacking is not None and missing_channels != "ok":
        faults.append(
            f"{image}: its channel {lacking} does not exist; add it, or pass missing_channels='ok' where it is meant"
        )
    return replace(subject, guides=guides, fault=faults[0] if faults else "")
