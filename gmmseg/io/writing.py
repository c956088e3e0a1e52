"""Writing: label maps, probabilities and pictures, checked, then written by the format that the suffix names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gmmseg.checks import path_of
from gmmseg.errors import OutputError, ParameterError
from gmmseg.io.atomic import check_place
from gmmseg.io.classes import default_names
from gmmseg.io.contents import Contents, write_with
from gmmseg.io.formats import FileFormat, ResultKind, choose, side_files, suffixes_for
from gmmseg.records import replace

if TYPE_CHECKING:
    import numpy as np

    from gmmseg.image import Image
    from gmmseg.image.windows import Window

    Windows = Iterable[tuple[Window, np.ndarray]]

__all__ = [
    "check_format",
    "check_opacity",
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

_WITH_OPACITY = ("PNG", "WebP")


def check_target(
    path: str | os.PathLike[str],
    *,
    kind: ResultKind = "labels",
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
        The suffix is unknown for this kind, the folder is missing or not writable, the file or one that goes beside it
        exists, or the format has no room for that many axes, or for one of time.

    Examples
    --------
    >>> check_target("nowhere/labels.png")
    Traceback (most recent call last):
    gmmseg.errors.OutputError: nowhere/labels.png: the folder nowhere does not exist; create it first
    """
    path = path_of(path)
    known = check_format(path, kind=kind, ndim=ndim, image=image)
    for each in (path, *side_files(path, kind, known)):
        check_place(each, overwrite=overwrite)


def check_format(path: Path, *, kind: ResultKind, ndim: int | None = None, image: Image | None = None) -> FileFormat:
    """Return the format that a file's name chooses, or refuse it as `check_target` does, wherever the file lies."""
    known = choose(path, kind=kind)
    if image is not None and image.time and kind != "picture" and not known.lettered:
        raise OutputError(f"{path}: {known.name} has no axis of time; use .tif, .ome.tif or .npy")
    if ndim == 1 and known.name in ("TIFF", "Zarr", "MetaImage"):
        raise OutputError(f"{path}: {known.name} has 2 axes or more, the result has 1; use .npy or .npz")
    if ndim is not None and ndim != 2 and (known.planar or kind == "picture"):
        raise OutputError(
            f"{path}: {known.name} pictures have 2 axes, the result has {ndim}; use .tif, .nii.gz or .npy"
        )
    if image is not None:
        known.check(image)
    return known


def is_picture(path: Path) -> bool:
    """Whether a file of this name holds a picture of 8 bits, not numbers of any size."""
    return path.name.lower().endswith(tuple({*suffixes_for("picture")} - {*suffixes_for("map")}))


def check_picture(path: Path, image: Image) -> None:
    """Raise OutputError where such a file has no room for the image's values."""
    shown = image.color or image.n_channels == 1
    if not (image.ndim == 2 and image.pixels.dtype in picture_dtypes(path) and shown):
        raise OutputError(
            f"{path}: {choose(path, kind='picture').name} holds 8 bits of grey or colour, {image.name} has "
            f"{image.n_channels} x {image.pixels.dtype} on {image.ndim} axes; use .tif, .npy, .npz, .nii or .nii.gz"
        )


def picture_dtypes(path: Path) -> tuple[str, ...]:
    """Return the dtypes that pictures in a file of this name have."""
    return ("uint8", "uint16", "float32") if choose(path, kind="picture").name == "TIFF" else ("uint8",)


def check_opacity(path: Path) -> None:
    """Raise OutputError where pictures in a file of this name are not written with opacity."""
    known = choose(path, kind="picture").name
    if known not in _WITH_OPACITY:
        raise OutputError(f"{path}: {known} pictures are not written with transparency; use .png, or give a background")


def write_labels(
    path: str | os.PathLike[str],
    labels: np.ndarray,
    *,
    image: Image | None = None,
    names: Sequence[str] = (),
    palette: np.ndarray | None = None,
    objects: bool = False,
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
    objects : bool
        Whether the numbers are of objects and not of classes: they take at least 16 bits then, by which exports know
        them, however few there are.
    overwrite : bool
        Whether an existing file may be replaced.
    **options
        `plain=True`: grey numbers without colours. Others are of single formats, such as `cog=True`.

    Raises
    ------
    OutputError
        See `check_target`; also where labels have numbers that the format cannot hold.
    ParameterError
        The labels are no whole numbers from 0, or have another shape than the image.

    Notes
    -----
    In a palette PNG the stored value is the label, and 0 (no data) is opaque black. Pillow and GIS programs read the
    numbers; OpenCV and scikit-image read the colours: read such files with `gmmseg.io.read_labels`, or write them
    `plain`, or as .tif.
    A georeferenced TIFF declares 0 as its nodata value.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_labels(f"{folder}/labels.png", np.array([[0, 1], [2, 2]]), names=["land", "water"])
    ...     io.read_labels(f"{folder}/labels.png").tolist()
    [[0, 1], [2, 2]]
    """
    import numpy as np

    numbers = _unsigned(labels, image)
    numbers = numbers.astype(np.promote_types(numbers.dtype, np.uint16), copy=False) if objects else numbers
    colors = {} if palette is None else {"palette": palette}
    _write("labels", path, numbers, names=tuple(names), image=image, options=colors | options, overwrite=overwrite)


def write_windows(
    path: str | os.PathLike[str], contents: Contents, windows: Windows, *, overwrite: bool = False
) -> None:
    """Write a result window by window, while the next window is computed.

    Parameters
    ----------
    path : path-like
        The suffix chooses the format, as for whole results.
    contents : Contents
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

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     contents = io.contents.Contents("labels", (2, 3), "uint8")
    ...     rows = (((slice(row, row + 1), slice(0, 3)), np.full((1, 3), row + 1, np.uint8)) for row in range(2))
    ...     io.write_windows(f"{folder}/labels.npy", contents, rows)
    ...     io.read_labels(f"{folder}/labels.npy").tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    _write_contents(replace(contents, target=path_of(path)), windows, overwrite=overwrite)


def _write_contents(contents: Contents, windows: Windows, *, overwrite: bool) -> None:
    contents.check()
    known = check_format(contents.target, kind=contents.kind, ndim=len(contents.shape), image=contents.image)
    write_with(known, contents.target, contents, windows, overwrite=overwrite)


def _write(
    kind: ResultKind,
    path: str | os.PathLike[str],
    values: np.ndarray,
    *,
    names: tuple[str, ...],
    image: Image | None,
    options: dict[str, Any],
    overwrite: bool,
) -> None:
    """Write a result that is whole."""
    shape = values.shape[1:] if kind == "soft" else values.shape[:2] if kind == "picture" else values.shape
    dtype = "float32" if kind in ("soft", "map") else str(values.dtype)
    target = path_of(path)
    contents = Contents(kind, shape, dtype, names, image, options, target)
    from gmmseg.image.windows import everything  # here, because targets are checked without images

    _write_contents(contents, [(everything(shape), values)], overwrite=overwrite)


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
        Of formats with a module of their own, such as `cog=True`; `occupancy=True` says that they are how much of a
        pixel each class takes up, which DICOM has a word for.

    Raises
    ------
    OutputError
        See `check_target`.
    ParameterError
        The probabilities have another shape than the image or no floating dtype, or `dtype` is none of the three.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_probabilities(f"{folder}/soft.npy", np.float32([[[0.2, 1]], [[0.8, 0]]]), dtype="uint8")
    ...     io.read_probabilities(f"{folder}/soft.npy").tolist()
    [[[51, 255]], [[204, 0]]]
    """
    import numpy as np

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
    stored = values.astype(np.float32, copy=False)
    classes = tuple(names) or default_names(len(values))
    options = {"dtype": dtype, **options}
    _write("soft", path, stored, names=classes, image=image, options=options, overwrite=overwrite)


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

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_map(f"{folder}/anomaly.tif", np.float32([[0.5, 0.25]]), key="anomaly")
    ...     io.read(f"{folder}/anomaly.tif").array[..., 0].tolist()
    [[0.5, 0.25]]
    """
    _write("map", path, values, names=(key,), image=image, options=options, overwrite=overwrite)


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
    """Write a result by its kind: `write_labels`, `write_probabilities` or `write_map`.

    Parameters
    ----------
    path : path-like
        The suffix chooses the format.
    kind : {"labels", "soft", "map"}
        Which of the three.
    values : ndarray
        Labels (*spatial), probabilities (n_classes, *spatial), or one float32 a pixel (*spatial).
    names : sequence of str
        Of the classes; of a map its own name alone.
    image, overwrite, **options
        As of the three.

    Raises
    ------
    OutputError, ParameterError
        As of the three.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_layer(f"{folder}/labels.npy", "labels", np.array([[1, 2]]), ["land", "water"])
    ...     io.read_labels(f"{folder}/labels.npy").tolist()
    [[1, 2]]
    """
    if kind == "labels":
        write_labels(path, values, image=image, names=names, overwrite=overwrite, **options)
    elif kind == "soft":
        write_probabilities(path, values, image=image, names=names, overwrite=overwrite, **options)
    else:
        write_map(path, values, key=names[0], image=image, overwrite=overwrite, **options)


def write_rgb(
    path: str | os.PathLike[str], rgb: np.ndarray, *, image: Image | None = None, overwrite: bool = False
) -> None:
    """Write an RGB picture, such as an overlay, one of grey values, or one with opacity, such as a cut-out.

    Parameters
    ----------
    path : path-like
        .png, .tif, .jpg or .webp.
    rgb : ndarray of uint8, shape (rows, columns, 3), or (rows, columns) but not as .tif
        The picture; (rows, columns, 4) as .png and .webp. As .tif also uint16, and float32 from 0 to 1.
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

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from gmmseg import io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     io.write_rgb(f"{folder}/red.png", np.full((2, 3, 3), [255, 0, 0], np.uint8))
    ...     io.read(f"{folder}/red.png").array[0, 0].tolist()
    [255, 0, 0]
    """
    import numpy as np

    pixels = np.asarray(rgb)
    if pixels.shape[2:] == (4,):
        check_opacity(path_of(path))
    dtypes = picture_dtypes(path_of(path))
    if pixels.shape[2:] not in ((), (3,), (4,)) or pixels.ndim < 2 or pixels.dtype not in dtypes or pixels.size == 0:
        raise ParameterError(
            f"the picture has shape {pixels.shape} and dtype {pixels.dtype}, expected (rows, columns, 3) uint8"
        )
    source = image if image is not None and image.shape == pixels.shape[:2] else None
    _write("picture", path, pixels, names=(), image=source, options={}, overwrite=overwrite)
