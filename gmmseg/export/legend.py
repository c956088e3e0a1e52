"""A legend below a picture: a swatch and a text for each class, in as many columns as fit."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from gmmseg.arrays import Array

__all__ = ["with_legend"]

Entry = tuple[tuple[int, int, int], str]

_LETTERS = 36  # heights of a letter that the picture is wide
_LEAST, _MOST = 11, 96  # pixels of the height of letters
_MOST_TEXT = 40  # characters
_PAPER, _INK, _FRAME = (255, 255, 255), (30, 30, 30), (120, 120, 120)


def with_legend(picture: Array, entries: Sequence[Entry]) -> Array:
    """Return a picture with a legend on a white strip below it, which hides nothing.

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, columns, 3)
    entries : sequence of (tuple of int, str)
        Red, green and blue of a swatch, and the text beside it.

    Returns
    -------
    ndarray of uint8, shape (more rows, columns, 3)
        The first rows are the picture. Texts that are wider than a narrow picture are cut at its edge.
    """
    if not entries:
        return picture
    from PIL import Image as Pillow
    from PIL import ImageDraw

    columns = picture.shape[1]
    height = int(np.clip(columns // _LETTERS, _LEAST, _MOST))
    line, font = height * 8 // 5, _font(height, all(text.isascii() for _, text in entries))
    texts = [_written(text, font) for _, text in entries]
    widest = 3 * height + max(int(font.getlength(text)) for text in texts)
    across = max(1, min(len(entries), columns // widest))
    down = -(-len(entries) // across)
    strip = Pillow.new("RGB", (columns, down * line + line // 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    for number, ((color, _), text) in enumerate(zip(entries, texts, strict=True)):
        left = height // 2 + number // down * (columns // across)
        top = line // 4 + number % down * line
        middle = top + line // 2
        swatch = (left, middle - height // 2, left + height, middle + height // 2)
        draw.rectangle(swatch, fill=color, outline=_FRAME)
        draw.text((left + height * 3 // 2, middle), text, fill=_INK, font=font, anchor="lm")
    return np.concatenate([picture, np.asarray(strip)])


@cache
def _font(height: int, plain: bool) -> Any:
    """Return a font whose letters are about so many pixels high; for others than ASCII's one of the system's."""
    from PIL import ImageFont

    if not plain:
        with suppress(OSError):
            return ImageFont.truetype("DejaVuSans.ttf", height)
    return ImageFont.load_default(height)


def _written(text: str, font: Any) -> str:
    """Return a text as it fits, in letters that the font has: Pillow's own has few beyond ASCII."""
    if not text.isascii() and "DejaVu" not in font.getname()[0]:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."
