"""Pictures: PNG, JPEG, WebP, BMP and GIF, in the orientation in which they are displayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gmmseg.errors import InputError, OutputError, ParameterError
from gmmseg.image import Image
from gmmseg.io.contents import assembled, narrowed, refuse_options
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.picture.headers import Header, jpeg_header, png_header
from gmmseg.io.request import Reading, chosen, require_axis, require_room

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Contents

__all__ = ["BMP", "GIF", "JPEG", "PNG", "WEBP", "Picture"]

_CHANNEL_NAMES = ("red", "green", "blue")


# Pillow, OpenCV and what needs them are imported where they are used: the first of them costs 35 to 50 ms.


@dataclass(frozen=True)
class Picture:
    """A format of pictures.

    Parameters
    ----------
    name : str
        As Pillow and people call it.
    header : callable, optional
        Reads the header of an open file without Pillow; returns None where it makes no sense.
    exact : bool
        Whether pixels come back as they were written, so that they may be labels.
    """

    name: str
    header: Callable[[BinaryIO], Header | None] | None = None
    exact: bool = True

    def read(self, path: Path, reading: Reading) -> Image:
        """Read a picture: one channel or RGB, 8 or 16 bits a sample; where transparent, not valid.

        Raises
        ------
        InputError
            The file is damaged, cut short or larger than allowed.
        """
        image = self._read(path, reading)
        axes = ("auto", -1, 2) if image.color else ("auto", None)
        require_axis(image, reading, self.name, fits=reading.channel_axis in axes)
        return chosen(image, reading)

    def _read(self, path: Path, reading: Reading) -> Image:
        header = self._header(path)
        if header is not None:
            require_room(path, (header.height, header.width), reading)
            image = self._read_plain(path, header)
            if image is not None:
                return image
        # Here, because most pictures do without it.
        from gmmseg.io.picture.pillow import decode, open_picture, orientation_of, resolution_of

        with open_picture(path, self.name) as picture:
            require_room(path, (picture.height, picture.width), reading)
            pixels, alpha = decode(picture)
            orientation = orientation_of(picture)
            metadata = resolution_of(picture)
        return _image(path, pixels, alpha, orientation, metadata)

    def _header(self, path: Path) -> Header | None:
        """Return the header where it can be read without Pillow."""
        if self.header is None:
            return None
        with open(path, "rb") as file:
            return self.header(file)

    def _read_plain(self, path: Path, header: Header) -> Image | None:
        """Read a picture that OpenCV decodes exactly, or return None.

        A file that does not end as it should goes to Pillow, which says what is missing where OpenCV would fill it in.
        """
        deep = header.bits == 16 and header.color in ("rgb", "rgba", "grey+alpha")
        plain = header.bits == 8 and header.color in ("grey", "rgb") and header.whole and not header.special
        if not (deep or plain):
            return None
        if not header.whole:
            self._check_with_pillow(path)
        from gmmseg.io.picture.opencv import decode  # here, because it is large

        size = (header.height, header.width)
        pixels, damaged = decode(path, deep=deep, grey=header.color == "grey", size=size)
        again = f"export or download the {self.name} file again"
        if damaged:
            raise InputError(f"{path} is damaged (its pixel data has gaps); {again}")
        if pixels is None or pixels.shape[:2] != size:
            if deep:
                self._check_with_pillow(path)
                raise InputError(f"{path} is damaged or cut short; {again}")
            return None
        alpha = None
        if deep:
            pixels, alpha = _split_deep(pixels, header)
        metadata = {} if header.dpi is None else {"dpi": header.dpi}
        return _image(path, pixels, alpha, header.orientation, metadata)

    def _check_with_pillow(self, path: Path) -> None:
        """Raise what Pillow finds wrong with a file; its 8-bit copy of 16-bit samples is thrown away."""
        from gmmseg.io.picture.pillow import open_picture  # here, because most pictures do without it

        with open_picture(path, self.name) as picture:
            picture.load()

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read palette indices or grey values as they are stored, shape (rows, columns)."""
        from gmmseg.io.picture.pillow import decode_indices, open_picture  # here, because most pictures do without it

        if not self.exact:
            raise InputError(
                f"{path} is a {self.name} file, whose values are not exact; give labels as PNG, TIFF or NPY"
            )
        with open_picture(path, self.name) as picture:
            require_room(path, (picture.height, picture.width), reading)
            return decode_indices(picture)

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Refuse: a picture holds no numbers that could be probabilities."""
        raise not_probabilities(path, self.name)

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says, without decoding pixels."""
        # Here, because most pictures do without it.
        from gmmseg.io.picture.pillow import open_picture, orientation_of, resolution_of

        header = self._header(path)
        with open_picture(path, self.name) as picture:
            bands = picture.getbands()
            bits = header.bits if header is not None else {"1": 1, "F": 32, "I": 32}.get(picture.mode, 8)
            return {
                "size": [picture.width, picture.height],
                "dtype": f"uint{16 if bits > 8 else 8}",
                "bits": bits,
                "channels": len(bands),
                "mode": header.color if header is not None else picture.mode,
                "pages": int(getattr(picture, "n_frames", 1)),
                "orientation": orientation_of(picture),
                **resolution_of(picture),
            }

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a picture of 8 bits."""
        from gmmseg.io.picture.pillow import encode  # here, because most pictures do without it

        refuse_options(contents)
        pixels = assembled(contents, windows)
        with open(path, "x+b") as file:
            encode(file, pixels, self.name, dpi=contents.dpi)
        return {}


class _Png(Picture):
    """PNG, which label maps are written in too: with a palette up to 255 classes, in 16-bit grey above."""

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a picture of 8 bits, or a label map."""
        from gmmseg.io.picture.png import write_png  # here, because most runs write no PNG

        labels = contents.kind == "labels"
        refuse_options(contents, "palette" if labels else None)
        pixels, palette = assembled(contents, windows), None
        if labels:
            pixels = narrowed(pixels)
            if pixels.dtype.itemsize > 2:
                raise OutputError(
                    f"{contents.target}: PNG holds labels up to 65535, the largest is {pixels.max()}; use .tif or .npy"
                )
            palette = _palette_for(pixels, contents.options.get("palette"))
        with open(path, "x+b") as file:
            write_png(file, pixels, palette=palette, dpi=contents.dpi)
        return {}


PNG = _Png("PNG", png_header)
JPEG = Picture("JPEG", jpeg_header, exact=False)
WEBP = Picture("WebP", exact=False)
BMP, GIF = Picture("BMP"), Picture("GIF")


def _split_deep(pixels: np.ndarray, header: Header) -> tuple[np.ndarray, np.ndarray | None]:
    """Split 16-bit samples into colour or grey and alpha; OpenCV expands grey with alpha to four channels."""
    alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[-1] == 4 else None
    if header.color == "grey+alpha":
        return pixels[..., 0], alpha
    return pixels[..., :3], alpha


def _image(
    path: Path, pixels: np.ndarray, alpha: np.ndarray | None, orientation: int, metadata: dict[str, Any]
) -> Image:
    """Turn decoded pixels upright and wrap them."""
    valid = None
    if alpha is not None:
        transparent = alpha == 0
        valid = _upright(~transparent, orientation) if transparent.any() else None
    pixels = _upright(pixels, orientation)
    color = pixels.ndim == 3
    if orientation >= 5 and "dpi" in metadata:
        metadata = {**metadata, "dpi": metadata["dpi"][::-1]}
    return Image(
        pixels if color else pixels[..., None],
        color=color,
        valid=valid,
        channel_names=_CHANNEL_NAMES if color else (),
        name=str(path),
        metadata=metadata,
    )


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation (1..8) to the first two axes."""
    import numpy as np

    if orientation == 1:
        return array
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


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
