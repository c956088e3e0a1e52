"""The pixels of single frames as they are stored in a DICOM file, decompressed one by one."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from gmmseg.errors import InputError
from gmmseg.io.dicom.codestream import size_of
from gmmseg.io.dicom.dicom_file import DicomFile, is_deflated, opened, phrase, whole
from gmmseg.io.request import Reading
from gmmseg.io.unheard import attend

__all__ = ["decoded"]

_DECODERS = (
    ("JPEG-LS", "pyjpegls"),
    ("JPEG 2000", "pylibjpeg pylibjpeg-openjpeg"),
    ("High-Throughput JPEG", "pylibjpeg pylibjpeg-openjpeg"),
    ("JPEG", "pylibjpeg pylibjpeg-libjpeg"),
)
_ITEM, _END = 0xE000FFFE, 0xE0DDFFFE  # tags in the order of bytes in which they are read
_RLE = "1.2.840.10008.1.2.5"
_RLE_HEADER, _RLE_WORST = 1024, 4  # bytes before the runs and around them; how much longer than pixels runs may be

Fragments = list[tuple[int, int]]
"""Offset and length of each part of a compressed frame."""


def decoded(file: DicomFile, indices: Sequence[int], reading: Reading) -> Iterator[np.ndarray]:
    """Decode frames of one file, each (rows, columns) or (rows, columns, 3).

    Raises
    ------
    InputError
        No decoder is installed, a compressed frame is of another size than the header says, or the file has changed
        since its header was read.
    """
    from pydicom.pixels import iter_pixels

    _require_decoder(file)
    header = file.header
    # By its path a file is read frame by frame; parsed as a whole, more of the files that break rules can be read.
    alone = int(header.get("NumberOfFrames") or 1) == 1 or is_deflated(header) or header.preamble is None
    if not header.file_meta.TransferSyntaxUID.is_encapsulated:
        if alone:
            yield from iter_pixels(whole(file, reading), indices=indices)
        else:
            with opened(file) as source:
                yield from iter_pixels(source, indices=indices)
    elif alone:
        dataset = whole(file, reading)
        if "PixelData" not in dataset:
            raise InputError(f"{file.path} holds no pixels, only a header; export or download it again")
        yield from _decompressed(file, io.BytesIO(dataset.PixelData), indices)
    else:
        with opened(file) as source:
            yield from _decompressed(file, _at_pixels(file, source), indices)


def _at_pixels(file: DicomFile, source: Any) -> Any:
    """Move an open file to where its compressed frames begin."""
    from pydicom import dcmread

    dcmread(source, stop_before_pixels=True, specific_tags=["NumberOfFrames"])
    if len(source.read(12)) < 12:  # tag, type and length of the element
        raise InputError(f"{file.path} holds no pixels, only a header; export or download it again")
    return source


def _decompressed(file: DicomFile, source: IO[bytes], indices: Sequence[int]) -> Iterator[np.ndarray]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import as_pixel_options, get_decoder

    header = file.header
    options = as_pixel_options(header, number_of_frames=1, pixel_keyword="PixelData")
    options.pop("extended_offsets", None)
    decoder = get_decoder(header.file_meta.TransferSyntaxUID)
    attend("PIL.Image")  # which warns of large pictures, whatever the budget
    frames = _frames_in(source, int(header.get("NumberOfFrames") or 1), header)
    for index in indices:
        if index >= len(frames):
            raise InputError(f"{file.path} is cut short: frame {index + 1} is missing; export or download it again")
        frame = b"".join(_bytes_at(source, *fragment) for fragment in frames[index])
        _require_size(file, index, frame)
        array, _ = decoder.as_array(encapsulate([frame]), index=0, validate=True, **options)
        yield array


def _bytes_at(source: IO[bytes], offset: int, length: int) -> bytes:
    source.seek(offset)
    return source.read(length)


def _frames_in(source: IO[bytes], n_frames: int, header: Any) -> list[Fragments]:
    """Find the parts of each frame (PS3.5 A.4): by a table of offsets, one by one, or by the marks that end pictures.

    All of them are found at once: looking for one at a time takes the square of their number.
    """
    (table_at, table_length), *fragments = _fragments(source) or [(0, 0)]
    start = fragments[0][0] - 8 if fragments else 0
    table = np.frombuffer(_bytes_at(source, table_at, table_length // 4 * 4), "<u4")
    if "ExtendedOffsetTable" in header:
        content = header.ExtendedOffsetTable
        table = np.frombuffer(content[: len(content) // 8 * 8], "<u8")
    begins = [offset - 8 - start for offset, _ in fragments]
    starts = table.tolist()
    if len(starts) == n_frames and len(starts) > 1 and set(starts) <= set(begins) and (np.diff(table) > 0).all():
        frames: list[Fragments] = [[] for _ in starts]
        for begin, fragment in zip(begins, fragments, strict=True):
            frames[max(0, bisect_right(starts, begin) - 1)].append(fragment)
        return frames
    if n_frames == 1:
        return [fragments] if fragments else []
    if len(fragments) <= n_frames:
        return [[fragment] for fragment in fragments]
    frames = [[]]
    for offset, length in fragments:
        frames[-1].append((offset, length))
        if b"\xff\xd9" in _bytes_at(source, offset + max(0, length - 10), min(length, 10)):
            frames.append([])
    return [frame for frame in frames if frame]


def _fragments(source: IO[bytes]) -> Fragments:
    """Return where the items of an element with compressed pixels are, up to its end or that of the file."""
    found = []
    while len(start := source.read(8)) == 8:
        tag, length = int.from_bytes(start[:4], "little"), int.from_bytes(start[4:], "little")
        if tag == _END:
            break
        if tag != _ITEM or length == 0xFFFFFFFF:
            raise ValueError("its compressed frames do not follow one another")
        found.append((source.tell(), length))
        source.seek(length, io.SEEK_CUR)
    return found


def _require_size(file: DicomFile, index: int, frame: bytes) -> None:
    """Refuse a compressed frame of another size than its file says, before it is decoded."""
    header = file.header
    said = int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel") or 1)
    named = f"{file.path}: frame {index + 1} is"
    if header.file_meta.TransferSyntaxUID == _RLE:
        most = _RLE_HEADER + _RLE_WORST * said[0] * said[1] * said[2] * max(1, int(header.BitsAllocated) // 8)
        if len(frame) > most:
            raise InputError(f"{named} {len(frame)} bytes long, above the {most} that its size allows; export it again")
        return
    found = size_of(frame)
    if found is None:
        raise InputError(f"{named} no JPEG or JPEG 2000 picture, as the header says; export it again")
    if found != said:
        raise InputError(
            f"{named} {_words(*found)}, but the header says {_words(*said)}; export it again without compression"
        )


def _words(rows: int, columns: int, samples: int) -> str:
    return f"{columns} x {rows} pixels of {samples} sample{'s' * (samples != 1)}"


def _require_decoder(file: DicomFile) -> None:
    """Refuse compressions that cannot be decoded here, and name the package that could."""
    from pydicom.pixels import get_decoder

    syntax = file.header.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    name = phrase(syntax.name.partition(" (")[0])  # without the number of the process
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        raise InputError(f"{file.path} is compressed as {name}, which cannot be decoded; convert it") from None
    if not available:
        packages = next((names for start, names in _DECODERS if syntax.name.startswith(start)), "pylibjpeg[all]")
        raise InputError(f"{file.path} is compressed as {name}, for which a decoder is missing; pip install {packages}")
