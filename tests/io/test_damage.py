"""What is wrong with a file, in one line."""

import errno
import zlib

import pytest

from gmmseg.errors import InputError, ParameterError
from gmmseg.io.damage import explained


def said(error, **options):
    with pytest.raises(InputError) as caught, explained("a.tif", "export it again", **options):
        raise error
    assert caught.value.__cause__ is error
    return str(caught.value)


@pytest.mark.parametrize("kind", [zlib.error, ZeroDivisionError, SyntaxError, KeyError, AssertionError])
def test_whatever_a_library_raises_is_damage(kind):
    assert said(kind("bad\n  block")).startswith("a.tif is damaged or cut short (")
    assert "\n" not in said(kind("bad\n  block"))
    assert said(kind("bad")).endswith("); export it again")


def test_numbers_that_end_early_and_memory_that_is_too_small():
    assert said(EOFError("gone")) == "a.tif is cut short: its numbers end early; export it again"
    assert said(MemoryError()) == "a.tif does not fit into memory; reduce it or cut it into tiles"
    assert said(MemoryError(), smaller="read it by windows") == "a.tif does not fit into memory; read it by windows"


def test_memory_that_is_too_small_is_no_damage_whatever_a_library_calls_it():
    for error in (
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ValueError("Unable to allocate 9.31 GiB for an array"),
    ):
        assert said(error) == "a.tif does not fit into memory; reduce it or cut it into tiles"
    error = ValueError("decoder failed")
    error.__cause__ = MemoryError()
    with pytest.raises(InputError, match="does not fit into memory"), explained("a.tif", "export it again"):
        raise error


def test_a_file_that_has_vanished_or_cannot_be_reached_is_not_damaged():
    assert said(FileNotFoundError(errno.ENOENT, "No such file or directory")) == (
        "a.tif is not there any more; check the path, its rights and its disk"
    )
    assert said(OSError(errno.EIO, "Input/output error")) == (
        "a.tif cannot be read: Input/output error; check the path, its rights and its disk"
    )
    assert said(OSError("image file is truncated")).startswith("a.tif is damaged")
    assert said(OSError(errno.EINVAL, "Invalid argument")).startswith("a.tif is damaged")


def test_a_format_has_words_of_its_own():
    assert said(ValueError("x"), finding="damaged in row 3") == "a.tif is damaged in row 3 (x); export it again"
    assert said(ValueError("x"), reason=lambda error: "no codec") == (
        "a.tif is damaged or cut short (no codec); export it again"
    )

    def known(reason):
        return f"holds {reason}, which is no number; take magnitudes" if "complex" in reason else None

    assert said(ValueError("complex64"), known=known) == "a.tif holds complex64, which is no number; take magnitudes"
    assert said(ValueError("y"), known=known) == "a.tif is damaged or cut short (y); export it again"


def test_what_gmmseg_says_itself_passes_as_it_is():
    error = ParameterError("max_pixels=0 allows no image; use at least 1")
    with pytest.raises(ParameterError) as caught, explained("a.tif", "export it again"):
        raise error
    assert caught.value is error
    with pytest.raises(KeyboardInterrupt), explained("a.tif", "export it again"):
        raise KeyboardInterrupt
