"""Seeds of medicine: NIfTI, DICOM files, folders of slices, DICOM segmentations."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from fuzzing.pictures import colours, deflated_zeros, grey
from gmmseg import io

__all__ = ["dicom", "nifti", "segmentations", "series"]

Write = Callable[[Path], None]
AFFINE = np.array([[-1.1, 0.2, 0.1, 90.3], [0.15, 1.9, -0.3, -120.7], [0.12, 0.31, 2.3, -70.1], [0, 0, 0, 1]])
N_SLICES = 3


def _volume(dtype: str = "i2") -> np.ndarray:
    return np.stack([np.roll(grey(), 2 * shift, 0) for shift in range(N_SLICES)]).astype(dtype)


def _nifti(data: np.ndarray, kind: Any = nibabel.Nifti1Image, *, slope: float = 1, text: bytes = b"") -> Write:
    def write(path: Path) -> None:
        image = kind(data, AFFINE)
        image.header.set_sform(AFFINE, code="scanner")
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_slope_inter(slope, 0)
        if text:
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", text))
        nibabel.save(image, path)

    return write


def _swapped(path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(_volume(">i2"), AFFINE, header), path)


def nifti() -> dict[str, Write]:
    colour = np.ascontiguousarray(colours()).view([("R", "u1"), ("G", "u1"), ("B", "u1")])
    pair = partial(_nifti, kind=nibabel.Nifti1Pair)
    return {
        "short.nii": _nifti(_volume(), text=b"a disc"),
        "scaled.nii.gz": _nifti(_volume("u1"), slope=0.5),
        "floats.nii.gz": _nifti(_volume("f4")),
        "doubles.nii": _nifti(_volume("f8")),
        "colours.nii": _nifti(colour),
        "series.nii.gz": _nifti(np.stack([_volume(), _volume() // 2], -1)),
        "second.nii": _nifti(_volume(), nibabel.Nifti2Image),
        "motorola.nii": _swapped,
        "pair.hdr": pair(_volume()),
        "odd pair.img": pair(_volume()),
        "packed.hdr.gz": pair(_volume()),
        "odd zeros.nii.gz": _zeros,
    }


def _zeros(path: Path) -> None:
    """Write a volume of two slices that take gibibytes."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype("u1")
    header.set_data_shape((32_000, 25_000, 2))
    header["magic"], header["vox_offset"] = b"n+1", 352
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packer.compress(header.binaryblock + bytes(4)) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(1.5)
    path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + content + bytes(8))


def _slice(number: int = 0, stored: np.ndarray | None = None, **attributes: Any) -> Dataset:
    """Make a slice in memory; rows and samples are those of `stored`."""
    values = _volume("u2")[number] if stored is None else stored
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = f"1.2.3.{number + 1}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = "1.2", "1.2.3", "1.2.9"
    made.Modality, made.SeriesNumber, made.InstanceNumber, made.SeriesDescription = "CT", 3, number + 1, "Head"
    made.PatientID, made.PatientName, made.StudyID = "17", "Doe^Jane", "1"
    made.StudyDate, made.StudyTime = "20200102", "030405"
    made.Rows, made.Columns, made.SamplesPerPixel = *values.shape[:2], 1
    made.BitsAllocated = made.BitsStored = 8 * values.itemsize
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, 0
    made.PhotometricInterpretation = "MONOCHROME2"
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 30 + 2.5 * number]
    made.PixelSpacing, made.SliceThickness = [0.8, 0.7], 2.5
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = values.tobytes()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def _saved(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> Write:
    def write(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some attributes are not what a series would have
            if syntax == RLELossless:
                made.compress(syntax, generate_instance_uid=False)
            elif syntax == ExplicitVRBigEndian:
                made.PixelData = np.frombuffer(made.PixelData, "<u2").byteswap().tobytes()
            made.file_meta.TransferSyntaxUID = syntax
            made.save_as(path, enforce_file_format=True)

    return write


def _colour(**attributes: Any) -> Dataset:
    facts = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    made = _slice(0, colours(), SOPClassUID=SecondaryCaptureImageStorage, **facts | attributes)
    made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    return made


def dicom() -> dict[str, Write]:
    palette = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", (np.arange(256, dtype="<u2") * 257).tobytes()))
    }
    film = _slice(0, _volume("u2").reshape(-1, 24), Rows=20, NumberOfFrames=N_SLICES)
    indexed = _slice(0, grey(), PhotometricInterpretation="PALETTE COLOR", **palette)
    return {
        "slice.dcm": _saved(_slice()),
        "odd frames.dcm": _saved(_slice(NumberOfFrames=100_000_000)),
        "odd zeros.dcm": _zeros_deflated,
        "implicit.dcm": _saved(_slice(), ImplicitVRLittleEndian),
        "motorola.dcm": _saved(_slice(), ExplicitVRBigEndian),
        "deflated.dcm": _saved(_slice(), DeflatedExplicitVRLittleEndian),
        "runs.dcm": _saved(_slice(), RLELossless),
        "inverted.dcm": _saved(_slice(PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0)),
        "colours.dcm": _saved(_colour()),
        "colour runs.dcm": _saved(_colour(), RLELossless),
        "palette.dcm": _saved(indexed),
        "frames.dcm": _saved(film),
    }


def _zeros_deflated(path: Path) -> None:
    """Write a slice whose deflated part inflates to gibibytes."""
    _saved(_slice(), DeflatedExplicitVRLittleEndian)(path)
    content = path.read_bytes()
    start = 144 + struct.unpack_from("<I", content, 140)[0]  # behind the group of the file's own facts
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    made = packer.compress(zlib.decompress(content[start:], -15)) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(content[:start] + made + deflated_zeros(1.5))


def _slices(folder: Path, **attributes: Any) -> None:
    for number in range(N_SLICES):
        _saved(_slice(number, **attributes))(folder / f"IM{number * 2 % N_SLICES}")


def _with_directory(folder: Path) -> None:
    made = FileSet()
    made.ID, made.UID = "HEAD", "1.2.7"
    for number in range(N_SLICES):
        made.add(_slice(number))
    made.write(folder)
    made._stage["t"].cleanup()  # what it needed meanwhile; pydicom leaves that to the end of the process


def _hostile_directory(folder: Path) -> None:
    """Write a directory whose first record names a file outside."""
    _with_directory(folder)
    path = folder / "DICOMDIR"
    listed = pydicom.dcmread(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no such names are allowed
        for record in listed.DirectoryRecordSequence:
            if "ReferencedFileID" in record:
                record.ReferencedFileID = ["..", "outside.tif"]
        listed.save_as(path)


def series() -> dict[str, Write]:
    return {
        "slices/": _slices,
        "directory/": _with_directory,
        "odd directory/": _hostile_directory,
    }


def _segmentation(kind: str) -> Write:
    """Make a writer of labels, or shares of classes, that refer to a series."""

    def write(path: Path) -> None:
        folder = path.with_name("series")
        folder.mkdir()
        _slices(folder)
        image = io.read(folder)
        labels = (_volume("u1") // 90).astype(np.uint8)
        if kind == "fractional":
            shares = np.stack([labels == 1, labels == 2]).astype("f4") * 0.75
            io.write_probabilities(path, shares, image=image)
        else:
            io.write_labels(path, labels, image=image, segmentation=kind)
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
        _fix(path)

    return write


def _fix(path: Path) -> None:
    """Replace what is new in each run, so that the same seed makes the same bytes: identifiers and times."""
    made = pydicom.dcmread(path)
    known: dict[str, str] = {}

    def fix(_: Dataset, element: pydicom.DataElement) -> None:
        if element.VR in ("DA", "TM", "DT"):
            element.value = {"DA": "20200102", "TM": "030405", "DT": "20200102030405"}[element.VR]
        elif element.VR == "UI" and str(element.value).startswith(("1.2.826.0.1.3680043.", "2.25.")):
            element.value = known.setdefault(str(element.value), f"1.2.4.{len(known) + 1}")

    made.walk(fix)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.save_as(path, enforce_file_format=True)


def segmentations() -> dict[str, Write]:
    return {f"{kind}.dcm": _segmentation(kind) for kind in ("binary", "labelmap", "fractional")}
