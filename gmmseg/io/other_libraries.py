"""Images that other libraries hold: what they are is told by their type's module, so that none of these is loaded.

An open file, bytes, an open dataset, a picture or a scan is taken as the file that it came from or would be written to,
datasets of a series as its folder; tensors and what else gives an array are arrays.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gmmseg.errors import InputError, ParameterError, one_line
from gmmseg.image import Image
from gmmseg.io.damage import explained
from gmmseg.io.reading import read_copy, read_with
from gmmseg.io.request import Reading, chosen
from gmmseg.io.spool import AT_ONCE, Copy
from gmmseg.records import replace

__all__ = ["is_object", "is_scan", "open_object"]

_BYTES = (bytes, bytearray)
_DATASET = ("pydicom.dataset", "Dataset")
_BAND = ("rasterio", "Band")  # a tuple, which names numbers of an open dataset
_PLAIN_FILES = (io.FileIO, io.BufferedReader, io.BufferedRandom)


def is_object(source: Any) -> bool:
    """Whether something is neither a path nor an array of NumPy's or of numbers, but known here."""
    return _opener(source) is not None


def is_scan(source: Any) -> bool:
    """Whether something is a scan that another library holds, with its place in the patient."""
    return source is not None and _opener(source) in _OF_SCANS


def open_object(source: Any, reading: Reading) -> Image:
    """Take what another library holds as an Image, but for the mask.

    Raises
    ------
    InputError
        It is no image, or has to be converted: the message says by which call.
    ParameterError
        A parameter does not fit it.
    """
    opener = _opener(source)
    if opener is None:
        raise InputError(f"image is a {_kind(source)}, which is no image; pass an array")
    if reading.axes is not None and opener in _OF_KNOWN_AXES:
        raise ParameterError(f"axes={reading.axes!r}: image is a {_kind(source)}, which has its axes; leave it out")
    return opener(source, reading)


def _opener(source: Any) -> Callable[[Any, Reading], Image] | None:
    if isinstance(source, _BYTES) or (isinstance(source, memoryview) and source.ndim == 1 and source.format == "B"):
        return _of_bytes
    for library in dict.fromkeys(each.__module__.partition(".")[0] for each in type(source).__mro__):
        if library in _LIBRARIES and _is_a(source, *_LIBRARIES[library][:2]):
            return _LIBRARIES[library][2]
        if library == "numpy":
            return None
    if _is_a(source, *_BAND):
        return _of_band
    if isinstance(source, list | tuple) and source and _is_a(source[0], *_DATASET):
        return _of_pydicom
    if hasattr(source, "read") and hasattr(source, "close") and not hasattr(source, "__array__"):
        return _of_file
    return _of_array if hasattr(source, "__array__") or hasattr(source, "__dlpack__") else None


def _is_a(source: Any, module: str, name: str) -> bool:
    """Whether something is of a class of a module, which is loaded where anything can be."""
    known = getattr(sys.modules.get(module), name, None)
    return known is not None and isinstance(source, known)


def _kind(source: Any) -> str:
    """Return how a user calls a type: "torch.Tensor"."""
    return f"{type(source).__module__.partition('.')[0]}.{type(source).__name__}"


def _of_bytes(source: Any, reading: Reading) -> Image:
    return _copied("image", [source], reading)


def _of_file(source: Any, reading: Reading) -> Image:
    """Read an open file from where it stands; from its path where that is all of it, so that pixels can stay there."""
    name = getattr(source, "name", None)
    given = name if isinstance(name, str) and name else "image"
    if isinstance(source, io.TextIOBase):
        raise InputError(f"{given} is open as text; open it with mode 'rb'")
    if _is_whole(source, given):
        return read_with(Path(given), _without_mask(reading))
    return _copied(given, _chunks(source, given), reading)


def _is_whole(source: Any, name: str) -> bool:
    """Whether an open file is the one of its name, from the beginning on, as it is: not inflated, not as text."""
    if not isinstance(source, _PLAIN_FILES):
        return False
    try:
        return source.tell() == 0 and os.path.samestat(os.fstat(source.fileno()), os.stat(name))
    except (OSError, ValueError):  # of a pipe, or of a file that is closed
        return False


def _chunks(source: Any, name: str) -> Iterator[bytes]:
    found = False
    while chunk := source.read(AT_ONCE):
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise InputError(f"{name} gives no bytes when it is read; open it with mode 'rb'")
        found = True
        yield bytes(chunk)
    if not found:
        raise InputError(f"{name} is at its end; go back to its beginning with seek(0)")


def _copied(given: str, chunks: Any, reading: Reading) -> Image:
    copy = Copy(given, reading.budget)
    copy.add("image", chunks)
    copy.settle()
    return read_copy(copy, _without_mask(reading))


def _without_mask(reading: Reading) -> Reading:
    return replace(reading, mask=None)


def _of_pillow(source: Any, reading: Reading) -> Image:
    from gmmseg.io.picture.format import image_of  # here, because most images are no pictures of Pillow

    return image_of(source, getattr(source, "filename", "") or "image", reading)


def _of_rasterio(source: Any, reading: Reading) -> Image:
    from gmmseg.io.raster.format import read_dataset  # here, because most images are files

    if source.closed:
        raise InputError(f"{source.name} is a closed dataset; open it again, or pass its path")
    if source.mode not in ("r", "r+"):
        raise InputError(f"{source.name} is a dataset open for writing; close it and pass its path")
    return read_dataset(source, reading)


def _of_band(source: Any, reading: Reading) -> Image:
    numbers = source.bidx if isinstance(source.bidx, int) else ",".join(map(str, source.bidx))
    raise InputError(f"image is a rasterio.Band of {source.ds.name}; pass the dataset, with channels='{numbers}'")


def _of_simpleitk(source: Any, reading: Reading) -> Image:
    from gmmseg.io.nifti.scans import of_simpleitk  # here, because most images are files

    return chosen(of_simpleitk(source, reading), reading)


def _of_itk(source: Any, reading: Reading) -> Image:
    from gmmseg.io.nifti.scans import of_itk  # here, because most images are files

    return chosen(of_itk(source, reading), reading)


def _of_ants(source: Any, reading: Reading) -> Image:
    from gmmseg.io.nifti.scans import of_ants  # here, because most images are files

    return chosen(of_ants(source, reading), reading)


def _of_pydicom(source: Any, reading: Reading) -> Image:
    """Take a dataset as the file that it would be, and a list of them as the folder of a series."""
    several = isinstance(source, list | tuple)
    copy = Copy("image", reading.budget)
    if several:
        copy.path.mkdir()
    for number, each in enumerate(source if several else [source]):
        if not _is_a(each, *_DATASET):
            raise InputError(f"image[{number}] is a {_kind(each)}, the others are datasets of pydicom; pass one series")
        if not getattr(each, "file_meta", None) or "TransferSyntaxUID" not in each.file_meta:
            name = f"image[{number}]" if several else "image"
            raise InputError(
                f"{name} is a dataset of pydicom that does not say how its pixels are encoded; pass its path, or set "
                "file_meta.TransferSyntaxUID"
            )
        copy.add(f"image/{number}" if several else "image", [_file_of(each)])
    return read_copy(copy, _without_mask(reading))


def _file_of(dataset: Any) -> bytes:
    """Return a dataset as a file, and leave the dataset itself as it is."""
    from copy import copy, deepcopy  # here, because most images are files

    written = copy(dataset)
    written.file_meta = deepcopy(dataset.file_meta)
    file = io.BytesIO()
    with explained("image", "pass the path of its file", finding="no dataset that can be written"):
        written.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _of_nibabel(source: Any, reading: Reading) -> Image:
    from gmmseg.io.nifti.scans import of_nibabel  # here, because most images are files

    return chosen(of_nibabel(source, reading), reading)


def _of_torch(source: Any, reading: Reading) -> Image:
    """Take a tensor of the processor's memory; whatever copies or detaches it is for the caller to say."""
    calls = ".detach()" if source.requires_grad else ""
    where = str(source.device)
    calls += "" if where.startswith("cpu") else ".cpu()"
    calls += ".to_dense()" if str(source.layout) != "torch.strided" else ""
    calls += ".float()" if str(source.dtype) == "torch.bfloat16" else ""
    if calls:
        grad = ", requires grad" if source.requires_grad else ""
        raise InputError(f"image is a torch tensor ({source.dtype} on {where}{grad}); pass image{calls}")
    return _as_array(source.numpy(), reading)


def _of_dask(source: Any, reading: Reading) -> Image:
    from gmmseg.io.lazy import image_of_dask  # here, because most images are no dask arrays

    return image_of_dask(source, reading)


def _of_xarray(source: Any, reading: Reading) -> Image:
    from gmmseg.io.labelled_arrays import image_of_dataarray, image_of_dataset  # here, because most images are files

    is_array = _is_a(source, "xarray", "DataArray")
    return image_of_dataarray(source, reading) if is_array else image_of_dataset(source, reading)


def _of_cupy(source: Any, reading: Reading) -> Image:
    raise InputError("image is a cupy array, which is in the memory of a graphics card; pass image.get()")


def _of_array(source: Any, reading: Reading) -> Image:
    """Take what gives an array: by NumPy's protocol, or by that of DLPack."""
    import numpy as np

    try:
        array = np.asarray(source) if hasattr(source, "__array__") else np.from_dlpack(source)
    # Whatever another library raises, it is no array that NumPy can have.
    except Exception as error:
        raise InputError(
            f"image is a {_kind(source)} that gives no array ({one_line(error)}); convert it to a NumPy array first"
        ) from error
    return _as_array(array, reading)


def _as_array(array: Any, reading: Reading) -> Image:
    image = Image.from_array(array, channel_axis=reading.channel_axis, axes=reading.axes)
    return image if reading.channels is None else image.select(reading.channels)


_LIBRARIES: dict[str, tuple[str, str, Callable[[Any, Reading], Image]]] = {
    "PIL": ("PIL.Image", "Image", _of_pillow),
    "rasterio": ("rasterio._base", "DatasetBase", _of_rasterio),
    "SimpleITK": ("SimpleITK", "Image", _of_simpleitk),
    "itk": ("itk.ITKCommonBasePython", "itkDataObject", _of_itk),
    "ants": ("ants.core.ants_image", "ANTsImage", _of_ants),
    "pydicom": (*_DATASET, _of_pydicom),
    "nibabel": ("nibabel.spatialimages", "SpatialImage", _of_nibabel),
    "torch": ("torch", "Tensor", _of_torch),
    "cupy": ("cupy", "ndarray", _of_cupy),
    "dask": ("dask.array.core", "Array", _of_dask),
    "xarray": ("xarray.core.common", "DataWithCoords", _of_xarray),
}
"""By the package: the module and the class of its images, and what takes them."""

_OF_SCANS = (_of_simpleitk, _of_itk, _of_ants, _of_nibabel)
_OF_KNOWN_AXES = (_of_pillow, _of_rasterio, *_OF_SCANS)
