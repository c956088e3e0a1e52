"""Decoding with Pillow: every picture that is not plain 8-bit grey or RGB, and the exact reason where one is broken.

Pillow is given files without what it warns of -- texts, EXIF data, further pictures --, because to silence a warning
would be to change the filters of the whole process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.damage import explained

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["decode", "decode_indices", "decoded_bytes", "encode", "open_picture", "orientation_of", "resolution_of"]

# How Pillow calls its classes.
_PLUGINS = {"PNG": "Png", "JPEG": "Jpeg", "WebP": "WebP", "BMP": "Bmp", "GIF": "Gif", "TIFF": "Tiff", "AVIF": "Avif"}
_OTHER_PLUGINS = {"JPEG XL": ("pillow_jxl.JpegXLImagePlugin", "JXLImageFile")}

_AT_ONCE = 1 << 20  # pixels that are taken out of a picture together: Pillow makes two copies of them
_SINGLE = ("1", "L", "P")  # modes of which Pillow stores a byte a pixel; of others it stores four, I;16 aside
_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")


@contextlib.contextmanager
def open_picture(path: Path, format_name: str, content: BinaryIO | None = None) -> Iterator[ImageFile]:
    """Open a picture by Pillow's class for its format; anything that then goes wrong becomes an InputError.

    Parameters
    ----------
    path : Path
    format_name : str
    content : BinaryIO, optional
        What Pillow is given in place of the file.

    Notes
    -----
    Naming the class, instead of `PIL.Image.open`, spares importing 5 plugins (19 ms) and Pillow's own limit on the
    number of pixels, a process-wide setting. Pillow is never given a name, because it maps files that it opens itself:
    the process would end where one is cut short meanwhile.
    """
    with explained(path, f"export or download the {format_name} file again"):
        plugin = _PLUGINS.get(format_name)
        name, kind = (
            _OTHER_PLUGINS[format_name] if plugin is None else (f"PIL.{plugin}ImagePlugin", f"{plugin}ImageFile")
        )
        opened = getattr(import_module(name), kind)
        with contextlib.ExitStack() as stack:
            file = content if content is not None else stack.enter_context(open(path, "rb"))
            file.seek(0)
            yield stack.enter_context(opened(file))


def decode(picture: ImageFile, *, indices: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode an open picture as stored, without applying its orientation; of a palette the colours, or the `indices`.

    Returns
    -------
    pixels : ndarray, shape (rows, columns) or (rows, columns, 3)
        One channel or RGB.
    alpha : ndarray, shape (rows, columns), optional
        0 where transparent.
    """
    picture.load()
    mode = picture.mode
    if mode == "1":
        return _bits(picture), None
    if mode == "P" and indices:
        pixels = _array(picture, mode)
        opacity = _opacity(picture.info.get("transparency"))
        return pixels, None if opacity is None else opacity[pixels]
    if mode in _WITH_ALPHA or "transparency" in picture.info:
        return _with_alpha(picture)
    return _array(picture, mode if mode in ("RGB", "L", "F", "I") or mode.startswith("I;16") else "RGB"), None


def _opacity(transparency: int | bytes | None) -> np.ndarray | None:
    """Return the alpha of each colour of a palette: one of them is transparent, or the first have a byte each."""
    if transparency is None:
        return None
    opacity = np.full(256, 255, np.uint8)
    if isinstance(transparency, int):
        opacity[transparency] = 0
    else:
        opacity[: len(transparency)] = np.frombuffer(transparency, np.uint8)
    return opacity


def decoded_bytes(picture: ImageFile) -> tuple[int, int]:
    """Return what a pixel takes of an open picture: in Pillow while it is decoded, and in what is returned."""
    mode = picture.mode
    stored = 1 if mode in _SINGLE else 2 if mode.startswith("I;16") else 4
    if mode in _WITH_ALPHA or "transparency" in picture.info:
        return stored, 4
    return stored, stored if mode in ("1", "L", "I", "F") or stored == 2 else 3


def _array(picture: ImageFile, mode: str) -> np.ndarray:
    """Return the pixels of a decoded picture in a mode, a strip at a time."""
    width, height = picture.size
    rows, whole = max(1, _AT_ONCE // max(1, width)), None
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        part = np.asarray(strip if strip.mode == mode else strip.convert(mode))
        if whole is None:
            whole = np.empty((height, *part.shape[1:]), part.dtype.newbyteorder("="))
        whole[top : top + rows] = part
    assert whole is not None
    return whole


def _bits(picture: ImageFile) -> np.ndarray:
    """Return a 1-bit picture as uint8 0 and 1; Pillow's own boolean arrays may hold 255 for true."""
    bits = _array(picture, "L")
    np.not_equal(bits, 0, out=bits.view(bool))
    return bits


def _with_alpha(picture: ImageFile) -> tuple[np.ndarray, np.ndarray]:
    """Split transparency off, whether it is a channel, a palette entry or a single colour."""
    if picture.mode.startswith("I;16"):
        grey = _array(picture, picture.mode)
        return grey, grey != picture.info["transparency"]
    if picture.mode in ("L", "LA", "La"):
        pair = _array(picture, "LA")
        return pair[..., 0], pair[..., 1]
    four = _array(picture, "RGBA")
    return four[..., :3], four[..., 3]


def decode_indices(path: Path, picture: ImageFile) -> np.ndarray:
    """Decode a label map: palette indices or grey values as they are, shape (rows, columns)."""
    picture.load()
    mode = picture.mode
    if not (mode in ("1", "P", "L", "I") or mode.startswith("I;16")):
        raise InputError(f"{path} is a colour picture (mode {mode}), not a label map; give a palette or grey image")
    return _bits(picture) if mode == "1" else _array(picture, mode)


def orientation_of(picture: ImageFile) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none."""
    found = picture.getexif().get(0x0112, 1)
    return found if found in range(1, 9) else 1


def resolution_of(picture: ImageFile) -> tuple[float, float] | None:
    """Return the resolution, across and down, in pixels an inch."""
    dpi = picture.info.get("dpi")
    try:
        across, down = (float(value) for value in dpi or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if across > 0 and down > 0 else None


def encode(file: BinaryIO, rgb: np.ndarray, format_name: str, *, dpi: tuple[float, float] | None) -> None:
    """Write an RGB or grey picture as JPEG or WebP."""
    from PIL import Image as Pillow

    options: dict[str, Any] = {"quality": 92}
    if dpi is not None and format_name == "JPEG":
        options["dpi"] = dpi
    Pillow.fromarray(rgb).save(file, format=format_name, **options)
