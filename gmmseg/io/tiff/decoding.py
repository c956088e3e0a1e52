"""TIFF files through tifffile: pictures, bands and stacks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.image.axes import spans_color
from gmmseg.image.channels import evenly
from gmmseg.image.place import Place
from gmmseg.image.sources import ArraySource, WindowSource
from gmmseg.image.validity import finite
from gmmseg.image.windows import Window, everything
from gmmseg.io.damage import explained
from gmmseg.io.geotiff import Tags, TiffPlace, channel_names, pixel_spacing, place_of_tags, tags_to_keep
from gmmseg.io.meaning import InterpretedSource, settle_color
from gmmseg.io.request import Reading, require_bytes, require_room
from gmmseg.io.tiff.directories import REMEDY
from gmmseg.io.tiff.fallback import LERC, ORIENTATION, read_without_codec
from gmmseg.io.tiff.inflating import n_workers, segment_room
from gmmseg.io.tiff.layout import CHANNEL_AXES, SeriesLayout, layout_of
from gmmseg.io.tiff.microscopy import Microscopy, describe_series, size_attributes
from gmmseg.io.tiff.pages import stored_in
from gmmseg.io.tiff.soundness import name_of, opened_tiff
from gmmseg.platforms import processors

__all__ = ["describe_tiff", "read_tiff", "read_tiff_labels", "read_tiff_probabilities", "tags_of"]

_WHITE_IS_ZERO = 0
_OF_SLIDES = ("Thumbnail", "Label", "Macro")  # pictures of the slide that Aperio puts beside the scan
_CHANNEL_BYTES = 256  # for the name and the place of a channel, before any of its pixels


def read_tiff(path: Path, reading: Reading) -> Image:
    """Read the first image series of a TIFF file; a DataWarning names others, thumbnails and overviews aside.

    Another one says so where pages are taken for planes that nobody says are any.

    Parameters
    ----------
    path : Path
        The file.
    reading : Reading
        `max_pixels` are those of all pages together. Pixels that take more than `memory` stay in the file and are read
        window by window, except in compressions that only whole files are decoded of. Pages and planes of other
        `channels` are not read.

    Returns
    -------
    Image
        Colour where the file says RGB, palette or CMYK (and the channels chosen are red, green and blue), otherwise
        bands. Several grey pages are a volume, and several time points a time-lapse. Alpha 0 and the nodata value make
        pixels not valid. Channels have the names that GDAL, OME-XML or ImageJ wrote; OME-TIFF and ImageJ files have a
        spacing in µm. Its place keeps the georeferencing and the physical sizes, `metadata` "dpi" and "orientation".

    Raises
    ------
    InputError
        The file is damaged, cut short, too large, compressed in a way that cannot be read here, or has axes beside
        time, space and channels.
    """
    with opened_tiff(path, reading) as tiff:
        series = tiff.series[0]
        _name_other_series(path, tiff)
        layout = layout_of(path, series, reading)
        _name_unknown_axis(path, layout, reading)
        _name_orientation(path, series.keyframe, reading)
        memory, channels = reading.memory, reading.channels
        require_bytes(path, layout.shape[-1] * _CHANNEL_BYTES, reading, f"its {layout.shape[-1]} channels")
        if memory is None and channels is None:
            require_room(path, tuple(series.shape[axis] for axis in layout.spatial), reading)
        facts = describe_series(tiff)
        sizes = size_attributes(facts.sizes)
        native = TiffPlace(tags_to_keep(series.keyframe), sizes, facts.imagej, facts.family, _n_levels(tiff))
        whole = _Whole(layout.shape, series.dtype, lambda: layout.arrange(_decode(path, series, reading, layout)))
        meaning = replace(layout.meaning, tags=native.tags)
        if reading.indices and meaning.palette is not None:
            meaning = replace(meaning, color=False, palette=None)
        metadata, place = _shown(series.keyframe), replace(place_of_tags(native), interval=facts.interval)
        pixels = InterpretedSource(whole, meaning)
        image = Image(pixels, name=str(path), metadata=metadata, place=place, time=layout.time)
        image = _described(image, layout, facts, native.tags)
        image = image if channels is None else image.select(channels)
        source = cast("InterpretedSource", image.pixels)
        fits = memory is None or math.prod(source.shape) * source.dtype.itemsize <= memory
        # Whole series are decoded at once faster, and in more compressions, than window by window.
        gaps = None in series.pages
        _require_segments(path, series, reading)
        stored = (
            stored_in(path, tiff, layout, reading.budget) if gaps or not fits or source.chosen is not None else None
        )
        if stored is not None:
            image = replace(image, pixels=replace(source, raw=stored))
            if not fits:
                return settle_color(image)
        elif gaps:
            kind = name_of(series.keyframe.compression)
            raise InputError(
                f"{path} lacks planes, and the others have {kind} compression, which is read only where all are there; "
                "save it with deflate compression"
            )
        _require_decoded(path, image, series, reading)
        return _in_memory(image)


def _spatial_shape(shape: tuple[int, ...], axes: str) -> tuple[int, ...]:
    return tuple(length for length, axis in zip(shape, axes, strict=True) if axis not in CHANNEL_AXES)


def _name_other_series(path: Path, tiff: Any) -> None:
    """Warn where a file holds other images than the one that is read; thumbnails and overviews are none."""
    others = [
        (number, series)
        for number, series in enumerate(tiff.series[1:], 2)
        if not (series.keyframe.is_reduced or series.keyframe.is_mask or (tiff.is_svs and series.name in _OF_SLIDES))
    ]
    if others:
        listed = ", ".join(f"{each.name or number} {each.shape}" for number, each in others[:4])
        warn(
            f"{path} holds {len(tiff.series)} images, of which the first is read; the others are {listed}"
            + (", ..." if len(others) > 4 else "")
            + "; save the one you want as a file"
        )


def _name_unknown_axis(path: Path, layout: SeriesLayout, reading: Reading) -> None:
    """Warn where nobody says what pages are: planes are one volume, frames and channels are not."""
    space = layout.spatial[layout.time :]
    pages = [layout.stored[axis] for axis, letter in zip(space, layout.letters, strict=True) if letter in "QI"]
    said = reading.indices or reading.axes is not None or reading.channel_axis != "auto"
    if pages and not said and (reading.spacing is None or len(reading.spacing) != len(space)):
        warn(
            f"{path} does not say what its {pages[0]} pages are: they are taken for planes of a volume, as by "
            "axes='ZYX'; use axes='TYX' where they are frames, axes='CYX' where they are channels"
        )


def _name_orientation(path: Path, page: Any, reading: Reading) -> None:
    """Warn where programs that show pictures turn what others, and label maps, have as it is stored."""
    if _orientation(page) > 1 and not reading.indices:
        warn(
            f"{path} is shown turned or mirrored (orientation {_orientation(page)}), but is read as its pixels are "
            "stored, as are the results, of which TIFF files say the same; save it upright for others that lie as "
            "it is shown"
        )


def _orientation(page: Any) -> int:
    """How pictures of a page are turned and mirrored, 1 to 8, by EXIF's numbers: 1 is not at all."""
    found = page.tags.valueof(ORIENTATION, 1)
    return int(found) if found in range(2, 9) else 1  # no enumeration of tifffile's, which images would hold


def _n_levels(tiff: Any) -> int:
    """Return of how many levels the pyramid of the first series is: in SubIFDs, or as reduced pages behind it."""
    behind = sum(bool(series.keyframe.is_reduced) for series in tiff.series[1:])
    return max(len(tiff.series[0].levels), 1 + behind)


@dataclass(frozen=True, eq=False)
class _Whole(WindowSource):
    """Stored samples that are decoded all together."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    decode: Callable[[], np.ndarray]
    channels: tuple[int, ...] = ()

    @property
    def blocks(self) -> tuple[int, ...]:
        return self.shape[:-1]

    sweep = 0

    def select(self, channels: tuple[int, ...]) -> _Whole:
        return replace(self, shape=(*self.shape[:-1], len(channels)), channels=channels)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        return self.decode()[(*window, evenly(self.channels))], None


def _described(image: Image, layout: SeriesLayout, facts: Microscopy, tags: Tags) -> Image:
    """Name the channels, and say how large a pixel is."""
    names = channel_names(tags, image.n_channels) or facts.channel_names(image.n_channels)
    if not names and layout.meaning.color and image.n_channels >= 3:
        names = ("red", "green", "blue", *(f"band {i + 1}" for i in range(3, image.n_channels)))
    return replace(
        image, channel_names=names, spacing=pixel_spacing(tags, len(layout.letters)) or facts.spacing(layout.letters)
    )


def _in_memory(image: Image) -> Image:
    """Return an image that is decoded."""
    source = cast("InterpretedSource", image.pixels)
    pixels, valid = source.decoded(everything(image.shape))
    color = source.color and spans_color(pixels)
    known = finite(pixels, every=color, name=image.name, among=valid)
    image = replace(
        image, pixels=ArraySource(pixels), color=color, valid=None if valid is None or valid.all() else valid
    )
    return image if known is None else image.with_mask(known)


def _require_segments(path: Path, series: Any, reading: Reading) -> None:
    """Refuse strips or tiles of which a single one is too large."""
    if series.dataoffset is None:
        require_bytes(path, segment_room(series.keyframe), reading, "its strips or tiles, each of them,")


def _require_decoded(path: Path, image: Image, series: Any, reading: Reading) -> None:
    """Refuse an image too large to be decoded whole, with what lies beside it meanwhile."""
    source = cast("InterpretedSource", image.pixels)
    stored, made = source.raw.shape[-1] * source.raw.dtype.itemsize, source.shape[-1] * source.dtype.itemsize
    meaning = source.meaning
    changes = meaning.inverted or meaning.mixes or bool(meaning.tags) or source.raw.dtype != source.dtype
    require_room(path, image.shape, reading, stored + changes * made)
    if series.dataoffset is None:
        n_bytes = image.n_pixels * stored + segment_room(series.keyframe)
        require_bytes(path, n_bytes, reading, "its pixels and one of its strips or tiles")


def _decode(path: Path, series: Any, reading: Reading, layout: SeriesLayout | None = None) -> np.ndarray:
    """Return the stored samples; of a series with a layout, the page that is damaged is named."""
    at_once = n_workers(series.keyframe, reading.budget - series.nbytes)
    try:
        return np.asarray(series.asarray(maxworkers=None if at_once == processors() else at_once))
    except Exception as error:
        unknown = series.keyframe.compression == LERC  # for which tifffile has no words
        if not (unknown or isinstance(error, ImportError) or "imagecodecs" in str(error)):
            if layout is not None and len(series.pages) > 1:
                _name_damaged_page(path, series, layout)
            raise
    return read_without_codec(path, series, reading)


def _name_damaged_page(path: Path, series: Any, layout: SeriesLayout) -> None:
    """Raise what is wrong with the first page that cannot be decoded, and say which it is."""
    leading = series.shape[: len(series.shape) - len(series.keyframe.shape)]
    if math.prod(leading) != len(series.pages):
        return
    for page, index in zip(series.pages, np.ndindex(*leading), strict=True):
        along = [index[axis] for axis in layout.spatial if axis < len(leading)]
        with explained(path, REMEDY, finding=f"damaged in {layout.place(tuple(along)) or 'one of its pages'}"):
            if page is not None:
                page.asarray()


def _shown(page: Any) -> dict[str, Any]:
    """Return how a page is shown, as metadata: "dpi" (across, down) and "orientation", where the file says it."""
    found = page.get_resolution("inch") if page.tags.get(296) is not None and page.resolutionunit in (2, 3) else ()
    usable = len(found) == 2 and all(np.isfinite(value) and value > 0 for value in found)
    dpi = {"dpi": tuple(float(value) for value in found)} if usable else {}
    return dpi | ({"orientation": _orientation(page)} if _orientation(page) > 1 else {})


def read_tiff_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read label values, or palette indices, as they are stored, shape (*spatial)."""
    with opened_tiff(path, reading) as tiff:
        series = tiff.series[0]
        require_room(path, _spatial_shape(series.shape, series.axes), reading, series.dtype.itemsize)
        _require_segments(path, series, reading)
        if any(axis in CHANNEL_AXES and length > 1 for axis, length in zip(series.axes, series.shape, strict=True)):
            raise InputError(
                f"{path} has several channels ({series.axes}, {series.shape}), so it is not a label map; give one "
                "channel of integers"
            )
        array = _decode(path, series, reading)
        white_is_zero = int(series.keyframe.photometric) == _WHITE_IS_ZERO
        return ~array if white_is_zero and array.dtype.kind in "bu" else array


def read_tiff_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Read one page or band a class, (n_classes, *spatial); of volumes one page a plane, described by its class."""
    image = read_tiff(path, replace(reading, memory=None, indices=True))  # numbers, and no colours
    if image.n_channels != 1 or image.ndim != 3:
        return np.moveaxis(image.array, -1, 0)
    with opened_tiff(path, reading) as tiff:
        classes = [(name, len(list(pages))) for name, pages in itertools.groupby(tiff.pages, _description)]
    planes = {count for _, count in classes}
    if "" in dict(classes) or planes == {1} or len(planes) > 1:
        return image.array[..., 0]
    return image.array.reshape(len(classes), *planes, *image.shape[1:])


def _description(page: Any) -> str:
    return str(page.description)


def tags_of(path: Path) -> Tags:
    """Return the tags of the first page that say where it lies."""
    with opened_tiff(path, Reading(), whole=False) as tiff:
        return tags_to_keep(tiff.pages[0])


def describe_tiff(path: Path) -> dict[str, Any]:
    """Return what the header says, without decoding pixels."""
    with opened_tiff(path, Reading(), whole=False) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        tags = tags_to_keep(page)
        shape = dict(zip(series.axes, series.shape, strict=True))
        described: dict[str, Any] = {
            "size": [shape.get("X", 1), shape.get("Y", 1)],
            "dtype": str(series.dtype),
            "channels": shape.get("S", 1) * shape.get("C", 1),
            "mode": name_of(page.photometric),
            "pages": len(tiff.pages),
            "axes": series.axes,
            "shape": list(series.shape),
            "compression": name_of(page.compression),
            "georeferenced": 34735 in tags,
        }
        if shape.get("T", 1) > 1:
            described["frames"] = shape["T"]
        facts = describe_series(tiff)
        if "frames" in described and facts.interval is not None:
            described["interval_s"] = Place(interval=facts.interval).seconds
        names = channel_names(tags, described["channels"]) or facts.names
        if names:
            described["channel_names"] = {str(number): name for number, name in enumerate(names, 1)}
        if facts.sizes:
            described["pixel_size_um"] = facts.sizes
        if len(tiff.series) > 1:
            described["images"] = len(tiff.series)
        if 42113 in page.tags:
            described["nodata"] = str(page.tags[42113].value)
        return described | _shown(page)
