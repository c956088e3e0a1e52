"""Names and colours of classes in a TIFF file: in its description, GDAL's metadata and its colour map."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.classes import CLASS_NAMES, default_names, names_of_json
from gmmseg.io.request import Reading
from gmmseg.io.tiff.soundness import opened_tiff

__all__ = ["colors_in_tiff", "names_in_tiff"]

_GDAL_METADATA = 42112
_MOST_CHARACTERS = 1 << 20
_LINE = re.compile(r"(\d{1,3}) = (.+)")  # of what ImageJ shows as the info of an image
_ITEM = re.compile(r'<Item\s[^>]*name="class_(\d{1,5})"[^>]*>([^<]*)</Item>')


def names_in_tiff(path: Path) -> tuple[str, ...] | None:
    """Return the names of classes, class 1 first; None where there are none."""
    with opened_tiff(path, Reading(), whole=False) as tiff:
        page = tiff.pages.first
        description, tag = str(page.description)[:_MOST_CHARACTERS], page.tags.get(_GDAL_METADATA)
        items = "" if tag is None else str(tag.value)[:_MOST_CHARACTERS]
        info = str((tiff.imagej_metadata or {}).get("Info", ""))[:_MOST_CHARACTERS] if tiff.is_imagej else ""
    listed = re.search(r"<Description>(.*?)</Description>", description, re.DOTALL)
    if f"{CLASS_NAMES}" in description:
        try:
            content = json.loads(html.unescape(listed[1]) if listed else description)
            return names_of_json(json.dumps(content[CLASS_NAMES]))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{path}: its class names are no list of texts; write it again") from None
    # GDAL escapes names twice.
    found = {int(number): html.unescape(html.unescape(name)).strip() for number, name in _ITEM.findall(items)}
    lines = [_LINE.fullmatch(line) for line in info.splitlines()]
    if all(lines):  # microscopes write much else there
        found |= {int(line[1]): line[2].strip() for line in lines if line}
    return default_names(max(found), found) if found else None


def colors_in_tiff(path: Path) -> np.ndarray | None:
    """Return the colours of classes, class 1 first, (n, 3) uint8; None where there is no colour map."""
    with opened_tiff(path, Reading(), whole=False) as tiff:
        colors = tiff.pages.first.colormap
    return None if colors is None or len(colors) != 3 else (np.asarray(colors).T[1:] >> 8).astype(np.uint8)
