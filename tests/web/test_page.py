"""The page in a real browser: what is seen, what a person does, and what another page cannot do."""

import json
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from browsers import listened, node_file, serving
from pages import command, labels_below, opaque, pixels, until, wait
from PIL import Image as Pillow

import gmmseg
from gmmseg.hierarchy.regions import regions
from gmmseg.io.palette import palette
from gmmseg.web import pending
from gmmseg.web.desk import Desk
from gmmseg.web.log import load_log
from gmmseg.web.painting import painted

pytestmark = pytest.mark.slow

PAGE = Path(gmmseg.__file__).parent / "web" / "page"
K = 3


@pytest.fixture
def folder(tmp_path):
    """A folder with photo.png: a bright disc on a ground of two tones."""
    y, x = np.mgrid[:120, :200]
    values = np.where((x < 90)[..., None], (30, 60, 30), (90, 40, 160))
    values = np.where(((x - 130) ** 2 + (y - 60) ** 2 < 1600)[..., None], (230, 220, 180), values)
    noise = np.random.default_rng(0).integers(-9, 9, values.shape)
    Pillow.fromarray(np.uint8(values + noise)).save(tmp_path / "photo.png")
    return tmp_path


@pytest.fixture
def served(folder):
    desk = Desk(folder / "photo.png", folder)
    desk.do({"step": {"do": "set", "option": "k", "value": K}})
    with serving(desk) as server:
        yield server


@pytest.fixture
def page(chromium, served):
    """The page, with its classes on it. Nothing may be written to its console but what the server has refused."""
    opened, said = listened(chromium)
    opened.goto(served.address)
    wait(opened)
    yield opened
    opened.close()
    assert [each for each in said if "400 (Bad Request)" not in each] == []


def test_soft_masks_mix_the_colours_of_the_classes(page, folder):
    opaque(page)
    before = pixels(page)
    page.select_option("#layer", "soft")
    soft = gmmseg.segment(folder / "photo.png", K).probabilities
    inside = labels_below(np.ones(soft.shape[1:], int), before.shape[:2]) > 0
    below = [labels_below(np.rint(each * 1000).astype(int), before.shape[:2]) / 1000 for each in soft]
    expected = np.einsum("k...,kc->...c", below, palette(K).astype(float)[1:])

    def mixed():
        return (np.abs(pixels(page) - expected).max(axis=-1) <= 3)[inside].mean() > 0.999

    until(page, mixed)
    page.select_option("#layer", "")
    until(page, lambda: (pixels(page) == before).all())


def test_pixels_on_the_screen_are_those_of_the_label_map(page, folder):
    opaque(page)
    drawn = pixels(page)
    labels = gmmseg.segment(folder / "photo.png", K).labels
    expected = labels_below(labels, drawn.shape[:2])
    inside = expected > 0
    assert 0.3 < inside.mean() < 1
    alike = (drawn == palette(K)[expected]).all(axis=-1)[inside]
    assert alike.mean() > 0.999  # but for edges that fall between two pixels of the screen


def test_merging_recolouring_and_hiding_ask_for_no_classes(page, folder):
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    opaque(page)
    page.check("#choose-1")
    page.check("#choose-2")
    page.click("#merge")
    page.locator("#color-1").fill("#ff0000")
    page.uncheck("#show-3")
    page.uncheck("#choose-1")
    page.locator("#name-1").fill("ground")
    page.locator("#name-1").press("Enter")
    until(page, lambda: "ground" in command(page))
    drawn = pixels(page)
    labels = labels_below(gmmseg.segment(folder / "photo.png", K).labels, drawn.shape[:2])
    merged = np.isin(labels, (1, 2))
    assert (drawn[merged] == (255, 0, 0)).all(axis=-1).mean() > 0.999
    assert (drawn[labels == 3] > 150).all(axis=-1).mean() > 0.9  # the disc as it is
    assert set(asked) == {"do"}
    work = load_log(folder / "photo.gmmseg.json").work
    assert (work.groups, work.names[1], work.hidden) == (((1, 2),), "ground", {3})
    assert "--merge 1,2" in command(page)


def test_a_cut_out_takes_two_clicks(page, folder):
    box = page.locator("#picture").bounding_box()
    scale = min(box["width"] / 200, box["height"] / 120)
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(middle[0] + 30 * scale, middle[1])
    page.click("text=Cut-out of chosen")
    page.wait_for_selector("#saved:has-text('saved photo_cutout.png by: gmmseg cutout photo.png -k 3 --class 3')")
    cut = np.asarray(Pillow.open(folder / "photo_cutout.png"))
    assert (cut[45:75, 115:145, 3] == 255).all()
    assert not cut[:, :80, 3].any()


def paint_with_the_mouse(page):
    page.check("input[value=paint]")
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 260, steps=5)
    page.mouse.up()


def test_a_stroke_with_the_mouse_moves_classes_and_is_undone(page, folder):
    before = pixels(page)
    page.check("#choose-3")
    paint_with_the_mouse(page)
    until(page, lambda: "--scribbles photo_strokes.png" in command(page))
    wait(page)
    assert load_log(folder / "photo.gmmseg.json").work.drawn
    page.click("#undo")
    page.uncheck("#choose-3")
    until(page, lambda: "--scribbles" not in command(page))
    wait(page)
    assert (pixels(page) == before).mean() > 0.999


def test_whoever_copies_the_command_may_run_it_at_once(page, folder, monkeypatch):
    monkeypatch.setattr(pending, "_PAUSE", 1000)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.check("input[value=paint]")
    log = folder / "photo.gmmseg.json"
    for place, copied in enumerate([lambda: page.click("#copy"), lambda: copy_by_keys(page)]):
        page.locator("#picture").focus()
        page.keyboard.press("Space")
        for _ in range(5):
            page.keyboard.press(["ArrowRight", "ArrowDown"][place])
        page.keyboard.press("Space")
        until(page, lambda n=place + 1: log.exists() and len(load_log(log).work.strokes) == n)
        until(page, lambda: "--scribbles" in command(page))
        strokes = load_log(log).work.strokes
        copied()
        expected = painted(strokes, (120, 200))
        until(page, lambda e=expected: (folder / "photo_strokes.png").exists() and (written(folder) == e).all())
    assert page.evaluate("() => navigator.clipboard.readText()") == command(page)


def copy_by_keys(page):
    page.locator("#command").focus()
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+C")


def written(folder):
    return np.asarray(Pillow.open(folder / "photo_strokes.png"))


COUNT = """() => {
  const gl = document.getElementById('picture').getContext('webgl2'), draw = gl.drawArrays.bind(gl);
  window.drawn = [];
  let frame = 0;
  const each = () => { frame += 1; requestAnimationFrame(each); };
  requestAnimationFrame(each);
  gl.drawArrays = (...how) => {
    window.drawn.push([frame, gl.getParameter(gl.SCISSOR_BOX)[3]]);
    draw(...how);
  };
}"""


def test_until_a_stroke_is_answered_the_picture_is_not_drawn_again(page):
    held = []
    page.route("**/api/classes", lambda route: held.append(route))
    page.evaluate(COUNT)
    paint_with_the_mouse(page)
    until(page, lambda: held and "--scribbles photo_strokes.png" in command(page))
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.drawn") == []
    assert pixels(page, "#strokes", "RGBA")[..., 3].any()
    held[0].continue_()
    wait(page)
    assert page.evaluate("() => window.drawn.length") > 0


def test_new_colours_are_drawn_in_parts_that_are_the_whole(page):
    opaque(page)
    pixels(page)
    page.evaluate(COUNT)
    page.locator("#color-1").fill("#ff0000")
    parts = pixels(page)
    drawn = page.evaluate("() => window.drawn")
    assert len(drawn) == len({frame for frame, _ in drawn}) == 4  # in as many frames
    assert sum(height for _, height in drawn) == parts.shape[0]
    page.locator("#picture").focus()
    page.keyboard.press("0")
    assert (pixels(page) == parts).all()
    assert page.evaluate("() => window.drawn.length") == 5
    assert (parts == (255, 0, 0)).all(axis=-1).any()


def test_by_keyboard_alone(page, folder):
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "picture":
            break
    else:
        pytest.fail("the picture cannot be reached")
    for key in ["Shift+ArrowRight"] * 5 + ["Enter"]:
        page.keyboard.press(key)
    assert page.evaluate("() => document.querySelectorAll('tr.chosen').length") == 1
    for key in ("b", "Space", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    until(page, lambda: "--scribbles" in command(page))
    (stroke,) = load_log(folder / "photo.gmmseg.json").work.strokes
    assert len(stroke["points"]) == 3
    page.keyboard.press("Control+z")
    page.wait_for_selector("#redo:enabled")
    assert not load_log(folder / "photo.gmmseg.json").work.strokes


def test_a_slider_that_is_held_still_stays_where_it_is(page):
    box = page.locator("#k-slider").bounding_box()
    middle, step = box["y"] + box["height"] / 2, (box["width"] - 16) / 11
    page.mouse.move(box["x"] + 8 + (K - 1) * step, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 8 + 4 * step, middle, steps=4)
    page.wait_for_selector("#status:has-text('5 classes')")
    assert page.input_value("#k-slider") == page.input_value("#k") == "5"
    page.mouse.up()
    until(page, lambda: "-k 5" in command(page))
    page.click("#undo")
    until(page, lambda: page.input_value("#k-slider") == str(K))


def test_a_name_that_is_being_typed_is_not_lost(page):
    page.click("#name-1")
    page.keyboard.press("End")
    page.keyboard.type(" of")
    page.evaluate("() => document.getElementById('redo').dispatchEvent(new Event('click'))")  # the table is made anew
    page.wait_for_timeout(500)
    page.keyboard.type(" two")
    page.keyboard.press("Enter")
    until(page, lambda: "class 1 of two" in command(page))
    page.keyboard.press("Tab")
    assert page.input_value("#name-1") == "class 1 of two"
    page.click("#undo")
    until(page, lambda: page.input_value("#name-1") == "class 1")


@pytest.mark.parametrize("typed", ["0,25", "0.25", " .25 "])
def test_decimal_points_and_commas_are_alike(page, typed):
    page.fill("#smooth", typed)
    page.press("#smooth", "Enter")
    until(page, lambda: command(page) == "gmmseg segment photo.png -k 3 --smooth 0.25 -o photo_labels.png")


@pytest.mark.parametrize(("field", "typed"), [("k", "0"), ("k", "2,5"), ("smooth", "1.5"), ("smooth", "a lot")])
def test_what_is_no_usable_number_is_said(page, field, typed):
    before = command(page)
    page.fill(f"#{field}", typed)
    page.press(f"#{field}", "Enter")
    page.wait_for_selector(f"#status:has-text('{typed} is not usable')")
    assert command(page) == before


def test_the_slider_finds_classes_while_it_moves(page):
    page.focus("#k-slider")
    page.keyboard.press("ArrowRight")
    wait(page, 4)
    until(page, lambda: " -k 4 " in command(page))


def test_regions_are_cut_by_a_slider_chosen_by_a_click_and_made_the_foreground(page, folder):
    opaque(page)
    page.fill("#detail", "0,8")
    page.press("#detail", "Enter")
    page.wait_for_selector("#status:has-text('regions of all pixels')")
    tree = regions(folder / "photo.png")
    labels = tree.labels(0.8)
    assert page.locator("#classes tr").count() == labels.max() > 3
    assert command(page) == "gmmseg regions photo.png --detail 0.8 -o photo_regions.png"
    assert page.is_hidden("#correct")
    drawn = pixels(page)
    expected = labels_below(labels, drawn.shape[:2])
    inside = expected > 0
    assert (drawn == palette(int(labels.max()))[expected]).all(axis=-1)[inside].mean() > 0.99
    box = page.locator("#picture").bounding_box()
    scale = min(box["width"] / 200, box["height"] / 120)
    page.mouse.click(box["x"] + box["width"] / 2 + 30 * scale, box["y"] + box["height"] / 2)
    clicked = int(labels[60, 130])
    assert page.is_checked(f"#choose-{clicked}")
    other = next(each for each in range(1, labels.max() + 1) if each != clicked)
    page.check(f"#choose-{other}")
    page.click("#foreground")
    until(page, lambda: "--drop" in command(page))
    assert page.locator("#classes tr").count() == 1
    page.click("text=Label map")
    page.wait_for_selector("#saved:has-text('photo_regions.png by: gmmseg regions photo.png')")
    saved = np.asarray(Pillow.open(folder / "photo_regions.png"))
    np.testing.assert_array_equal(saved, np.isin(labels, (clicked, other)))
    pasted = command(page)
    page.click("#undo")
    until(page, lambda: page.locator("#classes tr").count() == labels.max())
    page.fill("#command", pasted)
    page.click("#paste")
    until(page, lambda: page.locator("#classes tr").count() == 1)
    page.focus("#detail-slider")
    page.keyboard.press("End")
    until(page, lambda: "--detail 1 " in command(page))
    wait(page, 9)
    fine = tree.labels(1)

    def alike():
        seen = pixels(page)
        below = labels_below(fine, seen.shape[:2])
        return (seen == palette(int(fine.max()))[below]).all(axis=-1)[below > 0].mean() > 0.99

    until(page, alike)
    page.fill("#detail", "none")
    page.press("#detail", "Enter")
    until(page, lambda: command(page) == "gmmseg segment photo.png -k 3 -o photo_labels.png")
    wait(page)
    assert page.is_visible("#correct")


def test_a_command_is_pasted_and_a_wrong_one_is_explained(page):
    page.fill("#command", "gmmseg segment photo.png -k 2 --smooth 0.5")
    page.click("#paste")
    page.wait_for_selector("#classes:not(:has(tr:nth-child(3))) tr:nth-child(2)")
    page.fill("#command", "gmmseg segment other.png")
    page.click("#paste")
    page.wait_for_selector("#status:has-text('of other.png, not of photo.png')")


def test_a_file_of_somebody_else_is_replaced_only_on_request(page, folder):
    (folder / "photo_labels.png").write_text("mine")
    page.click("text=Label map")
    page.wait_for_selector("#saved:has-text('exists already')")
    assert (folder / "photo_labels.png").read_text() == "mine"
    page.click("#replace")
    page.wait_for_selector("#saved:has-text('saved photo_labels.png')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_people_out(chromium, served, scheme):
    script = node_file("axe-core/axe.min.js").read_text(encoding="utf-8")
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.goto(served.address)
    wait(opened)
    opened.check("#choose-1")
    opened.evaluate(script)
    found = opened.evaluate("() => axe.run()")
    context.close()
    assert len(found["passes"]) > 20
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []


class _Evil(BaseHTTPRequestHandler):
    target = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>evil</title>")

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.mark.parametrize(
    "attack",
    [
        "(url) => fetch(url + 'api/do', {method: 'POST', mode: 'no-cors', body: '{}'})",
        "(url) => fetch(url + 'api/do', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})",
        "(url) => fetch(url + 'api/state')",
        "(url) => fetch(url)",
        "(url) => new Promise((yes, no) => { const f = document.createElement('img'); f.onload = yes; f.onerror = no; "
        "f.src = url + 'page/icon.svg'; document.body.append(f); })",
        "(url) => import(url + 'page/numbers.js')",
    ],
)
def test_another_page_reads_nothing_and_does_nothing(chromium, served, folder, attack):
    before = (folder / "photo.gmmseg.json").read_bytes()
    evil = HTTPServer(("127.0.0.1", 0), _Evil)
    thread = Thread(target=evil.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    opened = chromium.new_page()
    try:
        opened.goto(f"http://localhost:{evil.server_port}/")
        url = served.address.partition("#")[0]
        outcome = opened.evaluate(f"(url) => ({attack})(url).then(() => 'got through', () => 'failed')", url)
        assert outcome == "failed"
    finally:
        opened.close()
        evil.shutdown()
        thread.join(10)
        evil.server_close()
    assert (folder / "photo.gmmseg.json").read_bytes() == before


def test_the_server_ends_when_the_page_is_closed(chromium, served):
    opened = chromium.new_page()
    opened.goto(served.address)
    wait(opened)
    opened.reload()
    wait(opened)
    assert not served.ended.is_set()  # loaded again is not closed
    opened.close()
    assert served.ended.wait(15)


def test_types_of_the_scripts_agree(tmp_path):
    tsc = node_file("typescript/bin/tsc")
    if shutil.which("node") is None:
        pytest.skip("Node, which runs the compiler of TypeScript, is not installed")
    options = {"noEmit": True, "allowJs": True, "checkJs": True, "strict": True, "types": []}
    options |= {"target": "es2022", "module": "es2022", "moduleResolution": "bundler"}
    options["lib"] = ["es2023", "dom", "dom.iterable"]
    project = {"compilerOptions": options, "files": [str(PAGE / "main.js"), str(PAGE / "widget.js")]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(project))
    checked = subprocess.run(["node", tsc, "--project", tmp_path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
