"""What is warned of, on the page: said below the picture, marked on it, and gone once it does not hold."""

import pytest
from browsers import listened, node_file, serving
from doubtful import doubtful, strokes
from pages import until, wait
from PIL import Image as Pillow

from gmmseg.web.desk import Desk

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")]

SCALE = 6  # 540 x 960 pixels


@pytest.fixture
def served(tmp_path, monkeypatch):
    monkeypatch.setattr("gmmseg.web.preview.MOST_PIXELS", 60_000)  # places are of the image nevertheless
    Pillow.fromarray(doubtful(SCALE)).save(tmp_path / "toad.png")
    desk = Desk(tmp_path / "toad.png", tmp_path)
    desk.do({"step": {"do": "set", "option": "k", "value": 2}})
    for each in strokes(SCALE):
        desk.do({"step": each})
    with serving(desk) as server:
        yield server


@pytest.fixture
def page(chromium, served):
    opened, said = listened(chromium)
    opened.goto(served.address)
    wait(opened, 2)
    yield opened
    opened.close()
    assert said == []


def told(page):
    """Row and column that the page says."""
    words = page.inner_text("#warnings").split("around row ")[1].split(";")[0]
    return tuple(map(int, words.split(", column ")))


def marked(page):
    """Row and column of the pixel that the mark is on, where the whole picture is seen."""
    stage, mark = (page.locator(each).bounding_box() for each in ("#picture", ".mark"))
    scale = min(stage["width"] / (160 * SCALE), stage["height"] / (90 * SCALE))
    x, y = (mark[a] + mark[b] / 2 - stage[a] - stage[b] / 2 for a, b in (("x", "width"), ("y", "height")))
    return y / scale + 45 * SCALE, x / scale + 80 * SCALE


def test_doubt_is_said_and_marked_where_it_is_and_gone_once_a_stroke_has_said_it(page):
    row, column = told(page)
    assert abs(row - 45 * SCALE) < 4 * SCALE  # on the branch
    assert 54 * SCALE < column < 150 * SCALE
    assert page.get_attribute("#warnings", "role") == "status"
    page.locator("#name-1").fill("toad")
    page.locator("#name-1").press("Enter")
    until(page, lambda: "% of toad might as well be class 2" in page.inner_text("#warnings"))
    assert told(page) == (row, column)
    until(page, lambda: abs(marked(page)[0] - row) < 4 and abs(marked(page)[1] - column) < 4)
    page.check("#choose-2")
    page.check("input[value=paint]")
    mark = page.locator(".mark").bounding_box()
    page.mouse.move(mark["x"] + 15, mark["y"] + 15)
    page.mouse.down()  # through the mark, which is no obstacle to a brush
    page.mouse.move(mark["x"] + 35, mark["y"] + 15, steps=3)
    page.mouse.up()
    until(page, lambda: not page.locator(".mark").count())
    assert page.inner_text("#warnings") == ""
    page.click("#undo")
    page.wait_for_selector(".mark")
    assert told(page) == (row, column)


def test_one_looks_at_the_place_from_anywhere_and_draws_there_by_keyboard(page):
    stage = page.locator("#picture").bounding_box()
    middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(stage["x"] + 20, stage["y"] + 20)
    for _ in range(6):
        page.mouse.wheel(0, -400)  # closer and closer to a corner
    page.wait_for_selector(".mark.beyond")  # at the border, as what it marks is not in sight
    page.click(".mark")
    page.wait_for_selector(".mark:not(.beyond)")
    mark = page.locator(".mark").bounding_box()
    assert (abs(mark["x"] + 15 - middle[0]) < 2, abs(mark["y"] + 15 - middle[1]) < 2) == (True, True)
    page.click("#fit")
    page.focus("#warnings button")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "picture"
    for key in ("2", "b", " ", "ArrowLeft", "ArrowLeft", " "):
        page.keyboard.press(key)
    until(page, lambda: not page.locator(".mark").count())


def test_what_one_looks_at_stays_where_it_is_while_lines_come_and_go(page):
    page.click(".mark")
    page.set_viewport_size({"width": 1280, "height": 700})
    page.wait_for_timeout(200)
    stage, mark = (page.locator(each).bounding_box() for each in ("#picture", ".mark"))
    assert mark["x"] + 15 - stage["x"] == pytest.approx(stage["width"] / 2, abs=2)
    assert mark["y"] + 15 - stage["y"] > stage["height"] / 2 + 20  # the upper border has not moved
    page.click("#fit")
    page.set_viewport_size({"width": 1280, "height": 860})
    row, column = told(page)
    until(page, lambda: abs(marked(page)[0] - row) < 4 and abs(marked(page)[1] - column) < 4)


def test_what_went_wrong_stands_out_until_something_else_is_said(page):
    page.fill("#k", "many")
    page.press("#k", "Enter")
    page.wait_for_selector("#status.wrong:has-text('many is not usable')")
    page.click("#undo")
    page.wait_for_selector("#status:not(.wrong):has-text('classes')")


def test_many_lines_are_scrolled_by_keys(page):
    assert page.get_attribute("#warnings", "tabindex") == "-1"
    script = """async () => {
      const { Warnings } = await import('/page/warnings.js'), list = document.getElementById('warnings');
      const lines = [...Array(30).keys()].map((n) => ({ text: `line ${n}`, place: null }));
      new Warnings(list, document.getElementById('stage'), {}).show(lines);
    }"""
    page.evaluate(script)
    assert page.get_attribute("#warnings", "tabindex") == "0"
    assert page.locator("#warnings").bounding_box()["height"] < 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_people_out(chromium, served, scheme):
    script = node_file("axe-core/axe.min.js").read_text(encoding="utf-8")
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.goto(served.address)
    wait(opened, 2)
    opened.wait_for_selector(".mark")
    opened.evaluate(script)
    found = opened.evaluate("() => axe.run()")
    context.close()
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []
