"""Pictures, in the orientation in which they are displayed: PNG, JPEG and WebP, and what all of their formats share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gmmseg import kernels
from gmmseg.errors import InputError, OutputError, ParameterError, warn
from gmmseg.image import Image
from gmmseg.image.vision import with_opencv
from gmmseg.io.classes import own_names
from gmmseg.io.contents import assembled, refuse_options
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.held import opened
from gmmseg.io.picture.headers import Header, jpeg_header, png_header, webp_header
from gmmseg.io.request import Reading, chosen, require_axis, require_bytes, require_room
from gmmseg.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from PIL.ImageFile import ImageFile

    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Contents

    _Decoded = tuple[np.ndarray, np.ndarray | None, tuple[float, float] | None]

__all__ = ["JPEG", "PNG", "WEBP", "Picture", "image_of", "upright", "upright_image", "warn_of_frames"]

_CHANNEL_NAMES = ("red", "green", "blue")
_SIGNATURES = {"PNG": 8, "JPEG": 2}  # bytes before the parts of which a file is made
_SMALL = 1 << 20  # pixels, of which OpenCV would take longer to load than it wins


# Pillow, OpenCV and what needs them are imported where they are used: the first of them costs 35 to 50 ms.


@dataclass(frozen=True)
class Picture:
    """A format of pictures.

    Parameters
    ----------
    name : str
        As Pillow and people call it.
    header : callable, optional
        Reads the header of an open file without Pillow; returns None where it makes no sense, or raises.
    exact : bool
        Whether pixels come back as they were written, so that they may be labels.
    """

    name: str
    header: Callable[[BinaryIO], Header | None] | None = None
    exact: bool = True

    @property
    def _again(self) -> str:
        """What to do about a damaged file."""
        return f"export or download the {self.name} file again"

    def read(self, path: Path, reading: Reading) -> Image:
        """Read a picture: one channel or RGB, 8 or 16 bits a sample; where transparent, not valid.

        Raises
        ------
        InputError
            The file is damaged, cut short or larger than allowed.
        """
        return _asked_for(self._read(path, reading), reading, self.name)

    def _read(self, path: Path, reading: Reading) -> Image:
        header = self._header(path)
        if header is not None:
            require_room(path, (header.height, header.width), reading)
            warn_of_frames(path, header.frames)
            if header.endless:
                raise InputError(
                    f"{path} is damaged: it sends its {header.width} x {header.height} pixels {header.scans} times; "
                    f"{self._again}"
                )
            image = self._read_plain(path, header, reading)
            if image is not None:
                return image
        pixels, alpha, dpi = self._decoded(path, header, reading)
        if header is None:
            return upright_image(path, pixels, alpha, 1, dpi)
        if alpha is None and header.transparent is not None and header.bits == 16:  # which Pillow below 10.2 ignores
            alpha = pixels != header.transparent
        return upright_image(path, pixels, alpha, header.orientation, dpi or header.dpi or header.exif_dpi)

    def _header(self, path: Path) -> Header | None:
        """Return the header where it can be read without Pillow."""
        if self.header is None:
            return None
        with explained(path, self._again), opened(path) as file:
            return self.header(file)

    def _content(self, path: Path, header: Header | None, reading: Reading) -> bytes | None:
        """Return what decoders are given in place of the file."""
        if header is None or not header.parts:
            return None
        require_bytes(path, sum(stop - start for start, stop in header.parts), reading, "its compressed pixels")
        with explained(path, self._again), opened(path) as file:
            content = [file.read(_SIGNATURES[self.name])]
            for start, stop in header.parts:
                file.seek(start)
                content.append(file.read(stop - start))
        return b"".join(content)

    def _read_plain(self, path: Path, header: Header, reading: Reading) -> Image | None:
        """Read a picture that OpenCV decodes exactly, or return None.

        A file that does not end as it should goes to Pillow, which says what is missing where OpenCV would fill it in.
        """
        deep = header.bits == 16 and header.color in ("rgb", "rgba", "grey+alpha")
        plain = header.bits == 8 and header.color in ("grey", "rgb") and header.whole and not header.special
        if not (deep or plain or self._without_pillow) or not (deep or with_opencv()):
            return None
        deep = deep or header.color == "rgba"
        # OpenCV expands grey with alpha to four channels, and a colour that counts as transparent to alpha.
        n_channels = 4 if header.n_channels % 2 == 0 or (deep and header.special) else header.n_channels
        pixel_bytes = header.bits // 8 * n_channels
        _require_room(path, header, reading, pixel_bytes, header.buffered + (pixel_bytes if header.crowded else 0))
        if deep and not header.whole and not self._without_pillow:
            self._check_with_pillow(path, header, reading)
        from gmmseg.io.picture.opencv import decode  # here, because it is large

        size = (header.height, header.width)
        shape = size if n_channels == 1 else (*size, n_channels)
        content = self._content(path, header, reading) if header.crowded else None
        if with_opencv():
            pixels, damaged = decode(path, deep=deep, shape=shape, dtype=f"uint{header.bits}", content=content)
        else:
            from gmmseg.io.picture import plain_png  # here, because nearly everybody has OpenCV

            pixels, damaged = plain_png.decode(path, content), False
        if damaged:
            raise InputError(f"{path} is damaged (its pixel data has gaps); {self._again}")
        if pixels is None or pixels.shape[:2] != size:
            if not (deep or self._without_pillow):
                return None
            if not self._without_pillow:
                self._check_with_pillow(path, header, reading)
            raise InputError(f"{path} is damaged or cut short; {self._again}")
        alpha = None
        if deep:
            pixels, alpha = _split_deep(pixels, header)
        return upright_image(path, pixels, alpha, header.orientation, header.dpi)

    @property
    def _without_pillow(self) -> bool:
        """Whether Pillow takes far more memory for the same pixels, and has a limit of its own."""
        return self.name == "WebP"

    def _check_with_pillow(self, path: Path, header: Header, reading: Reading) -> None:
        """Raise what Pillow finds wrong with a file; its 8-bit copy of 16-bit samples is thrown away."""
        with self._opened(path, header, reading) as picture:
            picture.load()

    def _opened(self, path: Path, header: Header | None, reading: Reading) -> AbstractContextManager[ImageFile]:
        """Open a picture with Pillow."""
        from gmmseg.io.picture.pillow import open_picture  # here, because most pictures do without it

        content = self._content(path, header, reading)
        return open_picture(path, self.name, None if content is None else BytesIO(content))

    def _decoded(self, path: Path, header: Header | None, reading: Reading) -> _Decoded:
        """Return pixels, alpha and the resolution of a picture that only Pillow decodes exactly."""
        # Here, because most pictures do without it.
        from gmmseg.io.picture.pillow import decode, decoded_bytes, resolution_of

        if header is not None:
            _require_room(path, header, reading, 1, header.buffered)
        if self.name == "JPEG" and header is not None:
            from gmmseg.io.picture.opencv import is_damaged  # here, because it is large

            if is_damaged(path):  # of which Pillow says nothing
                raise InputError(f"{path} is damaged (its pixel data has gaps); {self._again}")
        with self._opened(path, header, reading) as picture:
            size = header or Header(picture.width, picture.height, 8, "rgb")
            in_pillow, pixel_bytes = decoded_bytes(picture)
            _require_room(path, size, reading, pixel_bytes, in_pillow + size.buffered)
            return (*decode(picture, indices=reading.indices), resolution_of(picture))

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read palette indices or grey values as they are stored, shape (rows, columns)."""
        from gmmseg.io.picture.pillow import decode_indices, decoded_bytes  # here, because most pictures do without it

        if not self.exact:
            raise InputError(
                f"{path} is a {self.name} file, whose values are not exact; give labels as PNG, TIFF or NPY"
            )
        header = self._header(path)
        buffered = 0.0
        if header is not None:
            buffered = header.buffered
            _require_room(path, header, reading, 1, buffered)
        with self._opened(path, header, reading) as picture:
            size = (picture.height, picture.width)
            require_room(path, size, reading, sum(decoded_bytes(picture)) + math.ceil(buffered))
            return decode_indices(path, picture)

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Refuse: a picture holds no numbers that could be probabilities."""
        raise not_probabilities(path, self.name)

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says, without decoding pixels."""
        header = self._header(path)
        if header is None:
            header = self._header_by_pillow(path)
        dpi = header.dpi or header.exif_dpi
        return {
            "size": [header.width, header.height],
            "dtype": f"uint{16 if header.bits > 8 else 8}",
            "bits": header.bits,
            "channels": header.n_channels,
            "mode": header.color,
            "pages": header.frames,
            "orientation": header.orientation,
            **({} if dpi is None else {"dpi": dpi}),
        }

    def _header_by_pillow(self, path: Path) -> Header:
        """Return what Pillow says of a picture, or raise what is wrong with it."""
        from gmmseg.io.picture.pillow import open_picture, resolution_of  # here, because most pictures do without it

        with open_picture(path, self.name) as picture:
            bits = {"1": 1, "F": 32, "I": 32}.get(picture.mode, 8)
            color = {1: "grey", 3: "rgb"}.get(len(picture.getbands()), "rgba")
            color = "palette" if picture.mode == "P" else color
            return Header(picture.width, picture.height, bits, color, dpi=resolution_of(picture))

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a picture of 8 bits."""
        from gmmseg.io.picture.pillow import encode  # here, because most pictures do without it

        refuse_options(contents)
        pixels = assembled(contents, windows)
        with open(path, "x+b") as file:
            encode(file, pixels, self.name, dpi=contents.dpi)
        return {}


def image_of(picture: Any, name: str, reading: Reading) -> Image:
    """Take an open picture of Pillow as a file of it would be read: colours, transparency and orientation as they show.

    Parameters
    ----------
    picture : PIL.Image.Image
    name : str
        What messages call it.
    reading : Reading

    Raises
    ------
    InputError
        Its file is damaged, it is larger than allowed, or its colours cannot be converted.
    """
    # Here, because most pictures are files.
    from gmmseg.io.picture.pillow import decode, decoded_bytes, orientation_of, resolution_of

    require_room(Path(name), (picture.height, picture.width), reading, sum(decoded_bytes(picture)))
    with explained(name, "open it again, or convert it with picture.convert('RGB')"):
        pixels, alpha = decode(picture)
        image = upright_image(Path(name), pixels, alpha, orientation_of(picture), resolution_of(picture))
    return _asked_for(image, reading, "a picture of Pillow")


def _asked_for(image: Image, reading: Reading, name: str) -> Image:
    """Return the channels asked for, where the axis of channels is none that contradicts a picture."""
    axes = ("auto", -1, 2) if image.color else ("auto", None)
    require_axis(image, reading, name, fits=reading.channel_axis in axes)
    return chosen(image, reading)


class _Png(Picture):
    """PNG, which label maps are written in too: with a palette up to 255 classes, in 16-bit grey above.

    Where they are to be plain, in grey of 8 bits. Classes with names of their own are named in a text chunk.
    """

    def class_names(self, path: Path) -> tuple[str, ...] | None:
        """Return the names in the text chunk of a label map."""
        from gmmseg.io.picture.png_classes import class_names  # here, because most runs read no names

        return class_names(path)

    def class_colors(self, path: Path) -> np.ndarray | None:
        """Return the palette of a label map."""
        from gmmseg.io.picture.png_classes import class_colors  # here, because most runs read no colours

        return class_colors(path)

    def _read_plain(self, path: Path, header: Header, reading: Reading) -> Image | None:
        """Read a picture without Pillow, and a small one without OpenCV, or return None."""
        small = max(header.width * header.height, os.path.getsize(path) // 4) <= _SMALL
        plain = header.bits == 8 and header.color in ("grey", "rgb") and header.whole and not header.special
        if small and plain and not header.crowded and kernels.IMPLEMENTATION == "native":
            _require_room(path, header, reading, header.n_channels)
            from gmmseg.io.picture.plain_png import decode  # here, because most pictures are large

            pixels = decode(path)
            if pixels is not None and pixels.shape[:2] == (header.height, header.width):
                return upright_image(path, pixels, None, header.orientation, header.dpi)
        return super()._read_plain(path, header, reading)

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a picture of 8 bits, or a label map."""
        from gmmseg.io.picture.png import write_png  # here, because most runs write no PNG

        labels = contents.kind == "labels"
        refuse_options(contents, "palette" if labels else None)
        pixels, palette, texts = assembled(contents, windows), None, dict[str, str]()
        if labels:
            if own_names(contents.names):
                from gmmseg.io.picture.png_classes import texts_of  # here, because most label maps have no names

                texts = texts_of(contents.names)
            if pixels.dtype.itemsize > 2:
                raise OutputError(
                    f"{contents.target}: PNG holds labels up to 65535, the largest is {pixels.max()}; use .tif or .npy"
                )
            palette = None if contents.options.get("plain") else _palette_for(pixels, contents.options.get("palette"))
        with open(path, "xb") as file:
            write_png(file, pixels, palette=palette, dpi=contents.dpi, texts=texts)
        return {}


PNG = _Png("PNG", png_header)
JPEG = Picture("JPEG", jpeg_header, exact=False)
WEBP = Picture("WebP", webp_header, exact=False)


def _require_room(path: Path, header: Header, reading: Reading, pixel_bytes: int, buffered: float = 0.0) -> None:
    """Refuse a picture that takes too much: while it is decoded, or turned upright and labelled."""
    turned = pixel_bytes if header.orientation > 1 else 0
    decoding, after = pixel_bytes + buffered, pixel_bytes + turned + (3 if "a" in header.color[3:] else 1)
    require_room(path, (header.height, header.width), reading, math.ceil(max(decoding, after)))


def _split_deep(pixels: np.ndarray, header: Header) -> tuple[np.ndarray, np.ndarray | None]:
    """Split 16-bit samples into colour or grey and alpha; OpenCV expands grey with alpha to four channels."""
    alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[-1] == 4 else None
    if header.color == "grey+alpha":
        return pixels[..., 0], alpha
    return pixels[..., :3], alpha


def upright_image(
    path: Path, pixels: np.ndarray, alpha: np.ndarray | None, orientation: int, dpi: tuple[float, float] | None
) -> Image:
    """Turn decoded pixels upright and wrap them."""
    valid = None
    if alpha is not None:
        transparent = alpha == 0
        valid = _turned(~transparent, orientation) if transparent.any() else None
    pixels = _turned(pixels, orientation)
    color = pixels.ndim == 3
    if orientation >= 5 and dpi is not None:
        dpi = dpi[::-1]
    return Image(
        pixels if color else pixels[..., None],
        color=color,
        valid=valid,
        channel_names=_CHANNEL_NAMES if color else (),
        name=str(path),
        metadata={} if dpi is None else {"dpi": dpi},
    )


def warn_of_frames(path: Path, n_frames: int) -> None:
    """Say that a file holds more than the picture that is read of it."""
    if n_frames > 1:
        warn(f"{path} is animated: of its {n_frames} pictures the first is read; save the one you want as a file")


def _turned(array: np.ndarray, orientation: int) -> np.ndarray:
    import numpy as np

    return array if orientation == 1 else np.ascontiguousarray(upright(array, orientation))


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation (1..8) to the first two axes: a view."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def _palette_for(numbers: np.ndarray, palette: np.ndarray | None) -> np.ndarray | None:
    """Return one colour for each label up to the largest; None for 16-bit labels."""
    import numpy as np

    if numbers.dtype.itemsize > 1:
        return None
    largest = int(numbers.max())
    if palette is None:
        from gmmseg.io.palette import palette as default  # here, because most label maps bring none

        return default(max(1, largest))
    colors = np.asarray(palette)
    if colors.ndim != 2 or colors.shape[1] != 3 or colors.dtype != np.uint8:
        raise ParameterError(f"palette has shape {colors.shape} and dtype {colors.dtype}, expected (n, 3) uint8")
    if len(colors) <= largest:
        raise ParameterError(f"palette has {len(colors)} colours, but the largest label is {largest}; give one each")
    return colors[:256]
