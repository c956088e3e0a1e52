"""DICOM files as pydicom reads them: no more bytes than there are, and no more parts than a file of that size has."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gmmseg.errors import InputError, one_line
from gmmseg.io import damage
from gmmseg.io.request import Reading, require_bytes
from gmmseg.io.unchanged import Stamp, unchanged
from gmmseg.io.unheard import attend, unheard

__all__ = ["DicomFile", "explained", "is_deflated", "open_file", "opened", "phrase", "quiet", "text_of", "whole"]

_ITEM = b"\xfe\xff\x00\xe0"  # begins an item of a sequence
_PARTS_OF_ITEM = 4  # reads that pydicom needs for one
_SHORT = 64  # bytes of values that are taken as they are
_FEWEST_PARTS = 20_000
_BYTES_OF_PART = 5  # on average; ordinary headers have 6 to 16, empty items by the hundred thousand 2
_MOST_DEFLATED_PARTS = 500_000  # of a deflated header, whose size says little
_PIXELS = frozenset({0x7FE00010, 0x7FE00009, 0x7FE00008})  # tags of pixels: whole numbers, doubles, floats
_DEFLATED, _PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"
_LONGEST = 200  # letters
_PART = 1 << 24  # inflated bytes at a time
_LISTENED = (
    *("pydicom", "pydicom.misc", "pydicom.pixels.decoders.base", "pydicom.pixels.utils"),
    *("pylibjpeg", "libjpeg", "openjpeg"),
)


class DicomFile(NamedTuple):
    """A file, all of it but its pixels, and what tells it from later ones of its name."""

    path: Path
    header: Any
    stamp: Stamp


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what pydicom and the decoders warn of and log to themselves; yield what pydicom logs as an error."""
    import pydicom.misc  # noqa: F401  # here, because formats are named without it; all its warnings come from there

    attend(*_LISTENED)
    with unheard() as errors:
        yield errors


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what pydicom and the decoders raise into one line, and keep them quiet."""
    with (
        damage.explained(
            path,
            "export or download it again",
            smaller="give fewer slices",
            reason=lambda error: one_line(error, 160),
            known=_known,
        ),
        quiet(),
    ):
        yield


def _known(reason: str) -> str | None:
    if "no 'Pixel Data'" in reason:
        return "holds no pixels, only a header; export or download it again"
    if "maximum recursion depth" in reason:
        return "is damaged: its sequences are nested too deeply; export it again"
    if reason.startswith("Unable to decode"):
        return f"cannot be decompressed ({reason.split(': ', 1)[-1]}); export it again without compression"
    return None


def open_file(path: Path, reading: Reading) -> DicomFile:
    """Read all of a file but its pixels."""
    with explained(path), open(path, "rb", buffering=0) as raw:
        stamp = Stamp.of(path)
        file = _Bounded(raw, path, stamp.size, _FEWEST_PARTS + stamp.size // _BYTES_OF_PART)
        if file.peek(2)[:2] == b"\x1f\x8b":
            raise InputError(f"{path} is a DICOM file within a gzip file; unpack it with gunzip first")
        with quiet() as errors:
            header = _parsed(file, reading, pixels=False)
        if errors:
            raise InputError(f"{path} is damaged ({phrase(errors[0])}); export or download it again")
        return DicomFile(path, header, stamp)


def is_deflated(header: Any) -> bool:
    """Whether all of a file but its first elements is compressed as one."""
    return bool(header.file_meta.TransferSyntaxUID == _DEFLATED.decode())


def text_of(item: Any, name: str) -> str:
    """Return what a header or an item says, not longer than anybody would read it; nothing where it says nothing."""
    value = item.get(name)
    return "" if value is None else str(value)[:_LONGEST]


def phrase(value: Any) -> str:
    """Return what a header says for a message: on one line, short, of letters that can be printed."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in str(value)[:64]).split())


@contextmanager
def opened(file: DicomFile) -> Iterator[Any]:
    """Open a file again, for its pixels."""
    with unchanged(file.stamp) as plain:
        bounded = _Bounded(plain.raw, file.path, file.stamp.size)  # type: ignore[attr-defined]  # it is buffered
        try:
            yield bounded
        finally:
            bounded.detach()


def whole(file: DicomFile, reading: Reading) -> Any:
    """Read a file up to the end of its pixels; millions of empty elements may follow, which nobody needs."""
    with opened(file) as again:
        return _parsed(again, reading, pixels=True)


def _parsed(file: _Bounded, reading: Reading, *, pixels: bool) -> Any:
    from pydicom import dcmread
    from pydicom.filereader import read_partial
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    bare = file.peek(132)[128:132] != b"DICM"  # files of old programs have no preamble

    def read() -> Any:
        if pixels:
            return read_partial(file, _behind_pixels(), force=bare)
        return dcmread(file, stop_before_pixels=True, force=bare)

    try:
        try:
            return _with_syntax(read()) if bare else read()
        except _DeflatedError as found:
            file = _inflated(file, found, reading)
            dataset = read()
            dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
            return dataset
    finally:
        file.require_few_parts()


def _with_syntax(dataset: Any) -> Any:
    """Have a file without a preamble say how it is encoded, as far as pydicom has found out."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _behind_pixels() -> Callable[[int, str | None, int], bool]:
    """Return what tells pydicom to stop at the first element behind the pixels."""
    seen = False

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal seen
        before, seen = seen, seen or tag in _PIXELS
        return before

    return stop


class _DeflatedError(Exception):
    """What pydicom would inflate without a limit: where it begins, and its bytes."""

    def __init__(self, start: int, content: bytes) -> None:
        super().__init__("deflated twice")
        self.start, self.content = start, content


def _inflated(file: _Bounded, deflated: _DeflatedError, reading: Reading) -> _Bounded:
    """Return a file that says of itself that it is not deflated."""
    file.seek(0)
    content = bytearray(file.read(deflated.start).replace(_DEFLATED, _PLAIN))
    decoder, rest = zlib.decompressobj(wbits=-zlib.MAX_WBITS), deflated.content
    while rest and not decoder.eof:
        content += decoder.decompress(rest, _PART)
        rest = decoder.unconsumed_tail
        require_bytes(file.name, 2 * len(content), reading, "its inflated bytes, with what is made of them,")
    most_parts = min(_FEWEST_PARTS + len(content) // _BYTES_OF_PART, _MOST_DEFLATED_PARTS)
    return _Bounded(io.BytesIO(content), file.path, len(content), None if file.most_parts is None else most_parts)


class _Bounded(io.BufferedReader):
    """A file of which pydicom reads no more than is there, in few parts.

    Parameters
    ----------
    raw : RawIOBase
    path : Path
    size : int
        Bytes that are there. For a value that says it has more, room would be taken before it is read.
    most_parts : int, optional
        Of the elements and items that are read: pydicom needs a tenth of a millisecond and some kilobytes for an item,
        so that 5 MB of empty ones would take minutes and gigabytes.
    """

    def __init__(self, raw: Any, path: Path, size: int, most_parts: int | None = None) -> None:
        super().__init__(raw)
        self.path, self.size, self.most_parts = path, size, most_parts
        self._parts = 0

    @property
    def name(self) -> str:
        """Of the file; pydicom asks for it."""
        return str(self.path)

    def read(self, size: int | None = -1) -> bytes:
        """Return bytes; all that follow are what is deflated, which only pydicom asks for."""
        if size is None or size < 0:
            start = self.tell()
            raise _DeflatedError(start, super().read(max(0, self.size - start)))
        if self.most_parts is None:
            return super().read(size if size <= _SHORT else min(size, max(0, self.size - self.tell())))
        self._parts += 1
        if size > _SHORT:
            content = super().read(min(size, max(0, self.size - self.tell())))
            self._parts += _PARTS_OF_ITEM * content.count(_ITEM)
        else:
            content = super().read(size)
        return content if self._parts <= self.most_parts else b""

    def require_few_parts(self) -> None:
        """Say so where reading was ended because there were too many parts."""
        if self.most_parts is not None and self._parts > self.most_parts:
            raise InputError(
                f"{self.path} is damaged: a header of more than {self.most_parts} parts does not fit into a file of "
                "its size; export it again"
            )
