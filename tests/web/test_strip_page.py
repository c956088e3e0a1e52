"""The page of many images in a real browser: the strip, one model, and what is written."""

from pathlib import Path

import numpy as np
import pytest
from browsers import listened, node_file, serving
from pages import command, labels_below, opaque, pixels
from PIL import Image as Pillow

from gmmseg.io.palette import palette
from gmmseg.web import strip as module
from gmmseg.web.log import load_log
from gmmseg.web.strip import Strip

pytestmark = pytest.mark.slow

K = 3
HOSTILE = "b<img src=x onerror=alert(1)>.png"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder; scans/ has pictures of a disc on a ground of two tones, and one that is cut short."""
    monkeypatch.chdir(tmp_path)
    Path("scans").mkdir()
    for number, name in enumerate(["a.png", HOSTILE, "c.png", "d.png"]):
        rows, columns = 120 + 10 * number, 200
        y, x = np.mgrid[:rows, :columns]
        values = np.where((x < 60 + 20 * number)[..., None], (30, 60, 30), (90, 40, 160))
        values = np.where(((x - 130) ** 2 + (y - 60) ** 2 < 1600)[..., None], (230, 220, 180), values)
        noise = np.random.default_rng(number).integers(-9, 9, values.shape)
        Pillow.fromarray(np.uint8(values + noise)).save(Path("scans", name))
    Path("scans/c.png").write_bytes(Path("scans/c.png").read_bytes()[:5000])
    return tmp_path


@pytest.fixture
def served(folder):
    strip = Strip(dict.fromkeys(sorted(Path("scans").iterdir()), ""), [Path("scans")], Path())
    strip.do({"step": {"do": "set", "option": "k", "value": K}})
    with serving(strip) as server:
        yield server


@pytest.fixture
def page(chromium, served):
    """The page, with the classes of its first image on it."""
    opened, said = listened(chromium)
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    opened.goto(served.address)
    wait(opened, "a.png")
    yield opened
    opened.close()
    assert [each for each in said if "400 (Bad Request)" not in each] == []


def wait(page, name, k=K):
    page.wait_for_selector("body[data-ready]")
    page.wait_for_function("(name) => document.getElementById('image-name').textContent.includes(name)", arg=name)
    page.wait_for_function(
        "(k) => new RegExp(`^${k} classes of all pixels`).test(document.getElementById('status').textContent)", arg=k
    )
    page.wait_for_selector("#picture[aria-busy=false]")


def test_each_image_is_seen_with_the_labels_that_are_written_for_it(page):
    opaque(page)
    page.click("#whole")
    page.wait_for_selector("#saved:has-text('saved scans.gmm.json, 3 label maps in scans_labels by: gmmseg fit')")
    for number, name in [(3, "d.png"), (0, "a.png"), (1, HOSTILE)]:
        page.click(f"#image-{number}")
        wait(page, name)
        saved = np.asarray(Pillow.open(Path("scans_labels", name.removesuffix(".png") + "_labels.png")))
        shown = pixels(page)
        expected = labels_below(saved, shown.shape[:2])
        assert (shown == palette(K)[expected]).all(axis=-1)[expected > 0].mean() > 0.999


def test_small_pictures_have_names_and_what_cannot_be_read_is_said(page):
    page.wait_for_function("() => document.querySelectorAll('#images img').length === 3")
    names = page.eval_on_selector_all("#images li span", "(all) => all.map((each) => each.textContent)")
    assert names == ["a.png", HOSTILE, "c.png", "d.png"]
    broken = page.get_by_role("option", name="c.png")
    assert broken.get_attribute("aria-disabled") == "true"
    assert "cut short" in broken.inner_text()
    broken.click(force=True)  # it is disabled, and says why
    page.wait_for_selector("#status:has-text('c.png is damaged or cut short')")
    assert page.inner_text("#images [aria-selected=true]") == "a.png"
    assert command(page).startswith("gmmseg fit scans/a.png ")
    assert "c.png" not in command(page)


def test_all_images_follow_one_slider_and_undo(page):
    page.locator("#k-slider").fill("2")
    wait(page, "a.png", 2)
    page.click("#image-3")
    wait(page, "d.png", 2)
    page.keyboard.press("Control+z")
    wait(page, "d.png")
    assert load_log(Path("scans.gmmseg.json")).work.options == {"k": K}
    page.fill("#command", command(page).replace(f"-k {K}", "-k 2 --smooth 0.25"))
    page.click("#paste")
    wait(page, "d.png", 2)
    assert "-k 2 --smooth 0.25 -o scans.gmm.json && gmmseg apply scans.gmm.json" in command(page)


def test_a_slider_is_answered_by_fewer_images_and_once_it_stands_by_all(page, monkeypatch):
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 2)
    page.locator("#k-slider").evaluate("(it) => { it.value = 4; it.dispatchEvent(new Event('input')); }")
    page.wait_for_selector("#status:has-text('4 classes of smaller copies of 2 of 4 images')")
    page.wait_for_timeout(1500)  # in which nothing else is asked for
    assert page.locator("#classes tr").count() == 4
    page.locator("#k-slider").dispatch_event("change")
    wait(page, "a.png", 4)


def test_what_is_merged_is_merged_in_the_model(page):
    page.check("#choose-1")
    page.check("#choose-2")
    page.keyboard.press("m")
    page.wait_for_function("() => document.getElementById('command').value.includes('relabel')")
    assert "-o scans_classes.gmm.json && gmmseg relabel scans_classes.gmm.json --merge 1,2 -o scans.g" in command(page)
    assert page.locator("#classes tr").count() == 2


def test_by_keyboard_alone(page):
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "picture":
            break
    else:
        pytest.fail("the picture cannot be reached")
    page.keyboard.press("n")
    wait(page, HOSTILE)
    page.keyboard.press("n")  # passes over the one that cannot be read
    wait(page, "d.png")
    page.keyboard.press("p")
    wait(page, HOSTILE)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "image-1"
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("() => document.activeElement.id") == "image-3"
    assert HOSTILE in page.inner_text("#image-name")  # until it is chosen
    page.keyboard.press("Enter")
    wait(page, "d.png")
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    wait(page, "a.png")
    assert page.evaluate("() => document.activeElement.id") == "image-0"


def test_what_makes_no_sense_for_many_images_is_not_there(page):
    hidden = ["#regions", "#correct", "#cuts", *(f"[data-kind={kind}]" for kind in ("cutout", "soft", "masks", "coco"))]
    assert [each for each in hidden if page.locator(each).is_visible()] == []
    page.focus("#picture")
    page.keyboard.press("b")
    assert page.evaluate("() => document.querySelector('input[name=tool]:checked').value") == "select"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_people_out(chromium, served, scheme):
    script = node_file("axe-core/axe.min.js").read_text(encoding="utf-8")
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.goto(served.address)
    wait(opened, "a.png")
    opened.wait_for_function("() => document.querySelectorAll('#images img').length === 3")
    opened.evaluate(script)
    found = opened.evaluate("() => axe.run()")
    context.close()
    assert len(found["passes"]) > 20
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []


def test_of_many_images_only_those_in_sight_are_fetched(chromium, folder):
    content = Path("scans/a.png").read_bytes()
    for number in range(200):
        Path(f"scans/e{number:03}.png").write_bytes(content)
    paths = sorted(Path("scans").glob("e*.png"))
    with serving(Strip(dict.fromkeys(paths, ""), paths, Path())) as server:
        opened = chromium.new_page(viewport={"width": 1280, "height": 860})
        asked = []
        opened.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        opened.goto(server.address)
        opened.wait_for_selector("#image-6 img")
        assert opened.locator("#images li").count() == 200
        opened.focus("#image-0")
        opened.keyboard.press("End")
        opened.wait_for_selector("#image-199 img")
        fetched = {int(each.partition("=")[2]) for each in asked if each.startswith("tile?")}
        opened.close()
    assert {0, 6, 199} <= fetched
    assert len(fetched) < 60
