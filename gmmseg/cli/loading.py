"""OpenCV's library, which the system loads in a thread while Python loads a command and keeps its lock to itself."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import Thread

from gmmseg.platforms import processors, starts_threads

__all__ = ["load_opencv"]

_COMPUTING = ("segment", "apply")
_BY_OPENCV = (".jpg", ".jpeg")


def load_opencv(arguments: list[str]) -> Thread | None:
    """Begin to load OpenCV's library where a command will import it, since it names a JPEG.

    Parameters
    ----------
    arguments : list of str
        The command and what follows it.

    Returns
    -------
    Thread or None
        None where nothing is loaded: for other files and commands, where it is imported already, on a single processor
        and on Windows. What cannot be found or loaded is left to the import, which tells why.

    Notes
    -----
    An import keeps Python's lock while the system places a library and binds its names; a function that ctypes calls
    does not. This one is 100 MB with all that it needs; its import takes 2 in place of 15 ms of a run on a photograph
    (12 megapixels: 320 ms), and the process as long as before.
    """
    if arguments[0] not in _COMPUTING or not any(each.lower().endswith(_BY_OPENCV) for each in arguments):
        return None
    if "cv2" in sys.modules or not hasattr(os, "RTLD_NOW") or processors() < 2 or not starts_threads():
        return None
    # Commands load Python's own libraries of these two, which would wait until the system is done with the other.
    import heapq  # noqa: F401
    import zlib  # noqa: F401
    from ctypes import CDLL

    files, load = _libraries(), CDLL(None).dlopen

    def load_each() -> None:
        for file in files:
            load(os.fsencode(file), os.RTLD_NOW)

    thread = Thread(target=load_each, daemon=True)
    thread.start()
    return thread


def _libraries() -> list[str]:
    """Return the file of OpenCV's library, by the names that wheels and systems give it."""
    from importlib.util import find_spec  # here, because most runs look for no package

    spec = find_spec("cv2")
    if spec is None or spec.origin is None:
        return []
    folder = os.path.dirname(spec.origin)
    with suppress(OSError):
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("cv2.") and ".so" in name]
    return []
