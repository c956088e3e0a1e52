"""Time the page of `gmmseg view` in a real browser on a 12-megapixel photograph.

usage: benchmark_view.py [--rounds N] [--picture FILE]      needs playwright, and a Chromium on PATH

Of each change the clock runs from the event to the frame after which its classes are on the screen: k and smoothing
moved by their sliders, a stroke let go. Beside it stand the processor seconds that the server took, which other
programs hardly change, and how many frames a second the page drew meanwhile. Sliders are also moved twenty times within
a second, as hands do: of these questions only the newest may be worked on. The browser draws in software where it has
no graphics card, which shows in the frames.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image as Pillow
from playwright.sync_api import Page, sync_playwright

from gmmseg.web.desk import Desk
from gmmseg.web.server import Server

# As on any machine: where there is no graphics card, WebGL draws in software. To ask for that by `--use-angle` would
# have the whole page drawn so as well, 35 ms of a processor for each letter that changes, as no one's browser does.
OPTIONS = ["--no-sandbox", "--enable-unsafe-swiftshader"]

# Waits until the classes that an event asks for are drawn, which a fence behind the drawing tells. The answer is
# milliseconds from the event, frames a second, and the longest time between two of them. Frames are counted from the
# last one before the event, so that each stands for the time since the one before.
WATCH = """
(event) => {
  const picture = document.getElementById('picture');
  const gl = picture.getContext('webgl2');
  window.watched = new Promise((done) => {
    let start = 0, answered = 0, busy = false, fence = null;
    let times = [performance.now()];
    addEventListener(event, () => {
      start = performance.now();
      times = times.slice(-1);
    }, { capture: true, once: true });
    new MutationObserver((_, observer) => {
      if (picture.getAttribute('aria-busy') === 'true') busy = true;
      else if (busy && start) { answered = times.length; observer.disconnect(); }
    }).observe(picture, { attributes: true });
    const each = () => {
      times.push(performance.now());
      if (fence && gl.clientWaitSync(fence, 0, 0) !== gl.TIMEOUT_EXPIRED) {
        const gaps = times.slice(1).map((time, n) => time - times[n]);
        done([times.at(-1) - start, gaps.length / (times.at(-1) - times[0]) * 1000, Math.max(...gaps)]);
        return;
      }
      if (answered && times.length > answered + 1 && !fence) {
        fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
        gl.flush();
      }
      requestAnimationFrame(each);
    };
    requestAnimationFrame(each);
  });
}"""
MOVE = """
([id, value]) => {
  const slider = document.getElementById(id);
  slider.value = value;
  slider.dispatchEvent(new Event('input', { bubbles: true }));
}"""


def photograph(path: Path, shape: tuple[int, int] = (3000, 4000)) -> None:
    """A made picture of this size: smooth shades, a few things, and noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    values = np.stack([80 + 60 * x, 90 + 40 * y, 140 - 30 * x], axis=-1)
    for row, column, size, color in [(0.3, 0.4, 0.2, (200, 60, 50)), (0.7, 0.9, 0.15, (230, 220, 90))]:
        values[(y - row) ** 2 + (x - column) ** 2 < size**2] = color
    values += rng.normal(0, 6, values.shape)
    Pillow.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path, quality=92)


class Watched:
    """The page, and what it takes to change something on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: dict[str, list[tuple[float, ...]]] = {}

    def change(self, name: str, event: str, make: object) -> None:
        """Make a change, and note milliseconds, frames a second, the longest gap, and the server's processor time."""
        self.page.evaluate(WATCH, event)
        before = time.process_time()
        make()  # type: ignore[operator]
        found = self.page.evaluate("() => window.watched")
        self.found.setdefault(name, []).append((*found, 1000 * (time.process_time() - before)))
        self.page.wait_for_timeout(100)


def stroke(page: Page, place: int) -> None:
    """Paint across the middle of the picture."""
    box = page.locator("#picture").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 6 * place
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 10, steps=6)
    page.mouse.up()


def measured(page: Page, desk: Desk, rounds: int) -> Watched:
    """All changes, some rounds of them."""
    watched = Watched(page)
    for i in range(rounds + 1):
        watched.change("slider of k", "input", lambda i=i: page.evaluate(MOVE, ["k-slider", str(3 + i % 4)]))
        value = f"{0.2 + 0.1 * (i % 5):.1f}"
        watched.change("slider of smoothing", "input", lambda v=value: page.evaluate(MOVE, ["smooth-slider", v]))
        if i == 0:
            watched.found.clear()  # the first time libraries are loaded
    asked = desk._newest
    for i in range(20):
        page.evaluate(MOVE, ["k-slider", str(2 + i % 8)])
        page.wait_for_timeout(50)
    page.wait_for_selector("#picture[aria-busy=false]")
    print(f"20 moves of a slider within a second: {desk._newest - asked} questions at most one after the other")
    page.keyboard.press("1")
    page.check("input[value=paint]")
    for i in range(rounds):
        watched.change("stroke", "pointerup", lambda i=i: stroke(page, i))
    return watched


def main() -> int:
    """Open the page, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--picture", type=Path, help="a photograph of your own")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        photo = options.picture or Path(name) / "photo.jpg"
        if options.picture is None:
            photograph(photo)
        desk = Desk(photo, Path(name))
        with Server(desk) as server:
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(server.address)
            page.wait_for_selector("body[data-ready]")
            page.wait_for_selector("#picture[aria-busy=false]")
            watched = measured(page, desk, options.rounds)
            browser.close()
            server.shutdown()
            thread.join(10)
    print("\n| change | ms, median | worst | frames a second | longest gap, ms | processor ms of the server |")
    print("| --- | --: | --: | --: | --: | --: |")
    for change, each in watched.found.items():
        took, frames, gap, busy = (list(values) for values in zip(*each, strict=True))
        middle = [statistics.median(values) for values in (took, frames, gap, busy)]
        print(f"| {change} | {middle[0]:.0f} | {max(took):.0f} | {middle[1]:.0f} | {middle[2]:.0f} | {middle[3]:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
