"""Processes that call with mutants, and are watched: their time, their memory, their end, and what they do to files."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzzing.calls import CALLS, Failure, innermost, tried, watch_interpreter
from gmmseg.checks import MEMORY

__all__ = ["Limits", "Listener", "Outside", "Worker", "snapshot"]

# Loaded once, by the process that the workers are forked from.
_PRELOADED = ("gmmseg.segmentation", "rasterio", "nibabel", "pydicom", "highdicom", "tifffile", "cv2", "skimage.color")
_SLICE = 0.02  # seconds between two looks at a worker
_PATIENCE = 2.0  # seconds for a worker to say where it is, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What a call may take.

    Parameters
    ----------
    seconds : float
        Of the processors, which other programs do not change.
    wait : float
        Seconds altogether, for a call that computes nothing.
    memory : int
        Bytes above what its process takes anyway.
    """

    seconds: float = 20.0
    wait: float = 60.0
    memory: int = MEMORY + (300 << 20)


class Worker:
    """A process that calls, and is started again where it died.

    Parameters
    ----------
    folder : Path
        Its own: where it works, and where mutants are.
    limits : Limits
    calls : dict of str to callable
        By the names that `ask` takes; functions that a new process can import.
    """

    def __init__(self, folder: Path, limits: Limits, calls: dict[str, Callable[[Path], Any]] = CALLS) -> None:
        self.folder, self._limits, self._calls = folder, limits, calls
        self._stacks = folder.with_name(f"{folder.name} stacks")
        (folder / "home").mkdir(parents=True)
        self._process: Any = None

    @property
    def runs(self) -> bool:
        """Whether the process has outlived its last call."""
        return self._process is not None

    def ask(self, name: str, path: Path) -> Failure | None:
        """Have the process call with a file, and say what was wrong."""
        if self._process is None:
            self._start()
        try:
            self._connection.send((name, str(path)))
            failure, peak = self._answer(name)
        except _StoppedError as stopped:
            return stopped.failure
        if peak > self._most:
            failure = failure or Failure("memory", name, f"{(peak - self._base) >> 20} MiB above what it began with")
            self.stop()
        return failure

    def stop(self) -> None:
        """End the process; the next call starts another one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PRELOADED))
        self._connection, theirs = context.Pipe()
        made = context.Process(target=_obey, args=(theirs, self._calls, str(self.folder), str(self._stacks)))
        made.daemon = True
        made.start()
        theirs.close()
        self._process = made
        self._base = self._connection.recv()
        self._most = self._base + self._limits.memory

    def _answer(self, name: str) -> tuple[Failure | None, int]:
        """Return what the process says, or raise that it was stopped."""
        limits, process = self._limits, self._process.pid
        end, most = time.monotonic() + limits.wait, _computed(process) + limits.seconds
        while not self._connection.poll(_SLICE):
            if time.monotonic() > end or _computed(process) > most:
                self._stopped("hang", name, f"no answer in {limits.seconds:g} s of computing, or {limits.wait:g} s")
            resident = _resident(process)
            if resident > self._most:
                self._stopped("memory", name, f"more than {(resident - self._base) >> 20} MiB")
        try:
            return self._connection.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            cause = signal.Signals(-code).name if code < 0 else f"exit {code}"
            self._stopped(cause, name, "the process ended")
            raise

    def _stopped(self, kind: str, name: str, text: str) -> None:
        """Ask the process for its stack, and stop it."""
        if self._process.is_alive():
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self._process.pid, signal.SIGUSR1)
            self._wait_for_stack()
        self.stop()
        # The last call is the first line of these.
        stack = "\n".join(reversed(self._stacks.read_text(errors="replace").splitlines()))
        raise _StoppedError(Failure(kind, innermost(stack) or name, f"{text}\n{stack}"))

    def _wait_for_stack(self) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._stacks.stat().st_size and time.monotonic() < end:
            time.sleep(_SLICE)
        time.sleep(_SLICE)  # for the rest of it


class _StoppedError(Exception):
    """The process was stopped."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


def _resident(process: int) -> int:
    """Return the bytes of a process that are in memory; 0 of one that has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _computed(process: int) -> float:
    """Return the seconds of the processors that a process has taken; 0 of one that has ended."""
    try:
        facts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def _obey(connection: Connection, calls: dict[str, Callable[[Path], Any]], folder: str, stacks: str) -> None:
    """Call as long as somebody asks; answers go through the connection, all other words nowhere."""
    os.chdir(folder)
    os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = str(Path(folder, "home"))
    os.environ["CPL_VSIL_CURL_NON_CACHED"] = "/vsicurl/http://127.0.0.1"  # or GDAL calls once in the life of a process
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    with open(stacks, "w") as file:
        faulthandler.enable(file)
        faulthandler.register(signal.SIGUSR1, file)
        watch_interpreter()
        connection.send(_resident(os.getpid()))
        while True:
            try:
                name, path = connection.recv()
            except EOFError:
                return
            failure = tried(calls[name], Path(path))
            connection.send((failure, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


class Listener:
    """A server on this machine that counts who connects, and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def called(self) -> bool:
        """Whether anybody has connected since this was asked last."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.recv(1)  # the end: who came before has been counted by now
        count, self._count = self._count, 0
        return count > 1

    def close(self) -> None:
        """Listen no longer."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._count += 1
                connection.close()


class Outside:
    """A file that no mutant may have opened, seen by its time of access.

    Parameters
    ----------
    path : Path
    content : bytes
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        path.write_bytes(content)
        self._forget()
        path.read_bytes()
        self.is_seen = self.opened()
        """Whether this file system notes accesses."""

    def opened(self) -> bool:
        """Whether anybody has read it since this was asked last."""
        found = self._path.stat().st_atime_ns != 0
        if found:
            self._forget()
        return found

    def _forget(self) -> None:
        os.utime(self._path, ns=(0, self._path.stat().st_mtime_ns))


def snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what would tell that a file or folder was made, changed or removed, by its path."""
    found = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            facts = os.lstat(path)
            found[path] = (facts.st_ino, facts.st_mode, facts.st_size if name in files else 0, facts.st_mtime_ns)
    return found
