"""Decoding with Pillow: every picture that is not plain 8-bit grey or RGB, and the exact reason where one is broken."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.damage import explained

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["decode", "decode_indices", "encode", "open_picture", "orientation_of", "resolution_of"]

# How Pillow calls its classes.
_PLUGINS = {"PNG": "Png", "JPEG": "Jpeg", "WebP": "WebP", "BMP": "Bmp", "GIF": "Gif", "TIFF": "Tiff"}

# Python's warning filters belong to the whole process.
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def open_picture(path: Path, format_name: str) -> Iterator[ImageFile]:
    """Open a picture by Pillow's class for its format; anything that then goes wrong becomes an InputError.

    Naming the class, instead of `PIL.Image.open`, spares importing 5 plugins (19 ms) and Pillow's own limit on the
    number of pixels, a process-wide setting.
    """
    with (
        _one_at_a_time,
        warnings.catch_warnings(),
        explained(path, f"export or download the {format_name} file again"),
    ):
        warnings.simplefilter("ignore")
        module = import_module(f"PIL.{_PLUGINS[format_name]}ImagePlugin")
        with getattr(module, f"{_PLUGINS[format_name]}ImageFile")(path) as picture:
            yield picture


def decode(picture: ImageFile) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode an open picture as stored, without applying its orientation.

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
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        return _with_alpha(picture)
    if mode in ("RGB", "L", "F", "I") or mode.startswith("I;16"):
        pixels = np.asarray(picture)
        return (pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))), None
    return np.asarray(picture.convert("RGB")), None


def _bits(picture: ImageFile) -> np.ndarray:
    """Return a 1-bit picture as uint8 0 and 1; Pillow's own boolean arrays may hold 255 for true."""
    bits: np.ndarray = np.asarray(picture.convert("L")) != 0
    return bits.view(np.uint8)


def _with_alpha(picture: ImageFile) -> tuple[np.ndarray, np.ndarray]:
    """Split transparency off, whether it is a channel, a palette entry or a single colour."""
    if picture.mode.startswith("I;16"):
        grey = np.asarray(picture)
        return grey, grey != picture.info["transparency"]
    if picture.mode in ("L", "LA", "La"):
        pair = np.asarray(picture.convert("LA"))
        return pair[..., 0], pair[..., 1]
    four = np.asarray(picture.convert("RGBA"))
    return four[..., :3], four[..., 3]


def decode_indices(picture: ImageFile) -> np.ndarray:
    """Decode a label map: palette indices or grey values as they are, shape (rows, columns)."""
    picture.load()
    if picture.mode == "1":
        return _bits(picture)
    if picture.mode in ("P", "L", "I") or picture.mode.startswith("I;16"):
        return np.asarray(picture)
    raise InputError(
        f"{picture.filename!s} is a colour picture (mode {picture.mode}), not a label map; give a palette or grey image"
    )


def orientation_of(picture: ImageFile) -> int:
    """Return the EXIF orientation, 1 where there is none or it makes no sense."""
    try:
        value = picture.getexif().get(0x0112, 1)
    except Exception:
        # Damaged EXIF data raise almost anything, and a picture shows without it.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def resolution_of(picture: ImageFile) -> dict[str, Any]:
    """Return the resolution as metadata: {"dpi": (across, down)} or nothing."""
    dpi = picture.info.get("dpi")
    try:
        across, down = (float(value) for value in dpi or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return {}
    return {"dpi": (across, down)} if across > 0 and down > 0 else {}


def encode(file: BinaryIO, rgb: np.ndarray, format_name: str, *, dpi: tuple[float, float] | None) -> None:
    """Write an RGB or grey picture as JPEG or WebP."""
    from PIL import Image as Pillow

    options: dict[str, Any] = {"quality": 92}
    if dpi is not None and format_name == "JPEG":
        options["dpi"] = dpi
    Pillow.fromarray(rgb).save(file, format=format_name, **options)
