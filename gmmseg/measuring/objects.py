"""Objects: connected regions of a class one by one, and what each of them measures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmseg import io
from gmmseg.arrays import Array
from gmmseg.checks import single
from gmmseg.errors import ParameterError, warn
from gmmseg.evaluation.by_objects import numbered_on
from gmmseg.image import Image
from gmmseg.image.sizes import least_pixels
from gmmseg.image.windows import everything
from gmmseg.io.ground import Ground
from gmmseg.measuring.splitting import SPECK, compact, split, typical
from gmmseg.measuring.surroundings import told_by_surroundings
from gmmseg.measuring.table import Table, stacked

__all__ = ["Objects", "find_objects", "object_table"]

_SHAPES = ("bbox", "centroid", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "extent")
_FLAT = ("eccentricity", "orientation", "solidity")
# Of neighbours of an object's pixel, how many more are of objects than by chance: in noise none to .07 of them, on
# 49 pictures of cells, land and photographs .79 to .98, of pairs of pixels .25.
_SCATTERED, _FEW = 0.3, 20
_INTENSITIES = ("intensity_mean", "intensity_min", "intensity_max", "intensity_std")


@dataclass(frozen=True, eq=False, repr=False)
class Objects:
    """The objects of one class.

    Parameters
    ----------
    labels : ndarray of uint16 or uint32, shape (*spatial)
        Those found are 1 to n in the order of their first pixels; 0 = none. Those of a time-lapse are of one frame
        each, and numbered on from frame to frame.
    image : Image
        What they were found in.
    name : str
        What one of them is called: the class.

    Examples
    --------
    >>> found = Objects(np.array([[0, 1, 0, 2]], np.uint32), Image.from_array(np.zeros((1, 4))), "cell")
    >>> len(found), found.table()["pixels"].tolist()
    (2, [1, 1])
    """

    labels: Array
    image: Image
    name: str = "object"

    def __repr__(self) -> str:
        """Say how many there are, on one line."""
        return f"Objects({len(self)} x {self.name}, {' x '.join(map(str, self.labels.shape))} pixels)"

    def __len__(self) -> int:
        return int(np.count_nonzero(np.unique(self.labels)))

    def table(self, *, intensities: bool = True) -> Table:
        """Return what each object measures, as of `object_table`; with `intensities` of the image's pixels too."""
        return object_table(self.labels, self.image, intensities=intensities)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False, **options: Any) -> None:
        """Write the label image in 16 or 32 bits, by which exports know objects; the suffix chooses the format.

        Parameters
        ----------
        path : path-like
            .tif, .npy, .npz, .nii or .nii.gz; .png for up to 65 535 objects.
        overwrite : bool
            Whether an existing file may be replaced.
        **options
            Of the format, as of `gmmseg.io.write_labels`.
        """
        io.write_labels(path, self.labels, image=self.image, objects=True, overwrite=overwrite, **options)


def find_objects(
    mask: ArrayLike,
    image: Image,
    *,
    split: bool = True,
    min_size: int | str | None = None,
    fill_holes: bool = False,
    name: str = "object",
) -> Objects:
    """Find the objects of a mask.

    Parameters
    ----------
    mask : array_like of bool, shape (*spatial)
        Where objects are.
    image : Image
        What the mask is of: its spacing tells along which axis objects are long, its place physical sizes.
    split : bool
        Whether objects are told apart that touch, where they are narrow, and on uneven ground from what is around them,
        see `gmmseg.measuring.surroundings.told_by_surroundings`: this needs the image, in one channel, and the mask of
        its brightest or darkest class.
    min_size : int or str, optional
        Smaller objects are left out: pixels or voxels (50), or an area or volume as of `gmmseg.Segmentation.clean`; 1
        keeps all. By default specks are: what has less than a tenth of the pixels of the typical object, the one in
        which the median pixel of the mask lies.
    fill_holes : bool
        Whether holes in objects belong to them. They never matter to where objects are split.
    name : str
        What one is called.

    Returns
    -------
    Objects

    Warns
    -----
    DataWarning
        The ground is uneven: objects are told by their surroundings, and need not lie in the mask; or objects are
        specks of about a pixel each, scattered as noise is.

    Raises
    ------
    ParameterError
        The mask has another shape than the image, or the size is not usable.

    Examples
    --------
    >>> y, x = np.mgrid[:40, :80]
    >>> discs = ((x - 25) ** 2 + (y - 20) ** 2 < 200) | ((x - 50) ** 2 + (y - 20) ** 2 < 200)
    >>> image = Image.from_array(discs)
    >>> len(find_objects(discs, image)), len(find_objects(discs, image, split=False))
    (2, 1)
    """
    inside = np.asarray(mask, bool)
    if inside.shape != image.shape:
        raise ParameterError(
            f"mask has shape {inside.shape}, but {image.name} has shape {image.shape}; give one value a pixel"
        )
    split, fill_holes = single("split", split), single("fill_holes", fill_holes)
    least = None if min_size is None else least_pixels(min_size, image)
    frames, insides = image.frames, list(inside) if image.time else [inside]
    if split:
        insides = _told(insides, image, name)
    from scipy.ndimage import binary_fill_holes
    from skimage.measure import label

    wholes = [np.asarray(binary_fill_holes(each), bool) if split or fill_holes else each for each in insides]
    found = [np.asarray(label(whole, connectivity=1)) for whole in wholes]
    if split:
        # Specks go first: they would only be seeds of what is no object.
        kept = _large(found, least)
        parts = zip(wholes, found, kept, frames, strict=True)
        found = [_split(whole & large[numbers], frame) for whole, numbers, large, frame in parts]
    if not fill_holes:
        found = [numbers * each for numbers, each in zip(found, insides, strict=True)]
    found = [compact(numbers, large) for numbers, large in zip(found, _large(found, least), strict=True)]
    _tell_specks(found, image, name)
    return Objects(numbered_on(found) if image.time else found[0], image, name)


def _tell_specks(found: list[Array], image: Image, name: str) -> None:
    """Warn where objects are single pixels that lie as if by chance: as noise, of which there are classes too."""
    masks, count = [each > 0 for each in found], sum(int(each.max(initial=0)) for each in found)
    if count < _FEW:
        return
    share = sum(map(np.count_nonzero, masks)) / sum(mask.size for mask in masks)
    turned = [np.moveaxis(mask, axis, 0) for mask in masks for axis in range(mask.ndim)]
    followed = sum(np.count_nonzero(mask[:-1]) for mask in turned)
    beside = sum(np.count_nonzero(mask[1:] & mask[:-1]) for mask in turned) / max(1, followed)
    if beside - share < _SCATTERED * (1 - share):
        warn(
            f"{image.name}: the {count} objects ({name}) are specks of about a pixel each, scattered as noise is; if "
            "they are noise, there is no object here, or min_size (--min-size) tells the larger ones"
        )


def _told(insides: list[Array], image: Image, name: str) -> list[Array]:
    """Masks of objects by their surroundings, in the frames whose ground is uneven; a warning says of how many."""
    told = [told_by_surroundings(each, frame) for each, frame in zip(insides, image.frames, strict=True)]
    n_uneven = sum(each is not inside for each, inside in zip(told, insides, strict=True))
    if n_uneven:
        which = f" in {n_uneven} of {len(told)} frames" if image.time else ""
        message = (
            f"{image.name}: the ground is uneven{which}: objects ({name}) are told by their surroundings, not by the "
            "class; split=False (--no-split) keeps it"
        )
        warn(message)
    return told


def _split(inside: Array, image: Image) -> Array:
    return split(inside, image.spacing or (1.0,) * image.ndim)


def _large(regions: list[Array], least: int | None) -> list[Array]:
    """Which numbers (n,) of each frame have enough pixels; 0 has none. The typical object is one of all frames."""
    sizes = [np.bincount(numbers.reshape(-1)) for numbers in regions]
    for each in sizes:
        each[0] = 0
    if least is None:
        there = np.concatenate(sizes)
        there = there[there > 0]
        least = max(1, int(np.ceil(SPECK * typical(there)))) if len(there) else 1
    return [each >= least for each in sizes]


def object_table(labels: ArrayLike, image: Image, *, intensities: bool = True) -> Table:
    """Measure the objects of a label image.

    Parameters
    ----------
    labels : array_like of integers from 0, shape (*spatial)
        Objects; 0 = none.
    image : Image
        What they are of.
    intensities : bool
        Whether the image's pixels are measured too.

    Returns
    -------
    Table
        A row an object: what `skimage.measure.regionprops_table` says under these names, lengths and areas in the unit
        of the image's spacing, which "unit" names ("pixel" where no size is known, "unknown" where only its unit is
        not), boxes in pixels. In front are the number of pixels, and on a map or in a scan the area or volume in the
        unit that suits it. Intensities are named after the channels where these have names. Of a time-lapse a row for
        each frame and object, the "frame", counted from 1, first; a number may go on through frames, as that of a
        track.

    Raises
    ------
    ParameterError
        The labels have another shape than the image.

    Examples
    --------
    >>> image = Image.from_array(np.array([[0, 9, 0, 5]], np.uint8))
    >>> table = object_table([[0, 1, 0, 2]], image)
    >>> table["pixels"].tolist(), table["intensity_mean"].tolist()
    ([1, 1], [9.0, 5.0])
    """
    numbers = np.asarray(labels)
    if numbers.shape != image.shape:
        raise ParameterError(
            f"labels have shape {numbers.shape}, but {image.name} has shape {image.shape}; give one number a pixel"
        )
    if not image.time:
        return Table(_measured(numbers, image, intensities=intensities))
    pairs = enumerate(zip(numbers, image.frames, strict=True), 1)
    return stacked({number: Table(_measured(*each, intensities=intensities)) for number, each in pairs}, "frame")


def _measured(numbers: Array, image: Image, *, intensities: bool) -> dict[str, Array]:
    """The columns of the objects of a picture or a volume."""
    from skimage.measure import regionprops_table

    known, numbers = _without_gaps(numbers)
    spacing = image.spacing or (1.0,) * image.ndim
    square = ("perimeter",) if len(set(spacing)) == 1 else ()  # of others scikit-image knows none
    names = ("label", "area", *_SHAPES, *((*_FLAT, *square) if numbers.ndim == 2 else ()))
    found = regionprops_table(numbers.astype(np.int64), properties=names, spacing=spacing)
    label = np.asarray(found.pop("label"), np.int64)
    ground, counts = Ground.of(image), np.bincount(numbers.reshape(-1))
    columns: dict[str, Array] = {"label": known[label], "pixels": counts[label]}
    if ground.known:
        columns[ground.name] = ground.sums(everything(numbers.shape), numbers, len(counts))[label]
    unit = None if image.spacing is None or image.place is None else image.place.unit
    columns["unit"] = np.full(len(label), unit or ("pixel" if image.spacing is None else "unknown"), object)
    columns.update({name: np.asarray(values) for name, values in found.items()})
    if intensities:
        columns.update(_intensities(numbers, label, image))
    return columns


def _without_gaps(numbers: Array) -> tuple[Array, Array]:
    """Objects' numbers by their places from 1, and the places: what measures them has room up to the largest number."""
    if numbers.max(initial=0) <= numbers.size:
        there = np.bincount(numbers.reshape(-1)) > 0
        there[0] = True
        return np.flatnonzero(there), (np.cumsum(there) - 1)[numbers]
    known, places = np.unique(numbers, return_inverse=True)
    places = places.reshape(numbers.shape)
    return (known, places) if known[0] == 0 else (np.append(known[:1], known), places + 1)


def _intensities(numbers: Array, label: Array, image: Image) -> dict[str, Array]:
    """Mean, spread and extremes of each channel in each object; NaN where no pixel is known."""
    from scipy import ndimage

    pixels, columns = image.array, {}
    names = image.known_names
    valid = numbers if image.valid is None else np.where(image.valid, numbers, 0)
    for channel in range(image.n_channels):
        values = pixels[..., channel].astype(np.float64)
        known = np.where(np.isfinite(values), valid, 0)
        with np.errstate(invalid="ignore"):  # of no pixels, which become NaN below
            mean, lowest = ndimage.mean(values, known, label), ndimage.minimum(values, known, label)
            highest, spread = ndimage.maximum(values, known, label), ndimage.standard_deviation(values, known, label)
        end = f"-{names[channel]}" if names else f"-{channel}" if image.n_channels > 1 else ""
        lacking = np.bincount(known.reshape(-1), minlength=int(label.max(initial=0)) + 1)[label] == 0
        for name, each in zip(_INTENSITIES, (mean, lowest, highest, spread), strict=True):
            columns[name + end] = np.where(lacking, np.nan, each)
    return columns
