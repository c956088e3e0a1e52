"""OpenCV's library, loaded beside a command."""

import os
import sys

import pytest

from gmmseg.cli import loading

_LOADED = """
import sys
from gmmseg.cli.loading import load_opencv

thread = load_opencv(sys.argv[1:])
if thread is not None:
    thread.join()
assert not {"numpy", "cv2"} & set(sys.modules)
print("/cv2." in open("/proc/self/maps").read())
import numpy, cv2
assert cv2.cvtColor(numpy.full((1, 1, 3), 7, numpy.uint8), cv2.COLOR_RGB2GRAY).item() == 7
"""


@pytest.fixture
def fresh(monkeypatch):
    """As in a process that has not imported OpenCV yet, on two processors."""
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(loading, "processors", lambda: 2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in a file what is loaded")
@pytest.mark.parametrize(("name", "loaded"), [("photo.JPG", True), ("picture.png", False)])
def test_the_library_of_what_will_be_imported_is_there(fresh_python, name, loaded):
    pytest.importorskip("cv2")
    if loading.processors() < 2:
        pytest.skip("nothing is loaded beside a command on one processor")
    assert fresh_python(_LOADED, "segment", name).split() == [str(loaded)]


@pytest.mark.parametrize("arguments", [["segment", "a.png"], ["relabel", "a.jpg"], ["info", "photo.jpg"]])
def test_other_commands_and_files_load_nothing(fresh, arguments):
    assert loading.load_opencv(arguments) is None


@pytest.mark.parametrize("missing", ["processors", "RTLD_NOW"])
def test_nothing_is_loaded_where_that_saves_no_time(fresh, monkeypatch, missing):
    monkeypatch.setattr(loading, "_libraries", list)
    if hasattr(os, "RTLD_NOW"):
        assert loading.load_opencv(["segment", "photo.jpg"]) is not None
    if missing == "processors":
        monkeypatch.setattr(loading, "processors", lambda: 1)
    else:
        monkeypatch.delattr(os, "RTLD_NOW", raising=False)
    assert loading.load_opencv(["segment", "photo.jpg"]) is None


@pytest.mark.parametrize("spec", [None, type("Spec", (), {"origin": None}), type("Spec", (), {"origin": "/none/x.py"})])
def test_what_is_not_installed_is_left_to_the_import(monkeypatch, spec):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert loading._libraries() == []
