"""TIFF compressions that tifffile leaves to the imagecodecs package, read by Pillow or OpenCV where they are exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.request import Reading, require_bytes
from gmmseg.io.tiff.inflating import segment_room

__all__ = ["read_without_codec"]

_ROWS = 256
# Pillow modes whose array is what the file stores.
_EXACT_MODES = frozenset({"1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "F", "I;16", "I;16B"})


def read_without_codec(path: Path, series: Any, reading: Reading) -> np.ndarray:
    """Decode a series page by page without imagecodecs.

    Parameters
    ----------
    path : Path
        The file.
    series : tifffile.TiffPageSeries
        What to decode.
    reading : Reading
        Whose `budget` is the limit.

    Returns
    -------
    ndarray
        In the shape and dtype of the series. Grey whose zero is white is turned round already.

    Raises
    ------
    InputError
        Neither library keeps the values; the message names the package that does.
    """
    page = series.keyframe
    samples = page.samplesperpixel
    wide = page.dtype is not None and page.dtype.itemsize > 1
    if samples in (3, 4) and wide and len(series.pages) == 1 and int(page.photometric) == 2:
        pixels = _with_opencv(path)
    elif samples in (1, 2, 3, 4) and not (samples > 1 and wide):
        # Pillow holds a page with 4 bytes a pixel of colour.
        held = page.imagewidth * page.imagelength * (4 if samples > 1 else page.dtype.itemsize)
        require_bytes(path, series.nbytes + held + segment_room(page), reading, "its pixels, with those of a page,")
        pixels = _with_pillow(path, series)
    else:
        pixels = None
    if pixels is None or pixels.size != int(np.prod(series.shape)) or pixels.dtype != series.dtype:
        raise InputError(
            f"{path} is compressed with {page.compression.name}, which needs another package here; "
            "pip install imagecodecs, or save the file with deflate compression"
        )
    return pixels.reshape(series.shape)


def _with_opencv(path: Path) -> np.ndarray | None:
    """Decode one colour page of 16 or 32 bits a sample."""
    from gmmseg.io.picture.opencv import decode  # here, because few files need it

    pixels, _ = decode(path, deep=True)
    return pixels


def _with_pillow(path: Path, series: Any) -> np.ndarray | None:
    """Decode every page in a mode that keeps the values, or return None."""
    from gmmseg.io.picture.opencv import captured_stderr  # here, because few files need it
    from gmmseg.io.picture.pillow import open_picture  # here, because few files need it

    pixels = np.empty((len(series.pages), *series.keyframe.shape), series.dtype)
    with captured_stderr(), open_picture(path, "TIFF") as picture:
        for page, out in zip(series.pages, pixels, strict=True):
            picture.seek(page.index)
            if picture.mode not in _EXACT_MODES or picture.size != (
                page.keyframe.imagewidth,
                page.keyframe.imagelength,
            ):
                return None
            picture.load()
            # In bands, because Pillow copies what NumPy takes twice.
            for top in range(0, picture.height, _ROWS):
                band = picture.crop((0, top, picture.width, min(top + _ROWS, picture.height)))
                out[top : top + _ROWS] = np.asarray(band.convert("L")) != 0 if picture.mode == "1" else np.asarray(band)
    return pixels
