"""Names of files that lie over an image, its mask or prior, by patterns: '{folder}/{name}_mask.tif'."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError, ParameterError
from gmmseg.io.formats import identify
from gmmseg.io.parts import files_of, name_of, parts_of, rule_parts

__all__ = [
    "called",
    "is_pattern",
    "lacking_guide",
    "masks_of",
    "named_by",
    "require_words",
    "root_of",
    "rule_with",
    "ruled_by",
]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_WORDS = ("folder", "name", "stem", "subject", "session", "dataset", "subfolder")
_SUBJECT, _SESSION = (re.compile(rf"(?<![^/_]){word}-[0-9A-Za-z]+") for word in ("sub", "ses"))


def is_pattern(value: object) -> bool:
    """Whether a path names another file for each image, by words in braces.

    Examples
    --------
    >>> is_pattern(Path("{folder}/{name}_mask.nii.gz")), is_pattern(Path("mask.nii.gz"))
    (True, False)
    """
    return isinstance(value, os.PathLike) and _PLACEHOLDER.search(str(value)) is not None and not Path(value).exists()


def named_by(kind: str, pattern: Path, image: Path) -> Path:
    """Return the file that a pattern names for an image.

    Raises
    ------
    ParameterError
        The pattern has a word that stands for nothing, or asks for a session that the image's path does not name.

    Examples
    --------
    >>> named_by("mask", Path("{folder}/{name}_mask.tif"), Path("scenes/a.tif")).as_posix()
    'scenes/a_mask.tif'
    >>> scan = Path("raw/sub-01/ses-a/anat/sub-01_ses-a_run-2_T1w.nii.gz")
    >>> named_by("mask", Path("{dataset}/derivatives/bet/{subfolder}/{stem}_mask.nii.gz"), scan).as_posix()
    'raw/derivatives/bet/sub-01/ses-a/anat/sub-01_ses-a_run-2_mask.nii.gz'
    """
    require_words(kind, pattern)
    words = _words(image)
    if "{session}" in str(pattern) and not words["session"]:
        raise ParameterError(
            f"{image}: its path names no session, but {called(kind)} {pattern} asks for it; write "
            "{subfolder} for the folders below the data set, or leave the image out"
        )
    return Path(_PLACEHOLDER.sub(lambda match: words[match[1]], str(pattern)))


def masks_of(given: Path | None, rule: str | None, image: Path) -> dict[str, Any]:
    """Return "mask" and "mask_values" of an image: what is given, with the files that patterns name for it.

    Raises
    ------
    InputError
        The file that the pattern names is not there, or is no image.
    ParameterError
        As of `named_by`.
    """
    ruled = ruled_by(rule)
    return {
        "mask": _mask_of(given, image) if given is not None and is_pattern(given) else given,
        "mask_values": rule if ruled is None else rule_with(_mask_of(ruled, image), rule),
    }


def _mask_of(pattern: Path, image: Path) -> Path:
    mask = named_by("mask", pattern, image)
    if fault := lacking_guide("mask", mask, image):
        raise InputError(fault)
    for part in parts_of(mask):
        identify(part)
    return mask


def ruled_by(rule: object) -> Path | None:
    """Return the pattern of the mask that values are of; None where they are of one file, or of one that scenes have.

    Examples
    --------
    >>> ruled_by("{folder}/{name}_scl.tif:4,5").as_posix(), ruled_by("SCL:4,5")
    ('{folder}/{name}_scl.tif', None)
    """
    ruled = Path(rule_parts(rule)[0]) if isinstance(rule, str) else None
    return ruled if is_pattern(ruled) else None


def rule_with(mask: Path, rule: Any) -> str:
    """Return a rule of the same band and values of another mask.

    Examples
    --------
    >>> rule_with(Path("a_scl.tif"), "{name}_scl.tif:4,5")
    'a_scl.tif:4,5'
    """
    _, band, values = rule_parts(rule)
    return f"{mask}@{band}:{values}" if band else f"{mask}:{values}"


def lacking_guide(kind: str, path: Path, image: Path) -> str:
    """Return what to say where a file that lies over an image is not there; empty where it is."""
    lacking = next((part for part in parts_of(path) if not part.exists()), None)
    if lacking is None:
        return ""
    return f"{image}: its {called(kind)} {lacking} does not exist; add it, or leave the image out"


def called(kind: str) -> str:
    """Return what messages call a file that lies over an image: that of "mask_values" is a mask."""
    return kind.partition("_")[0]


def require_words(kind: str, pattern: Path) -> None:
    """Refuse a pattern with words in braces that stand for nothing; ParameterError."""
    for word in _PLACEHOLDER.findall(str(pattern)):
        if word not in _WORDS:
            known = [f"{{{each}}}" for each in _WORDS]
            raise ParameterError(
                f"{called(kind)} {pattern} has {{{word}}}, which stands for nothing; "
                f"use {', '.join(known[:-1])} or {known[-1]}"
            )


def root_of(image: Path) -> Path:
    """Return the data set that an image is of: the folder above sub-..., or the image's own.

    Examples
    --------
    >>> root_of(Path("raw/sub-01/anat/sub-01_T1w.nii.gz")).as_posix()
    'raw'
    """
    subjects = [each for each in image.parents if each.name.startswith("sub-")]
    return subjects[-1].parent if subjects else image.parent


def _words(image: Path) -> dict[str, str]:
    """Return what the words in braces stand for."""
    first = files_of(image)[0]
    absolute = Path(os.path.abspath(first))
    path = absolute.as_posix()
    subjects, sessions = _SUBJECT.findall(path), _SESSION.findall(path)
    name = name_of([first])
    root = root_of(absolute)  # the folder of a subject may lie above what is given
    return {
        "folder": str(first.parent),
        "name": name,
        "stem": name.rpartition("_")[0] or name,
        "subject": subjects[-1] if subjects else name,
        "session": sessions[-1] if sessions else "",
        "dataset": str(root) if first.is_absolute() else os.path.relpath(root),
        "subfolder": os.path.relpath(absolute.parent, root),
    }
