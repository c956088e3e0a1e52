"""Libraries that the system loads in a thread, while Python loads the parser and keeps its lock to itself."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread

from gmmseg.platforms import processors, starts_threads

__all__ = ["load_libraries"]

_COMPUTING = ("segment", "apply")  # commands that need NumPy whatever follows
_BY_OPENCV = (".jpg", ".jpeg")


def load_libraries(arguments: list[str]) -> Thread | None:
    """Begin to load what a command will import: NumPy's library, and that of OpenCV where it names a JPEG.

    Parameters
    ----------
    arguments : list of str
        The command and what follows it.

    Returns
    -------
    Thread or None
        None where nothing is loaded: by other commands, on a single processor, and on Windows. What cannot be found or
        loaded is left to the import, which tells why.

    Notes
    -----
    An import keeps Python's lock while the system places a library and binds its names; a function that ctypes calls
    does not. OpenCV's is 100 MB with all that it needs. The thread that runs a command spends a tenth less time until a
    JPEG is decoded (127 to 114 ms), and 3 % less until a PNG is.
    """
    if not arguments or arguments[0] not in _COMPUTING or not hasattr(os, "RTLD_NOW"):
        return None
    if processors() < 2 or not starts_threads():
        return None
    wanted = [("numpy", "_core", "_multiarray_umath.")]
    if any(each.lower().endswith(_BY_OPENCV) for each in arguments):
        wanted.append(("cv2", "", "cv2."))
    files = [file for package, folder, start in wanted for file in _files(package, folder, start)]
    # Here, because the help and the version of the program load no module that they do without.
    from ctypes import CDLL

    load = CDLL(None).dlopen

    def load_each() -> None:
        for file in files:
            load(os.fsencode(file), os.RTLD_NOW)

    thread = Thread(target=load_each, daemon=True)
    thread.start()
    return thread


def _files(package: str, folder: str, start: str) -> list[str]:
    """Return the libraries of a package in one of its folders whose names begin so."""
    from importlib.util import find_spec  # here, for the same reason

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return []
    place = os.path.join(os.path.dirname(spec.origin), folder)
    with suppress(OSError):
        return [os.path.join(place, each) for each in os.listdir(place) if each.startswith(start) and ".so" in each]
    return []
