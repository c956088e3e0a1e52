"""Arrays of xarray as images, and results as such: names of axes, coordinates, the coordinate system, no data."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, ParameterError
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.axes import spans_color
from gmmseg.image.place import Place
from gmmseg.io.formats import has_rasterio
from gmmseg.io.lazy import image_of_dask
from gmmseg.io.request import Reading

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents

__all__ = ["Kept", "are_one_image", "bands_of_dataset", "image_of_dataarray", "image_of_dataset", "labelled"]

_KEPT = "xarray"
"""Entry of an image's metadata that holds what its results get back."""

_CHANNELS = ("band", "bands", "channel", "channels", "c", "wavelength", "wavelengths", "rgb")
_TIME = ("time", "t")
_COLORS = (["red", "green", "blue"], ["r", "g", "b"])
_EVEN = 1e-3  # of a step, by which coordinates of an even grid may be off: many are float32
_UNITS = {"m": "m", "metre": "m", "metres": "m", "meter": "m", "meters": "m", "mm": "mm", "um": "um", "nm": "nm"}
_DEGREES = "degree"  # "degrees_north" and the like begin with it
_OF_GRID = "spatial_ref"


@dataclass(frozen=True, eq=False)
class Kept:
    """What an array of xarray has besides its numbers, for results on the same axes.

    Parameters
    ----------
    dims : tuple of hashable
        Names of the axes of the labels.
    coords : dict
        Those coordinates that lie along these axes alone.
    """

    dims: tuple[Hashable, ...]
    coords: dict[Hashable, Any]


def image_of_dataset(source: Any, reading: Reading) -> Image:
    """Take the variables of most axes as bands, named as they are; where there is one that has bands itself, that."""
    bands = bands_of_dataset(source)
    own = _with_channels(bands)
    if len(own) == len(bands.data_vars) == 1:
        return image_of_dataarray(own[0], reading)
    if not are_one_image(bands):
        listed = ", ".join(f"{name}{source[name].dims}" for name in source.data_vars)
        raise InputError(f"image is a Dataset whose variables are no bands of one grid ({listed}); choose some of them")
    stacked = bands.to_array("band")
    stacked.attrs = dict(next(iter(bands.data_vars.values())).attrs)
    for key, usual in (("scale_factor", 1.0), ("add_offset", 0.0)):
        stacked.attrs[key] = [each.attrs.get(key, usual) for each in bands.data_vars.values()]
    return image_of_dataarray(stacked, replace(reading, channel_axis="auto"))


def bands_of_dataset(source: Any) -> Any:
    """Return the variables that have the most axes, at least two."""
    names = [name for name, each in source.data_vars.items() if each.ndim > 1]
    most = max((source[name].ndim for name in names), default=0)
    return source[[name for name in names if source[name].ndim == most]]


def are_one_image(bands: Any) -> bool:
    """Whether variables as `bands_of_dataset` returns them are the bands of one grid, or one that has bands itself."""
    grids = {each.dims for each in bands.data_vars.values()}
    return len(grids) == 1 and (len(bands.data_vars) == 1 or not _with_channels(bands))


def _with_channels(bands: Any) -> list[Any]:
    return [each for each in bands.data_vars.values() if _channel_of(each, "auto") is not None]


def image_of_dataarray(source: Any, reading: Reading) -> Image:
    """Take an array whose axes have names as an image: one axis of channels, perhaps one of time, the others in space.

    A dask array stays lazy, and so do numbers that xarray has not loaded yet where they take more than the memory.

    Raises
    ------
    ParameterError
        There is no axis of that name, or too many axes.
    """
    if reading.axes is not None:
        raise ParameterError(f"axes={reading.axes!r}: {_name(source)} has names for its axes; leave it out")
    channel = _channel_of(source, reading.channel_axis)
    time = next((dim for dim in source.dims if dim != channel and _is_time(source, dim)), None)
    space = [dim for dim in source.dims if dim not in (channel, time)]
    if not 1 <= len(space) <= 3:
        named = ", ".join(map(str, source.dims))
        raise ParameterError(
            f"{_name(source)} has the axes {named}, of which {len(space)} are in space; say which is that of channels "
            'by its name, as in channel_axis="band", or choose a position along the others with isel()'
        )
    order = [*([time] if time is not None else []), *space]
    turned = source.transpose(*order, *([channel] if channel is not None else []))
    letters = "T" * (time is not None) + "ZYX"[3 - len(space) :] + "C" * (channel is not None)
    image = _pixels(turned, letters, reading)
    image = replace(image, name=_name(source), spacing=_spacing(source, space), place=_place(source, space))
    names = () if channel is None else _names(source, channel)
    image = replace(image, channel_names=names if len(names) == image.n_channels else ())
    image = _colored(image, channel)
    if (nodata := _nodata(source)) is not None:
        from gmmseg.io.nodata import with_nodata  # here, because most arrays have NaN instead

        image = with_nodata(image, nodata)
    if not image.color and source.dtype.kind in "iu" and (scalings := _scalings(source.attrs, image.n_channels)):
        from gmmseg.io.nodata import measured  # here, because most arrays hold what was measured

        image = measured(image, scalings)
    kept = {name: each for name, each in source.coords.items() if set(each.dims) <= {*order}}
    image = replace(image, metadata={**image.metadata, _KEPT: Kept(tuple(order), kept)})
    return image if reading.channels is None else image.select(reading.channels)


def _name(source: Any) -> str:
    return str(source.name or "image")


def _channel_of(source: Any, asked: Any) -> Hashable | None:
    """Return the name of the axis of channels."""
    if asked is None:
        return None
    if isinstance(asked, str) and asked != "auto":
        if asked not in source.dims:
            named = ", ".join(map(str, source.dims))
            raise ParameterError(f"channel_axis={asked!r} is no axis of {_name(source)}, which has {named}")
        return asked
    if asked != "auto":
        return source.dims[asked] if -source.ndim <= asked < source.ndim else None
    return next((dim for dim in source.dims if str(dim).lower() in _CHANNELS), None)


def _is_time(source: Any, dim: Hashable) -> bool:
    dated = dim in source.coords and source.coords[dim].dtype.kind in "mM"
    return dated or str(dim).lower() in _TIME


def _pixels(turned: Any, letters: str, reading: Reading) -> Image:
    asked = Reading(axes=letters, budget=reading.budget)
    if (
        turned.chunks is None
        and not turned._in_memory
        and reading.memory is not None
        and turned.nbytes > reading.memory
    ):
        require("dask.array", "dask", f"{_name(turned)}, which is larger than the memory allowed, needs")
        turned = turned.chunk("auto")  # it would be loaded whole otherwise
    if turned.chunks is not None:
        return image_of_dask(turned.data, asked, _name(turned))
    return Image.from_array(turned.values, axes=letters, name=_name(turned))


def _names(source: Any, channel: Hashable) -> tuple[str, ...]:
    """Return names of the channels: coordinates in words, what rasters are described by, wavelengths."""
    described = source.attrs.get("long_name")
    if isinstance(described, tuple | list) and len(described) == source.sizes[channel]:
        return tuple(map(str, described))
    if channel not in source.coords:
        return ()
    values = source.coords[channel]
    if values.dtype.kind in "OUST":
        return tuple(map(str, values.values.tolist()))
    if str(channel).lower() == "wavelength":
        unit = values.attrs.get("units", "")
        return tuple(f"{value:g} {unit}".strip() for value in values.values.tolist())
    return ()


def _colored(image: Image, channel: Hashable | None) -> Image:
    """Return colour where the array says so; floats of it are within 0 to 1."""
    told = str(channel).lower() == "rgb" or [name.lower() for name in image.channel_names] in _COLORS
    if not told or image.n_channels != 3 or image.pixels.dtype.kind == "i":
        return image
    if image.pixels.dtype.kind == "f" and not all(spans_color(image.crop(each).array) for each in image.windows()):
        return image
    return replace(image, color=True, channel_names=())


def _nodata(source: Any) -> float | None:
    """Return the number that stands for no data; where xarray has masked and scaled the numbers it is NaN already."""
    for known in (source.attrs,) if source.dtype.kind == "f" else (source.attrs, source.encoding):
        for key in ("_FillValue", "nodata", "missing_value"):
            value = known.get(key)
            if value is not None and np.ndim(value) == 0 and not np.isnan(value):
                return float(value)
    return None


def _scalings(attrs: Mapping[Any, Any], n_channels: int) -> tuple[tuple[float, float], ...]:
    """Return scale and offset of each channel; nothing where all are 1 and 0, or no numbers of so many channels.

    xarray keeps them as attributes of whole numbers that it has not decoded; rioxarray calls those of bands "scales".
    """
    pairs = []
    for keys, usual in ((("scale_factor", "scales"), 1.0), (("add_offset", "offsets"), 0.0)):
        given = np.ravel(next((attrs[key] for key in keys if key in attrs), usual))
        if given.dtype.kind not in "iuf" or len(given) not in (1, n_channels) or not np.isfinite(given).all():
            return ()
        pairs.append(np.broadcast_to(given, n_channels).tolist())
    found = tuple((float(scale) or 1.0, float(offset)) for scale, offset in zip(*pairs, strict=True))
    return found if set(found) != {(1.0, 0.0)} else ()


def _steps(source: Any, space: list[Hashable]) -> list[tuple[float, float] | None]:
    """Return the first coordinate and the step along each axis in space; None where they are not even."""
    found: list[tuple[float, float] | None] = []
    for dim in space:
        values = source.coords[dim].values if dim in source.coords else np.zeros(0)
        if values.ndim != 1 or values.dtype.kind not in "iuf" or len(values) < 2:
            found.append(None)
            continue
        step = float((float(values[-1]) - float(values[0])) / (len(values) - 1))
        even = step != 0 and np.abs(np.diff(values.astype(float)) - step).max() <= _EVEN * abs(step)
        found.append((float(values[0]), step) if even else None)
    return found


def _spacing(source: Any, space: list[Hashable]) -> tuple[float, ...] | None:
    steps = [each[1] for each in _steps(source, space) if each is not None]
    return tuple(map(abs, steps)) if len(steps) == len(space) else None


def _place(source: Any, space: list[Hashable]) -> Place | None:
    """Return where the pixels lie: their centres are at the coordinates."""
    units = {str(source.coords[dim].attrs.get("units", "")).lower() for dim in space if dim in source.coords}
    word = units.pop() if len(units) == 1 else ""
    unit = "degree" if word.startswith(_DEGREES) else _UNITS.get(word)
    grid = source.coords.get(str(source.encoding.get("grid_mapping", source.attrs.get("grid_mapping", _OF_GRID))))
    facts = {} if grid is None else grid.attrs
    crs = facts.get("crs_wkt") or facts.get("spatial_ref") or source.attrs.get("crs")
    steps = _steps(source, space)
    if len(space) != 2 or steps[0] is None or steps[1] is None:
        return None if unit is None else Place(unit=unit)
    (y, down), (x, across) = steps[0], steps[1]
    affine = (across, 0.0, x - across / 2, 0.0, down, y - down / 2)
    return Place(affine, crs if isinstance(crs, str) else None, unit=unit)


def labelled(values: Any, contents: Contents, nodata: float) -> Any:
    """Return a result as an array of xarray.

    Parameters
    ----------
    values : ndarray or dask array, shape (*spatial) or (n_classes, *spatial)
    contents : Contents
        What it is: its names, and the image that it is of.
    nodata : float
        What a pixel without data has.
    """
    xarray = require("xarray", "dask", "arrays with named axes need")
    image = contents.image
    assert image is not None
    kept = image.metadata.get(_KEPT)
    if kept is None:
        dims = ("time",) * image.time + ("z", "y", "x")[3 - image.ndim + image.time :]
        kept = Kept((*dims,), _centres(image, dims))
    coords, attrs = dict(kept.coords), dict[str, Any]()
    axes: tuple[Hashable, ...] = kept.dims
    if contents.kind == "soft":
        axes, coords = ("class", *axes), {**coords, "class": list(contents.names)}
    if contents.kind == "labels":
        attrs["flag_values"] = np.arange(1, len(contents.names) + 1, dtype=np.uint8)
        attrs["flag_meanings"] = " ".join("_".join(name.split()) for name in contents.names)
    soft = "fraction" if contents.shares == "fractions" else "probability"
    attrs["long_name"] = {"labels": "class", "soft": f"{soft} of each class", "map": "of each pixel"}[contents.kind]
    if contents.kind != "soft":  # of which 0 is a number too: a class that a pixel is certainly not of
        attrs["_FillValue"] = np.dtype(contents.dtype).type(nodata)
    if _OF_GRID not in coords and (facts := _grid_facts(image)):
        coords[_OF_GRID] = xarray.Variable((), 0, facts)
    found = xarray.DataArray(values, coords, axes, "labels" if contents.kind == "labels" else None, attrs)
    if _OF_GRID in found.coords:
        found.encoding["grid_mapping"] = _OF_GRID
    return found


def _centres(image: Image, dims: tuple[str, ...]) -> dict[Hashable, Any]:
    """Return coordinates of rows and columns where the axes of the map are theirs."""
    place = image.place
    if place is None or place.affine is None or image.ndim - image.time != 2:
        return {}
    a, b, c, d, e, f = place.affine
    if b or d:
        return {}
    rows, columns = image.shape[-2:]
    return {dims[-2]: f + e * (np.arange(rows) + 0.5), dims[-1]: c + a * (np.arange(columns) + 0.5)}


def _grid_facts(image: Image) -> dict[str, str]:
    """Return what the variable of a grid says: the coordinate system, and the transform in GDAL's order."""
    place = image.place
    if place is None or place.affine is None:
        return {}
    a, b, c, d, e, f = place.affine
    facts = {"GeoTransform": " ".join(repr(number) for number in (c, a, b, f, d, e))}
    if place.crs is not None:
        words = place.crs
        if has_rasterio():
            from rasterio.crs import CRS

            words = CRS.from_user_input(words).to_wkt()
        facts |= {"crs_wkt": words, "spatial_ref": words}
    return facts
