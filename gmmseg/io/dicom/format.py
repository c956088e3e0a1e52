"""DICOM: a file or the folder of a series, read by pydicom; segmentations (DICOM SEG) by highdicom."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.windows import Window, everything
from gmmseg.io.dicom import seg
from gmmseg.io.dicom.dicom_file import DicomFile, explained, open_file, text_of
from gmmseg.io.dicom.films import interval_of, is_film
from gmmseg.io.dicom.parsing import first_in, is_segmentation
from gmmseg.io.dicom.series import open_series
from gmmseg.io.dicom.slices import Slices
from gmmseg.io.request import Reading, chosen, kept, require_axis, require_bytes, require_room

if TYPE_CHECKING:
    from gmmseg.image.axes import ChannelAxis
    from gmmseg.io.contents import Contents

__all__ = [
    "check",
    "class_names",
    "describe",
    "describe_series",
    "read",
    "read_labels",
    "read_probabilities",
    "suffix_of_labels",
    "write",
]


def read(path: Path, reading: Reading) -> Image:
    """Read a picture or a volume.

    Parameters
    ----------
    path : Path
        A file, or a folder with the files of one series.
    reading : Reading

    Returns
    -------
    Image
        (rows, columns), or (slices, rows, columns) with the slices in the order of their positions along the normal; a
        time-lapse (frames, rows, columns) where frames have times and no positions. In Hounsfield units or what else
        the file scales to.
        Its place has the affine, where the patient's axes are known. A segmentation (DICOM SEG) is read where numbers
        of labels are asked for.

    Raises
    ------
    InputError
        The files are damaged, no image, or make no even stack of slices; see `gmmseg.io.dicom.series.open_series`.
    """
    segmentation = _segmentation(path, reading) if reading.indices else None
    with explained(path):
        if segmentation is not None:
            labels = seg.image_of(segmentation, reading)
            return kept(labels, reading) if reading.memory is None else labels
        series = open_series(path, reading)
        slices = Slices(series, reading)
        pixel_bytes = slices.dtype.itemsize * slices.shape[-1]
        pixels: Any = slices
        valid = None
        memory = reading.memory_unchosen
        require_bytes(path, slices.frame_bytes, reading, "pixels of a frame, with what is made of them,")
        if memory is None or math.prod(series.shape) * pixel_bytes <= memory:
            require_room(path, series.shape, reading, pixel_bytes + 1)  # one says whether it is valid
            pixels, valid = slices.read(everything(series.shape))
        image = Image(
            pixels,
            color=slices.color,
            valid=valid,
            spacing=series.spacing,
            name=str(path),
            # No segmentation can refer to a film: nothing of it is put back but its place.
            place=Place(
                affine3d=series.affine_of_indices,
                unit="mm",
                interval=interval_of(series.header) if series.film else None,
                native=None if series.film else series,
            ),
            time=series.film,
            metadata={"modality": text_of(series.header, "Modality")},
        )
        require_axis(image, reading, "DICOM")
        return chosen(image, reading)


def read_labels(path: Path, reading: Reading) -> np.ndarray:
    """Read a segmentation (DICOM SEG), or an image of whole numbers."""
    file = _segmentation(path, reading)
    if file is not None:
        with explained(path):
            return seg.read_labels(file, reading)
    image = read(path, replace(reading, memory=None))
    if image.color:
        raise InputError(f"{path} holds colours, expected one number a pixel; give a segmentation (DICOM SEG)")
    return image.array[..., 0]


def read_probabilities(path: Path, reading: Reading) -> np.ndarray:
    """Read the segments of a segmentation (DICOM SEG), (n_classes, *spatial)."""
    file = _segmentation(path, reading)
    if file is None:
        raise InputError(f"{path} is no segmentation (DICOM SEG); give one, or probability maps as NIfTI")
    with explained(path):
        return seg.read_probabilities(file, reading)


def class_names(path: Path) -> tuple[str, ...] | None:
    """Return the labels of the segments of a segmentation (DICOM SEG)."""
    file = _segmentation(path, Reading())
    if file is None:
        return None
    with explained(path):
        return seg.class_names(file)


def _segmentation(path: Path, reading: Reading) -> DicomFile | None:
    """Return a file that is a segmentation; None of anything else."""
    if path.is_dir():
        return None
    with explained(path):
        file = open_file(path, reading)
        return file if is_segmentation(file.header) else None


def describe(path: Path) -> dict[str, Any]:
    """Return what the headers say of the image, and nothing of the patient; ready for JSON."""
    return _described(path, Reading())


def describe_series(path: Path, series: str) -> dict[str, Any]:
    """Return what the headers say of one series of a folder, by its number, its identifier or its description."""
    return _described(path, Reading(series=series))


def _described(path: Path, reading: Reading) -> dict[str, Any]:
    segmentation = _segmentation(path, reading)
    with explained(path):
        if segmentation is not None:
            return seg.describe(segmentation, reading)
        series = open_series(path, reading)
        slices, header = Slices(series, reading), series.header
        facts: dict[str, Any] = {
            "bytes": sum(file.stat().st_size for file in series.paths),
            "files": len(series.paths),
            "shape": list(series.shape),
            "channels": slices.shape[-1],
            "dtype": str(slices.dtype),
            "modality": text_of(header, "Modality"),
            "photometric": text_of(header, "PhotometricInterpretation"),
            "compression": header.file_meta.TransferSyntaxUID.name[:200],
        }
        if header.get("SeriesDescription"):
            facts["series"] = text_of(header, "SeriesDescription")
        if series.film:
            interval = interval_of(header)
            facts |= {"axes": "TYX"} | ({} if interval is None else {"interval_s": Place(interval=interval).seconds})
        if series.spacing is not None:
            facts["spacing_mm"] = [round(step, 6) for step in series.spacing]
        return facts


def suffix_of_labels(path: Path, channel_axis: ChannelAxis) -> str:
    """Return the suffix of label maps: TIFF's for films, NIfTI's for frames of no place, to which none can refer."""
    if path.is_dir():
        with explained(path):
            first = first_in(path)
            return ".tif" if first is not None and is_film(first.header) else ".dcm"
    facts = describe(path)
    if "axes" in facts:
        return ".tif"
    return ".nii.gz" if len(facts["shape"]) > 2 and "spacing_mm" not in facts else ".dcm"


def check(image: Image) -> None:
    """Refuse an image that no segmentation can refer to."""
    seg.check_source(image)


def write(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write a segmentation (DICOM SEG) that refers to the images it was made of."""
    return seg.write(path, contents, windows)
