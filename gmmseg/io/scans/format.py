"""Scans in the formats of FreeSurfer (MGH), the MNI (MINC), Analyze, AFNI and Philips (PAR/REC), as nibabel reads them.

Each is read whole, to the axes and the place that a NIfTI file of it has. Label maps of MGH files are MGH files again,
those of the others NIfTI.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, OutputError
from gmmseg.image import Image
from gmmseg.image.windows import Window
from gmmseg.io.contents import assembled, refuse_options, stored_probabilities
from gmmseg.io.damage import explained
from gmmseg.io.file_format import not_probabilities
from gmmseg.io.nifti.format import whole_numbers
from gmmseg.io.nifti.scans import of_nibabel, space_first
from gmmseg.io.regular import require_regular
from gmmseg.io.request import Reading, chosen, require_bytes
from gmmseg.io.unheard import unheard

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents

__all__ = ["AFNI", "ANALYZE", "MGH", "MINC", "PAR"]

_REMEDY = "copy or download it again"
_COPIES = 3  # of the numbers: as stored, scaled, and as they are handed on
_LARGEST_MGH = {1: "uint8", 2: "int32", 4: "int32"}  # by the bytes of a label


@dataclass(frozen=True)
class _Scans:
    """One of the formats.

    Parameters
    ----------
    name : str
    load : callable
        From a path, and what closes the files that are opened, to an image of nibabel, whose numbers are in them still.
    pairs : tuple of (str, tuple of str)
        Suffix of a header, and those of the file of numbers that lies beside it.
    """

    name: str
    load: Callable[[Path, ExitStack], Any]
    pairs: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def read(self, path: Path, reading: Reading) -> Image:
        """Read a volume, (x, y, z, n_channels), with its place.

        Raises
        ------
        InputError
            The file is damaged, cut short, too large, holds no real numbers, or its numbers are not beside it.
        """
        with self._opened(path, reading) as scan:
            return chosen(replace(of_nibabel(scan, reading), name=str(path)), reading)

    def read_labels(self, path: Path, reading: Reading) -> np.ndarray:
        """Read a label map; floats have to be whole numbers, and NaN among them is 0."""
        image = self.read(path, replace(reading, memory=None, channels=None, channel_axis="auto"))
        if image.n_channels != 1:
            raise InputError(f"{path} has {image.n_channels} volumes, but a label map has one; write it as one volume")
        return whole_numbers(path, image.array[..., 0])

    def read_probabilities(self, path: Path, reading: Reading) -> np.ndarray:
        """Read probability maps (n_classes, *spatial), stored as one volume a class, from MGH files."""
        if self is not MGH:
            raise not_probabilities(path, self.name)
        values = self.read(path, replace(reading, memory=None)).array
        if values.dtype.kind == "u":
            values = values * np.float32(1 / np.iinfo(values.dtype).max)
        return np.moveaxis(values, -1, 0)

    def describe(self, path: Path) -> dict[str, Any]:
        """Return what the header says."""
        with self._opened(path, Reading()) as scan, explained(path, _REMEDY, finding="damaged"):
            from nibabel.orientations import aff2axcodes

            shape, affine = scan.shape, scan.affine
            codes = (None,) * 3 if affine is None else aff2axcodes(affine)
            return {
                "shape": [int(n) for n in shape[:3]],
                "channels": int(np.prod(shape[3:], dtype=np.int64)),
                "dtype": str(np.dtype(scan.get_data_dtype()).newbyteorder("=")),
                "orientation": "".join(code or "?" for code in codes),
                "spacing_mm": [round(abs(float(step)), 6) for step in scan.header.get_zooms()[:3]],
            }

    def check(self, image: Image) -> None:
        """Refuse results of pictures."""
        if image.ndim != 3:
            raise OutputError(f"{image.name} is no volume, as {self.name} files are; write .png, .tif or .nii.gz")

    def write(self, path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
        """Write a label map, probabilities as one volume a class, or a map to a .mgh or .mgz file.

        Notes
        -----
        A volume without a place gets the sides of its voxels and FreeSurfer's own axes.
        """
        refuse_options(contents, "dtype")
        if len(contents.shape) != 3:
            raise OutputError(f"{contents.target}: {self.name} files hold volumes; write .png, .tif or .nii.gz")
        from nibabel.freesurfer import MGHImage

        values = assembled(contents, windows)
        if contents.kind == "labels":
            if int(values.max(initial=0)) > np.iinfo(np.int32).max:
                raise OutputError(f"{contents.target}: its labels are too large for {self.name} files; write .nii.gz")
            values = values.astype(_LARGEST_MGH[values.dtype.itemsize])
        if contents.kind == "soft":
            values = np.moveaxis(stored_probabilities(values, contents.stored_dtype), 0, -1)
        image = contents.image
        affine = None if image is None or image.place is None else image.place.affine3d
        scan = MGHImage(values, None if affine is None else np.array(affine))
        if affine is None and image is not None and image.spacing is not None:
            scan.header.set_zooms(image.spacing)
        content = scan.to_bytes()
        with open(path, "xb") as file:
            file.write(gzip.compress(content, 6, mtime=0) if path.name.lower().endswith(".mgz") else content)
        return {}

    @contextmanager
    def _opened(self, path: Path, reading: Reading) -> Iterator[Any]:
        """Open the header, and refuse numbers that are no regular file beside it or too many."""
        for suffix, numbers in self.pairs:
            if path.suffix.lower() == suffix:
                _beside(path, numbers)
        with ExitStack() as files:
            damage = explained(path, _REMEDY, finding="damaged", smaller="cut it into parts", known=_known)
            with damage, unheard():
                if self is MINC:
                    _require_alone(path, reading)
                scan = self.load(path, files)
                shape, stored = scan.shape, np.dtype(scan.get_data_dtype())
            n_bytes = math.prod(map(int, shape)) * max(stored.itemsize, 4)
            require_bytes(path, _COPIES * n_bytes, reading, "its numbers")
            yield space_first(scan)


def _known(reason: str) -> str | None:
    for name in ("image-max", "image-min"):  # MINC allows for it, and nibabel does not
        if name in reason:
            return f"lacks {name}, the range of its real values; write it again with rawtominc -real_range"
    return None


def _beside(path: Path, suffixes: tuple[str, ...]) -> Path:
    """Return the numbers of a header; refuse those that are not in a regular file of its folder."""
    names = [path.name[: -len(path.suffix)] + suffix for suffix in suffixes]
    found = next((file for name in names if (file := path.with_name(name)).exists()), None)
    if found is None:
        raise InputError(f"{path} is the header of a pair, but {names[0]} is not beside it; put both in one folder")
    require_regular(found)
    if found.resolve().parent != path.parent.resolve():
        raise InputError(f"{found} is a link to a file in another folder; copy that file beside {path.name}")
    return found


def _require_alone(path: Path, reading: Reading) -> None:
    """Refuse a file of MINC 2 that takes numbers from other files."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x89HDF":
            return
    from gmmseg.io.raster.beside import require_alone  # here, because files of MINC 1 need no h5py

    require_alone(path, path, reading)


def _load_mgh(path: Path, files: ExitStack) -> Any:
    from nibabel.fileholders import FileHolder
    from nibabel.freesurfer import MGHImage

    file = files.enter_context(path.open("rb"))
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    numbers = files.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
    return MGHImage.from_file_map({"image": FileHolder(str(path), numbers)})


def _load_minc(path: Path, _: ExitStack) -> Any:
    from nibabel import Minc1Image, Minc2Image

    with open(path, "rb") as file:
        return (Minc2Image if file.read(4) == b"\x89HDF" else Minc1Image).from_filename(path, mmap=False)


def _load_analyze(path: Path, _: ExitStack) -> Any:
    from nibabel import Spm99AnalyzeImage  # with the origin that SPM keeps in the header, where there is one

    return Spm99AnalyzeImage.from_filename(path, mmap=False)


def _load_afni(path: Path, _: ExitStack) -> Any:
    from nibabel.brikhead import AFNIImage

    return AFNIImage.from_filename(path, mmap=False)


def _load_par(path: Path, files: ExitStack) -> Any:
    from nibabel.fileholders import FileHolder
    from nibabel.parrec import PARRECImage

    header = files.enter_context(path.open(encoding="utf-8", errors="replace"))
    numbers = files.enter_context(_beside(path, (".REC", ".rec")).open("rb"))
    holders = {"header": FileHolder(str(path), header), "image": FileHolder(str(path), numbers)}
    return PARRECImage.from_file_map(holders, mmap=False)


MGH = _Scans("MGH", _load_mgh)
MINC = _Scans("MINC", _load_minc)
ANALYZE = _Scans("Analyze", _load_analyze, ((".hdr", (".img", ".img.gz", ".IMG")),))
AFNI = _Scans("AFNI", _load_afni, ((".head", (".BRIK", ".BRIK.gz", ".brik", ".brik.gz")),))
PAR = _Scans("PAR/REC", _load_par, ((".par", (".REC", ".rec")),))
