"""What tests of the page ask of it: what it shows, and when it has done so."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow


def wait(page, k=3):
    """Until so many classes are shown, and nothing is on its way."""
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(f"#classes tr:nth-child({k})")
    page.wait_for_selector("#picture[aria-busy=false]")


def until(page, condition):
    for _ in range(1200):  # as long as the browser itself waits
        if condition():
            return
        page.wait_for_timeout(25)
    pytest.fail("it did not come to that")


def command(page):
    return page.input_value("#command")


def pixels(page, canvas="#picture", kind="RGB"):
    """What is drawn (rows, columns, 3), or 4 of kind "RGBA", once all of it is."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_selector(f"{canvas}:not([aria-busy=true])")
    url = page.evaluate("(canvas) => document.querySelector(canvas).toDataURL()", canvas)
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert(kind))


def labels_below(labels, shape):
    """The label that lies below each pixel of a canvas on which the whole picture is fitted, 0 outside."""
    height, width = shape
    rows, columns = labels.shape
    scale = min(width / columns, height / rows)
    x = np.floor((columns - width / scale) / 2 + (np.arange(width) + 0.5) / scale).astype(int)
    y = np.floor((rows - height / scale) / 2 + (np.arange(height) + 0.5) / scale).astype(int)
    inside = ((y >= 0) & (y < rows))[:, None] & (x >= 0) & (x < columns)
    return np.where(inside, labels[y.clip(0, rows - 1)[:, None], x.clip(0, columns - 1)], 0)


def opaque(page):
    page.locator("#opacity").fill("1")
    page.locator("#contours").uncheck()
