"""Names and colours of classes in a PNG file: a text chunk of ours, and the palette."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gmmseg.errors import InputError
from gmmseg.io.classes import CLASS_NAMES, names_of_json
from gmmseg.io.damage import explained

if TYPE_CHECKING:
    import numpy as np

__all__ = ["class_colors", "class_names", "texts_of"]

_MOST_BYTES = 1 << 20  # of names


def texts_of(names: tuple[str, ...]) -> dict[str, str]:
    """Return what a label map says of its classes in words: a list of names in JSON, class 1 first."""
    return {CLASS_NAMES: json.dumps(names, ensure_ascii=False)}


def class_names(path: Path) -> tuple[str, ...] | None:
    """Return the names in the text chunk "class_names"; None where there is none."""
    for content in _chunks(path, b"iTXt", b"tEXt"):
        keyword, _, rest = content.partition(b"\0")
        if keyword.decode("latin-1") != CLASS_NAMES or rest[:1] == b"\1":
            continue
        text = rest.rpartition(b"\0")[2]
        try:
            return names_of_json(text.decode())
        except ValueError as error:
            raise InputError(f"{path}: its class names are no list of texts ({error}); write it again") from None
    return None


def class_colors(path: Path) -> np.ndarray | None:
    """Return the palette without its colour of 0; None where there is none."""
    import numpy as np

    content = next(iter(_chunks(path, b"PLTE")), b"")
    return np.frombuffer(content[: len(content) // 3 * 3], np.uint8).reshape(-1, 3)[1:] if content else None


def _chunks(path: Path, *kinds: bytes) -> list[bytes]:
    """Return the content of the chunks of some kinds that stand before the pixels."""
    with explained(path, "write the PNG file again"), open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        return [_content(file, place, length) for place, kind, length in _heads(file, size) if kind in kinds]


def _content(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(min(length, _MOST_BYTES))


def _heads(file: BinaryIO, size: int) -> list[tuple[int, bytes, int]]:
    """Return where the content of each chunk before the pixels begins, its kind and its length."""
    heads, place = [], 8
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"IDAT", b"IEND"):
            break
        heads.append((place + 8, kind, length))
        place += 12 + length
    return heads
