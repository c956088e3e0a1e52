"""DICOM segmentations (DICOM SEG): written by highdicom beside the images they refer to, and read back as labels."""

from __future__ import annotations

import hashlib
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg.errors import InputError, OutputError, one_line
from gmmseg.extras import require
from gmmseg.image import Image
from gmmseg.image.place import Place
from gmmseg.image.sources import WindowSource
from gmmseg.image.turning import LEAVES_OUT_PLANES
from gmmseg.image.windows import Window
from gmmseg.io.classes import default_names
from gmmseg.io.contents import assembled
from gmmseg.io.dicom.dicom_file import DicomFile, explained, open_file, quiet, text_of
from gmmseg.io.dicom.frame_pixels import decoded
from gmmseg.io.dicom.frames import Frame, frames_of, normal_of
from gmmseg.io.dicom.series import Series, affine_of
from gmmseg.io.palette import palette
from gmmseg.io.request import Reading, require_room
from gmmseg.io.unheard import attend

if TYPE_CHECKING:
    from gmmseg.io.contents import Contents

__all__ = ["check_source", "class_names", "describe", "image_of", "read_labels", "read_probabilities", "write"]

_SEGMENT = "SegmentIdentificationSequence"
_MOST_BITMAPS = 255
_MOST_PLANES = 1_000_000
_MOST_PARTS, _OFF = 8, 0.1  # of the least step between frames, and of a step: empty planes are left out at will
_MOST_NAMED = 0xFFFF
_FRAME_PIXEL_BYTES = 16  # of a frame while it is decoded, and divided by the largest value of fractions
_ELSEWHERE = "write .nii.gz or .npy"
# Names of tissues that have codes: their categories and types as pydicom spells them in SNOMED CT.
_CODED = {
    "csf": ("BodySubstance", "CerebrospinalFluid"),
    "gm": ("Tissue", "GrayMatter"),
    "wm": ("Tissue", "WhiteMatter"),
}
_FIXED_DATE, _FIXED_TIME = "19700101", "000000"
# Often missing in files from research tools, but required of every object (type 2: may be empty).
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)


def write(path: Path, contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> dict[str, bytes]:
    """Write labels as bitmaps, one a class, and probabilities as fractions of 255.

    Parameters
    ----------
    path : Path
    contents : Contents
        `options["segmentation"] = "labelmap"` writes one map of all labels: smaller from nine classes on, but added to
        the standard in 2024, after many viewers were made. More than 255 classes are always written so.
        `options["occupancy"] = True` says of shares that they are how much of a voxel each class takes up, not how
        probable it is.
    windows : iterable of (tuple of slice, ndarray)

    Raises
    ------
    OutputError
        The image is none of DICOM, lies in no frame of reference that highdicom knows, or has labels above 65535.

    Notes
    -----
    Identifiers are derived from those of the images and from the content, and dates are those of the series: the same
    result gives the same bytes.
    """
    series = check_source(contents.image)
    values = _planes(contents, windows)
    if contents.kind == "labels" and values.max(initial=0) > 0xFFFF:
        raise OutputError(f"DICOM segmentations hold labels up to 65535, the largest is {values.max()}; {_ELSEWHERE}")
    try:
        with quiet():
            _segmentation(series, values, contents).save_as(path)
    except OSError:
        raise
    except Exception as error:  # of sources that lack what the standard requires, highdicom raises almost anything
        raise OutputError(
            f"no DICOM segmentation can refer to {series.paths[0]} ({one_line(error, 160)}); {_ELSEWHERE}"
        ) from error
    return {}


def check_source(image: Image | None) -> Series:
    """Return the series that was segmented; OutputError where no segmentation can refer to it.

    Raises
    ------
    OutputError
        The image is none of DICOM, or does not say where its frames lie.
    GmmsegError
        What writes segmentations is not installed.
    """
    require("highdicom", "medical", "DICOM segmentations need")
    series = None if image is None or image.place is None else image.place.native
    if not isinstance(series, Series):
        name = "the labels" if image is None else image.name
        raise OutputError(
            f"{name}: a DICOM segmentation has to refer to DICOM images, which it is none of; {_ELSEWHERE}"
        )
    if len(series.paths) == 1 and len(series.frames) < int(series.header.get("NumberOfFrames") or 1):
        raise OutputError(
            f"{series.paths[0]} holds more volumes than the one that was segmented, and highdicom refers to all frames "
            f"of a file; {_ELSEWHERE}"
        )
    if len(series.frames) > 1 and series.affine is None:
        raise OutputError(
            f"{series.paths[0]} does not say where its frames lie, which a DICOM segmentation needs; {_ELSEWHERE}"
        )
    return series


def _planes(contents: Contents, windows: Iterable[tuple[Window, np.ndarray]]) -> np.ndarray:
    """Return labels (frames, rows, columns), or probabilities with classes last."""
    soft = contents.kind == "soft"
    whole = assembled(contents, windows)
    if len(contents.shape) == 2:
        whole = whole[:, None] if soft else whole[None]
    return np.moveaxis(whole, 0, -1) if soft else whole


def _segmentation(series: Series, values: np.ndarray, contents: Contents) -> Any:
    """Return the object to be written."""
    from highdicom.seg import Segmentation

    attend(*(name for name in sys.modules if name.partition(".")[0] == "highdicom"))
    soft = contents.kind == "soft"
    count = len(contents.names) if soft else max(1, len(contents.names), int(values.max(initial=0)))
    labelmap = not soft and (contents.options.get("segmentation") == "labelmap" or count > _MOST_BITMAPS)
    names = list(default_names(count, contents.names))
    kind = "FRACTIONAL" if soft else "LABELMAP" if labelmap else "BINARY"
    sources = [_completed(open_file(path, Reading()).header) for path in series.paths]
    # Several frames of one file are segmented in the order of their places, and written in that of the file.
    stored = np.argsort([frame.index for frame in series.frames]) if len(sources) == 1 else slice(None)
    meaning = "OCCUPANCY" if contents.options.get("occupancy") else "PROBABILITY"
    identity = _identity(series, values, f"{kind} OCCUPANCY" if soft and meaning == "OCCUPANCY" else kind, names)
    dataset = Segmentation(
        source_images=sources,
        pixel_array=np.clip(values[stored], 0, 1) if soft else values[stored],
        segmentation_type=kind,
        segment_descriptions=_descriptions(names),
        series_instance_uid=_uid(identity, "series"),
        series_number=(int(sources[0].get("SeriesNumber") or 0) + 1000) % 100_000,
        sop_instance_uid=_uid(identity, "instance"),
        instance_number=1,
        manufacturer="gmmseg",
        manufacturer_model_name="gmmseg",
        software_versions=_version(),
        device_serial_number="1",
        content_label=meaning if soft else "SEGMENTATION",
        content_description="Gaussian mixture segmentation",
        omit_empty_frames=False,
        **({"max_fractional_value": 255, "fractional_type": meaning} if soft else {}),
    )
    _settle(dataset, sources[0], identity)
    return dataset


def _version() -> str:
    try:
        return version("gmmseg")
    except PackageNotFoundError:  # run from its sources
        return "unknown"


def _completed(header: Any) -> Any:
    """Return a header with the attributes that every object needs, and in UTF-8, which has letters for all names."""
    header.decode()
    header.SpecificCharacterSet = "ISO_IR 192"
    for name in _MAY_BE_EMPTY:
        if name not in header:
            setattr(header, name, "")
    return header


def _descriptions(names: Sequence[str]) -> list[Any]:
    """Describe the classes: by their names where these have codes, else tissue, of which a mixture knows no more."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence("gmmseg", codes.cid7162.ClusterAnalysis, _version())
    colors = palette(255)
    kinds = [_CODED.get(name.strip().lower(), ("Tissue", "Tissue")) for name in names]
    return [
        hd.seg.SegmentDescription(
            number,
            " ".join(name.replace("\\", "/").split())[:64] or f"class {number}",
            getattr(codes.SCT, category),
            getattr(codes.SCT, kind),
            "AUTOMATIC",
            algorithm,
            display_color=hd.color.CIELabColor.from_rgb(*(int(c) for c in colors[1 + (number - 1) % 255])),
        )
        for number, (name, (category, kind)) in enumerate(zip(names, kinds, strict=True), 1)
    ]


def _identity(series: Series, values: np.ndarray, kind: str, names: Sequence[str]) -> bytes:
    """Return a digest of what is written and of what it was made of."""
    digest = hashlib.sha256()
    for frame in series.frames:
        digest.update(f"{frame.header.get('SOPInstanceUID')} {frame.index}\n".encode())
    digest.update("\n".join((kind, *names, str(values.shape), str(values.dtype))).encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.digest()


def _uid(identity: bytes, role: str) -> str:
    """Return a unique identifier of the kind that anyone may make (2.25, PS3.5 B.2), from a digest."""
    digest = hashlib.sha256(identity + role.encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def _settle(dataset: Any, source: Any, identity: bytes) -> None:
    """Replace what highdicom takes from chance and from the clock."""
    organization = _uid(identity, "dimensions")
    for item in (*dataset.get("DimensionOrganizationSequence", ()), *dataset.get("DimensionIndexSequence", ())):
        item.DimensionOrganizationUID = organization
    date = source.get("SeriesDate") or source.get("StudyDate") or _FIXED_DATE
    time = source.get("SeriesTime") or source.get("StudyTime") or _FIXED_TIME
    dataset.SpecificCharacterSet = source.SpecificCharacterSet
    for item in dataset.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = f"{date}{time}"
    for what in ("Content", "Series", "InstanceCreation"):
        setattr(dataset, f"{what}Date", date)
        setattr(dataset, f"{what}Time", time)


def image_of(file: DicomFile, reading: Reading) -> Image:
    """Return a segmentation as an image of labels at their place; they are decoded when they are read."""
    grid = _grid(frames_of(file, reading))
    place = None if grid.affine is None else Place(affine3d=grid.affine, unit="mm")
    known = {LEAVES_OUT_PLANES: True}
    return Image(_Labels(file, reading, grid), name=str(file.path), spacing=grid.spacing, place=place, metadata=known)


class _Labels(WindowSource):
    """The labels of a segmentation; all of them are decoded when some are read."""

    sweep = 0

    def __init__(self, file: DicomFile, reading: Reading, grid: _Grid) -> None:
        self.file, self.reading = file, reading
        size = (int(file.header.Rows), int(file.header.Columns))
        self.shape: tuple[int, ...] = (*([grid.n_planes] if grid.n_planes > 1 else []), *size, 1)
        self.blocks: tuple[int, ...] = self.shape[:-1]
        numbers = [int(item.SegmentNumber) for item in file.header.SegmentSequence]
        shares = reading.overlapping and _is_fractional(file)
        self.dtype: np.dtype[Any] = np.dtype(np.float32) if shares else np.min_scalar_type(max(numbers, default=0))

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels of a window."""
        with explained(self.file.path):
            return read_labels(self.file, self.reading)[window][..., None], None


def _is_fractional(file: DicomFile) -> bool:
    return str(file.header.SegmentationType) == "FRACTIONAL"


def read_labels(file: DicomFile, reading: Reading) -> np.ndarray:
    """Read the number of the segment at each pixel, 0 where there is none: (rows, columns) or with slices first.

    Where the reading asks no more than whether there is one, of pixels in several segments that of the last one, and of
    fractional segments the sum of their shares, from 0 to 1.
    """
    path, header, _ = file
    if _is_fractional(file):
        shares = read_probabilities(file, reading)
        if reading.overlapping:
            return np.asarray(np.minimum(shares.sum(axis=0, dtype=np.float32), np.float32(1)))
        return np.where(shares.max(axis=0) > 0, shares.argmax(axis=0) + 1, 0)
    grid = _grid(frames_of(file, reading))
    places, n_planes = grid.planes, grid.n_planes
    shape = (n_planes, int(header.Rows), int(header.Columns))
    numbers = [int(item.SegmentNumber) for item in header.SegmentSequence]
    labels_of = np.min_scalar_type(max(numbers))
    _require_room(file, shape, reading, labels_of.itemsize)
    labels = np.zeros(shape, labels_of)
    for place, number, frame in _frames_with_segments(file, places, reading):
        if number is None:
            labels[place] = frame
            continue
        part = labels[place]
        if not reading.overlapping and (part[frame > 0] > 0).any():
            raise InputError(f"{path}: segments overlap, so that pixels have several labels; give a label map")
        part[frame > 0] = number
    return labels[0] if n_planes == 1 else labels


def read_probabilities(file: DicomFile, reading: Reading) -> np.ndarray:
    """Read how much of each pixel is of each segment, (n_segments, *spatial) from 0 to 1."""
    header = file.header
    numbers = [int(item.SegmentNumber) for item in header.SegmentSequence if int(item.SegmentNumber) > 0]
    rows = {number: row for row, number in enumerate(numbers)}
    grid = _grid(frames_of(file, reading))
    places, n_planes = grid.planes, grid.n_planes
    shape = (len(numbers), n_planes, int(header.Rows), int(header.Columns))
    _require_room(file, shape, reading, np.dtype(np.float32).itemsize)
    shares = np.zeros(shape, np.float32)
    largest = float(header.get("MaximumFractionalValue", 1))
    for place, number, frame in _frames_with_segments(file, places, reading):
        for each in numbers if number is None else (number,):
            shares[rows[each], place] = frame == each if number is None else frame / largest
    return shares[:, 0] if n_planes == 1 else shares


def _require_room(file: DicomFile, shape: tuple[int, ...], reading: Reading, number_bytes: int) -> None:
    """Refuse segments, and frames that are decoded for them, that take too much memory."""
    require_room(file.path, shape, reading, number_bytes)
    require_room(file.path, shape[-2:], reading, _FRAME_PIXEL_BYTES)


def describe(file: DicomFile, reading: Reading) -> dict[str, Any]:
    """Return what the header of a segmentation says, ready for JSON."""
    header = file.header
    n_planes = _grid(frames_of(file, reading)).n_planes
    return {
        "shape": [*([n_planes] if n_planes > 1 else []), int(header.Rows), int(header.Columns)],
        "modality": text_of(header, "Modality") or "SEG",
        "segmentation": str(header.SegmentationType).lower(),
        "segments": {str(item.SegmentNumber): text_of(item, "SegmentLabel") for item in header.SegmentSequence},
    }


def class_names(file: DicomFile) -> tuple[str, ...] | None:
    """Return the labels of segments, number 1 first."""
    found = {int(item.SegmentNumber): text_of(item, "SegmentLabel") for item in file.header.SegmentSequence}
    largest = max(found, default=0)
    return default_names(largest, found) if 0 < largest <= _MOST_NAMED else None


def _frames_with_segments(
    file: DicomFile, places: Sequence[int], reading: Reading
) -> Iterator[tuple[int, int | None, np.ndarray]]:
    """Yield the plane, the segment (None: pixels are labels) and the pixels of each frame."""
    header = file.header
    labelmap = header.SegmentationType == "LABELMAP"
    shared = [*(header.get("SharedFunctionalGroupsSequence") or [])][:1]
    frames = decoded(file, range(len(places)), reading)
    for place, group, frame in zip(places, header.PerFrameFunctionalGroupsSequence, frames, strict=True):
        named = [each.SegmentIdentificationSequence[0] for each in (group, *shared) if _SEGMENT in each]
        yield place, None if labelmap else int(named[0].ReferencedSegmentNumber), frame


@dataclass(frozen=True)
class _Grid:
    """Planes of frames: that of each frame, how many there are, the sides of a pixel, and the affine of indices."""

    planes: list[int]
    n_planes: int
    spacing: tuple[float, ...] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None


def _grid(frames: Sequence[Frame]) -> _Grid:
    """Return where frames lie; empty planes between them may be left out."""
    first = frames[0]
    if any(frame.position is None for frame in frames) or first.orientation is None:
        keys = [_source_of(frame) for frame in frames]
        ordered = {key: place for place, key in enumerate(sorted(set(keys)))}
        return _Grid([ordered[key] for key in keys], len(ordered), first.sides)
    heights = np.array([frame.position for frame in frames]) @ normal_of(first.orientation)
    step = _step(first, heights)
    planes = np.rint((heights - heights.min()) / step)
    if not planes.max() < _MOST_PLANES:
        raise InputError(f"{first.path}: its frames lie {np.ptp(heights):g} mm apart; export it again")
    several = planes.max() > 0
    spacing = None if first.sides is None else (*([step] if several else []), *first.sides)
    affine = affine_of(frames[int(heights.argmin())], normal_of(first.orientation) * step)
    if affine is not None:  # its columns are of (column, row, plane)
        affine = affine[:, [2, 1, 0, 3] if several else [1, 0, 2, 3]]
    place = None if affine is None else tuple(tuple(map(float, row)) for row in affine)
    return _Grid(planes.astype(int).tolist(), int(planes.max()) + 1, spacing, place)


def _step(first: Frame, heights: np.ndarray) -> float:
    """Return the distance of planes, of which all heights are multiples, as far as the file or the heights say it."""
    steps = np.diff(np.unique(heights.round(3)))
    said = first.between or 0.0
    if not len(steps):
        return said or 1.0
    least = float(steps[steps > 0.5 * np.median(steps)].min())
    above = heights - heights.min()
    for step in (said, *(least / parts for parts in range(1, _MOST_PARTS))):
        if step > 0 and np.abs(above - step * np.rint(above / step)).max() <= _OFF * step:
            return step
    return least


def _source_of(frame: Frame) -> tuple[str, int]:
    """Return the image and the frame that a frame without a position was made of."""
    group = frame.header.PerFrameFunctionalGroupsSequence[frame.index]
    for derivation in group.get("DerivationImageSequence") or ():
        for source in derivation.get("SourceImageSequence") or ():
            numbers = source.get("ReferencedFrameNumber") or 1
            number = numbers if isinstance(numbers, int) else numbers[0]
            return str(source.ReferencedSOPInstanceUID), int(number)
    return "", 1
