"""Writing: label maps, probabilities and pictures, whole or not at all, in the format that the suffix names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.errors import OutputError, ParameterError
from gmmseg.image.windows import everything
from gmmseg.io.atomic import atomic_file, check_place
from gmmseg.io.formats import FORMATS, GDAL, Kind, choose, has_rasterio

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image
    from gmmseg.image.windows import Window
    from gmmseg.io.contents import Layers

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = [
    "check_picture",
    "check_target",
    "is_picture",
    "write_labels",
    "write_layer",
    "write_map",
    "write_probabilities",
    "write_rgb",
    "write_windows",
]


def check_target(
    path: str | os.PathLike[str],
    *,
    kind: Kind = "labels",
    overwrite: bool = False,
    ndim: int | None = None,
    image: Image | None = None,
) -> None:
    """Refuse a target that could not be written, before anything is computed.

    Parameters
    ----------
    path : path-like
        The file to be written.
    kind : {"labels", "soft", "map", "picture"}
        What will be written: a label map, probabilities, other numbers, or an RGB picture.
    overwrite : bool
        Whether an existing file may be replaced.
    ndim : int, optional
        Number of spatial axes of the result, where known.
    image : Image, optional
        What is segmented, where known: some formats have to refer to it.

    Raises
    ------
    OutputError
        The suffix is unknown for this kind, the folder is missing or not writable, the file exists, or the format has
        no room for that many axes.
    """
    path = Path(path)
    known = choose(path, kind=kind)
    if ndim is not None and ndim != 2 and (known.name == "PNG" or kind == "picture"):
        raise OutputError(
            f"{path}: {known.name} pictures have 2 axes, the result has {ndim}; use .tif, .nii.gz or .npy"
        )
    check_place(path, overwrite=overwrite)
    if image is not None and known.name == "DICOM":
        from gmmseg.io.dicom.seg import check_source

        check_source(image)


def is_picture(path: Path) -> bool:
    """Whether a file of this name holds a picture of 8 bits, not numbers of any size."""
    pictures = [known.suffixes for known in FORMATS if "picture" in known.writes and "map" not in known.writes]
    return any(path.name.lower().endswith(suffixes) for suffixes in pictures)


def check_picture(path: Path, image: Image) -> None:
    """Raise OutputError where such a file has no room for the image's values."""
    if not (image.ndim == 2 and image.pixels.dtype == "uint8" and (image.color or image.n_channels == 1)):
        raise OutputError(
            f"{path}: {choose(path, kind='picture').name} holds 8 bits of grey or colour, {image.name} has "
            f"{image.n_channels} x {image.pixels.dtype} on {image.ndim} axes; use .tif, .npy, .npz, .nii or .nii.gz"
        )


def write_labels(
    path: str | os.PathLike[str],
    labels: np.ndarray,
    *,
    image: Image | None = None,
    names: Sequence[str] = (),
    palette: np.ndarray | None = None,
    overwrite: bool = False,
    **options: Any,
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
        Colour of each label of a PNG, 0 first; by default `gmmseg.io.palette.palette`.
    overwrite : bool
        Whether an existing file may be replaced.
    **options
        Of formats with a module of their own, such as `cog=True`.

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
        from gmmseg.io.contents import Layers

        layers = Layers("labels", numbers.shape, str(numbers.dtype), tuple(names), image, options)
        write_windows(path, layers, [(everything(numbers.shape), numbers)], overwrite=overwrite)
        return
    _refuse(options, path)
    if known.name == "PNG" and numbers.dtype.itemsize > 2:
        raise OutputError(f"{path}: PNG holds labels up to 65535, the largest is {numbers.max()}; use .tif or .npy")
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "PNG":
            from gmmseg.io.picture.png import write_png

            write_png(file, numbers, palette=_palette_for(numbers, palette), dpi=_dpi(image))
        elif known.name == "TIFF":
            from gmmseg.io.tiff.write import write_labels_tiff

            write_labels_tiff(file, numbers, image, ome=_is_ome(path))
        else:
            from gmmseg.io.arrays import write_array

            write_array(file, known, numbers, key="labels")


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
    from gmmseg.io.contents import assembled, write_with

    path = Path(path)
    kind: Kind = layers.kind
    check_target(path, kind=kind, overwrite=overwrite, ndim=len(layers.shape))
    module = _module_for(path, kind, layers.image)
    if module is None:
        whole = assembled(layers, windows)
        write_layer(path, layers.kind, whole, layers.names, image=layers.image, overwrite=overwrite, **layers.options)
        return
    suffix = next(end for end in choose(path, kind=kind).suffixes if path.name.lower().endswith(end))
    write_with(module, path, layers, windows, suffix=suffix, overwrite=overwrite)


def _module_for(path: Path, kind: Kind, image: Image | None) -> Any:
    """Return the module that writes a file window by window; None where whole arrays are written."""
    known = choose(path, kind=kind)
    if known.module is not None:
        return known.load()
    in_file = image is not None and not image.in_memory
    if known.name == "NPY" and in_file:
        from gmmseg.io import arrays

        return arrays
    if known.name == "TIFF" and not _is_ome(path) and image is not None and image.ndim == 2:
        return GDAL.load() if has_rasterio() and (in_file or GDAL.load().places(image)) else None
    return None


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _refuse(options: dict[str, Any], path: Path) -> None:
    """Raise ParameterError where there are options that no format without a module has."""
    if options:
        words = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise ParameterError(f"{path}: {words} is of another format, or of images that have a place; leave it out")


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
        from gmmseg.io.palette import palette as default

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
    dtype: Literal["float32", "uint16", "uint8"] = "float32",
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Write the probabilities of all classes.

    Parameters
    ----------
    path : path-like
        .npz (array "probabilities"), .npy, .nii, .nii.gz, .dcm (fractional DICOM SEG), or .tif: one page a class,
        described by its name; where the image is georeferenced one band a class, because GIS programs read bands.
    probabilities : ndarray of float, shape (n_classes, *spatial)
        From 0 to 1.
    image : Image, optional
        What was segmented; its resolution and georeferencing are written too.
    names : sequence of str, optional
        Of the classes: for the formats that hold names.
    dtype : {"float32", "uint16", "uint8"}
        How they are stored; uint16 is round(p * 65535), half the size, uint8 round(p * 255), a quarter. DICOM holds
        uint8 whatever is asked for.
    overwrite : bool
        Whether an existing file may be replaced.
    **options
        Of formats with a module of their own, such as `cog=True`.

    Raises
    ------
    OutputError
        See `check_target`.
    ParameterError
        The probabilities have another shape than the image or no floating dtype, or `dtype` is none of the three.
    """
    import numpy as np

    path = Path(path)
    if dtype not in ("float32", "uint16", "uint8"):
        raise ParameterError(f'dtype={dtype!r} is not a way to store probabilities; use "float32", "uint16" or "uint8"')
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
        from gmmseg.io.contents import Layers

        stored = values.astype(np.float32, copy=False)
        classes = tuple(names) or tuple(f"class {i + 1}" for i in range(len(values)))
        layers = Layers("soft", values.shape[1:], "float32", classes, image, {"dtype": dtype, **options})
        write_windows(path, layers, [(everything(values.shape[1:]), stored)], overwrite=overwrite)
        return
    _refuse(options, path)
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "TIFF":
            from gmmseg.io.tiff.write import write_probabilities_tiff

            write_probabilities_tiff(file, values, image, dtype, names=names)
        else:
            from gmmseg.io.arrays import write_array
            from gmmseg.io.tiff.write import stored_probabilities

            write_array(file, known, stored_probabilities(values, dtype), key="probabilities")


def write_map(
    path: str | os.PathLike[str],
    values: np.ndarray,
    *,
    key: str,
    image: Image | None = None,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Write one number a pixel, such as the anomaly.

    Parameters
    ----------
    path : path-like
        .tif, .npy, .npz, .nii or .nii.gz.
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
    known = choose(path, kind="map")
    check_target(path, kind="map", overwrite=overwrite)
    if _module_for(path, "map", image) is not None:
        from gmmseg.io.contents import Layers

        layers = Layers("map", values.shape, "float32", (key,), image, options)
        write_windows(path, layers, [(everything(values.shape), values)], overwrite=overwrite)
        return
    _refuse(options, path)
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "TIFF":
            from gmmseg.io.tiff.write import write_probabilities_tiff

            write_probabilities_tiff(file, values[None], image, "float32", names=(key,))
        else:
            from gmmseg.io.arrays import write_array

            write_array(file, known, values, key=key)


def write_layer(
    path: str | os.PathLike[str],
    kind: Literal["labels", "soft", "map"],
    values: np.ndarray,
    names: Sequence[str],
    *,
    image: Image | None = None,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Write a result by its kind: `write_labels`, `write_probabilities` or `write_map`."""
    if kind == "labels":
        write_labels(path, values, image=image, names=names, overwrite=overwrite, **options)
    elif kind == "soft":
        write_probabilities(path, values, image=image, names=names, overwrite=overwrite, **options)
    else:
        write_map(path, values, key=names[0], image=image, overwrite=overwrite, **options)


def write_rgb(
    path: str | os.PathLike[str], rgb: np.ndarray, *, image: Image | None = None, overwrite: bool = False
) -> None:
    """Write an RGB picture, such as an overlay, or one of grey values.

    Parameters
    ----------
    path : path-like
        .png, .tif, .jpg or .webp.
    rgb : ndarray of uint8, shape (rows, columns, 3), or (rows, columns) but not as .tif
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
    known = choose(path, kind="picture")
    usable = pixels.shape[2:] == (3,) or (pixels.ndim == 2 and known.name != "TIFF")
    if not usable or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ParameterError(
            f"the picture has shape {pixels.shape} and dtype {pixels.dtype}, expected (rows, columns, 3) uint8"
        )
    source = image if image is not None and image.shape == pixels.shape[:2] else None
    check_target(path, kind="picture", overwrite=overwrite)
    with atomic_file(path, overwrite=overwrite) as file:
        if known.name == "PNG":
            from gmmseg.io.picture.png import write_png

            write_png(file, pixels, dpi=_dpi(source))
        elif known.name == "TIFF":
            from gmmseg.io.tiff.write import write_rgb_tiff

            write_rgb_tiff(file, pixels, source)
        else:
            from gmmseg.io.picture.pillow import encode

            encode(file, pixels, known.name, dpi=_dpi(source))


def _dpi(image: Image | None) -> tuple[float, float] | None:
    return None if image is None else image.metadata.get("dpi")
