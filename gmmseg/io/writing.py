"""Writing: label maps, probabilities and pictures, whole or not at all, in the format that the suffix names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.errors import OutputError, ParameterError
from gmmseg.io.atomic import atomic_file, atomic_path, check_place
from gmmseg.io.formats import GDAL, Kind, choose, has_rasterio
from gmmseg.windows import Window, everything

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = [
    "Layers",
    "check_target",
    "write_labels",
    "write_map",
    "write_probabilities",
    "write_rgb",
    "write_windows",
]


@dataclass(frozen=True)
class Layers:
    """What is written, before any of it is computed.

    Parameters
    ----------
    kind : {"labels", "soft", "map"}
        A label map (*spatial), probabilities (n_classes, *spatial), or one number a pixel (*spatial), NaN = no data.
    shape : tuple of int
        Spatial shape.
    dtype : str
        Of the values as they come; "uint8", "uint16" or "uint32" for labels, "float32" otherwise.
    names : tuple of str
        Of the classes 1, 2, ...; of a map its own name.
    image : Image, optional
        What was segmented: what located its pixels is written too.
    options : dict
        Of the format.
    """

    kind: Literal["labels", "soft", "map"]
    shape: tuple[int, ...]
    dtype: str
    names: tuple[str, ...] = ()
    image: Image | None = None
    options: dict[str, Any] = field(default_factory=dict)


def write_windows(path: str | os.PathLike[str], layers: Layers, windows: Windows, *, overwrite: bool = False) -> None:
    """Write a result window by window, while the next window is computed.

    Parameters
    ----------
    path : path-like
        The suffix chooses the format, as for whole results.
    layers : Layers
        What will come.
    windows : iterable of (tuple of slice, ndarray)
        Together all of the spatial shape; in an order in which rows of blocks of a file follow one another.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        See `check_target`.

    Notes
    -----
    GeoTIFF, NIfTI and .npy files are written as the windows come. Other formats are written from a whole array.
    """
    path = Path(path)
    kind: Kind = "labels" if layers.kind == "labels" else "soft"
    check_target(path, kind=kind, overwrite=overwrite, ndim=len(layers.shape))
    module = _module_for(path, kind, layers.image)
    if module is None:
        _write_whole(path, layers, _assembled(layers, windows), overwrite=overwrite)
        return
    suffix = next(end for end in choose(path, kind=kind).suffixes if path.name.lower().endswith(end))
    with atomic_path(path, overwrite=overwrite, suffix=suffix) as temporary:
        beside: dict[str, bytes] = module.write(temporary, layers, _ahead(windows))
    for ending, content in beside.items():
        with atomic_file(path.with_name(path.name + ending), overwrite=True) as file:
            file.write(content)


def _module_for(path: Path, kind: Kind, image: Image | None) -> Any:
    """Return the module that writes a file window by window; None where whole arrays are written."""
    known = choose(path, kind=kind)
    if known.module is not None:
        return known.load()
    in_file = image is not None and not image.in_memory
    if known.name == "NPY" and in_file:
        from gmmseg.io import arrays

        return arrays
    if known.name == "TIFF" and image is not None and image.ndim == 2 and (in_file or "geo" in image.metadata):
        return GDAL.load() if has_rasterio() else None
    return None


def _ahead(windows: Windows) -> Iterator[tuple[Window, np.ndarray]]:
    """Compute the next window in a thread while one is written."""
    from concurrent.futures import ThreadPoolExecutor

    source = iter(windows)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, source, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, source, None)
            yield item


def _assembled(layers: Layers, windows: Windows) -> np.ndarray:
    """Return a whole result."""
    import numpy as np

    shape = (len(layers.names), *layers.shape) if layers.kind == "soft" else layers.shape
    whole = np.zeros(shape, layers.dtype)
    for window, values in windows:
        where: tuple[Any, ...] = (..., *window)
        whole[where] = values
    return whole


def _write_whole(path: Path, layers: Layers, values: np.ndarray, *, overwrite: bool) -> None:
    if layers.kind == "labels":
        write_labels(path, values, image=layers.image, overwrite=overwrite)
    elif layers.kind == "soft":
        write_probabilities(path, values, image=layers.image, overwrite=overwrite)
    else:
        write_map(path, values, key=layers.names[0], image=layers.image, overwrite=overwrite)


def check_target(
    path: str | os.PathLike[str], *, kind: Kind = "labels", overwrite: bool = False, ndim: int | None = None
) -> None:
    """Refuse a target that could not be written, before anything is computed.

    Parameters
    ----------
    path : path-like
        The file to be written.
    kind : {"labels", "soft", "picture"}
        What will be written: a label map, probabilities, or an RGB picture.
    overwrite : bool
        Whether an existing file may be replaced.
    ndim : int, optional
        Number of spatial axes of the result, where known.

    Raises
    ------
    OutputError
        The suffix is unknown for this kind, the folder is missing or not writable, the file exists, or the format has
        no room for that many axes.
    """
    path = Path(path)
    known = choose(path, kind=kind)
    if ndim is not None and ndim != 2 and (known.name == "PNG" or kind == "picture"):
        raise OutputError(f"{path}: {known.name} pictures have 2 axes, the result has {ndim}; use .tif or .npy")
    check_place(path, overwrite=overwrite)


def write_labels(
    path: str | os.PathLike[str],
    labels: np.ndarray,
    *,
    image: Image | None = None,
    names: Sequence[str] = (),
    palette: np.ndarray | None = None,
    overwrite: bool = False,
) -> None:
    """Write a label map.

    Parameters
    ----------
    path : path-like
        .png (palette image up to 255 classes, 16-bit grey above), .tif, .npy, .npz (array "labels"), .nii, .nii.gz, or
        .dcm (DICOM SEG).
    labels : ndarray of integers from 0, shape (*spatial)
        Stored in the smallest unsigned dtype that holds them.
    image : Image, optional
        What was segmented; its resolution and georeferencing are written too.
    names : sequence of str, optional
        Of the classes 1, 2, ...: for the formats that hold names.
    palette : ndarray of uint8, shape (n_colors, 3), optional
        Colour of each label of a PNG, 0 first; by default `gmmseg.export.colors.palette`.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        See `check_target`; also where labels have numbers that the format cannot hold.
    ParameterError
        The labels are no whole numbers from 0, or have another shape than the image.

    Notes
    -----
    In a palette PNG the stored value is the label, and 0 (no data) is opaque black. Pillow and GIS programs read the
    numbers; OpenCV and scikit-image read the colours: read such files with `gmmseg.io.read_labels`, or write .tif.
    A georeferenced TIFF declares 0 as its nodata value.
    """
    path = Path(path)
    numbers = _unsigned(labels, image)
    known = choose(path, kind="labels")
    check_target(path, kind="labels", overwrite=overwrite, ndim=numbers.ndim)
    if _module_for(path, "labels", image) is not None:
        layers = Layers("labels", numbers.shape, str(numbers.dtype), tuple(names), image)
        write_windows(path, layers, [(everything(numbers.shape), numbers)], overwrite=overwrite)
        return
    if known.name == "PNG" and numbers.dtype.itemsize > 2:
        raise OutputError(f"{path}: PNG holds labels up to 65535, the largest is {numbers.max()}; use .tif or .npy")
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "PNG":
            from gmmseg.io.png import write_png

            write_png(file, numbers, palette=_palette_for(numbers, palette), dpi=_dpi(image))
        elif known.name == "TIFF":
            from gmmseg.io.tiff_write import write_labels_tiff

            write_labels_tiff(file, numbers, _metadata(image))
        else:
            from gmmseg.io.arrays import write_array

            write_array(file, known, numbers, key="labels")


def _unsigned(labels: np.ndarray, image: Image | None) -> np.ndarray:
    """Return labels in the smallest unsigned dtype that holds them."""
    import numpy as np

    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "bui":
        raise ParameterError(f"labels have dtype {numbers.dtype}, expected whole numbers from 0; convert them to uint8")
    if numbers.size == 0:
        raise ParameterError(f"labels are empty (shape {numbers.shape}); give at least one pixel")
    if image is not None and numbers.shape != image.shape:
        raise ParameterError(
            f"labels have shape {numbers.shape}, but {image.name} has shape {image.shape}; give one label a pixel"
        )
    if numbers.dtype == np.uint8:
        return numbers
    if numbers.dtype.kind == "b":
        bits: np.ndarray = numbers.view(np.uint8) != 0
        return bits.view(np.uint8)
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high > 0xFFFFFFFF:
        raise ParameterError(f"labels go from {low} to {high}, expected 0 to 4294967295; renumber them")
    return numbers.astype(np.min_scalar_type(high), copy=False)


def _palette_for(numbers: np.ndarray, palette: np.ndarray | None) -> np.ndarray | None:
    """Return one colour for each label up to the largest; None for 16-bit labels."""
    import numpy as np

    if numbers.dtype.itemsize > 1:
        return None
    largest = int(numbers.max())
    if palette is None:
        from gmmseg.io.colors import palette as default

        return default(max(1, largest))
    colors = np.asarray(palette)
    if colors.ndim != 2 or colors.shape[1] != 3 or colors.dtype != np.uint8:
        raise ParameterError(f"palette has shape {colors.shape} and dtype {colors.dtype}, expected (n, 3) uint8")
    if len(colors) <= largest:
        raise ParameterError(f"palette has {len(colors)} colours, but the largest label is {largest}; give one each")
    return colors[:256]


def write_probabilities(
    path: str | os.PathLike[str],
    probabilities: np.ndarray,
    *,
    image: Image | None = None,
    names: Sequence[str] = (),
    dtype: Literal["float32", "uint16"] = "float32",
    overwrite: bool = False,
) -> None:
    """Write the probabilities of all classes.

    Parameters
    ----------
    path : path-like
        .npz (array "probabilities"), .npy, or .tif: one page a class, described as "class 1", ...; where the image is
        georeferenced one band a class, because GIS programs read bands.
    probabilities : ndarray of float, shape (n_classes, *spatial)
        From 0 to 1.
    image : Image, optional
        What was segmented; its resolution and georeferencing are written too.
    names : sequence of str, optional
        Of the classes: for the formats that hold names.
    dtype : {"float32", "uint16"}
        How they are stored; uint16 is round(p * 65535), half the size.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        See `check_target`.
    ParameterError
        The probabilities have another shape than the image or no floating dtype, or `dtype` is none of the two.
    """
    import numpy as np

    path = Path(path)
    if dtype not in ("float32", "uint16"):
        raise ParameterError(f'dtype={dtype!r} is not a way to store probabilities; use "float32" or "uint16"')
    values = np.asarray(probabilities)
    if values.dtype.kind != "f" or values.ndim < 2 or values.size == 0:
        raise ParameterError(
            f"probabilities have shape {values.shape} and dtype {values.dtype}, expected floats (n_classes, *spatial)"
        )
    if image is not None and values.shape[1:] != image.shape:
        raise ParameterError(
            f"probabilities have shape {values.shape}, but {image.name} has shape {image.shape}; "
            "expected (n_classes, *spatial)"
        )
    known = choose(path, kind="soft")
    check_target(path, kind="soft", overwrite=overwrite)
    if _module_for(path, "soft", image) is not None:
        stored = values.astype(np.float32, copy=False)
        classes = tuple(names) or tuple(f"class {i + 1}" for i in range(len(values)))
        layers = Layers("soft", values.shape[1:], "float32", classes, image, {"dtype": dtype})
        write_windows(path, layers, [(everything(values.shape[1:]), stored)], overwrite=overwrite)
        return
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "TIFF":
            from gmmseg.io.tiff_write import write_probabilities_tiff

            write_probabilities_tiff(file, values, _metadata(image), dtype)
        else:
            from gmmseg.io.arrays import write_array
            from gmmseg.io.tiff_write import stored_probabilities

            write_array(file, known, stored_probabilities(values, dtype), key="probabilities")


def write_map(
    path: str | os.PathLike[str],
    values: np.ndarray,
    *,
    key: str,
    image: Image | None = None,
    overwrite: bool = False,
) -> None:
    """Write one number a pixel, such as the anomaly.

    Parameters
    ----------
    path : path-like
        .tif, .npy or .npz.
    values : ndarray of float32, shape (*spatial)
        NaN where there is no data.
    key : str
        Name of the array in .npz files, and of the band in .tif files.
    image : Image, optional
        What was segmented; its resolution and georeferencing are written too.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        See `check_target`.
    """
    path = Path(path)
    known = choose(path, kind="soft")
    check_target(path, kind="soft", overwrite=overwrite)
    if _module_for(path, "soft", image) is not None:
        layers = Layers("map", values.shape, "float32", (key,), image)
        write_windows(path, layers, [(everything(values.shape), values)], overwrite=overwrite)
        return
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "TIFF":
            from gmmseg.io.tiff_write import write_probabilities_tiff

            write_probabilities_tiff(file, values[None], _metadata(image), "float32", names=(key,))
        else:
            from gmmseg.io.arrays import write_array

            write_array(file, known, values, key=key)


def write_rgb(
    path: str | os.PathLike[str], rgb: np.ndarray, *, image: Image | None = None, overwrite: bool = False
) -> None:
    """Write an RGB picture, such as an overlay.

    Parameters
    ----------
    path : path-like
        .png, .tif, .jpg or .webp.
    rgb : ndarray of uint8, shape (rows, columns, 3)
        The picture.
    image : Image, optional
        Its resolution, and in TIFF its georeferencing, are written too where the sizes agree.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        See `check_target`.
    ParameterError
        The array is no uint8 RGB picture.
    """
    import numpy as np

    path = Path(path)
    pixels = np.asarray(rgb)
    if pixels.ndim != 3 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ParameterError(
            f"the picture has shape {pixels.shape} and dtype {pixels.dtype}, expected (rows, columns, 3) uint8"
        )
    source = image if image is not None and image.shape == pixels.shape[:2] else None
    known = choose(path, kind="picture")
    check_target(path, kind="picture", overwrite=overwrite)
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "PNG":
            from gmmseg.io.png import write_png

            write_png(file, pixels, dpi=_dpi(source))
        elif known.name == "TIFF":
            from gmmseg.io.tiff_write import write_rgb_tiff

            write_rgb_tiff(file, pixels, _metadata(source))
        else:
            from gmmseg.io.pillow import encode

            encode(file, pixels, known.name, dpi=_dpi(source))


def _metadata(image: Image | None) -> dict[str, Any]:
    return {} if image is None else image.metadata


def _dpi(image: Image | None) -> tuple[float, float] | None:
    return _metadata(image).get("dpi")
