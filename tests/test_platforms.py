"""What systems do each in their own way: both ways, whichever this machine goes."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from gmmseg import platforms


@pytest.fixture
def windows(monkeypatch):
    monkeypatch.setattr(platforms, "WINDOWS", True)


def test_processors_are_those_of_this_process_where_the_system_tells_them(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 7}, raising=False)
    assert platforms.processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert platforms.processors() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert platforms.processors() == 1


def test_a_system_without_threads_is_known(monkeypatch):
    import threading

    def refuse(_):
        raise RuntimeError("can't start new thread")

    assert platforms.starts_threads.__wrapped__()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert not platforms.starts_threads.__wrapped__()


def test_the_name_of_the_machine(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename="one"), raising=False)
    assert platforms.machine.__wrapped__() == "one"
    monkeypatch.delattr(os, "uname")
    monkeypatch.setenv("COMPUTERNAME", "two")
    assert platforms.machine.__wrapped__() == "two"


def test_signals_that_end_programs(monkeypatch):
    monkeypatch.setattr(signal, "SIGHUP", 1, raising=False)
    assert platforms.ending_signals() == (signal.SIGTERM, 1)
    monkeypatch.delattr(signal, "SIGHUP")
    assert platforms.ending_signals() == (signal.SIGTERM,)


@pytest.mark.parametrize("wakes", [False, True])
def test_a_signal_that_is_sent_to_a_thread(monkeypatch, wakes):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    if not wakes:  # Windows
        monkeypatch.delattr(signal, "pthread_kill")
    try:
        other = threading.Thread(target=platforms.send_to_thread, args=(threading.get_ident(), signal.SIGTERM))
        other.start()
        other.join()
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("is_windows", [False, True])
def test_a_file_that_is_put_on_disk_is_left_as_it_is(tmp_path, monkeypatch, is_windows):
    import fcntl

    modes = []
    monkeypatch.setattr(platforms, "WINDOWS", is_windows)
    monkeypatch.setattr(os, "fsync", lambda file: modes.append(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE))
    (tmp_path / "a").write_bytes(b"content")
    platforms.put_on_disk(tmp_path / "a")
    assert modes == [os.O_RDWR if is_windows else os.O_RDONLY]
    assert (tmp_path / "a").read_bytes() == b"content"


def test_one_process_at_a_time_has_a_lock(tmp_path):
    first, second = (platforms.open_lock(tmp_path / "lock") for _ in range(2))
    platforms.try_lock(first)
    with pytest.raises(BlockingIOError):
        platforms.try_lock(second)
    os.close(first)
    platforms.try_lock(second)
    os.close(second)


def test_a_lock_on_windows_is_of_a_byte_behind_the_content(tmp_path, monkeypatch, windows):
    taken = set()

    def locking(descriptor, mode, n_bytes):
        place = (os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR))
        assert (mode, n_bytes) == (2, 1)
        if place in taken:
            raise PermissionError(13, "Permission denied")
        taken.add(place)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    first, second = (platforms.open_lock(tmp_path / "lock") for _ in range(2))
    platforms.try_lock(first)
    assert next(iter(taken))[1] > 1000
    with pytest.raises(BlockingIOError):
        platforms.try_lock(second)
    assert os.fstat(first).st_size == 0
    os.close(first)
    os.close(second)


def test_no_lock_is_opened_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    with pytest.raises(OSError, match="symbolic links"):
        platforms.open_lock(tmp_path / "link")
    assert not (tmp_path / "none").exists()


def test_open_files_are_handed_down_where_that_can_be(tmp_path, monkeypatch):
    with open(tmp_path / "a", "w") as file:
        code = f"import os; os.write({file.fileno()}, b'heard')"
        subprocess.run([sys.executable, "-c", code], check=True, **platforms.handed_down((file.fileno(),)))
    assert (tmp_path / "a").read_text() == "heard"
    monkeypatch.setattr(platforms, "WINDOWS", True)
    assert platforms.handed_down((7,)) == {}


def test_who_is_alive():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert platforms.is_alive(process.pid)
    assert platforms.is_alive(os.getpid())
    assert not platforms.is_alive(process.pid, "1")
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not platforms.is_alive(process.pid)  # it waits to be reaped
    process.wait()
    assert not platforms.is_alive(process.pid)


@pytest.mark.parametrize(("handle", "code", "alive"), [(0, 0, False), (5, 259, True), (5, 1, False)])
def test_who_is_alive_on_windows_is_asked_without_a_signal(monkeypatch, windows, handle, code, alive):
    closed = []

    def tell(_, place):
        place._obj.value = code

    kernel = SimpleNamespace(OpenProcess=lambda *_: handle, GetExitCodeProcess=tell, CloseHandle=closed.append)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(os, "kill", None)  # to call it would end the process
    assert platforms.is_alive(77) == alive
    assert closed == ([5] if handle else [])


def test_when_a_process_was_started():
    start = platforms.started(os.getpid())
    assert platforms.is_alive(os.getpid(), start)
    assert platforms.started(1 << 40) == "0"


@pytest.mark.parametrize(("system", "unit"), [("linux", 1024), ("darwin", 1)])
def test_peak_memory_in_bytes(monkeypatch, system, unit):
    import builtins
    import resource

    platforms.forget_peak()
    assert platforms.peak_memory() > 1 << 20
    before, large = platforms.peak_memory(), np.ones(1 << 23)
    assert platforms.peak_memory() > before + (1 << 25)
    del large
    platforms.forget_peak()
    assert platforms.peak_memory() < before + (1 << 25) or not sys.platform.startswith("linux")

    def missing(path, *_, **__):
        raise FileNotFoundError(path)

    monkeypatch.setattr(builtins, "open", missing)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=5000))
    platforms.forget_peak()
    assert platforms.peak_memory() == 5000 * unit
    monkeypatch.setitem(sys.modules, "resource", None)
    assert platforms.peak_memory() is None


_FREED = """
from gmmseg import platforms

def held():
    return int(open("/proc/self/statm").read().split()[1])

kept = []
for _ in range(400):  # in turns, so that what is freed does not lie at the end
    kept.append(bytearray(100_000))
    kept.append(bytearray(2_000))
del kept[::2]
before = held()
platforms.give_back()
print(before - held())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the library of this system keeps nothing")
def test_freed_memory_is_given_back(fresh_python):
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("musl keeps nothing")
    assert int(fresh_python(_FREED)) * os.sysconf("SC_PAGE_SIZE") > 30_000_000


def test_other_systems_give_memory_back_themselves(monkeypatch, windows):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("Windows has no library without a name"))
    platforms.give_back()
    monkeypatch.setattr(platforms, "WINDOWS", False)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # as that of musl
    platforms.give_back()


def test_what_is_a_persons_own_lies_where_the_system_has_it(monkeypatch, tmp_path):
    monkeypatch.setattr(platforms.Path, "home", lambda: tmp_path)
    for each in ("APPDATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setattr(platforms, "WINDOWS", False)
    monkeypatch.setattr(platforms, "MAC", False)
    assert platforms.application_data() == tmp_path / ".local" / "share"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert platforms.application_data() == platforms.Path("/data")
    monkeypatch.setattr(platforms, "MAC", True)
    assert platforms.application_data() == tmp_path / "Library" / "Application Support"
    monkeypatch.setattr(platforms, "WINDOWS", True)
    assert platforms.application_data() == tmp_path / "AppData" / "Roaming"
    monkeypatch.setenv("APPDATA", "/roaming")
    assert platforms.application_data() == platforms.Path("/roaming")
