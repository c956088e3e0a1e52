"""The header alone."""

import io
from pathlib import Path

import pytest

from gmmseg.errors import InputError
from gmmseg.io.nrrd.header import read_header

TEXT = "NRRD0004\nType: unsigned  short\nsizes: 2 3\nencoding: GZ\n"


def header_of(text):
    file = io.BytesIO(text.encode() + b"\nnumbers")
    return read_header(Path("a.nrrd"), file), file


def test_spelling_of_fields_and_where_the_numbers_are():
    header, file = header_of(TEXT)
    assert (header.sizes, header.stored.str, header.encoding) == ((2, 3), "<u2", "gzip")
    assert (header.spatial, header.n_channels, header.n_bytes) == ((2, 3), 1, 12)
    assert file.read() == b"numbers"


@pytest.mark.parametrize("name", ["Type", "sizes", "encoding"])
def test_a_field_that_is_missing(name):
    with pytest.raises(InputError, match=rf"a\.nrrd is damaged: its header says no {name.lower()}"):
        header_of("\n".join(line for line in TEXT.split("\n") if not line.startswith(name)))


def test_a_header_without_end():
    with pytest.raises(InputError, match="header of more than 1 MiB"):
        read_header(Path("a.nrrd"), io.BytesIO(b"NRRD0004\n" + b"a: b\n" * 300_000))
