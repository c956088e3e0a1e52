"""regions(): a picture becomes a tree of connected regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gmmseg.arrays import Array
from gmmseg.checks import whole_number
from gmmseg.errors import InputError
from gmmseg.features import Recipe
from gmmseg.features.scaling import location_and_scale
from gmmseg.hierarchy.merging import merge
from gmmseg.hierarchy.pieces import gradient, histogram_difference, pieces_of
from gmmseg.hierarchy.tree import RegionTree
from gmmseg.image import Image
from gmmseg.image.grey import as_grey
from gmmseg.image.pixels import sample_pixels
from gmmseg.image.vision import opencv
from gmmseg.image.windows import everything
from gmmseg.io.opening import Reading, open_image

__all__ = ["regions"]

_PIECES = 500
_LARGEST_UNIT = 2.0  # pixels for one of a photograph's; of larger pictures, squares of pixels are looked at
_STARTS = 1.0, 0.7, 1.4  # pieces of the trees that are averaged, as shares of those asked for
_PHOTOGRAPH = 481 * 321  # pixels of the photographs that the merging was tuned on
_TYPICAL_SPREAD = 15.0  # of L*a*b* in photographs: what other features are scaled to
_BLUR, _TEXTURE_SCALE, _TEXTURE_WEIGHT = 1.5, 3.0, 2.0


def regions(
    image: Any,
    *,
    mask: Any = None,
    nodata: float | Sequence[float | None] | None = None,
    channel_axis: Any = "auto",
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    pieces: int = _PIECES,
    allow_remote: bool = False,
) -> RegionTree:
    """Cut a picture into connected regions, at every level of detail at once.

    Parameters
    ----------
    image : path, array_like or Image
        Of two spatial axes; as of `segment`.
    mask : array_like, shape (rows, columns), optional
        Non-zero where pixels are used.
    nodata, channel_axis, axes, spacing, unit : optional
        As of `segment`.
    pieces : int
        About how many regions the finest level has.
    allow_remote : bool
        As of `segment`.

    Returns
    -------
    RegionTree

    Raises
    ------
    InputError
        The image cannot be read, is a volume, or has no valid pixel.
    ParameterError
        A parameter has an unusable value.

    Notes
    -----
    Features are the colour, blurred a little, and the logarithm of the local energy of lightness. Lengths are in
    proportion to the picture's size, so that any resolution gives about the same regions. Pictures of more than about
    0.6 megapixels are looked at in squares of pixels, in which the regions' outlines then run, and parts with less than
    a square's side between them touch. Time grows with the pixels up to there, and little beyond.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.zeros((60, 80, 3), np.uint8)
    >>> picture[20:40, 20:50] = 200
    >>> tree = regions(picture)
    >>> tree.labels(n=2)[30, [10, 30, 70]]
    array([1, 2, 1], dtype=uint16)
    """
    count = whole_number("pieces", pieces, 1, 1 << 20)
    reading = Reading(
        mask, channel_axis, axes=axes, spacing=spacing, unit=unit, nodata=nodata, allow_remote=allow_remote
    )
    opened = as_grey(open_image(image, reading))
    if opened.time:
        raise InputError(f"{opened.name} has {opened.shape[0]} frames; regions are of a picture, so give one frame")
    if opened.ndim != 2:
        raise InputError(f"{opened.name} has {opened.ndim} spatial axes; regions are of pictures, which have 2")
    if opened.valid is not None and not opened.valid.any():
        raise InputError(f"{opened.name}: no pixel is valid, so there are no regions; check the mask")
    ratio = float(np.sqrt(opened.n_pixels / _PHOTOGRAPH))
    step = int(np.ceil(ratio / _LARGEST_UNIT))
    guide, valid = _reduced(_guide(opened), opened.valid, step)
    ratio /= step
    edges = gradient(guide, ratio)
    starts = [pieces_of(edges, max(1, round(count * share)), valid) for share in _STARTS]
    merges = merge(starts, _features(guide, ratio), edges + histogram_difference(guide, ratio), ratio)
    return RegionTree(opened, _enlarged(starts[0], opened, step), merges)


def _reduced(guide: Array, valid: Array | None, step: int) -> tuple[Array, Array | None]:
    """Return a guide of fewer pixels: means over the valid ones of squares of `step` times `step`.

    And which squares have a valid pixel; None where all have.
    """
    if step == 1:
        return guide, valid
    starts = [np.arange(0, size, step) for size in guide.shape[:2]]

    def sums(values: Array) -> Array:
        return np.asarray(np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1))

    used = np.ones(guide.shape[:2], np.float32) if valid is None else valid.astype(np.float32)
    count = sums(used)
    means = sums(guide * used[..., None]) / np.maximum(count, 1)[..., None]
    if valid is None:
        return means, None
    means[count == 0] = guide[~valid][:1]  # what `_guide` fills them with
    return means, count > 0


def _enlarged(pieces: Array, image: Image, step: int) -> Array:
    """Return the pieces (rows, columns) of an image, given those of its squares of `step` times `step` pixels."""
    if step == 1:
        return pieces
    rows, columns = image.shape
    large = pieces.repeat(step, axis=0)[:rows].repeat(step, axis=1)[:, :columns]
    return large if image.valid is None else np.where(image.valid, large, np.int32(-1))


def _guide(image: Image) -> Array:
    """What tells pixels apart (rows, columns, c): the colours L*a*b*, or bands in units that compare with theirs."""
    recipe = Recipe.parse("lab" if image.color else "bands")
    planes = recipe.planes(image, everything(image.shape))
    if not image.color:
        found = sample_pixels(image, 100_000, np.random.default_rng(0))
        groups = tuple(range(len(planes)))
        center, scale = location_and_scale(recipe.planes_of(image, found.values, found.flat), groups)
        planes = (planes - center[:, None].astype(np.float32)) * (_TYPICAL_SPREAD / scale[:, None]).astype(np.float32)
        planes = np.nan_to_num(planes)  # a band that is missing is taken as its median
    else:
        planes[0] -= 50  # lightness about its middle
    guide = np.ascontiguousarray(planes.T).reshape(*image.shape, -1)
    if image.valid is not None:
        guide[~image.valid] = guide[image.valid].mean(axis=0)
    return guide


def _features(guide: Array, unit: float) -> Array:
    """What makes pixels of a region alike, planes (c + 1, n): the guide, blurred a little, and how rough it is there.

    Roughness is the logarithm of the local energy of what a wider blur takes away.
    """
    cv2 = opencv()

    blurred = cv2.GaussianBlur(guide, (0, 0), _BLUR * unit).reshape(*guide.shape)
    light = guide[..., 0]
    fine = light - cv2.GaussianBlur(light, (0, 0), _TEXTURE_SCALE * unit)
    energy = np.log(cv2.GaussianBlur(fine * fine, (0, 0), 2 * _TEXTURE_SCALE * unit) + 1)
    return np.concatenate([blurred.reshape(-1, guide.shape[-1]).T, _TEXTURE_WEIGHT * energy.reshape(1, -1)])
