"""Anything that is an image -- a path, an array, an Image, what another library holds one in -- as an Image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gmmseg.errors import ParameterError, heard, once
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource, Masked, Source
from gmmseg.image.spacing import with_spacing
from gmmseg.image.turning import Turned
from gmmseg.image.windows import everything
from gmmseg.io.mask_rule import MaskRule, Ruled
from gmmseg.io.other_libraries import is_object, is_scan, open_object
from gmmseg.io.reading import masked, read_with
from gmmseg.io.request import Reading
from gmmseg.io.same_place import turn_of
from gmmseg.records import replace

__all__ = ["Reading", "is_one_image", "open_image"]


_AS_IT_IS = Reading()


def open_image(source: Any, reading: Reading = _AS_IT_IS) -> Image:
    """Take a path, an array or an Image as an Image, restricted to a mask: an array, the path of one, or a scan.

    Parameters
    ----------
    source : path-like, array_like, Image, bytes, file object, or an image of another library
        An Image is taken as it is, but for the mask and the channels. `gmmseg.io.other_libraries` says what is known
        of others.
    reading : Reading

    Raises
    ------
    InputError
        It cannot be read, or is no image.
    ParameterError
        A parameter does not fit the image.
    """
    if isinstance(source, str | os.PathLike) and not is_scan(reading.mask):
        return read_with(Path(source), reading)
    with heard() as said:
        image = _opened(source, reading)
    return replace(image, warnings=once([*image.warnings, *said])) if said else image


def _opened(source: Any, reading: Reading) -> Image:
    if is_scan(reading.mask):  # which has a place of its own
        image = open_image(source, replace(reading, mask=None, mask_threshold=None))
        return _under_scan(image, open_object(reading.mask, _AS_IT_IS), reading.mask_threshold)
    if not isinstance(source, Image) and is_object(source):
        return _restricted(open_object(source, reading), reading)
    if reading.series is not None:
        raise ParameterError(f"series={reading.series!r} is of a folder of DICOM files; leave it out of arrays")
    if isinstance(source, Image):
        if reading.axes is not None:
            raise ParameterError(f"axes={reading.axes!r}: {source.name} is an Image, which has its axes; leave it out")
        image = source
    else:
        image = Image.from_array(source, channel_axis=reading.channel_axis, axes=reading.axes)
    image = _restricted(image, reading)
    return image if reading.channels is None else image.select(reading.channels)


def _restricted(image: Image, reading: Reading) -> Image:
    """Return an image of no file with the spacing, the numbers of no data and the mask that are asked for."""
    image = with_spacing(image, reading.spacing, reading.unit)
    if reading.nodata is not None:
        from gmmseg.io.nodata import with_nodata  # here, because most arrays say by NaN what is no data

        image = with_nodata(image, reading.nodata)
    return masked(image, reading)


def _under_scan(image: Image, mask: Image, threshold: float | None) -> Image:
    """Restrict an image to a mask that lies at a place: turned as the image is, and refused elsewhere."""
    mask = mask if mask.name != image.name else replace(mask, name="mask")
    if mask.n_channels != 1:
        raise ParameterError(f"{mask.name} has {mask.n_channels} numbers a voxel; a mask has one")
    turn = turn_of(image, mask)
    numbers: Source = mask.pixels if mask.valid is None else Masked(mask.pixels, ArraySource(mask.valid[..., None]))
    if turn is not None and not turn.is_nothing:
        numbers = Turned(numbers, turn)
    used = Ruled(numbers, MaskRule(threshold=threshold)).read(everything(tuple(numbers.shape[:-1])))[0][..., 0]
    return image.with_mask(used)


def is_one_image(source: Any) -> bool:
    """Whether something is one image, not several that can be gone through."""
    if isinstance(source, str | os.PathLike | Image) or is_object(source):
        return True
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        return True
    return not (hasattr(source, "__iter__") or hasattr(source, "__getitem__"))
