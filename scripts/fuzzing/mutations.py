"""Damage: files that differ from a seed by a few bytes, numbers, chunks or words, drawn from a random generator."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable

from fuzzing.seeds import Case

__all__ = ["mutate"]

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 512  # bytes, in which most formats say what they are
_BLOCKS = (4, 12, 64, 512)  # bytes: what is moved where a format's own chunks are not known
_SMALL = 100_000  # bytes
_MOST = 4 << 20  # bytes of a mutant
_WHOLE = (0, 1, 2, 127, 128, 255, 10_000, 32_767, 32_768, 65_535, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_WHOLE += ((1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_REAL = (0.0, -0.0, -1.0, 1e-300, 1e30, 1e300, float("inf"), float("-inf"), float("nan"))
_WORDS = (
    "",
    "-1",
    "0",
    "1",
    "3.5",
    "99999",
    "4294967296",
    "99999999999999999999",
    "1" + "0" * 400,
    "1e999",
    "nan",
    "-inf",
    "null",
    "[]",
    "{}",
    "%s%n",
    "é\u2028\u202e",
    "A" * 5000,
    "[" * 3000,
    "../outside.tif",
    "/dev/zero",
    "/etc/hostname",
    "/vsicurl/http://127.0.0.1:00000/a.tif",
    "http://127.0.0.1:00000/a.tif",
)
_WORD = re.compile(rb"[\w.:/+-]+")
_PRINTED = re.compile(rb"[\x20-\x7e]{6,}")


def mutate(seed: Case, others: list[Case], rng: random.Random) -> dict[str, bytes]:
    """Return the files of a seed, one of them damaged, or gone.

    Parameters
    ----------
    seed : Case
    others : list of Case
        What may be spliced into it.
    rng : random.Random

    Returns
    -------
    dict of str to bytes
    """
    files = dict(seed.files)
    name = seed.path if seed.path in files and rng.random() < 0.6 else rng.choice(sorted(files))
    if len(files) > 1 and rng.random() < 0.1:
        del files[name]
        return files
    other = rng.choice(others)
    files[name] = _damaged(files[name], other.files[rng.choice(sorted(other.files))], rng)
    return files


def _damaged(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return a damaged copy; what is compressed is mostly damaged within, because checksums would hide the damage."""
    packed = len(content) < _SMALL  # seeds that inflate to gibibytes are larger, and stay as they are
    if packed and content[:2] == b"\x1f\x8b" and rng.random() < 0.75:
        return gzip.compress(_damaged(gzip.decompress(content), other, rng), mtime=0)
    if packed and content[:4] == b"PK\x03\x04" and rng.random() < 0.75:
        return _within_archive(content, other, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_WAYS)(content, other, rng)[:_MOST]
    return _checked(content) if content[:8] == _PNG and rng.random() < 0.6 else content


def _within_archive(content: bytes, other: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {each.filename: archive.read(each) for each in archive.infolist()}
    chosen = rng.choice(sorted(members))
    members[chosen] = _damaged(members[chosen], other, rng)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return made.getvalue()


def _checked(content: bytes) -> bytes:
    """Return a PNG file whose chunks have right checksums, as far as there are chunks."""
    made, place = [_PNG], len(_PNG)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        body = content[place + 4 : place + 8 + length]
        if len(body) < 4 + length:
            break
        made.append(content[place : place + 4] + body + struct.pack(">I", zlib.crc32(body)))
        place += 12 + length
    return b"".join(made) + content[place:]


def _place(content: bytes, rng: random.Random) -> int:
    """Return a place in a file: half the time in what comes first."""
    most = len(content) if rng.random() < 0.5 else min(len(content), _HEADER)
    return rng.randrange(max(most, 1))


def _flip(content: bytes, _: bytes, rng: random.Random) -> bytes:
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if made:
            made[_place(content, rng)] ^= 1 << rng.randrange(8)
    return bytes(made)


def _set(content: bytes, _: bytes, rng: random.Random) -> bytes:
    place, length = _place(content, rng), rng.choice((1, 2, 4, 16, 100))
    length = min(length, len(content) - place)
    run = rng.choice((b"\0" * length, b"\xff" * length, rng.randbytes(max(length, 0))))
    return content[:place] + run + content[place + length :]


def _number(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """Replace a number of 2, 4 or 8 bytes, mostly at a place where one may be."""
    size = rng.choice((2, 4, 4, 8))
    place = _place(content, rng) // 2 * 2
    if size > 2 and rng.random() < 0.3:
        packed = struct.pack("<f" if size == 4 else "<d", _real(size, rng))
    else:
        packed = (rng.choice(_WHOLE) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return content[:place] + (packed if rng.random() < 0.6 else packed[::-1]) + content[place + size :]


def _real(size: int, rng: random.Random) -> float:
    value = rng.choice(_REAL)
    return value if size == 8 or abs(value) < 1e38 else float("inf")


def _cut(content: bytes, _: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice((0, _place(content, rng), len(content) - rng.randrange(1, 20)))]


def _chunks(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """Remove, repeat or swap chunks."""
    pieces = _pieces(content, rng)
    if len(pieces) < 2:
        return content
    one, two = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    way = rng.randrange(3)
    if way == 0:
        del pieces[one]
    elif way == 1:
        pieces[one:one] = [pieces[two]] * rng.choice((1, 2, 50))
    else:
        pieces[one], pieces[two] = pieces[two], pieces[one]
    return b"".join(pieces)


def _pieces(content: bytes, rng: random.Random) -> list[bytes]:
    """Take a file apart: into chunks of PNG and WebP, segments of JPEG, lines of texts, otherwise blocks."""
    if content[:8] == _PNG:
        places, sized = [8], (">I", 12, 1)
    elif content[:4] == b"RIFF":
        places, sized = [12], ("<I", 8, 2)
    elif content[:2] == b"\xff\xd8":
        return re.split(rb"(?=\xff[\xc0-\xcf\xda-\xef])", content)
    elif _is_text(content):
        return content.splitlines(keepends=True)
    else:
        size = rng.choice(_BLOCKS)
        return [content[place : place + size] for place in range(0, len(content), size)]
    form, more, even = sized
    while places[-1] + 8 <= len(content):
        (length,) = struct.unpack_from(form, content, places[-1] + (4 if form == "<I" else 0))
        places.append(places[-1] + more + -(-length // even) * even)
    return [content[a:b] for a, b in zip([0, *places], [*places, len(content)], strict=True)]


def _is_text(content: bytes) -> bool:
    return b"\0" not in content and content[:1000].isascii()


def _splice(content: bytes, other: bytes, rng: random.Random) -> bytes:
    return content[: _place(content, rng)] + other[_place(other, rng) :]


def _words(content: bytes, _: bytes, rng: random.Random) -> bytes:
    """Replace a word of a text; of a text within other bytes by one of the same length."""
    word = rng.choice(_WORDS).encode()
    if _is_text(content):
        found = list(_WORD.finditer(content))
        if not found:
            return content
        chosen = rng.choice(found)
        if rng.random() < 0.2:
            word = chosen[0].swapcase()
        return content[: chosen.start()] + word + content[chosen.end() :]
    texts = list(_PRINTED.finditer(content))
    if not texts:
        return content
    text = rng.choice(texts)
    chosen = rng.choice(list(_WORD.finditer(content, text.start(), text.end())) or [text])
    size = chosen.end() - chosen.start()
    return content[: chosen.start()] + word[:size].ljust(size) + content[chosen.end() :]


_WAYS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    _flip,
    _flip,
    _set,
    _set,
    _number,
    _number,
    _number,
    _chunks,
    _chunks,
    _cut,
    _splice,
    _words,
    _words,
)
