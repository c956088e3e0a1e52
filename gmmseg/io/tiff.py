"""Reading TIFF: pictures, bands, stacks and georeferenced rasters, through tifffile."""

from __future__ import annotations

import contextlib
import logging
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from gmmseg.errors import GmmsegError, InputError
from gmmseg.image import Image
from gmmseg.io.formats import require_room
from gmmseg.io.georeference import channel_names, nodata_value, pixel_spacing, separate_nodata, tags_to_keep
from gmmseg.io.tiff_fallback import read_without_codec

if TYPE_CHECKING:
    from gmmseg.image import ChannelAxis

__all__ = ["describe_tiff", "read_tiff", "read_tiff_labels"]

# Z, planes; Q and I, axes of which the file says only that there are several pages.
_SPATIAL = frozenset("ZQIYX")
_CHANNEL = frozenset("SC")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6

# tifffile reports oddities through logging, which prints warnings where nobody has configured it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff(path: Path, max_pixels: int, *, channel_axis: ChannelAxis = "auto") -> Image:
    """Read the first image series of a TIFF file.

    Parameters
    ----------
    path : Path
        The file.
    max_pixels : int
        The most pixels (of all pages together) that may be decoded.
    channel_axis : int, None or "auto"
        Axis of the channels in the stored array, where the file does not say it well.

    Returns
    -------
    Image
        Colour where the file says RGB, palette or CMYK, otherwise bands. Several grey pages are a volume. Alpha 0 and
        the nodata value make pixels not valid. `metadata` keeps "tiff_tags" (georeferencing) and "dpi".

    Raises
    ------
    InputError
        The file is damaged, cut short, too large, compressed in a way that cannot be read here, or has axes beside
        space and channels.
    """
    with _opened(path) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        stored, axes = series.shape, series.axes
        require_room(path, _spatial_shape(stored, axes), max_pixels)
        _require_whole(path, tiff)
        array, photometric = _decode(path, tiff, series)
        metadata = _metadata(tiff, page)
        extra = tuple(int(each) for each in page.extrasamples)
        colormap = page.colormap
    if channel_axis != "auto":
        image = Image.from_array(array, channel_axis=channel_axis, name=str(path))
    else:
        image = _by_axes(path, array, axes, photometric, extra, colormap)
    return _with_metadata(image, metadata)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file; anything that goes wrong with it becomes an InputError of one line."""
    try:
        with tifffile.TiffFile(path) as tiff:
            if not tiff.series:
                raise InputError(f"{path} holds no image; export the TIFF file again")
            yield tiff
    except GmmsegError:
        raise
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory; reduce it or cut it into tiles") from error
    # On damaged tags tifffile raises almost anything (struct, zlib, ZeroDivisionError, ...).
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(
            f"{path} is damaged or cut short ({reason}); export or download the TIFF file again"
        ) from error


def _spatial_shape(shape: tuple[int, ...], axes: str) -> tuple[int, ...]:
    return tuple(length for length, axis in zip(shape, axes, strict=True) if axis not in _CHANNEL)


def _require_whole(path: Path, tiff: tifffile.TiffFile) -> None:
    """Refuse a file that ends before its pixels or its pages do; tifffile would fill pixels in and leave pages out."""
    size = path.stat().st_size
    ends = [
        offset + count
        for page in tiff.series[0].pages
        if page is not None
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    ends.append(_next_directory(tiff))
    if max(ends) > size:
        raise InputError(
            f"{path} is cut short (it goes on at byte {max(ends)} but has {size}); "
            "export or download the TIFF file again"
        )


def _next_directory(tiff: tifffile.TiffFile) -> int:
    """Return where the directory after the last page that could be read should be; 0 where there is none."""
    form, file = tiff.tiff, tiff.filehandle
    file.seek(tiff.pages[len(tiff.pages) - 1].offset)
    (n_tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(n_tags * form.tagsize, 1)
    (offset,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))
    return int(offset)


def _decode(path: Path, tiff: tifffile.TiffFile, series: Any) -> tuple[np.ndarray, int]:
    """Return the stored samples and what they mean (the photometric interpretation)."""
    photometric = int(series.keyframe.photometric)
    try:
        array = np.asarray(series.asarray())
    except (ValueError, KeyError, ImportError) as error:
        if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
            raise
        return read_without_codec(path, series), _RGB if photometric == _YCBCR else photometric
    if photometric == _WHITE_IS_ZERO:
        array = ~array if array.dtype.kind in "bu" else array
    return array, _RGB if photometric == _YCBCR else photometric


def _by_axes(
    path: Path,
    array: np.ndarray,
    axes: str,
    photometric: int,
    extra: tuple[int, ...],
    colormap: np.ndarray | None,
) -> Image:
    """Make an image of the stored array by the meaning of its axes."""
    keep = [index for index, axis in enumerate(axes) if array.shape[index] > 1 or axis in "YX"]
    array = array.reshape([array.shape[index] for index in keep])
    axes = "".join(axes[index] for index in keep)
    channels = [index for index, axis in enumerate(axes) if axis in _CHANNEL]
    if len(channels) > 1 or not set(axes) <= _SPATIAL | _CHANNEL:
        raise InputError(
            f"{path} has axes {axes} of shape {array.shape}, which is more than space and channels; save one series, "
            "or pass channel_axis=<number> or None"
        )
    if photometric == _PALETTE and colormap is not None and not channels:
        # Palettes hold 16 bits; the upper 8 are what every program shows.
        array = (colormap.T >> 8).astype(np.uint8)[array]
        return Image.from_array(array, channel_axis=-1, name=str(path))
    if not channels:
        return Image.from_array(array, channel_axis=None, name=str(path))
    array = np.moveaxis(array, channels[0], -1)
    return _of_samples(path, array, photometric, extra)


def _of_samples(path: Path, array: np.ndarray, photometric: int, extra: tuple[int, ...]) -> Image:
    """Make an image of samples whose last axis is colours or bands, and perhaps alpha."""
    alpha = None
    samples = array.shape[-1]
    # 1 and 2 are associated and unassociated alpha; 0 is "something else", such as near infrared.
    if extra and extra[-1] in (1, 2) and samples > 1:
        alpha = array[..., -1]
        array = array[..., :-1]
    if photometric == _SEPARATED and array.shape[-1] == 4 and array.dtype.kind == "u":
        array = _cmyk_to_rgb(array)
        photometric = _RGB
    image = Image.from_array(array, channel_axis=-1, name=str(path))
    image = replace(image, color=image.color and photometric == _RGB)
    return image if alpha is None else image.with_mask(alpha != 0)


def _cmyk_to_rgb(inks: np.ndarray) -> np.ndarray:
    """Turn ink amounts into light, (full - ink)(full - black) / full: the rule without a colour profile."""
    full = np.iinfo(inks.dtype).max
    light = (full - inks[..., :3]).astype(np.uint64) * (full - inks[..., 3:])
    rgb: np.ndarray = ((light + full // 2) // full).astype(inks.dtype)
    return rgb


def _metadata(tiff: tifffile.TiffFile, page: Any) -> dict[str, Any]:
    """Return the tags that writers put back."""
    metadata: dict[str, Any] = {}
    tags = tags_to_keep(page)
    if tags:
        metadata["tiff_tags"] = tags
    resolution = page.get_resolution("inch") if page.tags.get(296) is not None and page.resolutionunit in (2, 3) else ()
    if len(resolution) == 2 and all(np.isfinite(value) and value > 0 for value in resolution):
        metadata["dpi"] = tuple(float(value) for value in resolution)
    return metadata


def _with_metadata(image: Image, metadata: dict[str, Any]) -> Image:
    """Attach the tags, and apply those that describe pixels."""
    tags = metadata.get("tiff_tags", {})
    names = channel_names(tags, image.n_channels)
    if not names and image.color:
        names = ("red", "green", "blue")
    image = replace(image, metadata=metadata, channel_names=names, spacing=pixel_spacing(tags, image.ndim))
    nodata = nodata_value(tags)
    if nodata is None:
        return image
    pixels, valid = separate_nodata(image.array, [nodata] * image.n_channels, color=image.color)
    image = replace(image, pixels=pixels)
    return image if valid is None else image.with_mask(valid)


def read_tiff_labels(path: Path, max_pixels: int) -> np.ndarray:
    """Read label values, or palette indices, as they are stored, shape (*spatial)."""
    with _opened(path) as tiff:
        series = tiff.series[0]
        require_room(path, _spatial_shape(series.shape, series.axes), max_pixels)
        _require_whole(path, tiff)
        if any(axis in _CHANNEL and length > 1 for axis, length in zip(series.axes, series.shape, strict=True)):
            raise InputError(
                f"{path} has several channels ({series.axes}, {series.shape}), so it is not a label map; give one "
                "channel of integers"
            )
        array, _ = _decode(path, tiff, series)
        return array


def describe_tiff(path: Path) -> dict[str, Any]:
    """Return what the header says, without decoding pixels."""
    with _opened(path) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        metadata = _metadata(tiff, page)
        shape = dict(zip(series.axes, series.shape, strict=True))
        described: dict[str, Any] = {
            "size": [shape.get("X", 1), shape.get("Y", 1)],
            "dtype": str(series.dtype),
            "channels": shape.get("S", 1) * shape.get("C", 1),
            "mode": tifffile.PHOTOMETRIC(page.photometric).name.lower(),
            "pages": len(tiff.pages),
            "axes": series.axes,
            "shape": list(series.shape),
            "compression": tifffile.COMPRESSION(page.compression).name.lower(),
            "georeferenced": 34735 in metadata.get("tiff_tags", {}),
        }
        if 42113 in page.tags:
            described["nodata"] = str(page.tags[42113].value)
        return described | ({"dpi": metadata["dpi"]} if "dpi" in metadata else {})
