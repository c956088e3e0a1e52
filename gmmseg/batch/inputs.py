"""Which images there are: in folders, by patterns, in lists and by name; and which files are none."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gmmseg.batch.manifest import Manifest
from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.io.addresses import address_of, shown
from gmmseg.io.beginning import first_bytes, is_text
from gmmseg.io.formats import FORMATS, GDAL, identify
from gmmseg.io.parts import files_of
from gmmseg.io.regular import require_regular
from gmmseg.io.satellite.band_files import is_metadata, require_whole_scenes

__all__ = ["Found", "find_images", "images_of", "listed"]

_MAGIC = set("*?[")
# Rasters that are text; GDAL may take tables and notes for one, too.
_WRITTEN_OUT = (".asc", ".grd", ".vrt", ".xyz")


@dataclass(frozen=True)
class Found:
    """A file, or a folder that is one image (a DICOM series).

    Parameters
    ----------
    path : Path
    base : Path
        The folder whose structure is kept below the folder of the results.
    reason : str
        Why it is no image; empty where it is one, or is named as one.
    """

    path: Path
    base: Path
    reason: str = ""

    @property
    def place(self) -> str:
        """Its path below the base."""
        return os.path.relpath(os.path.abspath(self.path), os.path.abspath(self.base))


def find_images(sources: Sequence[str | os.PathLike[str]], *, without: Path) -> list[Found]:
    """Find the files that some sources mean.

    Parameters
    ----------
    sources : sequence of path-like
        Folders (with all below them), patterns such as "scenes/**/*.tif", lists (.txt: one path a line, or with NUL
        characters between them as `find -print0` writes them; files in the folder of the list or below; a line that
        begins with # and is no file is a comment) and images.
        Hidden files and folders, and results of other batches, are left out of folders.
    without : Path
        A folder that is left out of folders and patterns: that of the results.

    Returns
    -------
    list of Found
        In order of their paths within each source.

    Raises
    ------
    InputError
        A source does not exist or is an address, a pattern matches no file, a list is empty, cannot be read, or names a
        file that lies outside of its folder once links are resolved.
    OutputError
        The results would lie among the images.
    ParameterError
        Images are bands of one scene.
    """
    found: list[Found] = []
    named: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir() and not _is_image(source):
            found += _in_folder(source, _apart(source, without))
        elif not source.exists() and _MAGIC & set(str(source)):
            found += _by_pattern(source, without)
        elif source.suffix.lower() == ".txt" and not is_metadata(source):
            named += _in_list(source)
        elif (address := address_of(source)) is not None and address.kind != "scene":
            raise InputError(
                f"{shown(source)} is an address, and a batch is of files, which are looked at again when it resumes; "
                "download or unpack it first, or give it to `gmmseg segment`"
            )
        elif not source.exists():
            raise InputError(f"{source} does not exist; give a folder, a pattern in quotes, a list or images")
        else:
            named.append(source)
    require_whole_scenes(named)
    if named:
        # Structure is kept below the folder that all have in common.
        base = Path(os.path.commonpath([os.path.abspath(path.parent) for path in named]))
        found += [Found(path, base) for path in named]
    return found


def _is_image(path: Path) -> bool:
    """Whether a file, or a folder as a whole, is an image."""
    try:
        return identify(path) is not GDAL or not _is_note(path)
    except InputError:
        return False


def _holds_results(folder: Path) -> bool:
    try:
        return bool(Manifest.read(folder).lines)
    except InputError:
        return False


def _apart(folder: Path, results: Path) -> Path:
    """Return the real path of the results' folder; images and results in one folder would be mixed up next time."""
    real = Path(os.path.realpath(results))
    if real == Path(os.path.realpath(folder)):
        raise OutputError(f"{results} is where the images are; choose another folder for the results")
    return real


def _in_folder(folder: Path, without: Path) -> Iterator[Found]:
    for parent, folders, files in os.walk(folder):
        kept = []
        for name in sorted(folders):
            path = Path(parent, name)
            if name.startswith(".") or Path(os.path.realpath(path)) == without:
                continue
            if _is_image(path):
                yield Found(path, folder)
            elif _holds_results(path):
                yield Found(path, folder, "holds the results of a batch")
            else:
                kept.append(name)
        folders[:] = kept
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(parent, name)
                yield Found(path, folder, _why_not(path))


def _by_pattern(pattern: Path, without: Path) -> list[Found]:
    import glob

    base = Path(*itertools.takewhile(lambda part: not _MAGIC & set(part), pattern.parts))
    results = _apart(base, without)
    within = Path(os.path.realpath(base)) in results.parents
    matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]
    files = [
        path
        for path in matches
        if path.is_file() and not (within and results in Path(os.path.realpath(path.parent), "_").parents)
    ]
    if not files:
        raise InputError(f"{pattern} matches no file; check the pattern")
    return [Found(path, base, _why_not(path)) for path in files]


def _in_list(path: Path) -> list[Path]:
    try:
        require_regular(path)
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; give a list of one path a line") from None
    by_program = b"\0" in content  # which writes no comments
    lines = content.split(b"\0") if by_program else content.splitlines()
    entries = [Path(os.fsdecode(line)) for line in lines if line.strip()]
    paths = [
        each
        for each in entries
        if by_program or not str(each).startswith("#") or all(map(os.path.exists, files_of(each)))
    ]
    if not paths:
        raise InputError(f"{path} names no image; write one path a line")
    folder = os.path.dirname(os.path.realpath(path))
    for each in paths:
        _require_below(folder, each, path)
    return paths


def _require_below(folder: str, entry: Path, path: Path) -> None:
    """Refuse an entry that leads out of the list's folder: somebody else may have written the list."""
    for file in files_of(entry):
        real = os.path.realpath(file)
        if os.path.commonpath([real, folder]) != folder:
            raise InputError(
                f"{path} names {entry}, which is {real} and not in the list's folder {folder}; "
                "put the list into a folder above its images, or name them on the command line"
            )


def _why_not(path: Path) -> str:
    """Return why a file is no image; one that is named as one is taken for one, and fails when it is its turn."""
    try:
        with suppress(OSError):  # it is not there; that is said when it is its turn
            require_regular(path)
        if path.name.lower().endswith(_sure_suffixes()):
            return ""
        known = identify(path)
        if known is GDAL and _is_note(path):
            return f"is text, and not named as a raster ({' '.join(_WRITTEN_OUT)})"
    except InputError as error:
        return str(error).removeprefix(f"{path} ").partition(";")[0]
    return f"may be {known.name}, but is not named so" if known.weak else ""


@cache
def _sure_suffixes() -> tuple[str, ...]:
    """Return the ends of names that nothing but images has."""
    return tuple(end for known in FORMATS if not known.named for end in known.suffixes)


def _is_note(path: Path) -> bool:
    """Whether a file is text that is not named as a raster."""
    return path.suffix.lower() not in _WRITTEN_OUT and is_text(first_bytes(path))


def images_of(paths: Sequence[Path]) -> list[Path]:
    """Return images, with each folder replaced by the images in it, in the order of their names, and each list by its.

    Hidden files, label maps (NAME_labels.*) and what is no image are left out of folders. A list (.txt) is as of
    `find_images`.

    Raises
    ------
    InputError
        A list cannot be read, or names a file outside of its folder.
    ParameterError
        A folder has no image, or images are bands of one scene.
    """
    return [each.path for each in listed(paths) if not each.reason]


def listed(paths: Sequence[Path]) -> list[Found]:
    """Return images as `images_of` does, and beside those of a folder the files that are named as images but are none.

    Raises
    ------
    InputError, ParameterError
        As of `images_of`.
    """
    found: list[Found] = []
    for path in paths:
        if path.suffix.lower() == ".txt" and path.is_file() and not is_metadata(path):
            found += [Found(each, path.parent) for each in _in_list(path)]
            continue
        if not path.is_dir() or _is_image(path):  # a folder of DICOM files, or of the bands of a scene, is one image
            found.append(Found(path, path.parent))
            continue
        inside = [*_among(path)]
        if all(each.reason for each in inside):
            raise ParameterError(f"{path} is a folder without images; name images, or another folder")
        found += inside
    require_whole_scenes([each.path for each in found if not each.reason])
    return found


def _among(folder: Path) -> Iterator[Found]:
    for path in sorted(folder.iterdir()):
        if _is_passed_over(path.name):
            continue
        if _is_image(path):
            yield Found(path, folder)
        elif not path.is_dir() and path.name.lower().endswith(_sure_suffixes()):
            try:
                identify(path)
            except InputError as error:
                yield Found(path, folder, str(error))


def _is_passed_over(name: str) -> bool:
    """Whether a file of this name is hidden or a label map."""
    return name.startswith(".") or name.partition(".")[0].endswith("_labels")
