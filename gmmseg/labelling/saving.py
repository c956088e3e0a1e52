"""Writing the bias field, and the image without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from gmmseg import io
from gmmseg.arrays import Array
from gmmseg.checks import path_of
from gmmseg.errors import OutputError
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.contents import Contents
from gmmseg.io.writing import check_picture, is_picture, picture_dtypes
from gmmseg.spatial.bias import BiasField

__all__ = ["corrected", "write_correction"]


def corrected(image: Image, bias: BiasField | None) -> Array:
    """Return the pixels (*spatial, n_channels) of an image or of a window, without the bias field, in their dtype."""
    pixels = image.array
    if bias is None:
        return pixels
    gain = bias.gain(image.window).reshape(*pixels.shape[:-1], -1)
    if pixels.dtype.kind == "f":
        return (pixels / gain).astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.rint(pixels / gain), limits.min, limits.max).astype(pixels.dtype)


def write_correction(
    path: str | os.PathLike[str], image: Image, bias: BiasField | None, *, field: bool, overwrite: bool, options: Any
) -> None:
    """Write the bias field, or the image without it, as float32, NaN where the image has no data.

    But 0 where a scan has 0, as around a brain without its skull: programs for scans stumble over NaN. Colour stays
    that in .tif, in its dtype, where the image is in memory, and any picture of 8 bits in the formats of pictures;
    their pixels without data stay as they were.

    Parameters
    ----------
    path : path-like
        .tif, .npy, .npz, .nii or .nii.gz; for a picture without its bias field also .png, .jpg and .webp.
    image : Image
    bias : BiasField, optional
        A gain of 1 where None.
    field : bool
        The field, not the image.
    overwrite : bool
        Whether an existing file may be replaced.
    options : mapping
        Of the format.
    """
    target = path_of(path)
    colour = image.color and image.ndim == 2 and image.in_memory and image.valid is None
    plain = colour and not options and target.suffix.lower() in (".tif", ".tiff")
    if not field and (is_picture(target) or (plain and image.pixels.dtype in picture_dtypes(target))):
        check_picture(target, image)
        if options:
            raise OutputError(f"{target}: a picture takes no options, and {', '.join(options)} is given; leave it out")
        whole = corrected(image, bias)
        if image.valid is not None:
            whole = np.where(image.valid[..., None], whole, image.array)
        io.write_rgb(target, whole if image.color else whole[..., 0], image=image, overwrite=overwrite)
        return
    gains = BiasField.flat(image) if bias is None else bias
    n = len(gains.coefficients) if field else image.n_channels
    names = image.channel_names or tuple(f"band {i + 1}" for i in range(n))
    name = ("gain" if field else "corrected",) if n == 1 else tuple(names[:n])

    def windows() -> Iterator[tuple[Window, Array]]:
        for window in image.windows():
            if field:
                planes = np.exp(gains.logarithm(window))
            else:
                part = image.crop(window)
                values = corrected(part, bias).astype(np.float32)
                if part.valid is not None:
                    known = part.valid | (values == 0).all(axis=-1) if image.is_scan else part.valid
                    values[~known] = np.nan
                planes = np.moveaxis(values, -1, 0)
            yield window, planes[0] if n == 1 else planes

    contents = Contents("map" if n == 1 else "soft", image.shape, "float32", name, image, dict(options))
    io.write_windows(target, contents, windows(), overwrite=overwrite)
