"""Pictures: PNG, JPEG, WebP, BMP and GIF, in the orientation in which they are displayed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.io.formats import Format, require_room
from gmmseg.io.picture.headers import Header, jpeg_header, png_header

if TYPE_CHECKING:
    import numpy as np

__all__ = ["describe_picture", "read_picture", "read_picture_labels"]

_CHANNEL_NAMES = ("red", "green", "blue")


def read_picture(path: Path, known: Format, max_pixels: int) -> Image:
    """Read a picture of one of the formats that Pillow knows.

    Parameters
    ----------
    path : Path
        The file.
    known : Format
        Its format, as identified.
    max_pixels : int
        The most pixels that may be decoded.

    Returns
    -------
    Image
        One channel or RGB, 8 or 16 bits a sample; where transparent, not valid.

    Raises
    ------
    InputError
        The file is damaged, cut short or larger than allowed.
    """
    header = _header(path, known)
    if header is not None:
        require_room(path, (header.height, header.width), max_pixels)
        image = _read_plain(path, known, header)
        if image is not None:
            return image
    from gmmseg.io.picture.pillow import decode, open_picture, orientation_of, resolution_of

    with open_picture(path, known.name) as picture:
        require_room(path, (picture.height, picture.width), max_pixels)
        pixels, alpha = decode(picture)
        orientation = orientation_of(picture)
        metadata = resolution_of(picture)
    return _image(path, pixels, alpha, orientation, metadata)


def _header(path: Path, known: Format) -> Header | None:
    """Return the header where it can be read without Pillow."""
    if known.name not in ("PNG", "JPEG"):
        return None
    with open(path, "rb") as file:
        return png_header(file) if known.name == "PNG" else jpeg_header(file)


def _read_plain(path: Path, known: Format, header: Header) -> Image | None:
    """Read a picture that OpenCV decodes exactly, or return None.

    A file that does not end as it should goes to Pillow, which says what is missing where OpenCV would fill it in.
    """
    deep = header.bits == 16 and header.color in ("rgb", "rgba", "grey+alpha")
    plain = header.bits == 8 and header.color in ("grey", "rgb") and header.whole and not header.special
    if not (deep or plain):
        return None
    if not header.whole:
        _check_with_pillow(path, known)
    from gmmseg.io.picture.opencv import decode

    size = (header.height, header.width)
    pixels, damaged = decode(path, deep=deep, grey=header.color == "grey", size=size)
    if damaged:
        raise InputError(f"{path} is damaged (its pixel data has gaps); export or download the {known.name} file again")
    if pixels is None or pixels.shape[:2] != size:
        if deep:
            _check_with_pillow(path, known)
            raise InputError(f"{path} is damaged or cut short; export or download the {known.name} file again")
        return None
    alpha = None
    if deep:
        pixels, alpha = _split_deep(pixels, header)
    metadata = {} if header.dpi is None else {"dpi": header.dpi}
    return _image(path, pixels, alpha, header.orientation, metadata)


def _check_with_pillow(path: Path, known: Format) -> None:
    """Raise what Pillow finds wrong with a file; its 8-bit copy of 16-bit samples is thrown away."""
    from gmmseg.io.picture.pillow import open_picture

    with open_picture(path, known.name) as picture:
        picture.load()


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


def read_picture_labels(path: Path, known: Format, max_pixels: int) -> np.ndarray:
    """Read palette indices or grey values as they are stored, shape (rows, columns)."""
    from gmmseg.io.picture.pillow import decode_indices, open_picture

    if known.name in ("JPEG", "WebP"):
        raise InputError(f"{path} is a {known.name} file, whose values are not exact; give labels as PNG, TIFF or NPY")
    with open_picture(path, known.name) as picture:
        require_room(path, (picture.height, picture.width), max_pixels)
        return decode_indices(picture)


def describe_picture(path: Path, known: Format) -> dict[str, Any]:
    """Return what the header says, without decoding pixels."""
    from gmmseg.io.picture.pillow import open_picture, orientation_of, resolution_of

    header = _header(path, known)
    with open_picture(path, known.name) as picture:
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
