"""Places in gzip files from which decompressing goes on, so that a volume is read slice by slice."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["GzipStream", "opened"]

_READ = 1 << 18  # compressed bytes at a time
_PART = 1 << 24  # decompressed bytes at a time, which are held beside those that are there already
_FARTHEST = 1 << 24  # bytes behind the numbers that are decompressed for the sake of the checksum


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file to be read from its start, decompressed where it is a gzip file, whatever it is called."""
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(open(path, "rb"))
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            file = stack.enter_context(gzip.GzipFile(fileobj=file))
        file.seek(0)
        yield file


@dataclass
class GzipStream:
    """A place in a gzip file, from which reading goes on; it can be forked.

    Parameters
    ----------
    position : int
        In the compressed file: what was handed to the decoder.
    done : int
        Bytes decompressed so far.
    """

    position: int = 0
    done: int = 0
    decoder: Any = field(default_factory=lambda: zlib.decompressobj(wbits=31))

    def fork(self) -> GzipStream:
        """Return another stream at the same place."""
        return GzipStream(self.position, self.done, self.decoder.copy())

    def read(self, file: IO[bytes], n: int) -> bytearray:
        """Decompress the next n bytes.

        Raises
        ------
        EOFError
            There are fewer.
        """
        out = bytearray(n)
        filled = 0
        file.seek(self.position)
        while filled < n:
            part = self._next(file, min(n - filled, _PART))
            out[filled : filled + len(part)] = part
            filled += len(part)
        return out

    def skip(self, file: IO[bytes], n: int) -> None:
        """Decompress n bytes and forget them."""
        while n:
            step = min(n, _PART)
            self.read(file, step)
            n -= step

    def finish(self, file: IO[bytes]) -> None:
        """Read to the end of the compressed part, so that its checksum is compared, unless that is very far."""
        file.seek(self.position)
        end = self.done + _FARTHEST
        while not self.decoder.eof and self.done < end:
            self._next(file, 1 << 16)

    def _next(self, file: IO[bytes], most: int) -> bytes:
        if self.decoder.eof:  # files may be several gzip parts in a row
            rest = self.decoder.unused_data or self._more(file)
            if rest[:1] != b"\x1f":
                raise EOFError
            self.decoder = zlib.decompressobj(wbits=31)
        else:
            rest = self.decoder.unconsumed_tail or self._more(file)
        part: bytes = self.decoder.decompress(rest, most)
        if not rest and not part:
            raise EOFError
        self.done += len(part)
        return part

    def _more(self, file: IO[bytes]) -> bytes:
        data = file.read(_READ)
        self.position += len(data)
        return data
