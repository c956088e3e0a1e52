"""The program that the plugin of QGIS runs: found, in an environment without what is QGIS's, heard and ended."""

import os
import sys
import time
from pathlib import Path

import pytest

from gmmseg.integrations.qgis.program import CancelledError, FailedError, Listener, clean_environment, find, run


class Heard(Listener):
    def __init__(self, cancel_at=None):
        self.said, self.cancel_at = [], cancel_at

    def is_cancelled(self):
        return ("stage", self.cancel_at) in self.said

    def stage(self, text):
        self.said.append(("stage", text))

    def share(self, percent):
        self.said.append(("share", percent))

    def warn(self, text):
        self.said.append(("warn", text))


def run_python(code, listener):
    return run([sys.executable, "-S", "-c", code], clean_environment(os.environ), listener)


def test_what_is_of_qgis_is_left_out(tmp_path):
    qgis = str(tmp_path / "QGIS 3.34")
    path = os.pathsep.join([str(tmp_path / "bin"), os.path.join(qgis, "bin"), qgis])
    given = {
        "PATH": path,
        "HOME": "/home/a",
        "http_proxy": "http://proxy",
        "GDAL_CACHEMAX": "512",
        "PYTHONHOME": "x",
        "PYTHONPATH": "x",
        "LD_LIBRARY_PATH": "x",
        "QGIS_PREFIX_PATH": "/usr",
        "GDAL_DATA": "x",
        "PROJ_LIB": "x",
        "QT_PLUGIN_PATH": "x",
        "OSGEO4W_ROOT": qgis,
    }
    assert clean_environment(given) == {
        "PATH": str(tmp_path / "bin"),
        "HOME": "/home/a",
        "http_proxy": "http://proxy",
        "GDAL_CACHEMAX": "512",
        "PYTHONUTF8": "1",
    }
    assert clean_environment({"PATH": "/usr/bin", "QGIS_PREFIX_PATH": "/usr"})["PATH"] == "/usr/bin"


def test_the_program_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(FailedError, match="gmmseg is not found; install it"):
        find("", {"PATH": str(tmp_path)})
    with pytest.raises(FailedError, match=r"nothing is no program; correct its path"):
        find(str(tmp_path / "nothing"), {})
    assert find(sys.executable, {}) == sys.executable
    for folder in (tmp_path / ".local" / "bin", tmp_path / "bin"):
        folder.mkdir(parents=True)
        program = folder / ("gmmseg.exe" if os.name == "nt" else "gmmseg")
        program.touch(0o755)
        assert Path(find("", {"PATH": str(tmp_path / "bin")})) == program


def test_what_the_program_says_is_passed_on():
    heard = Heard()
    code = """if True:
        import sys
        print("table")
        print('{"image": "a.tif", "stage": "reading"}', file=sys.stderr)
        print('{"image": "a.tif", "stage": "labelling", "done": 1, "total": 4}', file=sys.stderr)
        print('gmmseg: warning: a.tif: dark', file=sys.stderr)
        print('{no object', file=sys.stderr)
        print('more')
    """
    assert run_python(code, heard) == "table\nmore\n"
    assert heard.said == [
        *[("stage", "reading: a.tif"), ("stage", "labelling: a.tif"), ("share", 25.0)],
        *[("warn", "a.tif: dark"), ("warn", "{no object")],
    ]


def test_an_error_is_the_one_that_the_program_says(tmp_path):
    with pytest.raises(FailedError, match=r"^x\.tif: is empty; choose another$"):
        run_python("import sys; sys.exit('gmmseg: error: x.tif: is empty; choose another')", Listener())
    with pytest.raises(FailedError, match="gmmseg ended with 7 and said nothing"):
        run_python("raise SystemExit(7)", Listener())
    with pytest.raises(FailedError, match="cannot be started: .*; correct its path"):
        run([str(tmp_path)], {}, Listener())


def test_who_cancels_ends_the_program(tmp_path):
    code = f"""if True:
        import pathlib, sys, time
        print('{{"stage": "fitting"}}', file=sys.stderr, flush=True)
        time.sleep(30)
        pathlib.Path({str(tmp_path / "result")!r}).touch()
    """
    start = time.monotonic()
    with pytest.raises(CancelledError):
        run_python(code, Heard(cancel_at="fitting"))
    assert time.monotonic() - start < 10
    assert not (tmp_path / "result").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")
def test_a_program_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr("gmmseg.integrations.qgis.program._SECONDS_TO_END", 0.1)
    code = """if True:
        import signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('{"stage": "fitting"}', file=sys.stderr, flush=True)
        time.sleep(30)
    """
    start = time.monotonic()
    with pytest.raises(CancelledError):
        run_python(code, Heard(cancel_at="fitting"))
    assert time.monotonic() - start < 10
