"""What operating systems do each in their own way: processors, processes, signals, locks, and files that are on disk.

Nowhere else does the package ask what it runs on. `WINDOWS` and `MAC` are names of this module, so that tests can go
every way.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "application_data",
    "ending_signals",
    "forget_peak",
    "give_back",
    "handed_down",
    "is_alive",
    "machine",
    "open_lock",
    "peak_memory",
    "processors",
    "put_on_disk",
    "send_to_thread",
    "started",
    "starts_threads",
    "try_lock",
]

WINDOWS = os.name == "nt"
MAC = sys.platform == "darwin"

_QUERY, _STILL_ACTIVE = 0x1000, 259  # PROCESS_QUERY_LIMITED_INFORMATION and STILL_ACTIVE of the Windows headers
_STATUS_BYTES = 1 << 14  # more than Linux says of a process
_LOCKED_BYTE = 1 << 20  # on Windows others cannot read what is locked, so it lies behind the content


def processors() -> int:
    """Return the number of processors that this process may use: of all there are, where the system tells no more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def starts_threads() -> bool:
    """Whether the system starts threads: browsers do not, nor do some sandboxes."""
    import threading

    probe = threading.Thread(target=lambda: None)
    try:
        probe.start()
    except RuntimeError:
        return False
    probe.join()
    return True


def application_data() -> Path:
    """Return the folder where programs keep what is a person's own, such as profiles and plugins."""
    if WINDOWS:
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    if MAC:
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


@cache
def machine() -> str:
    """Return the name of this machine."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a program, but that of the interrupt key: SIGTERM and, except on Windows, SIGHUP."""
    return tuple(getattr(signal, each) for each in ("SIGTERM", "SIGHUP") if hasattr(signal, each))


def send_to_thread(thread: int, number: int) -> None:
    """Send a thread of this process a signal, which wakes it too; on Windows the main thread hears it when it is awake.

    Parameters
    ----------
    thread : int
        As `threading.get_ident` names it.
    number : int
        Of the signal.
    """
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, number)
    else:
        signal.raise_signal(number)


def put_on_disk(path: str | Path) -> None:
    """Have the system write a file to the disk itself; Windows does that only of a file that is open for writing."""
    descriptor = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open the file of a lock, made where it is missing; no link is followed, and no pipe is waited for."""
    flags = os.O_RDWR | os.O_CREAT
    for each in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, each, 0)
    return os.open(path, flags, 0o666)


def try_lock(descriptor: int) -> None:
    """Lock an open file against other processes until it is closed.

    Raises
    ------
    BlockingIOError
        Another process has it locked.
    OSError
        The file system has no locks.
    """
    locking: Any
    if not WINDOWS:
        import fcntl as locking

        locking.flock(descriptor, locking.LOCK_EX | locking.LOCK_NB)
        return
    import msvcrt as locking

    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        locking.locking(descriptor, locking.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(*error.args) from None


def handed_down(descriptors: tuple[int, ...]) -> dict[str, Any]:
    """Return the options of `subprocess.Popen` that hand open files down; on Windows children have none of them."""
    return {} if WINDOWS else {"pass_fds": descriptors}


def is_alive(process: int, start: str | None = None) -> bool:
    """Whether a process is there, has this start where it is given, and is not merely waiting to be reaped."""
    if WINDOWS:
        return _runs_on_windows(process)
    found = _status(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's, and systems may hide what those do
        return found is None or start in (None, found[19])
    if found is None:
        return not os.path.isdir("/proc/self")
    return found[0] not in ("Z", "X") and start in (None, found[19])


def _runs_on_windows(process: int) -> bool:
    """Ask without `os.kill`, which there would end the process."""
    import ctypes

    system: Any = getattr(ctypes, "windll")  # noqa: B009  # types know it on Windows alone
    handle = system.kernel32.OpenProcess(_QUERY, False, process)
    if not handle:
        return False
    code = ctypes.c_ulong()
    system.kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
    system.kernel32.CloseHandle(handle)
    return code.value == _STILL_ACTIVE


@cache
def started(process: int) -> str:
    """Return when a process was started, in ticks since the machine was, and 0 where the system does not say it."""
    status = _status(process)
    return "0" if status is None else status[19]


def _status(process: int) -> list[str] | None:
    """Return what Linux says of a process, from its state on; None where it is not there."""
    with suppress(OSError), open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()
    return None


def forget_peak() -> None:
    """Have Linux measure this process's peak memory anew."""
    with suppress(OSError), open("/proc/self/clear_refs", "wb", buffering=0) as file:
        file.write(b"5")


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes, on Linux since it was forgotten; None where nobody tells it."""
    with suppress(OSError), open("/proc/self/status", "rb", buffering=0) as file:
        _, found, text = file.read(_STATUS_BYTES).partition(b"VmHWM:")
        if found:
            return int(text.split(maxsplit=1)[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, others KiB


def give_back() -> None:
    """Return memory that was freed to the system, where glibc keeps it for what the same thread asks for next."""
    if WINDOWS:
        return
    from ctypes import CDLL  # here, because most runs free little

    with suppress(AttributeError):  # of other systems' libraries
        CDLL(None).malloc_trim(0)
