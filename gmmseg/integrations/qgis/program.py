"""Running the program `gmmseg` from within QGIS: where it is, in which environment, and how it is listened to.

Plain Python, without QGIS.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["CancelledError", "FailedError", "Listener", "clean_environment", "find", "run"]

# What QGIS sets for its own Python, GDAL, PROJ and Qt, which are other ones than those of the program.
_OF_QGIS = ("PYTHON", "QGIS", "QT_", "OSGEO4W", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "SSL_CERT")
_LIBRARIES = (
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
)

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_TO_END = 5.0


class FailedError(Exception):
    """The program was not found or failed; the text is one line for a person."""


class CancelledError(Exception):
    """The person has cancelled, and the program is ended."""


class Listener:
    """Who is told how far the program is; a listener of QGIS has its own methods for it.

    Its methods do nothing, for callers who do not want to know.
    """

    def is_cancelled(self) -> bool:
        """Whether the program shall end."""
        return False

    def stage(self, text: str) -> None:
        """Hear what is being done."""

    def share(self, percent: float) -> None:
        """Hear how much is done."""

    def warn(self, text: str) -> None:
        """Hear what is to be looked at."""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables without those that QGIS sets for itself, and that would mislead another Python.

    Parameters
    ----------
    environment : mapping of str to str
        That of QGIS; folders of its own programs leave PATH too.

    Examples
    --------
    >>> clean_environment({"HOME": "/home/a", "PYTHONHOME": "C:/QGIS", "GDAL_DATA": "C:/QGIS/gdal"})
    {'HOME': '/home/a', 'PYTHONUTF8': '1'}
    """
    kept = {name: value for name, value in environment.items() if not name.upper().startswith((*_OF_QGIS, *_LIBRARIES))}
    for name, value in environment.items():
        root = Path(value) if name.upper() in ("OSGEO4W_ROOT", "QGIS_PREFIX_PATH") and value else None
        if root is not None and len(root.parts) > 2 and kept.get("PATH"):  # /usr is QGIS's too, where a system has it
            folders = kept["PATH"].split(os.pathsep)
            kept["PATH"] = os.pathsep.join(each for each in folders if root not in (Path(each), *Path(each).parents))
    return {**kept, "PYTHONUTF8": "1"}  # names of files are said in UTF-8, on Windows too


def find(setting: str, environment: Mapping[str, str]) -> str:
    """Return the path of the program.

    Parameters
    ----------
    setting : str
        What the person has set; where it is empty the program is looked for on PATH, and where pipx and uv put it.
    environment : mapping of str to str
        A clean one.

    Raises
    ------
    FailedError
        It is not there.
    """
    if setting:
        if not Path(setting).is_file():
            raise FailedError(
                f"{setting} is no program; correct its path in the options of Processing, gmmseg, Program"
            )
        return setting
    own = str(Path.home() / ".local" / "bin")
    found = shutil.which("gmmseg", path=os.pathsep.join([environment.get("PATH", ""), own]))
    if found is None:
        raise FailedError(
            "the program gmmseg is not found; install it (pipx install 'gmmseg[geo]'), or set its path in the options "
            "of Processing, gmmseg, Program"
        )
    return found


def run(command: Sequence[str], environment: Mapping[str, str], listener: Listener) -> str:
    """Run a command, pass on how far it is, and return what it prints.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    environment : mapping of str to str
        A clean one.
    listener : Listener
        Asked ten times a second whether to end.

    Raises
    ------
    FailedError
        With the error that the program says.
    CancelledError
        It was ended.
    """
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            encoding="utf-8",
            errors="replace",
            creationflags=hidden,
        )
    except OSError as error:
        raise FailedError(
            f"{command[0]} cannot be started: {error.strerror}; correct its path in the options"
        ) from error
    printed: list[str] = []
    said: list[str] = []
    try:
        for line in _lines(process, printed, listener):
            said += _heard(line, listener)
        process.wait()
    finally:
        _end(process)
    if process.returncode:
        raise FailedError(said[-1] if said else f"gmmseg ended with {process.returncode} and said nothing")
    return "".join(printed)


def _lines(process: subprocess.Popen[str], printed: list[str], listener: Listener) -> Iterator[str]:
    """Yield what is said on stderr as it comes, and collect what is printed."""
    lines: queue.Queue[str | None] = queue.Queue()

    def hear(stream: IO[str], put: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                put(line)

    assert process.stdout is not None
    assert process.stderr is not None
    printing = threading.Thread(target=hear, args=(process.stdout, printed.append), daemon=True)
    printing.start()

    def say(stream: IO[str]) -> None:
        hear(stream, lines.put)
        lines.put(None)

    threading.Thread(target=say, args=(process.stderr,), daemon=True).start()
    while True:
        if listener.is_cancelled():
            raise CancelledError("cancelled")
        with suppress(queue.Empty):
            line = lines.get(timeout=_SECONDS_BETWEEN_LOOKS)
            if line is None:
                break
            yield line.rstrip("\r\n")
    printing.join()


def _heard(line: str, listener: Listener) -> list[str]:
    """Pass on a line: progress, a warning; return an error."""
    if line.startswith("{"):
        with suppress(ValueError):
            facts = json.loads(line)
            listener.stage(facts["stage"] + (f": {facts['image']}" if "image" in facts else ""))
            if facts.get("total"):
                listener.share(100 * facts["done"] / facts["total"])
            return []
    kind, _, text = line.removeprefix("gmmseg: ").partition(": ")
    if kind == "error":
        return [text]
    listener.warn(text if kind == "warning" else line)
    return []


def _end(process: subprocess.Popen[str]) -> None:
    """Have the process gone: it may clean up after itself, for a while."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
