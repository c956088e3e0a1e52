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

import gmmseg


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


@pytest.mark.slow
def test_a_missing_image(refuse):
    assert "none.png" in refuse("view", "none.png", "--no-browser", code=1)


def test_an_image_has_to_be_given(refuse):
    assert "IMAGE is missing" in refuse("view", code=2)
