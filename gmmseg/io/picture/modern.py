"""AVIF and JPEG XL: pictures that Pillow, or a plugin of it, decodes alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.picture.format import Picture, upright_image, warn_of_frames
from gmmseg.io.request import Reading, require_bytes, require_room

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["AVIF", "JXL", "jxl_size"]

_LOOK = 1 << 16  # bytes, in which the picture of a JPEG XL file begins, behind its metadata
_COPIES = 3  # of the compressed pixels: of the file, of the plugin, of the library
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


class _Modern(Picture):
    """A format of which only its library knows the header; this asks it before anything is decoded."""

    def _read(self, path: Path, reading: Reading) -> Image:
        from gmmseg.io.picture.pillow import decode, decoded_bytes, orientation_of, resolution_of  # as Pillow is

        with self._checked(path, reading) as picture:
            in_pillow, pixel_bytes = decoded_bytes(picture)
            require_room(path, (picture.height, picture.width), reading, in_pillow + pixel_bytes)
            warn_of_frames(path, getattr(picture, "n_frames", 1))
            pixels, alpha = decode(picture)
            return upright_image(path, pixels, alpha, self._turn(orientation_of(picture)), resolution_of(picture))

    def _turn(self, orientation: int) -> int:
        """Return the orientation in which pixels come."""
        return orientation

    @contextmanager
    def _checked(self, path: Path, reading: Reading) -> Iterator[ImageFile]:
        require_bytes(path, _COPIES * path.stat().st_size, reading, "its compressed pixels")
        try:
            with self._opened(path, None, reading) as picture:
                yield picture
        except InputError as error:
            if isinstance(error.__cause__, ModuleNotFoundError) or "support not installed" in str(error):
                raise InputError(
                    f"{path} is an {self.name} picture, which this Pillow does not decode; pip install 'pillow>=11.3'"
                ) from error
            raise

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says."""
        with self._checked(path, Reading()) as picture:
            channels = len(picture.getbands())
            return {
                "size": [picture.width, picture.height],
                "channels": channels,
                "mode": {1: "grey", 2: "grey+alpha", 3: "rgb"}.get(channels, "rgba"),
                "pages": getattr(picture, "n_frames", 1),
            }


class _JpegXl(_Modern):
    """JPEG XL, of which the plugin decodes all when it opens a file: how much that is, is asked before."""

    @contextmanager
    def _checked(self, path: Path, reading: Reading) -> Iterator[ImageFile]:
        with open(path, "rb") as file:
            size = jxl_size(file.read(_LOOK))
        if size is None:
            raise InputError(f"{path} is damaged or cut short: it says no size; {self._again}")
        require_room(path, size[::-1], reading, 8)
        with super()._checked(path, reading) as picture:
            yield picture

    def _turn(self, orientation: int) -> int:
        return 1  # the library has turned them


AVIF = _Modern("AVIF", exact=False)
JXL = _JpegXl("JPEG XL", exact=False)


def jxl_size(start: bytes) -> tuple[int, int] | None:
    """Return the width and the height that a JPEG XL file begins with; None where it ends before them.

    Notes
    -----
    Of the turned picture, where it is turned, they are the height and the width. The header is that of ISO/IEC 18181-1.
    """
    stream = start if start[:2] == b"\xff\x0a" else _codestream(start)
    if len(stream) < 12:
        return None
    bits = _Bits(int.from_bytes(stream[2:12], "little"))
    small = bits.take(1)
    height = bits.length(small)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return math.floor(height * across / down), height
    return bits.length(small), height


def _codestream(start: bytes) -> bytes:
    """Return the beginning of the picture in the boxes of a file."""
    place = 0
    while len(start) >= place + 16:
        length, kind = int.from_bytes(start[place : place + 4], "big"), start[place + 4 : place + 8]
        content = place + (16 if length == 1 else 8)
        if kind in (b"jxlc", b"jxlp"):
            return start[content + (4 if kind == b"jxlp" else 0) :]
        length = int.from_bytes(start[place + 8 : place + 16], "big") if length == 1 else length
        if length < 8:
            return b""
        place += length
    return b""


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, number: int) -> None:
        self.number = number

    def take(self, count: int) -> int:
        """Return the next bits."""
        value = self.number & ((1 << count) - 1)
        self.number >>= count
        return value

    def length(self, small: int) -> int:
        """Return the length of a side: in eights where it is small, otherwise in one of four numbers of bits."""
        return 8 * (self.take(5) + 1) if small else self.take((9, 13, 18, 30)[self.take(2)]) + 1
