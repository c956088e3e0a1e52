"""Parts of arrays in files, without a map."""

import errno
import os

import numpy as np
import pytest

from gmmseg.errors import InputError
from gmmseg.io.array.boxes import make_room, read_box, write_box


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("number", ["u1", ">u2", "f2", "g"])
def test_boxes_are_parts_of_the_array(tmp_path, rng, order, number):
    values = np.asarray(rng.integers(0, 99, (4, 5, 6)), number, order=order)
    (tmp_path / "a").write_bytes(b"head" + values.tobytes(order))
    for box in ("[:, :, :]", "[1:3, :, :]", "[:, 2:4, :]", "[1:2, 1:5, 3:6]", "[:, :, 5:6]", "[0:4, 0:5, 0:1]"):
        part = eval(f"np.s_{box}")
        whole = tuple(slice(*s.indices(n)[:2]) for s, n in zip(part, values.shape, strict=True))
        found = read_box(tmp_path / "a", 4, values.shape, values.dtype, order, whole)
        np.testing.assert_array_equal(found, values[part])
        assert found.dtype == values.dtype
        assert found.flags[f"{order}_CONTIGUOUS"]


def test_a_file_that_ends_early_is_an_error_and_no_crash(tmp_path):
    (tmp_path / "a").write_bytes(bytes(99))
    with pytest.raises(InputError, match="a is cut short: its numbers end early"):
        read_box(tmp_path / "a", 0, (10, 10), np.dtype("u1"), "C", (slice(8, 10), slice(0, 10)))


def test_written_boxes_make_the_array(tmp_path, rng):
    values = rng.random((3, 8, 9)).astype(np.float32)
    with open(tmp_path / "a", "w+b") as file:
        make_room(file, 4 + values.nbytes)
        for rows in (slice(4, 8), slice(0, 4)):
            for columns in (slice(0, 5), slice(5, 9)):
                box = (slice(0, 3), rows, columns)
                write_box(file, 4, values.shape, box, values[box])
    np.testing.assert_array_equal(np.fromfile(tmp_path / "a", np.float32, offset=4).reshape(values.shape), values)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system takes no room beforehand")
def test_room_is_taken_where_the_file_system_can(tmp_path, monkeypatch):
    def refuse(number):
        def fail(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "posix_fallocate", fail)

    with open(tmp_path / "a", "w+b") as file:
        refuse(errno.EOPNOTSUPP)
        make_room(file, 10)
        refuse(errno.ENOSPC)
        with pytest.raises(OSError, match="No space left"):
            make_room(file, 10)
    assert (tmp_path / "a").stat().st_size == 10
