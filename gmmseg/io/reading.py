"""Reading: masks, stacks of files and what else all formats have in common; the format of each file does the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmmseg.checks import MEMORY, path_of, whole_number
from gmmseg.errors import GmmsegError, InputError, ParameterError, heard, once, warn
from gmmseg.image import Image
from gmmseg.image.sources import ArraySource, Checked, Masked, Source
from gmmseg.image.spacing import with_spacing
from gmmseg.image.turning import LEAVES_OUT_PLANES, Turned
from gmmseg.image.windows import everything
from gmmseg.io.addresses import address_of, local
from gmmseg.io.formats import SCENES, FileFormat, has_rasterio, identify, is_scene
from gmmseg.io.mask_rule import NOT_ZERO, MaskRule, Ruled, naming_a_band
from gmmseg.io.parts import files_of, parts_of
from gmmseg.io.reopening import read_file
from gmmseg.io.request import MAX_PIXELS, Reading, kept, require_limit
from gmmseg.io.same_place import header_in, turn_of
from gmmseg.io.spool import Copy, as_given, named
from gmmseg.io.variables import file_of
from gmmseg.records import replace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from gmmseg.image.channels import Channels
    from gmmseg.image.image import ChannelAxis

__all__ = [
    "as_file",
    "as_labels",
    "masked",
    "prepare",
    "read",
    "read_copy",
    "read_info",
    "read_probabilities",
    "read_with",
]


def read(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    max_pixels: int = MAX_PIXELS,
    mask: str | os.PathLike[str] | npt.ArrayLike | None = None,
    channel_axis: ChannelAxis = "auto",
    memory: int | None = None,
    channels: Channels | None = None,
    axes: str | None = None,
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    resolution: float | None = None,
    nodata: float | Sequence[float | None] | None = None,
    mask_values: str | None = None,
    mask_threshold: float | None = None,
    magnitude: bool = False,
    series: str | None = None,
    allow_remote: bool = False,
) -> Image:
    """Read an image file, or several files of one grid as the channels of one image.

    Parameters
    ----------
    path : path-like or sequence of path-like
        PNG, JPEG, TIFF, WebP, BMP, GIF (first frame), AVIF, JPEG XL, .npy, .npz (one array, or the one named "image"),
        NIfTI, NRRD, HDF5, Zarr (a folder), DICOM (a file, or the folder of a series), what GDAL reads, or a satellite
        scene: the .SAFE folder of Sentinel-2, that of Landsat Collection 2, or the .zip or .tar of one. The content
        decides, not the suffix. Several files, as a sequence or as one path with "+" between them
        ("t1.nii.gz+t2.nii.gz"; a file whose own name is that is meant first), are stacked: channels are named after
        their files, one that does not exist is a channel of NaN, and where files say where they lie they have to agree.
        A path may also be "/dev/stdin" or another pipe, a URL (file://, https://, s3:// of a public bucket), a member
        of an archive ("zip://a.zip!/b.tif", "/vsizip/", tar), or a variable ("NETCDF:a.nc:b"): what is piped, packed or
        fetched is copied to a temporary file, within `memory`, or of a packed scene twice the archive.
    max_pixels : int
        The most pixels that may be decoded; the header is checked before memory is allocated.
    mask : path-like or array_like of bool or integer, shape (*spatial), optional
        Non-zero where pixels are used; a file may also hold negative numbers and fractions, and NaN is not used. Where
        image and mask say where they lie, that decides which pixel is which: axes in another order or counted from the
        other end are aligned. On maps of other grids each pixel asks the nearest one of the mask; of scans other grids
        are refused, but planes that a DICOM SEG leaves out are empty.
    channel_axis : int, None or "auto"
        Axis of the channels in the stored array (TIFF, .npy, .npz); None where every axis is spatial.
    memory : int, optional
        Bytes: pixels that take more stay in the file, where its format can be read window by window, and `max_pixels`
        does not limit them; reading itself may take twice as many. None: whole images, and 1 GiB.
    channels : str, int or sequence of (int or str), optional
        Which channels, in which order: numbers from 1 or names, as for `Image.select`. Three of them are colour only
        where the file itself says that they are red, green and blue, whatever their names are. Of a format that can be
        read window by window the other channels are not decoded, and a pixel is valid as if the file had no others.
    axes : str, optional
        A letter for each axis of the stored array (TIFF, .npy, .npz) where the file does not say them or is wrong, as
        of `Image.from_array`: "TZCYX" is a time-lapse of volumes of several channels.
    spacing : sequence of float, optional
        Size of a pixel along each axis of space, or one number for all, where the file does not say it or is wrong.
    unit : str, optional
        Of the spacing: "nm", "um", "mm", "cm", "m", "km", "foot" or "US survey foot".
    resolution : float, optional
        Metres: width of the pixels that all bands of a satellite scene are brought to, as between them the nearest four
        pixels say (bilinear). By default that of the finest band which is read, so that no detail is lost.
    nodata : float or sequence of (float or None), optional
        A number that stands for no data where the file does not declare it: in every channel that is read, or one
        number for each, None where a channel has none.
    mask_values : str, optional
        A mask by its values, as "SCL:4,5,6,7", or by bits that are not set, as "QA_PIXEL:~3,4": of a scene the name of
        one of its masks, otherwise of a file; a band of several is named, as in "udm2.tif@clear:1".
    mask_threshold : float, optional
        The least number of a mask that means that a pixel is used, as 0.5 of probabilities.
    magnitude : bool
        Take complex numbers of a raster, as of radar, by their magnitude.
    series : str, optional
        Which series of a folder of DICOM files: its number, its identifier (UID) or its description. "3/2" is the
        second volume of series 3, where that has several: echoes, times, diffusion directions.
    allow_remote : bool
        Whether an address on the network may be fetched. What a file names besides is not, whatever this says.

    Returns
    -------
    Image
        In the orientation in which it is displayed; named by its path. A file of several time points is a time-lapse,
        see `Image.frames`.

    Raises
    ------
    InputError
        The file is missing, damaged, cut short, too large or of an unknown format; stacked files have different grids,
        or a mask lies elsewhere.
    EmptyInputError
        `mask_values` leave no pixel.
    ParameterError
        `channel_axis`, `channels`, `nodata` or a mask does not fit the file; no file is named, or one twice.

    Examples
    --------
    >>> read("images/coffee.png").shape, read("images/L7_ETMs.tif", channels=[4, 3, 2]).n_channels
    ((400, 600), 3)
    """
    memory = None if memory is None else whole_number("memory", memory, 0, None)
    budget = MEMORY if memory is None else 2 * memory
    return read_with(
        path,
        Reading(
            mask,
            channel_axis,
            channels,
            max_pixels,
            memory,
            budget,
            axes=axes,
            spacing=spacing,
            unit=unit,
            resolution=resolution,
            nodata=nodata,
            mask_values=mask_values,
            mask_threshold=mask_threshold,
            magnitude=magnitude,
            series=series,
            allow_remote=allow_remote,
        ),
    )


def read_with(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], reading: Reading) -> Image:
    """Read an image as `read` does, its parameters as one object."""
    require_limit(reading.max_pixels)
    parts = parts_of(path)
    if len(parts) > 1 and isinstance(path, str | os.PathLike) and address_of(Path(path)):
        parts = (Path(path),)
    if not parts:
        raise ParameterError("path=[] names no file; give at least one")
    if len(parts) == 1:
        place = local(parts[0], reading)
        if isinstance(place, Copy):
            with named():
                return _of_copy(read_with(place.path, reading), place)
        parts = (place,)
    with heard() as said:
        image = _read_local(parts[0], reading) if len(parts) == 1 else _read_stack(parts, reading)
        image = with_spacing(image, reading.spacing, reading.unit)
        if reading.nodata is not None:
            image = _with_nodata(image, reading.nodata, is_scene=_is_scene(parts))
        image = masked(image, reading, parts)
    return replace(image, warnings=once(said)) if said else image


def masked(image: Image, reading: Reading, parts: tuple[Path, ...] = ()) -> Image:
    """Return an image of some files under the masks that are asked for, an array or a file."""
    rule = None if reading.mask_values is None else MaskRule.parse(reading.mask_values)
    mask, least = reading.mask, reading.mask_threshold
    if least is not None and not isinstance(mask, str | os.PathLike):
        raise ParameterError(f"mask_threshold={least:g} is of a mask that is a file; name one, or leave it out")
    if isinstance(mask, str | os.PathLike):
        rule_of_mask = NOT_ZERO if least is None else MaskRule(threshold=least)
        image = _with_mask_file(image, Path(mask), rule_of_mask, reading)
    elif mask is not None:
        image = _with_mask_array(image, mask)
    return image if rule is None else _with_mask_file(image, _mask_file(rule, parts, image), rule, reading)


def _with_mask_array(image: Image, mask: Any) -> Image:
    """Apply a mask that is an array; one of dask, by itself or in xarray, is read with the pixels, never as a whole."""
    numbers = mask.data if type(mask).__module__.startswith("xarray.") else mask
    if not type(numbers).__module__.startswith("dask."):
        return image.with_mask(mask)
    from gmmseg.io.lazy import masked_lazily  # here, because most masks are files or in memory

    return masked_lazily(image, numbers)


def _is_scene(parts: tuple[Path, ...]) -> bool:
    return len(parts) == 1 and is_scene(parts[0])


def _with_nodata(image: Image, nodata: float | Sequence[float | None], *, is_scene: bool) -> Image:
    """Declare numbers as no data; a scene, whose numbers are in scale, has declared its own."""
    if is_scene and nodata in (0, (0,)):
        return image
    if is_scene:
        raise ParameterError(f"{image.name} is a satellite scene, in which 0 as stored is no data; leave nodata out")
    from gmmseg.io.nodata import with_nodata  # here, because most files declare what is no data

    return with_nodata(image, nodata)


def _mask_file(rule: MaskRule, parts: tuple[Path, ...], image: Image) -> Path:
    """Return the file of a mask that is named: one of a scene, or any."""
    known: Sequence[str] = ()
    if _is_scene(parts):
        from gmmseg.io.satellite.format import product  # here, because most images are no scenes

        found = product(parts[0])
        mask, known = found.mask(rule.name), sorted(found.masks)
        if mask is not None:
            return mask.path
    path = Path(rule.name)
    if not path.is_file():
        has = f" (it has {', '.join(known)})" if known else ""
        raise ParameterError(
            f"{image.name} has no mask {rule.name!r}{has}, and there is no file of that name; name one"
        )
    return path


def read_copy(copy: Copy, reading: Reading) -> Image:
    """Read an image from a temporary copy, which stays as long as pixels are read from it."""
    with named():
        return _of_copy(_read_one(copy.path, reading), copy)


def _of_copy(image: Image, copy: Copy) -> Image:
    """Return an image under the name that was given, with which its copy stays as long as pixels are read from it."""
    image = replace(image, name=copy.given)
    return image if image.in_memory else replace(image, pixels=Checked(image.pixels, copy.stay))


def prepare(path: Path) -> None:
    """Load the library that decodes a file, so that a thread that reads it next need not share the interpreter."""
    for file in files_of(path):
        identify(file).prepare()


def _read_one(path: Path, reading: Reading) -> Image:
    place = local(path, reading)
    return read_copy(place, reading) if isinstance(place, Copy) else _read_local(place, reading)


def _read_local(path: Path, reading: Reading) -> Image:
    """Read an image; of pixels that stay in a file, each reading makes sure that it is the file which was opened."""
    known = identify(path)
    if reading.axes is not None and not known.lettered:
        raise ParameterError(
            f"axes={reading.axes!r} does not fit {path}: {known.name} says which axes it has; leave it out"
        )
    if reading.resolution is not None and known is not SCENES:
        raise ParameterError(
            f"resolution={reading.resolution:g} is of satellite scenes, and {path} is none; leave it out, or give the "
            "folder of a scene"
        )
    _require_series(path, known, reading.series)
    return read_file(path, reading, known)


def _require_series(path: Path, known: FileFormat, series: str | None) -> None:
    if series is not None and known.name != "DICOM":
        raise ParameterError(
            f"series={series!r} is of a folder of DICOM files, and {path} is a {known.name} file; leave it out"
        )


def _read_stack(parts: tuple[Path, ...], reading: Reading) -> Image:
    """Read the files that are there, each within its share of the memory, and stack them."""
    from gmmseg.io.stacking import stack  # here, because most images are one file

    twice = next((part for i, part in enumerate(parts) if part in parts[:i]), None)
    if twice is not None:
        raise ParameterError(f"{twice} is stacked twice; name each file once")
    there = files_of(parts)
    share = None if reading.memory is None else reading.memory // len(parts)
    each = replace(reading, memory=share, budget=reading.budget // len(parts), channels=None)
    images = [_read_one(part, each) if part in there else None for part in parts]
    image = stack(parts, images, name="+".join(map(str, parts)), memory=reading.memory)
    return image if reading.channels is None else kept(image.select(reading.channels), reading)


def _with_mask_file(image: Image, path: Path, rule: MaskRule, reading: Reading) -> Image:
    """Apply a mask that is a file; messages name both."""
    plain = replace(reading.plain, overlapping=rule.values is None, channels=rule.band or None)
    mask = _mask_elsewhere(image, path, plain)
    if mask is None:
        mask = _mask_over(image, path, plain)
    shape = tuple(mask.shape[:-1])
    if not image.fits(shape):
        raise ParameterError(
            f"mask {path} has shape {shape}, but {image.name} has shape {image.shape}; give one value a pixel"
        )
    used = Ruled(mask, rule)
    if rule is not NOT_ZERO:
        used.require_some(path, image.name)
    elif image.name != str(path) and used.are_fractions():  # a scan may be its own mask, in whatever unit
        warn(
            f"{image.name}: its mask {path.name} holds fractions, of which all above 0 are used; "
            "of probabilities pass mask_threshold=0.5"
        )
    if not image.in_memory and shape == image.shape:
        return replace(image, pixels=Masked(image.pixels, used))
    return image.with_mask(used.read(everything(shape))[0][..., 0])  # also one for all frames


def _mask_over(image: Image, path: Path, reading: Reading) -> Source:
    """Return the numbers of a mask at the pixels of an image, by the places of both where they say them."""
    # A band of several is read as an image's is, the only one as a label map.
    there = None if image.in_memory and reading.channels is None else _mask_in_file(path, reading)
    if there is not None:
        mask, turn = there.pixels, turn_of(image, there)
    else:
        with as_file(path, reading) as file:
            mask, turn = _mask_numbers(file, reading), turn_of(image, header_in(file))
    if turn is None or turn.is_nothing or turn.stored != tuple(mask.shape[:-1]):
        return mask
    return Turned(mask, turn)


def _mask_numbers(file: Path, reading: Reading) -> Source:
    """Return a mask in memory: labels, or numbers of any sign and fractions, which may not be known everywhere."""
    fault: InputError | None = None
    if reading.channels is None:
        try:
            return ArraySource(as_labels(file, identify(file).read_labels(file, reading))[..., None])
        except InputError as error:
            fault = error
    try:
        numbers = identify(file).read(file, replace(reading, memory=None, indices=True))
    except GmmsegError as error:  # what is no image at all is refused as the label map that it should have been
        raise fault or error from None
    if numbers.n_channels != 1:
        names = f" ({', '.join(numbers.channel_names[:8])})" if numbers.channel_names else ""
        raise InputError(
            f"{file} has {numbers.n_channels} channels{names}, so it is no mask; "
            f"{naming_a_band(file, numbers.channel_names)}"
        )
    return numbers.pixels if numbers.valid is None else Masked(numbers.pixels, ArraySource(numbers.valid[..., None]))


def _mask_elsewhere(image: Image, path: Path, reading: Reading) -> Source | None:
    """Return a mask of another grid at the pixels of an image; None where nothing says that it has another one."""
    if image.place is None or image.place.crs is None or not has_rasterio():
        return None
    from gmmseg.io.raster.mask_on_grid import mask_on_grid  # here, because most masks are of the image's grid

    return mask_on_grid(image, path, reading)


def _mask_in_file(path: Path, reading: Reading) -> Image | None:
    """Return a mask that can be read window by window; None where it has to be read whole."""
    try:
        mask = _read_one(path, replace(reading, memory=0, indices=True))
    except ParameterError:  # an array of more than two axes, which are those of the image
        return None
    numbers = mask.pixels.dtype.kind in "buif" and not mask.metadata.get(LEAVES_OUT_PLANES)
    return mask if not mask.in_memory and mask.n_channels == 1 and numbers else None


@contextmanager
def as_file(path: Path, reading: Reading) -> Iterator[Path]:
    """Have the file that a path names, or a copy of what it names."""
    place = local(path, reading)
    with named():
        yield place.path if isinstance(place, Copy) else place


def read_probabilities(
    path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, memory: int = MEMORY
) -> np.ndarray:
    """Read probability maps, as `write_probabilities` writes them.

    Parameters
    ----------
    path : path-like
        .npy or .npz (one array, or the one named "probabilities") of shape (n_classes, *spatial), a TIFF file of one
        page or band a class, NIfTI with classes last, or a fractional DICOM SEG.
    max_pixels, memory : int
        The most numbers that may be decoded, and the bytes that reading may take.

    Returns
    -------
    ndarray, shape (n_classes, *spatial)
        As stored: floats from 0 to 1, or integers in proportion.

    Raises
    ------
    InputError
        The file cannot be read, or is of another format.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_probabilities(f"{folder}/soft.npy", np.float32([[[0.25, 1]], [[0.75, 0]]]))
    ...     io.read_probabilities(f"{folder}/soft.npy").tolist()
    [[[0.25, 1.0]], [[0.75, 0.0]]]
    """
    require_limit(max_pixels)
    reading = Reading(max_pixels=max_pixels, budget=memory)
    with as_file(path_of(path), reading) as file:
        return identify(file).read_probabilities(file, reading)


def as_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """Return what a file holds in an unsigned dtype, or say why it is no labels."""
    import numpy as np

    if values.dtype.kind not in "bui":
        raise InputError(
            f"{path} has dtype {values.dtype}, but labels are whole numbers; convert it to uint8 or uint16"
        )
    if values.size == 0:
        raise InputError(f"{path} is empty (shape {values.shape}); a label map needs at least one pixel")
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize <= 4:
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 0xFFFFFFFF:
        raise InputError(f"{path} has values from {low} to {high}, but labels go from 0 to 4294967295; renumber them")
    return values.astype(np.min_scalar_type(high))


def read_info(path: str | os.PathLike[str], *, series: str | None = None) -> dict[str, Any]:
    """Describe an image file by its header, without decoding pixels.

    Parameters
    ----------
    path : path-like
        Any file that `read` takes.
    series : str, optional
        As of `read`.

    Returns
    -------
    dict
        Ready for JSON: "file", "format", "bytes", and as far as the format says: "size" (width, height), "shape",
        "dtype", "bits", "channels", "mode", "pages", "axes", "orientation", "compression", "dpi", "georeferenced",
        "nodata", "arrays", "frames" and "interval_s" (seconds from one to the next), "pixel_size_um".

    Raises
    ------
    InputError
        The file is missing, of an unknown format, or its header is damaged.

    Examples
    --------
    >>> read_info("images/coffee.png")["size"]
    [600, 400]
    """
    with as_file(path_of(path), Reading()) as place:
        known = identify(place)
        _require_series(place, known, series)
        facts = known.describe(place) if series is None else known.describe_series(place, series)
        return {"file": as_given(str(place)), "format": known.name, "bytes": _bytes_of(file_of(place))} | facts


def _bytes_of(path: Path) -> int:
    """Return the size of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())
