"""DICOM files that claim more than they hold: bytes, parts, levels, and what they are deflated from."""

import logging
import resource
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from dicom_slices import dataset
from measured_reads import resident
from pydicom.uid import DeflatedExplicitVRLittleEndian

from gmmseg.errors import InputError
from gmmseg.io import read, read_info, read_labels
from gmmseg.io.dicom.dicom_file import open_file, opened, phrase, quiet, whole
from gmmseg.io.reading import read_with
from gmmseg.io.request import Reading

ITEM, END = struct.pack("<HHI", 0xFFFE, 0xE000, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
SEQUENCE = struct.pack("<HH2sH", 0x0008, 0x1110, b"SQ", 0)
READERS = (read, read_info, read_labels)


@pytest.fixture
def path(tmp_path, head):
    """A slice in a file, before whose modality other elements may be put."""
    dataset(0, head[0]).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    return tmp_path / "a.dcm"


def insert(path, elements):
    content = path.read_bytes()
    place = content.index(struct.pack("<HH2s", 0x0018, 0x0050, b"DS"))
    path.write_bytes(content[:place] + elements + content[place:])


@pytest.mark.parametrize(
    ("elements", "pattern"),
    [
        (SEQUENCE + b"\xff\xff\xff\xff" + ITEM * 30000 + END, "header of more than .* parts"),
        (SEQUENCE + struct.pack("<I", 8 * 60000) + ITEM * 60000, "header of more than .* parts"),
        ((SEQUENCE + b"\xff\xff\xff\xff" + ITEM[:4] + b"\xff\xff\xff\xff") * 3000, "nested too deeply"),
        (struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFF0), "no pixels"),
        (struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 0xFFFFFFFF), "no pixels"),
    ],
    ids=["items", "items of a length", "levels", "length", "no end"],
)
def test_headers_that_are_no_headers(path, elements, pattern):
    insert(path, elements)
    for reader in READERS:
        with pytest.raises(InputError, match=pattern) as caught:
            reader(path)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="the size of this process is asked of Linux")
def test_room_is_taken_for_what_is_there_only(path):
    """A value that says it has 4 GB, where a process may have less."""
    insert(path, struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFF0))
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    try:
        with pytest.raises(InputError, match="no pixels"):
            read_info(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def deflated(path, dataset_bytes):
    """Put other bytes in the place of all that is deflated."""
    content = path.read_bytes()
    length = struct.unpack("<I", content[140:144])[0]
    path.write_bytes(content[: 144 + length] + dataset_bytes)


def much(count):
    """Deflate so many MiB of zeros, one as the other."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)) * count + compressor.flush()


@pytest.fixture
def packed(tmp_path, head):
    made = dataset(0, head[0])
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.save_as(tmp_path / "d.dcm", enforce_file_format=True)
    return tmp_path / "d.dcm"


def test_what_is_deflated_is_read(packed, head):
    np.testing.assert_array_equal(read(packed).array[..., 0], head[0].astype(int) - 1024)
    assert read_info(packed)["compression"] == "Deflated Explicit VR Little Endian"


def test_what_is_deflated_has_a_limit(packed):
    bomb = much(80)
    deflated(packed, bomb)
    with pytest.raises(InputError, match=r"d\.dcm: its inflated bytes.* above the limit of 64 MiB; raise memory"):
        read_with(packed, Reading(budget=1 << 26))
    deflated(packed, bomb[:500])
    for reader in READERS:
        with pytest.raises(InputError, match=r"d\.dcm"):
            reader(packed)


def test_deflated_headers_have_few_parts_too(packed):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    elements = SEQUENCE + b"\xff\xff\xff\xff" + ITEM * 60000 + END
    deflated(packed, compressor.compress(elements) + compressor.flush())
    with pytest.raises(InputError, match="header of more than .* parts"):
        read(packed)


def pack(elements):
    """Deflate elements by the million within a moment."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    return compressor.compress(elements) + compressor.flush()


def test_what_follows_the_pixels_is_left_unread(packed, path, head):
    """Such as empty elements by the million, deflated to some kilobytes."""
    behind = struct.pack("<HH2sH", 0x7FE1, 0x1001, b"LO", 0)
    content = packed.read_bytes()
    start = 144 + struct.unpack("<I", content[140:144])[0]
    deflated(packed, pack(zlib.decompress(content[start:], -15) + behind))
    path.write_bytes(path.read_bytes() + behind)
    for each in (packed, path):
        np.testing.assert_array_equal(read(each).array[..., 0], head[0].astype(int) - 1024)
        dataset = whole(open_file(each, Reading()), Reading())
        assert len(dataset.PixelData) == 20 * 25 * 2
        assert 0x7FE11001 not in dataset


@pytest.mark.slow
@pytest.mark.parametrize("distinct", [False, True])
def test_millions_of_empty_elements_take_no_time(packed, fresh_python, distinct):
    numbers = range(1_000_000)
    if distinct:
        elements = b"".join(struct.pack("<HH2sH", 9 + 2 * (i >> 15), i & 32767, b"CS", 0) for i in numbers)
    else:
        elements = struct.pack("<HH2sH", 8, 8, b"CS", 0) * len(numbers)
    content = packed.read_bytes()
    start = 144 + struct.unpack("<I", content[140:144])[0]
    plain = zlib.decompress(content[start:], -15)
    for whole_file in (plain + elements, elements + plain):
        deflated(packed, pack(whole_file))
        assert packed.stat().st_size < 5e6
        assert resident(fresh_python, packed, "read_info", "read", "read_labels") < 1324 << 10


def test_what_pydicom_only_logs_is_an_error(path, monkeypatch):

    monkeypatch.setattr("pydicom.dcmread", lambda *_, **__: logging.getLogger("pydicom").error("no\nsuch type"))
    with pytest.raises(InputError, match=r"a\.dcm is damaged \(no such type\); export or download it again"):
        open_file(path, Reading())


def test_a_file_that_has_changed_is_no_longer_read(path):
    image = read(path, memory=0)
    with open(path, "r+b") as file:
        file.seek(-10, 2)
        file.write(b"0123456789")
    with pytest.raises(InputError, match=r"a\.dcm has changed since it was opened .*; segment it again"):
        image.pixels.read((slice(0, 20), slice(0, 25)))


def test_a_file_is_opened_again(path):
    file = open_file(path, Reading())
    assert "PixelData" not in file.header
    assert len(whole(file, Reading()).PixelData) == 20 * 25 * 2
    with opened(file) as again:
        assert again.read(132)[128:] == b"DICM"
        assert again.name == str(path)


def test_messages_quote_little_and_on_one_line():
    assert phrase("a\n b\x1b[31m\0") == "a b [31m"
    assert len(phrase("a" * 1000)) == 64


@pytest.mark.slow
@pytest.mark.parametrize("bomb", ["items", "deflated", "frames"])
def test_a_small_file_takes_no_more_than_the_budget(path, packed, fresh_python, bomb):
    file = path
    if bomb == "items":
        insert(path, SEQUENCE + b"\xff\xff\xff\xff" + ITEM * 600_000 + END)
    elif bomb == "frames":
        insert(path, struct.pack("<HH2sH8s", 0x0028, 0x0008, b"IS", 8, b"99999999"))
    else:
        file = packed
        deflated(packed, much(1200))
    assert file.stat().st_size < 5e6
    readers = ["read_info"] if bomb == "items" else ["read_info", "read", "read_labels"]
    assert resident(fresh_python, file, *readers) < 1324 << 10


def test_pydicom_is_unheard_while_a_file_is_read(caplog):
    from pydicom.misc import warn_and_log

    with quiet() as errors:
        warn_and_log("a remark")
    assert not caplog.records
    assert not errors
    with pytest.warns(UserWarning, match="a remark"):
        warn_and_log("a remark")
