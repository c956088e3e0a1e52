"""TIFF compressions that tifffile leaves to the imagecodecs package, read by Pillow or OpenCV where they are exact."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.request import Reading, require_bytes
from gmmseg.io.tiff.inflating import segment_room
from gmmseg.io.tiff.soundness import name_of

__all__ = ["LERC", "ORIENTATION", "read_without_codec"]

_BAND = 1 << 22  # pixels
_WEBP = 50001
LERC = 34887
"""A compression of elevation, by its number in TIFF files."""

ORIENTATION = 274
"""The tag that says how a page is turned and mirrored for display, which its pixels are not."""

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
        As stored, in the shape and dtype of the series.

    Raises
    ------
    InputError
        Neither library keeps the values; the message names the package that does.
    """
    page, pages = series.keyframe, list(series.pages)
    samples, n_pixels = page.samplesperpixel, page.imagewidth * page.imagelength
    wide = page.dtype is not None and page.dtype.itemsize > 1
    if page.compression in (LERC, _WEBP):
        name = "LERC" if page.compression == LERC else "WebP"
        # GDAL, where it is installed, has single pages already.
        needed, got = ("rasterio", "'gmmseg[geo]'") if len(pages) == 1 else ("imagecodecs", "imagecodecs")
        raise InputError(
            f"{path} is compressed with {name}, which needs {needed}, which is not installed; pip install {got}"
        )
    pixels = None
    # Either holds a page with 4 bytes a pixel of colour, beside a strip or tile.
    held = n_pixels * page.dtype.itemsize * (1 if samples == 1 else 4) + segment_room(page)
    require_bytes(path, series.nbytes + held, reading, "its pixels, with those of a page,")
    together = page.planarconfig == 1
    plain = int(page.photometric) == 2 and page.index == 0 and page.tags.valueof(ORIENTATION, 1) == 1
    if samples in (3, 4) and wide and together and len(pages) == 1 and plain:
        pixels = _with_opencv(path)
    elif samples in (1, 2, 3, 4) and not (samples > 1 and wide):
        pixels = _with_pillow(path, series)
    if pixels is not None and samples > 1 and not together:  # Pillow gives samples last
        pixels = np.ascontiguousarray(np.moveaxis(pixels, -1, -3))
    if pixels is None or pixels.size != int(np.prod(series.shape)) or pixels.dtype != series.dtype:
        raise InputError(
            f"{path} is compressed with {name_of(page.compression).upper()}, which needs another package here; "
            "pip install imagecodecs, or save the file with deflate compression"
        )
    return _stored(page, pixels).reshape(series.shape)


def _stored(page: Any, pixels: np.ndarray) -> np.ndarray:
    """Return grey as it is in the file, of which Pillow makes 0 black and 255 white where it has up to 8 bits."""
    grey, bits = int(page.photometric) in (0, 1), page.bitspersample
    if int(page.photometric) == 0 and pixels.dtype.itemsize == 1:
        pixels = ~pixels
    return pixels // (255 // (2**bits - 1)) if grey and bits in (2, 4) else pixels


def _with_opencv(path: Path) -> np.ndarray | None:
    """Decode one colour page of 16 or 32 bits a sample."""
    from gmmseg.io.picture.opencv import decode  # here, because few files need it

    pixels, _ = decode(path, deep=True)
    return pixels


def _with_pillow(path: Path, series: Any) -> np.ndarray | None:
    """Decode every page in a mode that keeps the values, or return None; pages that are missing are 0."""
    from PIL import Image as Pillow  # here, because few files need it

    page = series.keyframe
    most = None if Pillow.MAX_IMAGE_PIXELS is None else 2 * Pillow.MAX_IMAGE_PIXELS
    if most is not None and page.imagewidth * page.imagelength > most:
        raise InputError(
            f"{path} is compressed with {name_of(page.compression).upper()}, of which pages of more than {most} pixels "
            "need another package here; pip install imagecodecs, or save the file with deflate compression"
        )
    samples = (page.samplesperpixel,) if page.samplesperpixel > 1 else ()
    pixels = np.zeros((len(series.pages), page.imagelength, page.imagewidth, *samples), series.dtype)
    places = defaultdict(list)
    for each, out in zip(series.pages, pixels, strict=True):
        if each is not None:
            places[each.parent.filehandle.path].append((each.index, out))
    exact = all(_fill(Path(file), of_file) for file, of_file in places.items())
    return pixels if exact else None


def _fill(path: Path, places: list[tuple[int, np.ndarray]]) -> bool:
    """Decode pages of one file, by their numbers; return whether the values are those of the file."""
    from gmmseg.io.picture.format import upright  # here, because few files need it
    from gmmseg.io.picture.opencv import captured_stderr  # here, because few files need it
    from gmmseg.io.picture.pillow import open_picture, orientation_of  # here, because few files need it

    with captured_stderr(), open_picture(path, "TIFF") as picture:
        for number, out in places:
            picture.seek(number)
            shown = upright(out, orientation_of(picture))  # which loading makes of it
            if picture.mode not in _EXACT_MODES or picture.size[::-1] != shown.shape[:2]:
                return False
            picture.load()
            # In bands, because Pillow copies twice what NumPy takes.
            rows = max(1, _BAND // picture.width)
            for top in range(0, picture.height, rows):
                band = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
                shown[top : top + rows] = (
                    np.asarray(band.convert("L")) != 0 if picture.mode == "1" else np.asarray(band)
                )
    return True
