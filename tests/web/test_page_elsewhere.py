"""The page on a phone, and two pages of one image at a time."""

import numpy as np
import pytest
from browsers import serving
from pages import until, wait
from PIL import Image as Pillow

from gmmseg.web.desk import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path):
    y, x = np.mgrid[:120, :200]
    values = np.select([x < 60, x < 120, y < 60], [30, 90, 150], 220)[..., None] + np.zeros(3, int)
    values += np.random.default_rng(0).integers(-9, 9, values.shape)
    Pillow.fromarray(np.uint8(values)).save(tmp_path / "photo.png")
    desk = Desk(tmp_path / "photo.png", tmp_path)
    desk.do({"step": {"do": "set", "option": "k", "value": 3}})
    with serving(desk) as server:
        yield server


def opened(chromium, served, **options):
    context = chromium.new_context(**options)
    page = context.new_page()
    page.goto(served.address)
    wait(page)
    return page


def test_each_of_two_pages_comes_to_what_was_done_last_on_either(chromium, served):
    one, other = (opened(chromium, served) for _ in range(2))
    one.fill("#k", "4")
    one.press("#k", "Enter")
    wait(one, 4)
    other.fill("#k", "2")
    other.press("#k", "Enter")
    until(other, lambda: other.locator("#classes tr").count() == 2)
    one.select_option("#layer", "uncertainty")  # of classes that the server has no more
    until(one, lambda: one.locator("#classes tr").count() == 2)
    assert "-k 2" in one.input_value("#command")
    one.fill("#k", "3")
    other.fill("#k", "4")
    one.press("#k", "Enter")
    other.press("#k", "Enter")  # while the first is waiting for its classes
    until(other, lambda: other.locator("#classes tr").count() == 4)
    until(one, lambda: "finding" not in one.inner_text("#status"))
    one.select_option("#layer", "anomaly")
    for page in (one, other):
        until(page, lambda page=page: page.locator("#classes tr").count() == 4)
        until(page, lambda page=page: "4 classes" in page.inner_text("#status"))
        page.context.close()


def test_on_a_phone_one_scrolls_the_picture_stays_in_sight_and_two_fingers_zoom(chromium, served):
    page = opened(chromium, served, viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    box = page.locator("#picture").bounding_box()
    assert box["height"] > 300
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = page.locator("#picture").screenshot()
    page.check("#choose-1")
    page.check("input[value=paint]")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.locator("#picture").scroll_into_view_if_needed()
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 6):
        touch("touchMove", (x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
    touch("touchEnd")
    until(page, lambda: page.locator("#picture").screenshot() != before)
    assert page.is_enabled("#undo")
    assert "scribbles" not in page.input_value("#command")  # it was no stroke
    page.evaluate("() => scrollTo(0, 900)")
    page.wait_for_timeout(200)
    there = page.locator("#picture").bounding_box()
    assert 0 <= there["y"] < 20  # below which the sliders are passed
    x, y = there["x"] + there["width"] / 2, there["y"] + there["height"] / 2
    touch("touchStart", (x, y))
    touch("touchMove", (x + 30, y))
    touch("touchEnd")
    until(page, lambda: "scribbles" in page.input_value("#command"))
    page.context.close()
