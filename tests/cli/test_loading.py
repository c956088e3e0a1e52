"""Libraries that are loaded beside the parser."""

import os
import sys

import pytest

from gmmseg.cli import loading

_LOADED = """
import sys
from gmmseg.cli.loading import load_libraries

load_libraries(sys.argv[1:]).join()
assert not {"numpy", "cv2"} & set(sys.modules)
maps = open("/proc/self/maps").read()
print("/_multiarray_umath." in maps, "/cv2." in maps)
import numpy, cv2
assert cv2.cvtColor(numpy.zeros((1, 1, 3), numpy.uint8), cv2.COLOR_RGB2GRAY).item() == 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in a file what is loaded")
@pytest.mark.parametrize(("name", "opencv"), [("photo.JPG", True), ("picture.png", False)])
def test_the_libraries_of_what_will_be_imported_are_there(fresh_python, name, opencv):
    pytest.importorskip("cv2")
    if loading.processors() < 2:
        pytest.skip("nothing is loaded beside the parser on one processor")
    assert fresh_python(_LOADED, "segment", name).split() == ["True", str(opencv)]


@pytest.mark.parametrize("arguments", [[], ["relabel", "a.jpg"], ["info", "photo.jpg"]])
def test_other_commands_load_nothing(arguments):
    assert loading.load_libraries(arguments) is None


def test_nothing_is_loaded_where_that_saves_no_time(monkeypatch):
    monkeypatch.setattr(loading, "processors", lambda: 1)
    assert loading.load_libraries(["segment", "photo.jpg"]) is None


def test_nothing_is_loaded_where_the_system_names_no_way(monkeypatch):
    monkeypatch.delattr(os, "RTLD_NOW", raising=False)
    assert loading.load_libraries(["segment", "photo.jpg"]) is None


def test_what_is_not_installed_is_left_to_the_import(monkeypatch):
    monkeypatch.setattr(loading, "processors", lambda: 2)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    thread = loading.load_libraries(["segment", "photo.jpg"])
    assert thread is None or thread.join() is None
