"""Seeds: small files of every format, and hostile ones, which name other files or addresses or inflate without end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gmmseg
from fuzzing import arrays, pictures, rasters, scans
from gmmseg import io

__all__ = ["KINDS", "ODD", "Case", "make_seeds"]

ODD = "odd"
"""Names of seeds that need not be readable, most of them hostile, begin so."""

Write = Callable[[Path], None]
Writers = dict[str, Write]


@dataclass(frozen=True)
class Case:
    """Files in a folder, of which one is opened: a seed, or a mutant of one.

    Parameters
    ----------
    kind : str
        Its format, one of `KINDS`.
    name : str
    files : dict of str to bytes
        By their paths in the folder.
    path : str
        Which of them is opened; "." for the folder.
    """

    kind: str
    name: str
    files: dict[str, bytes]
    path: str


def _models() -> Writers:
    colours = pictures.colours()

    def made(**options: object) -> Write:
        return lambda path: gmmseg.fit(colours, 2, sample=300, threads=1, **options).save(path)

    return {
        "colours.json": made(),
        "outliers.json": made(outliers="student", covariance="diag"),
        "uniform.json": made(outliers="uniform", smooth=False, class_names=["dark", "bright"]),
        "texture.json": made(features="gray,texture,xy:0.5", covariance="tied"),
    }


def _priors() -> Writers:
    shares = np.random.default_rng(0).dirichlet([1.0, 2.0], pictures.SHAPE).astype("f4").transpose(2, 0, 1)

    def write(path: Path) -> None:
        io.write_probabilities(path, shares)

    return dict.fromkeys(("shares.npy", "shares.npz", "shares.tif"), write) | {
        "integers.npy": lambda path: np.save(path, (shares * 255).astype(np.uint8)),
    }


_WRITERS: dict[str, Callable[[], Writers]] = {
    "png": pictures.png,
    "jpeg": pictures.jpeg,
    "webp": pictures.webp,
    "bmp": pictures.bmp,
    "gif": pictures.gif,
    "tiff": pictures.tiff,
    "microscopy": pictures.microscopy,
    "npy": pictures.npy,
    "npz": pictures.npz,
    "nrrd": arrays.nrrd,
    "hdf5": arrays.hdf5,
    "zarr": arrays.zarr,
    "geotiff": rasters.geotiff,
    "vrt": rasters.vrt,
    "envi": rasters.envi,
    "aaigrid": rasters.aaigrid,
    "gdal": rasters.other,
    "text": rasters.texts,
    "nifti": scans.nifti,
    "dicom": scans.dicom,
    "series": scans.series,
    "seg": scans.segmentations,
    "model": _models,
    "prior": _priors,
}
KINDS = tuple(_WRITERS)


def make_seeds(kinds: tuple[str, ...] = KINDS) -> dict[str, list[Case]]:
    """Write seeds into a folder that is removed again, and return them by kind."""
    return {kind: list(_written(kind)) for kind in kinds}


def _written(kind: str) -> Iterator[Case]:
    for name, write in _WRITERS[kind]().items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            # A name that ends in a stroke is that of a folder, which is the image.
            path = folder if name.endswith("/") else folder / name.replace(" ", "-")
            write(path)
            # ENVI's headers say where they were written; without it the same bytes are made each time.
            files = {
                str(each.relative_to(folder)): each.read_bytes().replace(bytes(folder), b".")
                for each in folder.rglob("*")
                if each.is_file()
            }
        yield Case(kind, name.rstrip("/"), dict(sorted(files.items())), "." if path == folder else path.name)
