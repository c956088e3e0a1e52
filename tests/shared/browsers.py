"""A browser for tests of pages, and what Node has to look at them: where they are, or why a test is skipped."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from gmmseg.web.server import Server

ROOT = Path(__file__).parents[2]


@contextmanager
def browser():
    """A Chromium without a window, which draws in software."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser; it is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium to open the page in")
    options = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--force-color-profile=srgb"]
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=options)
        yield opened
        opened.close()


def listened(chromium, width=1280, height=860):
    """A page of a browser, and a list of what it has to say: its console, and errors that nobody caught."""
    page, said = chromium.new_page(viewport={"width": width, "height": height}), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


@contextmanager
def serving(desk):
    """A server of the page for as long as it is wanted."""
    with Server(desk) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join(10)


def node_file(name):
    """A file of a package of Node, such as "axe-core/axe.min.js"; the test is skipped where it is not installed."""
    folders = [ROOT / "node_modules", *map(Path, os.environ.get("NODE_PATH", "").split(os.pathsep))]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    return pytest.skip(f"{name} is not there; npm install {name.split('/')[0]}")
