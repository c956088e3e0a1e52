"""gmmseg view: the page is opened, its address printed, and its end said."""

import os
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import gmmseg.web


@pytest.fixture
def program(folder):
    """The program in a process of its own, with photo.png open, and its address."""
    path = os.pathsep.join(p for p in (str(Path(gmmseg.__file__).parents[1]), os.environ.get("PYTHONPATH")) if p)
    command = [sys.executable, "-m", "gmmseg", "view", "photo.png", "--no-browser"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **streams) as process:
        line = process.stderr.readline()
        yield process, re.fullmatch(r"photo\.png is open at (http://127\.0\.0\.1:\d+/#[\w-]+)\n", line)[1]
        process.kill()


def ask(address, path):
    parts = urlsplit(address)
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=20)
    connection.request("GET", path, headers={"X-Gmmseg-Token": parts.fragment})
    return connection, connection.getresponse()


@pytest.mark.slow
def test_it_ends_with_the_page_and_says_so(program):
    process, address = program
    page, answer = ask(address, "/api/alive")
    assert answer.read(1) == b"."
    answer.close()
    page.close()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.endswith("the page was closed\n")
    assert out == ""  # nothing was done, so there is nothing to do again


@pytest.mark.slow
def test_it_ends_with_an_interrupt_and_says_so(program):
    process, address = program
    page, answer = ask(address, "/api/state")
    assert answer.status == 200
    answer.close()
    page.close()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.endswith("ended; what was done is kept\n")


@pytest.fixture
def viewed(run, monkeypatch):
    """Run the command without a server: (argument, ...) -> what would be served, or what was said."""
    seen = {}

    def view_images(images, named, **how):
        seen.update(images=images, named=named, folder=how["folder"])
        how["opened"]("http://127.0.0.1/")
        return Path("none.gmmseg.json")

    monkeypatch.setattr(gmmseg.web, "view_images", view_images)

    def call(*arguments):
        seen.clear()
        seen["said"] = run("view", *arguments, "--no-browser").err
        return dict(seen)

    return call


def test_a_folder_is_a_strip(viewed, folder):
    Path("scans").mkdir()
    for name in ("a.png", "b.png"):
        Path("scans", name).write_bytes(Path("photo.png").read_bytes())
    Path("scans/broken.png").write_text("nothing")
    found = viewed("scans", "--out-dir", "results")
    assert found["said"].startswith("scans is open at http://127.0.0.1/\n")
    assert [each.name for each, reason in found["images"].items() if not reason] == ["a.png", "b.png"]
    assert "starts with text" in found["images"][Path("scans/broken.png")]
    assert (found["named"], found["folder"]) == ((Path("scans"),), Path("results"))
    found = viewed("scans/a.png", "photo.png", "scans/a.png")
    assert found["said"].startswith("a strip of 2 images is open at")
    assert found["images"] == {Path("scans/a.png"): "", Path("photo.png"): ""}


def test_links_that_lead_out_of_the_folder_are_left_out(viewed, folder):
    Path("scans").mkdir()
    Path("scans/a.png").write_bytes(Path("photo.png").read_bytes())
    Path("scans/inner.png").symlink_to("a.png")
    Path("scans/outer.png").symlink_to("../photo.png")
    found = viewed("scans")
    assert found["images"][Path("scans/outer.png")] == "scans/outer.png leads out of scans; open it by itself"
    assert found["named"] == [Path("scans/a.png"), Path("scans/inner.png")]
    assert found["images"][Path("scans/inner.png")] == ""
    assert viewed("scans/outer.png", "photo.png")["images"][Path("scans/outer.png")] == ""  # named on purpose


def test_a_folder_without_images(refuse, folder):
    Path("scans").mkdir()
    Path("scans/notes.md").write_text("# no image")
    assert "scans is a folder without images" in refuse("view", "scans", code=2)


@pytest.mark.slow
def test_a_missing_image(refuse):
    assert "none.png" in refuse("view", "none.png", "--no-browser", code=1)


def test_an_image_has_to_be_given(refuse):
    assert "IMAGE is missing" in refuse("view", code=2)
