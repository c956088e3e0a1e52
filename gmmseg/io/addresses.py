"""Images that are named, but are no files: standard input, pipes, members of archives, packed scenes, addresses on
the network.

What can be read once only, or lies in an archive or on the network, is copied to a temporary file and read from there,
so that all that holds of files holds of it too: a description of other files finds none beside it, and nothing but the
address that was given is fetched.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from gmmseg.errors import InputError
from gmmseg.io.request import Reading
from gmmseg.io.spool import Copy, chunks_of
from gmmseg.records import dataclass

__all__ = ["Address", "address_of", "is_remote", "is_scene_archive", "local", "shown"]

_STANDARD_INPUT = Path("/dev/stdin")

_SCHEME = re.compile(r"([a-z][a-z0-9+]+):/+(.*)", re.IGNORECASE | re.DOTALL)  # paths have one slash where URLs have two
_VARIABLES = ("NETCDF", "HDF5", "MATLAB")  # of a file with an absolute path, see `gmmseg.io.variables`
_PIPES = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/self/fd/\d+")
_ARCHIVES = {"zip": "zip", "tar": "tar", "gzip": "gzip", "vsizip": "zip", "vsitar": "tar", "vsigzip": "gzip"}
_WEB = {
    "http": "http://{}",
    "https": "https://{}",
    "s3": "https://{bucket}.s3.amazonaws.com/{key}",
    "gs": "https://storage.googleapis.com/{bucket}/{key}",
}
_OF_GDAL = {"vsicurl": "", "vsicurl_streaming": "", "vsis3": "s3", "vsigs": "gs"}
_ELSEWHERE = frozenset(
    {"ftp", "az", "abfs", "abfss", "adl", "swift", "oss", "hdfs", "webhdfs"}
    | {"vsiaz", "vsiadls", "vsioss", "vsiswift", "vsihdfs", "vsiwebhdfs"}
)
_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True)
class Address:
    """What names an image that is no file of its own.

    Parameters
    ----------
    kind : {"file", "pipe", "zip", "tar", "gzip", "scene", "web", "elsewhere", "unknown"}
        A file by its URL, what can be read once only, a member of a local archive, a satellite scene in one, or
        something on the network: "web" is what can be fetched.
    where : str
        The path or URL.
    member : str
        Of an archive: the name of the image in it; empty where it holds only one.
    """

    kind: Literal["file", "pipe", "zip", "tar", "gzip", "scene", "web", "elsewhere", "unknown"]
    where: str
    member: str = ""


def address_of(path: Path) -> Address | None:
    """Return what a path means that is no path of a file; None of any other, and where a file has that very name.

    Examples
    --------
    >>> address_of(Path("zip://scenes.zip!/a/b.tif"))
    Address(kind='zip', where='scenes.zip', member='a/b.tif')
    >>> address_of(Path("s3://bucket/a/b.tif")).where
    'https://bucket.s3.amazonaws.com/a/b.tif'
    """
    text = str(path)
    if _PIPES.fullmatch(text):
        return Address("pipe", text) if _is_stream(path) else None
    if text.startswith("/vsi") and not os.path.lexists(path):
        name, _, rest = text[1:].partition("/")
        return _of_scheme(name, rest, text)
    found = _SCHEME.fullmatch(text)
    if found is None or found[1] in _VARIABLES or os.path.lexists(path):
        return Address("scene", text) if is_scene_archive(path) else None
    return _of_scheme(found[1].lower(), found[2], text)


def is_remote(path: Path) -> bool:
    """Whether a path means something on the network."""
    address = address_of(path)
    return address is not None and address.kind in ("web", "elsewhere")


def is_scene_archive(path: Path) -> bool:
    """Whether a path is that of an archive of the bands of one satellite scene, as it is downloaded."""
    if path.suffix.lower() not in (".zip", ".tar"):
        return False
    from gmmseg.io.satellite.packed import is_packed  # here, because most images are in no archive

    return is_packed(path)


def _is_stream(path: Path) -> bool:
    """Whether something is no regular file, such as a pipe, a socket or a terminal."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _of_scheme(scheme: str, rest: str, text: str) -> Address:
    if scheme == "file":
        from urllib.parse import unquote  # here, because most images are named by paths

        return Address("file", unquote(("" if rest.startswith("/") else "/") + rest.removeprefix("localhost/")))
    if scheme in _ARCHIVES:
        return _of_archive(_ARCHIVES[scheme], rest, by_gdal=scheme.startswith("vsi"))
    if scheme in _OF_GDAL:
        inner = _SCHEME.fullmatch(rest)
        scheme, rest = (inner[1].lower(), inner[2]) if inner else (_OF_GDAL[scheme], rest)
    if scheme in _WEB:
        bucket, _, key = rest.partition("/")
        return Address("web", _WEB[scheme].format(rest, bucket=bucket, key=key))
    return Address("elsewhere" if scheme.removesuffix("_streaming") in _ELSEWHERE else "unknown", text)


def _of_archive(kind: Literal["zip", "tar", "gzip"] | str, rest: str, *, by_gdal: bool) -> Address:
    """Return the address of a member of an archive, which is told from its archive by "!", braces, or what is there."""
    if _is_remote_part(rest):
        return Address("elsewhere", rest)
    archive, mark, member = rest.partition("!")
    if by_gdal and rest.startswith("{"):
        archive, _, member = rest[1:].partition("}")
    elif not mark:
        archive, member = _split(rest)
    if not os.path.isfile(archive) and os.path.isfile(f"/{archive}"):  # of three slashes one is left
        archive = f"/{archive}"
    return Address(kind, archive, member.lstrip("/"))  # type: ignore[arg-type]  # one of the values of _ARCHIVES


def _is_remote_part(rest: str) -> bool:
    """Whether what should be an archive is an address itself."""
    return rest.startswith(("/vsi", "vsi")) or _SCHEME.fullmatch(rest) is not None


def _split(rest: str) -> tuple[str, str]:
    """Return the file that a path leads through, and what follows."""
    for start in (rest, f"/{rest}"):
        for each in (Path(start), *Path(start).parents):
            if each.is_file():
                return str(each), start[len(str(each)) :]
    return rest, ""


def local(path: Path, reading: Reading) -> Path | Copy:
    """Return where the image that a path names can be read: the path itself where it is one of a file.

    Raises
    ------
    InputError
        It is on the network, which `reading` does not allow, larger than its budget, or cannot be had.
    """
    address = address_of(path)
    return path if address is None else _fetched(address, path, reading)


def _fetched(address: Address, path: Path, reading: Reading) -> Path | Copy:
    """Return where the image of an address can be read."""
    if address.kind == "file":
        return local(Path(address.where), reading)
    if address.kind in ("web", "elsewhere") and not reading.allow_remote:
        raise InputError(
            f"{shown(path)} is on the network, which is not used unasked; pass allow_remote=True, or download it first"
        )
    if address.kind == "elsewhere":
        raise InputError(f"{shown(path)} cannot be fetched from there; download it, or give an address with https://")
    if address.kind == "unknown":
        raise InputError(f"{shown(path)} does not exist, and begins with no address that is read; check the path")
    whole = address.kind in ("zip", "tar") and not address.member
    if address.kind == "scene" or (whole and is_scene_archive(Path(address.where))):
        from gmmseg.io.satellite.packed import unpack_scene  # here, because most images are in no archive

        return unpack_scene(Path(address.where), reading)
    copy = Copy(shown(path), reading.budget)
    if address.kind == "pipe":
        _add(copy, "stdin" if path == _STANDARD_INPUT else "pipe", _of_pipe(address.where))
    elif address.kind == "web":
        _add(copy, _name_of(address.where), _of_web(address.where, copy.given))
    else:
        from gmmseg.io.archives import unpack  # here, because most images are in no archive

        unpack(address.kind, Path(address.where), address.member, copy)
    return copy


def shown(path: Path) -> str:
    """Return an address as it was given: paths have lost slashes."""
    found = _SCHEME.fullmatch(str(path))
    if found is None:
        return str(path)
    address = address_of(path)
    root = "/" if address is not None and address.where.startswith("/") else ""
    return f"{found[1]}://{root}{found[2]}"


def _name_of(url: str) -> str:
    """Return what a file of an address is called."""
    from urllib.parse import unquote, urlsplit  # here, because most images are named by paths

    return Path(unquote(urlsplit(url).path)).name or "image"


def _add(copy: Copy, name: str, chunks: Iterator[bytes]) -> None:
    copy.path = copy.add(name, chunks)
    if not copy.path.stat().st_size:
        raise InputError(f"{copy.given} is empty (0 bytes); check what writes to it")
    copy.settle()


def _of_pipe(name: str) -> Iterator[bytes]:
    try:
        with open(os.dup(0) if name == str(_STANDARD_INPUT) else name, "rb", buffering=0) as file:
            if os.isatty(file.fileno()):
                raise InputError(f"{name} is a terminal; send an image there, as in: cat photo.jpg | gmmseg segment -")
            yield from chunks_of(file)
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}; save the image and give its file"
        ) from error


def _of_web(url: str, name: str) -> Iterator[bytes]:
    """Fetch an address, which may lead to another one, but never to a file of this machine."""
    # Here, because they take 20 ms to load.
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, headers={"User-Agent": "gmmseg"}), timeout=_TIMEOUT) as answer:
            yield from chunks_of(answer)
    except (OSError, HTTPException, ValueError) as error:
        why = _reason(error)
        raise InputError(f"{name} cannot be fetched: {why}; check the address, or download it first") from error


def _reason(error: Exception) -> str:
    code, reason = getattr(error, "code", None), getattr(error, "reason", None)
    words = getattr(reason, "strerror", None) or reason or error
    return f"the server says {code} ({words})" if code else " ".join(str(words).split())[:100]
