"""How a file is refused: by each reader, at once, in one short line that begins with its name."""

import time

import pytest

from gmmseg.errors import InputError
from gmmseg.io import read, read_info


def refusal(path, match=None, *, readers=(read, read_info)):
    """Have readers refuse a file, in words that match; returns those of the last one."""
    for reader in readers:
        began = time.monotonic()
        with pytest.raises(InputError, match=match) as caught:
            reader(path)
        assert time.monotonic() - began < 10
        assert str(caught.value).startswith(str(path))
        assert len(str(caught.value).replace(str(path.parent), "")) < 300  # however long the folder's name is
        assert "\n" not in str(caught.value)
        assert "unexpected" not in str(caught.value)
    return str(caught.value)
