"""The features that a recipe may name, such as lab, bands or xy: one class each behind one registry.

A feature turns pixels into planes: `lab` into three, of lightness and of two colours, `xy` into one for each axis. What
computes, NumPy with it, is imported where pixels come, so that the command line names the features without loading it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from gmmseg.errors import ParameterError
from gmmseg.image.windows import Window, shape_of
from gmmseg.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gmmseg.image import Image

    Array = NDArray[Any]
    _Frame = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]  # extent, origin and spacing of an image

__all__ = ["DECIDERS", "FEATURES", "Feature", "Pixels", "feature", "spread"]

Decider = Literal["value", "surroundings", "position"]

DECIDERS: tuple[Decider, ...] = ("value", "surroundings", "position")
"""What of a pixel may decide a feature, in the order of their planes."""

_AXES = ("x", "y", "z", "t")


class Pixels(NamedTuple):
    """The pixels whose planes are taken: those of a window of an image, or single ones.

    Parameters
    ----------
    image : Image
    values : ndarray, shape (rows, columns, n_channels)
        Rows times columns are the number of pixels. Of the image, or divided by a gain: then floats, and colours of
        integers are from 0 to 1.
    where : tuple of slice, or ndarray of int, shape (n,)
        The window, or the single pixels' indices into the image's flattened spatial axes.
    threads : int
        They change the time, never the result.
    """

    image: Image
    values: Array
    where: Window | Array
    threads: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the window, or (n,)."""
        return shape_of(self.where) if isinstance(self.where, tuple) else self.where.shape

    @property
    def stored(self) -> Array:
        """The values in the file's own units, whether or not they were divided by a gain."""
        from gmmseg.image.units import as_stored  # here, because features are named without NumPy

        image = self.image
        return as_stored(self.values, image.stored or image.pixels.dtype) if image.color else self.values


class Feature(Protocol):
    """What a recipe asks of a feature; what most features have in common need not be said by each.

    Attributes
    ----------
    name : str
        As a person types it.
    note : str
        What the command line's help adds to the name.
    decided_by : {"value", "surroundings", "position"}
        Of a pixel: its own value, what lies around it, or where it is.
    weighted : bool
        Whether a weight may follow the name, as in xy:0.5.
    """

    name: str
    note: str = ""
    decided_by: Decider = "value"
    weighted: bool = False

    def missing(self, image: Image) -> str:
        """What an image would have to have, as in "red, green and blue"; empty where it has it."""
        return ""

    def names(self, image: Image) -> tuple[str, ...]:
        """One name a plane."""

    def groups(self, image: Image) -> tuple[int, ...]:
        """For each plane the number, from 0, of the group that shares one scale with it; -1 for position."""

    def context(self, image: Image) -> int:
        """Number of pixels around a window that its planes depend on."""
        return 0

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        """Write the planes (one a name, number of pixels), float32, NaN where a pixel has no number."""


@dataclass(frozen=True, eq=False)
class Color(Feature):
    """A space of colour, by the function of `gmmseg.features.color` that has its name.

    Parameters
    ----------
    name : str
    plane_names : tuple of str
        The names of its three planes, which share one scale.
    note : str
    """

    name: str
    plane_names: tuple[str, str, str]
    note: str = ""

    def missing(self, image: Image) -> str:
        return "" if image.color else "red, green and blue"

    def names(self, image: Image) -> tuple[str, ...]:
        return self.plane_names

    def groups(self, image: Image) -> tuple[int, ...]:
        return 0, 0, 0

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        from gmmseg.features import color  # here, because features are named without NumPy

        getattr(color, self.name)(pixels.values, out)


class RedGreenBlue(Color):
    """The channels of colour as they are, with one scale."""

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        out[...] = pixels.stored.reshape(-1, 3).T


@dataclass(frozen=True, eq=False)
class Intensity(Feature):
    """The one channel as it is, or the luma of colour; under two names, for photographs and for scans."""

    name: str

    def missing(self, image: Image) -> str:
        return "" if image.color or image.n_channels == 1 else "one channel or colour"

    def names(self, image: Image) -> tuple[str, ...]:
        return (self.name,)

    def groups(self, image: Image) -> tuple[int, ...]:
        return (0,)

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        from gmmseg.features import color  # here, because features are named without NumPy

        if pixels.image.color:
            color.gray(pixels.stored, out[0])
        else:
            _copy(pixels.values, out)


class Bands(Feature):
    """Every channel as it is, each with a scale of its own."""

    name = "bands"

    def names(self, image: Image) -> tuple[str, ...]:
        return image.channel_names or tuple(f"band {i + 1}" for i in range(image.n_channels))

    def groups(self, image: Image) -> tuple[int, ...]:
        return tuple(range(image.n_channels))

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        _copy(pixels.stored, out)


class Components(Bands):
    """Principal components of the channels, see `gmmseg.features.pca`; the channels before any are found."""

    name = "pca"
    note = "principal components of bands, those above the noise"


class Texture(Feature):
    """Local mean, energy at two scales, and direction, see `gmmseg.features.texture`."""

    name = "texture"
    note = "local energy and direction"
    decided_by = "surroundings"

    def names(self, image: Image) -> tuple[str, ...]:
        from gmmseg.features import texture  # here, because features are named without NumPy

        return texture.names(image.ndim)

    def groups(self, image: Image) -> tuple[int, ...]:
        from gmmseg.features import texture  # here, because features are named without NumPy

        scalars = len(texture.SCALARS)
        return (*range(scalars), *[scalars] * (len(texture.names(image.ndim)) - scalars))

    def context(self, image: Image) -> int:
        from gmmseg.features import texture  # here, because features are named without NumPy

        return texture.context(image)

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        from gmmseg.features import texture  # here, because features are named without NumPy

        if isinstance(pixels.where, tuple):
            texture.planes(pixels.image, pixels.where, out)
        else:
            out[...] = texture.planes_of(pixels.image, pixels.where, pixels.threads)


class Position(Feature):
    """Pixel centres in units of the longest side, 0 in the middle, times the weight; the last axis first."""

    name = "xy"
    note = "the position, with a weight if you like: lab,xy:0.5"
    decided_by = "position"
    weighted = True

    def names(self, image: Image) -> tuple[str, ...]:
        return _AXES[: image.ndim]

    def groups(self, image: Image) -> tuple[int, ...]:
        return (-1,) * image.ndim

    def planes(self, pixels: Pixels, weight: float, out: Array) -> None:
        spread(self.places(pixels, weight), pixels.shape, out)

    def places(self, pixels: Pixels, weight: float) -> tuple[Array, ...]:
        """Return what each plane holds, of a window one number for each row or column: they broadcast to its shape."""
        import numpy as np

        image = pixels.image
        spacing, extent = image.spacing or (1.0,) * image.ndim, image.extent or image.shape
        frame = (extent, image.origin or (0,) * image.ndim, spacing)
        if isinstance(pixels.where, tuple):
            return _places_of(tuple((s.start, s.stop) for s in pixels.where), frame, weight)
        return _places(np.unravel_index(pixels.where, image.shape), frame, weight)


@lru_cache(32)
def _places_of(window: tuple[tuple[int, int], ...], frame: _Frame, weight: float) -> tuple[Array, ...]:
    """Return `_places` of a window; they are kept, as of a small picture they take a thirtieth of its time."""
    import numpy as np

    along = [np.arange(*each) for each in window]
    indices = tuple(index.reshape(-1, *[1] * (len(along) - axis)) for axis, index in enumerate(along, 1))
    places = _places(indices, frame, weight)
    for each in places:
        each.flags.writeable = False
    return places


def _places(coordinates: tuple[Array, ...], frame: _Frame, weight: float) -> tuple[Array, ...]:
    """Return where pixels lie along each axis, the last one first: the longest side is as long as the weight."""
    import numpy as np

    extent, origin, spacing = frame
    longest, places = max(n * s for n, s in zip(extent, spacing, strict=True)), []
    for axis in reversed(range(len(extent))):
        unit = weight * spacing[axis] / longest
        place = coordinates[axis] + (origin[axis] + 0.5 - extent[axis] / 2)
        place *= unit
        places.append(place.astype(np.float32))
    return tuple(places)


def spread(places: tuple[Array, ...], shape: tuple[int, ...], out: Array) -> None:
    """Write places as planes of a window of this shape."""
    for row, place in zip(out, places, strict=True):
        row.reshape(shape)[...] = place


def _copy(values: Array, out: Array) -> None:
    """Write channels (rows, columns, c) as planes; what float32 cannot hold is no data in the image."""
    import numpy as np

    with np.errstate(over="ignore"):
        out[...] = values.reshape(-1, len(out)).T
    if values.dtype.kind == "f":
        out[~np.isfinite(out)] = np.nan


FEATURES: dict[str, Feature] = {
    each.name: each
    for each in (
        RedGreenBlue("rgb", ("R", "G", "B")),
        Color("lab", ("L", "a", "b")),
        Color("luv", ("L", "u", "v")),
        Color("hsv", ("s cos h", "s sin h", "v")),
        Color("hed", ("haematoxylin", "eosin", "DAB"), "the stains haematoxylin, eosin and DAB"),
        Intensity("gray"),
        Intensity("intensity"),
        Bands(),
        Components(),
        Texture(),
        Position(),
    )
}


def feature(name: str) -> Feature:
    """Return the feature of this name; ParameterError names the choices where there is none."""
    try:
        return FEATURES[name]
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(name, FEATURES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ParameterError(f"{name!r} is not known; {hint}use any of {', '.join(FEATURES)}") from None
