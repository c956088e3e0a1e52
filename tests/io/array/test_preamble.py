"""What stands in front of an array's numbers."""

import io
import struct

import numpy as np
import pytest

from gmmseg.errors import InputError
from gmmseg.io.array.preamble import filled, read_header


def header(text, length=None, version=(2, 0)):
    text = text.encode()
    packed = struct.pack("<H" if version == (1, 0) else "<I", len(text) if length is None else length)
    return io.BytesIO(b"\x93NUMPY" + bytes(version) + packed + text)


def described(shape, descr="'<f4'"):
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "values", [np.arange(6).reshape(2, 3), np.zeros((0, 4)), np.float32(3), np.eye(3, dtype=">u2")]
)
def test_arrays_come_back(values, order):
    file = io.BytesIO()
    np.save(file, np.asarray(values, order=order))
    file.seek(0)
    found = read_header("a.npy", file, "save it again")
    assert (found.shape, found.dtype, found.n_bytes) == (values.shape, values.dtype, values.nbytes)
    assert found.offset == file.tell()
    np.testing.assert_array_equal(filled("a.npy", file, found, "save it again"), values)


@pytest.mark.filterwarnings("error")
def test_long_integers_of_python_2():
    assert read_header("a.npy", described("(2L, 13L)"), "").shape == (2, 13)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (header("", length=0xFFFFFFFF), "its header promises to be 4294967295 bytes long"),
        (described("(-3, -4)"), "its shape is -3 x -4, which no array has"),
        (described("(4611686018427387904, 4)"), "its shape is 4611686018427387904 x 4, which no array has"),
        (described("(4294967296, 4294967296)"), "which no array has"),
        (described(f"({10**400}, 4)"), r"its shape is 10\^20 or more x 4, which"),
        (described(f"({'1, ' * 70})"), r"1 x 1 x 1 x \.\.\., which"),
        (described("(4,)", descr="'|O'"), "holds Python objects"),
        (described("(4,)", descr="[('a', '|O')]"), "holds Python objects"),
        (header("-" * 9000 + "1"), "nested too deep"),
    ],
)
def test_what_no_array_has_is_refused(file, words):
    with pytest.raises(InputError, match=words) as caught:
        read_header("a.npy", file, "save it again")
    assert len(str(caught.value)) < 200


def test_versions_that_are_not_known():
    with pytest.raises(ValueError, match="version 4.0"):
        read_header("a.npy", header("", version=(4, 0)), "")


def test_a_header_that_ends_early():
    with pytest.raises(EOFError):
        read_header("a.npy", header("{'descr'", length=100), "")


def test_numbers_that_end_early():
    file = described("(3, 4)")
    file.seek(0, 2)
    file.write(bytes(47))
    file.seek(0)
    with pytest.raises(InputError, match="a.npy is cut short: 1 of 48 bytes are missing; save it again"):
        filled("a.npy", file, read_header("a.npy", file, ""), "save it again")
