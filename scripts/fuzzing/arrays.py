"""Seeds of arrays: NRRD, HDF5 and Zarr."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from fuzzing.pictures import colours, grey

__all__ = ["hdf5", "nrrd", "zarr"]

Write = Callable[[Path], None]
_SPACE = "space: left-posterior-superior\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (1,2,3)"
_METADATA = {"zarr_format": 2, "order": "C", "fill_value": 0, "filters": None}


def _nrrd(path: Path, numbers: np.ndarray, *lines: str, encoding: str = "raw", beside: bool = False) -> None:
    """Write a file of unsigned bytes, the last axis fastest."""
    stored = numbers.astype("u1").tobytes()
    stored = gzip.compress(stored, mtime=0) if encoding == "gzip" else stored
    sizes = " ".join(map(str, reversed(numbers.shape)))
    header = [
        "NRRD0005",
        "type: uchar",
        f"dimension: {numbers.ndim}",
        f"sizes: {sizes}",
        f"encoding: {encoding}",
        *lines,
    ]
    if beside:
        path.with_suffix(".raw").write_bytes(stored)
    path.write_bytes("\n".join(header).encode() + b"\n\n" + (b"" if beside else stored))


def nrrd() -> dict[str, Write]:
    """Return what writes pictures and volumes, and files whose numbers lie elsewhere."""
    volume = np.stack([grey()] * 3)
    return {
        "grey.nrrd": partial(_nrrd, numbers=grey()),
        "colours.nrrd": lambda path: _nrrd(path, colours(), "kinds: RGB-color space space"),
        "volume.nrrd": lambda path: _nrrd(path, volume, _SPACE, "kinds: domain domain domain"),
        "zipped.nrrd": lambda path: _nrrd(path, volume, _SPACE, encoding="gzip"),
        "apart.nhdr": lambda path: _nrrd(path, volume, "data file: apart.raw", beside=True),
        "odd elsewhere.nhdr": lambda path: _nrrd(path, volume, "data file: ../outside.raw", beside=True),
        "odd endless.nrrd": lambda path: _nrrd(path, np.zeros((1, 1)), "sizes: 999999 999999", encoding="gzip"),
    }


def _hdf5(path: Path, **arrays: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, chunks=True, compression="gzip", track_times=False)
            file[name].attrs["element_size_um"] = (2.0, 0.5, 0.5)


def _leading_elsewhere(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink("../outside.h5", "/a")
        file["b"] = grey()


def hdf5() -> dict[str, Write]:
    """Return what writes single arrays, and files of several or of links."""
    return {
        "grey.h5": lambda path: _hdf5(path, image=grey()),
        "colours.h5": lambda path: _hdf5(path, image=colours()),
        "odd several.h5": lambda path: _hdf5(path, first=grey(), second=colours()),
        "odd links.h5": _leading_elsewhere,
    }


def _zarr(path: Path, numbers: np.ndarray, compressor: dict[str, str] | None = None, **attributes: object) -> None:
    """Write an array in one block, in a group where it has attributes."""
    place = path / "0" if attributes else path
    place.mkdir(parents=True, exist_ok=True)
    facts = {"shape": numbers.shape, "chunks": numbers.shape, "dtype": numbers.dtype.str, "compressor": compressor}
    (place / ".zarray").write_text(json.dumps(_METADATA | facts))
    (place / ".".join("0" * numbers.ndim)).write_bytes(numbers.tobytes())
    if attributes:
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text(json.dumps(attributes))


def zarr() -> dict[str, Write]:
    """Return what writes folders of arrays and of an image, and ones that would run what they hold."""
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = {"type": "scale", "scale": [0.5, 0.25]}
    image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    elsewhere = image | {"datasets": [{"path": "../outside"}]}
    return {
        "colours.zarr/": lambda path: _zarr(path, colours()),
        "image.zarr/": lambda path: _zarr(path, grey(), multiscales=[image]),
        "odd pickle.zarr/": lambda path: _zarr(path, grey(), {"id": "pickle"}),
        "odd elsewhere.zarr/": lambda path: _zarr(path, grey(), multiscales=[elsewhere]),
    }
