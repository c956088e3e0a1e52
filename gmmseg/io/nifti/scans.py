"""Scans that ITK, SimpleITK, ANTs and nibabel hold in memory, in the axes and at the place of a NIfTI file of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gmmseg.errors import InputError, one_line
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.validity import combine, finite
from gmmseg.io.damage import explained
from gmmseg.io.nifti.format import geometry_of, require_real, split_axes
from gmmseg.io.nifti.stored import StoredVolume
from gmmseg.io.nifti.write import NiftiPlace
from gmmseg.io.request import Reading, require_axis, require_room
from gmmseg.io.unchanged import Stamp

__all__ = ["of_ants", "of_itk", "of_nibabel", "of_simpleitk", "space_first"]

_FROM_ITK = np.diag([-1.0, -1.0, 1.0])  # axes to the left and the back become those to the right and the front
_NO_FILE = Stamp(Path(), 0, (0, 0), (0, 0))


def of_simpleitk(scan: Any, reading: Reading) -> Image:
    """Take an image of SimpleITK: (x, y, z, n_channels) of a volume, (rows, columns, n_channels) of a picture.

    Raises
    ------
    InputError
        It holds complex numbers or has too many axes, or is larger than allowed.
    """
    require_room(Path("image"), scan.GetSize()[:3], reading)
    stored = sys.modules["SimpleITK"].GetArrayFromImage(scan)  # slowest axis first, parts of a vector last
    if stored.dtype.kind not in "uif":
        raise InputError(f"image holds {stored.dtype} numbers, not real ones; pass SimpleITK.ComplexToModulus(image)")
    grid = _Grid(scan.GetSpacing(), scan.GetOrigin(), scan.GetDirection())
    return _on_grid(stored, scan.GetNumberOfComponentsPerPixel(), grid, "SimpleITK", reading)


def of_itk(scan: Any, reading: Reading) -> Image:
    """Take an image of ITK's own package for Python, as `of_simpleitk` does.

    Raises
    ------
    InputError
        It is no image (as a mesh), gives no array (as of complex numbers) or has too many axes, or is too large.
    """
    named = f"image is an itk.{type(scan).__name__}"
    if not hasattr(scan, "GetDirection"):
        raise InputError(f"{named}, which has no pixels; pass an image")
    size, spacing, origin = (
        tuple(each) for each in (scan.GetLargestPossibleRegion().GetSize(), scan.GetSpacing(), scan.GetOrigin())
    )
    require_room(Path("image"), tuple(map(int, size[:3])), reading)
    try:
        stored = np.asarray(sys.modules["itk"].array_from_image(scan))  # slowest axis first, parts of a vector last
    except (RuntimeError, TypeError) as error:  # of complex numbers, and of tensors
        raise InputError(f"{named}, which gives no array ({one_line(error)}); pass one of real numbers") from error
    grid = _Grid(spacing, origin, np.asarray(scan.GetDirection()))
    return _on_grid(stored, scan.GetNumberOfComponentsPerPixel(), grid, "ITK", reading)


def of_ants(scan: Any, reading: Reading) -> Image:
    """Take an image of ANTs, as `of_simpleitk` does.

    Raises
    ------
    InputError
        It has too many axes, or is larger than allowed.
    """
    require_room(Path("image"), tuple(map(int, scan.shape[:3])), reading)
    n_axes = len(scan.spacing)
    stored = np.asarray(scan.numpy())  # fastest axis first, parts of a vector last
    stored = stored.transpose(*range(n_axes)[::-1], *range(n_axes, stored.ndim))
    return _on_grid(stored, int(scan.components), _Grid(scan.spacing, scan.origin, scan.direction), "ANTs", reading)


class _Grid(NamedTuple):
    """Where voxels lie, as ITK has it: to the left, the back and the top."""

    spacing: Any
    origin: Any
    direction: Any

    @property
    def affine(self) -> tuple[tuple[float, ...], ...]:
        """The matrix from indices to millimetres, to the right, the front and the top."""
        n_axes = len(self.spacing)
        directions = np.reshape(self.direction, (n_axes, n_axes))[:3, :3]
        affine = np.eye(4)
        affine[:3, :3] = _FROM_ITK @ directions * self.spacing[:3]
        affine[:3, 3] = _FROM_ITK @ self.origin[:3]
        return tuple(map(tuple, affine.tolist()))


def _on_grid(stored: np.ndarray, n_parts: int, grid: _Grid, library: str, reading: Reading) -> Image:
    """Return an image of numbers, the slowest axis first and parts of a vector last."""
    n_axes = len(grid.spacing)
    if n_axes > 4 or (n_axes == 4 and n_parts > 1):
        raise InputError(f"image has {n_axes} axes of {n_parts} numbers: too many; pass one volume at a time")
    pixels = stored if n_axes == 4 or n_parts > 1 else stored[..., None]
    if n_axes == 2:
        spacing, place = grid.spacing[::-1], None
    else:  # the first axis first, volumes in time last
        size = stored.shape[n_axes - 3 : n_axes][::-1]
        pixels = np.moveaxis(stored, range(n_axes), range(n_axes - 1, -1, -1)).reshape(*size, -1)
        spacing, place = grid.spacing[:3], Place(affine3d=grid.affine, unit="mm")
    color = n_axes < 4 and _are_colors(stored.dtype, n_parts, n_axes)
    alpha = pixels[..., 3] != 0 if color and n_parts == 4 else None
    pixels = pixels[..., :3] if color else pixels
    image = Image(
        pixels,
        color=color,
        valid=combine(finite(pixels, every=color, name="image"), alpha),
        spacing=tuple(map(float, spacing)),
        place=place,
    )
    require_axis(image, reading, library)
    return image


def _are_colors(dtype: np.dtype[Any], n_parts: int, n_axes: int) -> bool:
    """Whether vectors are colours: three or four bytes, and of pictures three numbers of 16 bits, as in PNG files."""
    return (dtype == np.uint8 and n_parts in (3, 4)) or (dtype == np.uint16 and n_parts == 3 and n_axes == 2)


def of_nibabel(scan: Any, reading: Reading) -> Image:
    """Take an image of nibabel of any format, as a NIfTI file of it would be read.

    Raises
    ------
    InputError
        It holds no real numbers or has too many axes, is larger than allowed, or its file is damaged.
    """
    from nibabel.nifti1 import Nifti1Image, Nifti1Pair

    scan = space_first(scan)
    name = scan.get_filename() or "image"
    if min(scan.shape, default=0) < 1:
        raise InputError(f"{name} is {' x '.join(map(str, scan.shape)) or 'no'} voxels in size; it needs at least one")
    require_room(Path(name), scan.shape[:3], reading)
    with explained(name, "load it again", finding="damaged"), np.errstate(all="ignore"):
        header = scan.header if isinstance(scan, Nifti1Pair) else Nifti1Image.from_image(scan).header
        raw, slope, intercept = _stored(scan.dataobj)
        spacing, affine, _ = geometry_of(header, len(scan.shape[:3]))
    require_real(name, raw.dtype)
    spatial, n_volumes = split_axes(name, scan.shape, raw.dtype)
    volume = StoredVolume(Path(name), False, 0, spatial, n_volumes, raw.dtype, _NO_FILE, slope, intercept)
    pixels, valid = volume.decoded(raw.reshape((*spatial, n_volumes), order="A"))
    valid = combine(valid, finite(pixels, every=False, name=name))
    place = Place(affine3d=affine, unit="mm", native=NiftiPlace(header))
    image = Image(pixels, color=volume.color, valid=valid, spacing=spacing, name=name, place=place)
    require_axis(image, reading, "nibabel")
    return image


def space_first(scan: Any) -> Any:
    """Return an image of nibabel whose axes in space are its first, which those of MINC files in time are not.

    Its numbers are read when they are asked for.
    """
    file = getattr(scan.dataobj, "minc_file", None)
    if file is None or len(scan.shape) < 4:
        return scan
    from nibabel.spatialimages import SpatialImage

    order = sorted(range(len(scan.shape)), key=lambda axis: not str(file._dim_names[axis]).endswith("space"))
    return SpatialImage(_Transposed(scan.dataobj, order), scan.affine, scan.header.copy(), file_map=scan.file_map)


class _Transposed:
    """Numbers that are read when they are asked for, with their axes in another order."""

    def __init__(self, numbers: Any, order: list[int]) -> None:
        self._numbers, self._order = numbers, order
        self.shape = tuple(numbers.shape[axis] for axis in order)
        self.ndim = len(order)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._numbers, dtype).transpose(self._order)


def _stored(data: Any) -> tuple[np.ndarray, float, float]:
    """Return the numbers as they are stored, and the slope and the intercept that they are scaled by."""
    from nibabel.arrayproxy import ArrayProxy

    if type(data) is ArrayProxy:  # others, as of AFNI, scale in ways of their own
        return np.asarray(data.get_unscaled()), float(data.slope), float(data.inter)
    return np.asarray(data), 1.0, 0.0
