"""Several files of one grid as the channels of one image: t1.nii.gz+t2.nii.gz."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.errors import InputError, warn
from gmmseg.image import Image
from gmmseg.image.channels import SCALINGS
from gmmseg.image.image import NAMED_BY_FILES
from gmmseg.image.sources import ArraySource, WindowSource
from gmmseg.image.validity import combine, finite
from gmmseg.image.windows import Window, everything, shape_of
from gmmseg.io.nodata import Scaling
from gmmseg.io.parts import stem_of
from gmmseg.io.same_place import require_same_place, turned_over
from gmmseg.io.satellite.band_files import band_file

if TYPE_CHECKING:
    import numpy as np

    Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

__all__ = ["stack"]


def stack(parts: Sequence[Path], images: Sequence[Image | None], *, name: str, memory: int | None = None) -> Image:
    """Stack the channels of images of one grid; axes in another order, or counted from their other end, are turned.

    Parameters
    ----------
    parts : sequence of Path
        Their files, which channels are named after where they do not name all of them, each otherwise.
    images : sequence of Image or None
        None for a file that is missing: its channel is NaN everywhere, with a DataWarning. At least one is there.
    name : str
        Of the result.
    memory : int, optional
        Bytes: a stack that takes more is read window by window.

    Returns
    -------
    Image
        Bands, with what the first image says of its place. A pixel is valid where it is in any image, and the channels
        of the others are NaN there. float32, or the dtype of all images where it is one and holds what is missing.

    Raises
    ------
    InputError
        One has another shape or another place than the first, or they are bands of scenes of two dates.
    """
    first = next(image for image in images if image is not None)
    images = [image if image is None or image is first else turned_over(first, image) for image in images]
    known = [image for image in images if image is not None]
    for image in known[1:]:
        _require_same_grid(known[0], image)
    for part, found in zip(parts, images, strict=True):
        if found is None:
            warn(f"{part} does not exist; its channel is missing everywhere (NaN)")
    bands = _bands_of_one_scene(parts) or _named_inside(images)
    metadata = {**known[0].metadata, NAMED_BY_FILES: not bands, SCALINGS: _scalings(images)}
    stacked = _Stack(tuple(images), _layout(images), _common_dtype(images))
    result = replace(
        known[0],
        pixels=stacked,
        color=False,
        valid=None,
        spacing=next((image.spacing for image in known if image.spacing), None),
        channel_names=bands if len(bands) == stacked.shape[-1] else _names(parts, images),
        name=name,
        metadata=metadata,
    )
    n_bytes = math.prod(stacked.shape) * stacked.dtype.itemsize
    if not all(image.in_memory for image in known) or (memory is not None and n_bytes > memory):
        return result
    pixels, valid = stacked.read(everything(result.shape))
    return replace(result, pixels=ArraySource(pixels), valid=valid)


@dataclass(frozen=True, eq=False)
class _Stack(WindowSource):
    """A source that reads each channel from the image that has it.

    Parameters
    ----------
    images : tuple of (Image or None)
    channels : tuple of (int, int)
        For each channel its image and its position there.
    dtype : numpy.dtype
    """

    images: tuple[Image | None, ...]
    channels: tuple[tuple[int, int], ...]
    dtype: np.dtype[Any]

    @property
    def _known(self) -> list[Image]:
        return [image for image in self.images if image is not None]

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self._known[0].shape, len(self.channels))

    @property
    def _leader(self) -> Any:
        """The first source, whose order is the order of reading."""
        return next((image.pixels for image in self._known if not image.in_memory), None)

    @property
    def blocks(self) -> tuple[int, ...]:
        rows = (*[1] * (len(self.shape) - 2), self.shape[-2])
        return rows if self._leader is None else tuple(self._leader.blocks)

    @property
    def sweep(self) -> int:
        return 0 if self._leader is None else int(self._leader.sweep)

    def select(self, channels: tuple[int, ...]) -> _Stack:
        """Leave unread what is not named; an image of which nothing is read still says the shape."""
        chosen = [self.channels[c] for c in channels]
        positions = [[c for image, c in chosen if image == i] for i in range(len(self.images))]
        images = tuple(
            image.select([c + 1 for c in at]) if image is not None and at else image
            for image, at in zip(self.images, positions, strict=True)
        )
        return replace(self, images=images, channels=tuple((i, positions[i].index(c)) for i, c in chosen))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        import numpy as np

        out = np.empty((*shape_of(window), len(self.channels)), self.dtype)
        valid: np.ndarray | None = np.zeros(out.shape[:-1], bool)
        for number, image in enumerate(self.images):
            at = [(position, c) for position, (i, c) in enumerate(self.channels) if i == number]
            if not at:
                continue
            part = None if image is None else image.crop(window)
            for position, c in at:
                with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is no number
                    out[..., position] = np.nan if part is None else part.array[..., c]
                if part is not None and part.valid is not None and self.dtype.kind == "f":
                    out[~part.valid, position] = np.nan
            if part is not None and valid is not None:
                valid = None if part.valid is None else valid | part.valid
        known = finite(out, every=False)
        return out, combine(valid, known)


def _bands_of_one_scene(parts: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of bands, where all files are named as bands of a satellite scene; otherwise nothing.

    Raises
    ------
    InputError
        They are of two scenes.
    """
    files = [band_file(part) for part in parts]
    known = [each for each in files if each is not None and each.common is not None]
    other = next((each for each in known if each.scene != known[0].scene), None)
    if other is not None:
        what = "dates" if other.date != known[0].date else "scenes"
        raise InputError(
            f"{known[0].path.name} and {other.path.name} are of two {what}, not bands of one scene; stack the bands of "
            "one, or give the two as images of their own"
        )
    certain = any(each.certain for each in known)
    return tuple(each.name for each in known) if certain and len(known) == len(parts) else ()


def _named_inside(images: Sequence[Image | None]) -> tuple[str, ...]:
    """Return the names that the files themselves give to their channels, where all have some and none is twice."""
    names = [name for image in images for name in (("",) if image is None else image.channel_names or ("",))]
    return tuple(names) if all(names) and len({name.lower() for name in names}) == len(names) else ()


def _scalings(images: Sequence[Image | None]) -> tuple[Scaling, ...]:
    """Return scale and offset of each channel; nothing where no file has any."""
    each = [() if image is None else image.metadata.get(SCALINGS, ()) for image in images]
    if not any(each):
        return ()
    sizes = [1 if image is None else image.n_channels for image in images]
    return tuple(pair for own, n in zip(each, sizes, strict=True) for pair in own or ((1.0, 0.0),) * n)


def _layout(images: Sequence[Image | None]) -> tuple[tuple[int, int], ...]:
    return tuple((i, c) for i, image in enumerate(images) for c in range(1 if image is None else image.n_channels))


def _common_dtype(images: Sequence[Image | None]) -> np.dtype[Any]:
    """Return the dtype of all, where it is one and either NaN or nothing marks what is missing in some only."""
    import numpy as np

    known = [image for image in images if image is not None]
    dtypes = {image.pixels.dtype for image in known}
    same = dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)
    complete = len(known) == len(images) and all(image.in_memory and image.valid is None for image in known)
    return same if same.kind == "f" or complete else np.dtype(np.float32)


def _names(parts: Sequence[Path], images: Sequence[Image | None]) -> tuple[str, ...]:
    """Return what the files are called, with the folder where they are called the same, and what each file adds."""
    stems = [stem_of(part.name) for part in parts]
    different = len(set(stems)) == len(stems)
    stems = (
        _told_apart(stems) if different else [str(part.parent / stem) for part, stem in zip(parts, stems, strict=True)]
    )
    names: list[str] = []
    for stem, image in zip(stems, images, strict=True):
        if image is None or image.n_channels == 1:
            names.append(stem)
        else:
            own = image.channel_names or [str(c + 1) for c in range(image.n_channels)]
            names += [f"{stem} {each}" for each in own]
    return tuple(names)


def _told_apart(stems: Sequence[str]) -> list[str]:
    """Return names without the words that all begin with, so that images of one kind have channels of one name.

    Words end with "_". What would be a number is left as it is: channels have numbers of their own.

    Examples
    --------
    >>> _told_apart(["sub-01_run-1_T1w", "sub-01_run-1_T2w"]), _told_apart(["t1", "t2"]), _told_apart(["a_1", "a_2"])
    (['T1w', 'T2w'], ['t1', 't2'], ['a_1', 'a_2'])
    """
    words = [stem.split("_") for stem in stems]
    common = len(list(takewhile(lambda each: len(set(each)) == 1, zip(*words, strict=False))))
    names = ["_".join(each[common:]) for each in words]
    usable = len(names) > 1 and all(names) and not any(name.isdigit() for name in names)
    return names if usable else list(stems)


def _require_same_grid(first: Image, other: Image) -> None:
    """Refuse images of which a pixel of one is not a pixel of the other."""
    if other.shape != first.shape:
        remedy = "resample it to that grid"
        if all(image.place is not None and image.place.crs for image in (first, other)):
            remedy += (
                ", or give a mosaic: gdalbuildvrt -separate -resolution highest -r bilinear stack.vrt with all files"
            )
        raise InputError(f"{other.name} has shape {other.shape}, but {first.name} has {first.shape}; {remedy}")
    if other.time != first.time:
        still, movie = (first, other) if other.time else (other, first)
        raise InputError(
            f"{movie.name} is a time-lapse, but {still.name} is not; name the axes of both, as in axes='TYX'"
        )
    if not require_same_place(first, other):
        _require_same_spacing(first, other)


def _require_same_spacing(first: Image, other: Image) -> None:
    if first.spacing and other.spacing:
        close = all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(first.spacing, other.spacing, strict=True))
        if not close:
            raise InputError(
                f"{other.name} has pixels of {_size(other)}, but {first.name} of {_size(first)}; "
                "resample it to that grid"
            )


def _size(image: Image) -> str:
    return " x ".join(f"{step:g}" for step in image.spacing or ())
