"""Several volumes in one DICOM series: slices at the same places, of other echoes, times or diffusion directions."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.dicom.dicom_file import phrase
from gmmseg.io.dicom.frames import Frame, normal_of

__all__ = ["Volume", "one_volume", "split_series", "volumes_of"]

Volume = tuple[str, list[Frame]]
"""What tells its slices from those of others, empty of the only one, and the slices."""

# What scanners vary within a series, the plainest first: a keyword, and what it is called.
_TELLING = {
    "EchoTime": "echo time",
    "EffectiveEchoTime": "echo time",
    "FrameType": "",
    "ImageType": "",
    "DiffusionBValue": "b value",
    "DiffusionGradientOrientation": "diffusion direction",
    "InversionTime": "inversion time",
    "FlipAngle": "flip angle",
    "TemporalPositionIdentifier": "time",
    "TemporalPositionIndex": "time",
    "NominalCardiacTriggerDelayTime": "trigger time",
    "TriggerTime": "trigger time",
    "FrameReferenceTime": "time",
    "AcquisitionNumber": "acquisition",
    "FrameAcquisitionNumber": "acquisition",
    "AcquisitionTime": "time",
}
_NUMBERED = re.compile(r"(.*)/(\d{1,6})")
_SAME_PLACE = 0.01  # mm
_DEEP = 4  # sequences in one another


def volumes_of(frames: Sequence[Frame]) -> list[Volume]:
    """Part slices that lie several times at each place into volumes of one slice at each.

    Parameters
    ----------
    frames : sequence of Frame
        Of one series, in any order.

    Returns
    -------
    list of Volume
        In the order of what tells them apart; one alone where slices lie at places of their own, or where nothing that
        their headers say parts them evenly.
    """
    places = _places(frames)
    n_places = len(set(places))
    parts: dict[tuple[Any, ...], list[int]] = {(): list(range(len(frames)))}
    told: list[str] = []
    for keyword, word in _TELLING.items() if 1 < n_places < len(frames) else ():
        said = [_said(frame, keyword) for frame in frames]
        finer: dict[tuple[Any, ...], list[int]] = {}
        for key, members in parts.items():
            for each in members:
                finer.setdefault((*key, said[each]), []).append(each)
        # Each has to have all places: what changes from slice to slice, as the time does, tells no volumes.
        if len(finer) > len(parts) and all(len({places[i] for i in each}) == n_places for each in finer.values()):
            parts, told = finer, [*told, word]
        if all(len(each) == n_places for each in parts.values()):
            ordered = sorted(parts, key=lambda key: [_order(value) for value in key])
            return [(_words(told, key), [frames[i] for i in parts[key]]) for key in ordered]
    return [("", list(frames))]


def one_volume(path: Path, frames: Sequence[Frame], series: str | None) -> list[Frame]:
    """Return the slices of the only volume, or of that which is asked for: "3/2" is the second one of series 3.

    Raises
    ------
    InputError
        There are several and none is named, or there is none of that number.
    """
    found = volumes_of(frames)
    name, number = split_series(series)
    if series is not None and series == phrase(frames[0].header.get("SeriesDescription") or ""):
        name, number = series, None  # a description may end as the number of a volume does
    if number is None and len(found) == 1:
        return found[0][1]
    if number is None or not 0 < number <= len(found):
        name = name or phrase(frames[0].header.get("SeriesNumber") or "")
        listed = "; ".join(f"{name}/{i} {word}".strip() for i, (word, _) in enumerate(found[:8], 1))
        count = f"{len(found)} volumes" if len(found) > 1 else "1 volume"
        more = "; ..." if len(found) > 8 else ""
        other = " or another" if len(found) > 1 else ""
        raise InputError(f"{path} is {count} in one series ({listed}{more}); pass series='{name}/1'{other}")
    return found[number - 1][1]


def split_series(series: str | None) -> tuple[str | None, int | None]:
    """Return by what a series is asked for, and the number of its volume, where one is named.

    Examples
    --------
    >>> split_series("3/2"), split_series("3"), split_series("/2"), split_series(None)
    (('3', 2), ('3', None), (None, 2), (None, None))
    """
    found = _NUMBERED.fullmatch(series or "")
    return (series, None) if found is None else (found[1] or None, int(found[2]))


def _places(frames: Sequence[Frame]) -> list[int]:
    """Return for each slice the number of the place along the normal where it lies; one each where that is unknown."""
    first = frames[0].orientation
    if first is None or any(frame.position is None for frame in frames):
        return list(range(len(frames)))
    heights = np.array([frame.position for frame in frames]) @ normal_of(first)
    order = np.argsort(heights, kind="stable")
    numbers = np.empty(len(frames), int)
    numbers[order] = np.concatenate([[0], np.cumsum(np.diff(heights[order]) > _SAME_PLACE)])
    return [int(number) for number in numbers]


def _said(frame: Frame, keyword: str) -> Hashable:
    """Return what a slice says: its own part of a file of several goes before what all of them share."""
    groups = frame.header.get("PerFrameFunctionalGroupsSequence")
    own = [groups[frame.index]] if groups else []
    value: Any = next(_found([*own, frame.header], keyword, _DEEP if own else 0), None)
    return tuple(map(_plain, value)) if hasattr(value, "__iter__") and not isinstance(value, str) else _plain(value)


def _found(items: Iterable[Any], keyword: str, deep: int) -> Iterator[Any]:
    """Yield the values of a keyword in items and, so deep, in the items of their sequences."""
    for item in items:
        if (value := item.get(keyword)) is not None:
            yield value
        elif deep and "PerFrameFunctionalGroupsSequence" not in item:
            inside = (element.value[0] for element in item if element.VR == "SQ" and element.value)
            yield from _found(inside, keyword, deep - 1)


def _plain(value: Any) -> Hashable:
    return float(value) if isinstance(value, int | float) else value if value is None else str(value)


def _order(value: Any) -> tuple[bool, Any]:
    """Return what values are sorted by: numbers first."""
    return (False, value) if isinstance(value, float) else (True, str(value))


def _words(told: Sequence[str], key: Sequence[Any]) -> str:
    """Say what tells a volume from the others: "echo time 20"."""
    values = [each if isinstance(each, tuple) else (each,) for each in key]
    texts = ["\\".join(f"{v:g}" if isinstance(v, float) else str(v) for v in each) for each in values]
    return phrase(", ".join(f"{word} {text}".strip() for word, text in zip(told, texts, strict=True)))
