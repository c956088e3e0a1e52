"""Objects: connected regions of a class one by one, and what each of them measures."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmseg import io
from gmmseg.checks import single
from gmmseg.errors import DataWarning, ParameterError
from gmmseg.image import Image
from gmmseg.image.sizes import least_pixels
from gmmseg.image.windows import everything
from gmmseg.io.ground import Ground
from gmmseg.measuring.splitting import SPECK, compact, split, typical
from gmmseg.measuring.surroundings import told_by_surroundings
from gmmseg.measuring.table import Table

__all__ = ["Objects", "find_objects", "object_table"]

Array = NDArray[Any]

_SHAPES = ("bbox", "centroid", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "extent")
_FLAT = ("eccentricity", "orientation", "solidity")
_INTENSITIES = ("intensity_mean", "intensity_min", "intensity_max", "intensity_std")


@dataclass(frozen=True, eq=False, repr=False)
class Objects:
    """The objects of one class.

    Parameters
    ----------
    labels : ndarray of uint32, shape (*spatial)
        Objects 1 to n in the order of their first pixels; 0 = none.
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
        return int(self.labels.max(initial=0))

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
        The ground is uneven: objects are told by their surroundings, and need not lie in the mask.

    Raises
    ------
    ParameterError
        The mask has another shape than the image, the image is a time-lapse, or the size is not usable.

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
    if image.time:
        raise ParameterError(
            f"{image.name} has {image.shape[0]} frames; objects are of a picture or a volume, so give one frame"
        )
    split, fill_holes = single("split", split), single("fill_holes", fill_holes)
    least = None if min_size is None else least_pixels(min_size, image)
    from scipy.ndimage import binary_fill_holes
    from skimage.measure import label

    if split:
        told = told_by_surroundings(inside, image)
        if told is not inside:
            inside = told
            message = (
                f"{image.name}: the ground is uneven: objects ({name}) are told by their surroundings, not by the "
                "class; split=False (--no-split) keeps it"
            )
            warnings.warn(message, DataWarning, stacklevel=2)
    whole = np.asarray(binary_fill_holes(inside), bool) if split or fill_holes else inside
    found = np.asarray(label(whole, connectivity=1))
    if split:
        # Specks go first: they would only be seeds of what is no object.
        found = _split(whole & _large(found, least)[found], image)
    if not fill_holes:
        found = found * inside
    return Objects(compact(found, _large(found, least)), image, name)


def _split(inside: Array, image: Image) -> Array:
    return split(inside, image.spacing or (1.0,) * image.ndim)


def _large(numbers: Array, least: int | None) -> Array:
    """Which numbers (n,) have enough pixels; 0 has none."""
    sizes = np.bincount(numbers.reshape(-1))
    sizes[0] = 0
    there = sizes[sizes > 0]
    if least is None:
        least = max(1, int(np.ceil(SPECK * typical(there)))) if len(there) else 1
    return np.asarray(sizes >= least)


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
        of the image's spacing, which "unit" names ("pixel" where it is not known), boxes in pixels. In front are the
        number of pixels, and on a map or in a scan the area or volume in the unit that suits it. Intensities are named
        after the channels where these have names.

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
    from skimage.measure import regionprops_table

    numbers = np.asarray(labels)
    if numbers.shape != image.shape:
        raise ParameterError(
            f"labels have shape {numbers.shape}, but {image.name} has shape {image.shape}; give one number a pixel"
        )
    spacing = image.spacing or (1.0,) * image.ndim
    square = ("perimeter",) if len(set(spacing)) == 1 else ()  # of others scikit-image knows none
    names = ("label", "area", *_SHAPES, *((*_FLAT, *square) if numbers.ndim == 2 else ()))
    found = regionprops_table(numbers.astype(np.int64), properties=names, spacing=spacing)
    label = np.asarray(found.pop("label"), np.int64)
    ground, counts = Ground.of(image), np.bincount(numbers.reshape(-1))
    columns: dict[str, Array] = {"label": label, "pixels": counts[label]}
    if ground.known:
        columns[ground.name] = ground.sums(everything(numbers.shape), numbers, len(counts))[label]
    unit = None if image.spacing is None or image.place is None else image.place.unit
    columns["unit"] = np.full(len(label), unit or "pixel", object)
    columns.update({name: np.asarray(values) for name, values in found.items()})
    if intensities:
        columns.update(_intensities(numbers, label, image))
    return Table(columns)


def _intensities(numbers: Array, label: Array, image: Image) -> dict[str, Array]:
    """Mean, spread and extremes of each channel in each object; NaN where no pixel is known."""
    from scipy import ndimage

    pixels, columns = image.array, {}
    names = image.known_names
    for channel in range(image.n_channels):
        values = pixels[..., channel].astype(np.float64)
        known = np.where(np.isfinite(values), numbers, 0)
        mean, lowest = ndimage.mean(values, known, label), ndimage.minimum(values, known, label)
        highest, spread = ndimage.maximum(values, known, label), ndimage.standard_deviation(values, known, label)
        end = f"-{names[channel]}" if names else f"-{channel}" if image.n_channels > 1 else ""
        lacking = np.bincount(known.reshape(-1), minlength=int(label.max(initial=0)) + 1)[label] == 0
        for name, each in zip(_INTENSITIES, (mean, lowest, highest, spread), strict=True):
            columns[name + end] = np.where(lacking, np.nan, each)
    return columns
