"""The page of a volume in a real browser: cuts, strokes on them, and the volume itself."""

import shlex
import subprocess
import sys

import numpy as np
import pytest
from browsers import listened, node_file, serving
from pages import command, labels_below, opaque, pixels, until, wait

import gmmseg
from gmmseg.io.palette import palette
from gmmseg.web.desk import Desk
from gmmseg.web.log import load_log

pytestmark = pytest.mark.slow

K = 3


@pytest.fixture
def scanned(chromium, tmp_path):
    """The page of a volume, a bright ball, and its folder."""
    nibabel = pytest.importorskip("nibabel", reason="the volume is a NIfTI file")
    x, y, z = np.mgrid[:40, :36, :12]
    inside = (x - 25) ** 2 + (y - 18) ** 2 + (3 * (z - 6)) ** 2 < 120
    values = np.where(inside, 200, 40 + 2 * x) + np.random.default_rng(0).integers(-5, 6, inside.shape)
    nibabel.save(nibabel.Nifti1Image(np.float32(values), np.diag([1.0, 1, 3, 1])), tmp_path / "scan.nii.gz")
    desk = Desk(tmp_path / "scan.nii.gz", tmp_path)
    desk.do({"step": {"do": "set", "option": "k", "value": K}})
    with serving(desk) as server:
        opened, said = listened(chromium)
        opened.goto(server.address)
        wait(opened)
        yield opened, tmp_path
        opened.close()
    assert [each for each in said if "400 (Bad Request)" not in each] == []


def cuts_of(folder, at):
    desk = Desk(folder / "scan.nii.gz", folder)
    return desk.preview.cuts.laid(gmmseg.segment(folder / "scan.nii.gz", K).labels, at)


def test_a_volume_is_shown_as_three_cuts_that_a_click_moves(scanned):
    page, folder = scanned
    assert page.inner_text("#counted") == "Voxels"
    opaque(page)
    page.evaluate("() => { document.getElementById('strokes').hidden = true; }")

    def alike(at):
        drawn = pixels(page)
        expected = labels_below(cuts_of(folder, at), drawn.shape[:2])
        inside = expected > 0
        return (drawn == palette(K)[expected]).all(axis=-1)[inside].mean()

    assert alike((20, 18, 6)) > 0.99
    rows, columns = 36 + 4 + 36, 40 + 4 + 36
    box = page.locator("#picture").bounding_box()
    scale = min(box["width"] / columns, box["height"] / rows)
    left, top = (box["width"] - columns * scale) / 2, (box["height"] - rows * scale) / 2
    page.mouse.click(box["x"] + left + 30.5 * scale, box["y"] + top + 15.5 * scale)
    at = (30, 35 - 15, 6)
    until(page, lambda: [page.input_value(f"#cut-{axis}") for axis in range(3)] == [str(each) for each in at])
    wait(page)
    page.uncheck("#choose-3")  # the click has chosen the class, too; others are fainter
    assert alike(at) > 0.99
    page.focus("#cut-2-slider")
    page.keyboard.press("ArrowLeft")
    until(page, lambda: page.input_value("#cut-2") == "5")
    wait(page)
    assert alike((30, 20, 5)) > 0.99


@pytest.mark.filterwarnings("ignore:.*a bias field was taken out")  # a ramp, of two classes
def test_the_cross_is_moved_while_classes_are_found(scanned):
    page, folder = scanned
    opaque(page)
    page.evaluate("() => { document.getElementById('strokes').hidden = true; }")
    page.focus("#k-slider")
    page.keyboard.press("ArrowLeft")
    page.fill("#cut-0", "30")
    page.press("#cut-0", "Enter")
    wait(page, K - 1)
    labels = gmmseg.segment(folder / "scan.nii.gz", K - 1).labels
    cuts = Desk(folder / "scan.nii.gz", folder).preview.cuts

    def alike():
        drawn = pixels(page)
        expected = labels_below(cuts.laid(labels, (30, 18, 6)), drawn.shape[:2])
        return (drawn == palette(K - 1)[expected]).all(axis=-1)[expected > 0].mean() > 0.99

    until(page, alike)
    page.locator("#opacity").fill("0")
    seen = pixels(page)  # the picture itself: the ball is cut beside its middle
    bright = labels_below(cuts.laid(labels, (30, 18, 6)), seen.shape[:2]) == K - 1
    assert seen[bright].mean() > 200 > 150 > seen[~bright].mean()


def test_the_label_map_of_a_volume_is_that_of_the_command(scanned):
    page, folder = scanned
    page.click("text=Label map")
    page.wait_for_selector("#saved:has-text('saved scan_labels.nii.gz')")
    saved = (folder / "scan_labels.nii.gz").read_bytes()
    text = command(page)
    assert text == f"gmmseg segment scan.nii.gz -k {K} -o scan_labels.nii.gz"
    subprocess.run([sys.executable, "-m", *shlex.split(text), "--overwrite", "-q"], cwd=folder, check=True)
    assert (folder / "scan_labels.nii.gz").read_bytes() == saved


def on_screen(page, x, y):
    """Where on the screen a pixel of the cuts is, when all of them are fitted into the canvas."""
    rows, columns = 36 + 4 + 36, 40 + 4 + 36
    box = page.locator("#picture").bounding_box()
    scale = min(box["width"] / columns, box["height"] / rows)
    left, top = (box["width"] - columns * scale) / 2, (box["height"] - rows * scale) / 2
    return box["x"] + left + x * scale, box["y"] + top + y * scale


def drag(page, *points):
    page.mouse.move(*on_screen(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_screen(page, *point), steps=4)
    page.mouse.up()


def overlay(page):
    """How many pixels strokes of the first class cover of the first cut, of the one beside it, and of the one below."""
    drawn = pixels(page, "#strokes", "RGBA").astype(int)
    covered = (drawn[..., 3] > 200) & (np.abs(drawn[..., :3] - palette(K)[1].astype(int)).max(axis=-1) < 6)
    rows, columns = (length // 2 for length in covered.shape)
    return [int(each.sum()) for each in (covered[:rows, :columns], covered[:rows, columns:], covered[rows:])]


def test_strokes_mark_the_voxels_of_their_cut_and_are_saved_for_the_command(scanned):
    nibabel = pytest.importorskip("nibabel")
    page, folder = scanned
    before = pixels(page)
    page.check("#choose-1")
    page.check("input[value=paint]")
    page.fill("#size", "3")
    page.press("#size", "Enter")
    drag(page, (20.5, 17.5), (30.5, 17.5), (60.5, 17.5))  # leaves the first cut, and goes on into the next
    until(page, lambda: "--scribbles scan_strokes.nii.gz" in command(page))
    wait(page)
    first, second, third = overlay(page)
    assert first > 0 == second == third
    drag(page, (44 + 3 * 6 + 1.5, 5.5), (44 + 3 * 9 + 1.5, 5.5))  # along the long voxels, in the cut across the columns
    until(page, lambda: len(load_log(folder / "scan.gmmseg.json").work.strokes) == 2)
    wait(page)
    page.uncheck("#choose-1")
    page.click("text=Label map")
    page.wait_for_selector("#saved:has-text('saved scan_labels.nii.gz')")
    drawn = nibabel.load(folder / "scan_strokes.nii.gz")
    np.testing.assert_array_equal(drawn.affine, np.diag([1.0, 1, 3, 1]))
    strokes = np.asarray(drawn.dataobj)
    # The top of a patient is left in the second cut, and the front above in both.
    assert np.unique(np.nonzero(strokes[:, :, 6])[1]).tolist() == [17, 18, 19]
    assert np.unique(np.nonzero(strokes[:, :, :6])[1]).tolist() == [29, 30, 31]
    assert np.unique(np.nonzero(strokes[:, :, :6])[0]).tolist() == [20]
    assert np.unique(np.nonzero(strokes)[2]).tolist() == [2, 3, 4, 5, 6]
    labels = np.asarray(nibabel.load(folder / "scan_labels.nii.gz").dataobj)
    assert (labels[strokes > 0] == 1).all()
    saved, asked = (folder / "scan_labels.nii.gz").read_bytes(), shlex.split(command(page))
    page.click("#whole")
    page.wait_for_selector("#status:has-text('of all pixels')")
    applied = labels_below(
        Desk(folder / "scan.nii.gz", folder).preview.cuts.laid(labels, (20, 18, 6)), before.shape[:2]
    )
    opaque(page)
    assert (pixels(page) == palette(K)[applied]).all(axis=-1)[applied > 0].mean() > 0.99
    subprocess.run([sys.executable, "-m", *asked, "--overwrite", "-q"], cwd=folder, check=True)
    assert (folder / "scan_labels.nii.gz").read_bytes() == saved
    page.fill("#cut-2", "2")
    page.press("#cut-2", "Enter")
    until(page, lambda: overlay(page)[0] == 0 < overlay(page)[1])  # only strokes of the cuts on the page are seen
    for _ in range(2):
        page.click("#undo")
    until(page, lambda: "--scribbles" not in command(page))
    assert load_log(folder / "scan.gmmseg.json").work.strokes == ()


def test_strokes_on_a_volume_by_keyboard(scanned):
    page, folder = scanned
    page.focus("#picture")
    for key in ["ArrowLeft"] * 9 + ["ArrowUp"] * 9 + ["b", "Space", "ArrowRight", "Space"]:
        page.keyboard.press(key)
    until(page, lambda: "--scribbles" in command(page))
    (stroke,) = load_log(folder / "scan.gmmseg.json").work.strokes
    assert (stroke["at"], len(stroke["points"])) == ([20, 18, 6], 2)
    for key in ("PageUp", "PageUp", "PageDown", "PageUp", "Space", "ArrowRight", "Space"):  # on through the first cut
        page.keyboard.press(key)
    until(page, lambda: len(load_log(folder / "scan.gmmseg.json").work.strokes) == 2)
    assert load_log(folder / "scan.gmmseg.json").work.strokes[1]["at"] == [20, 18, 8]
    assert page.input_value("#cut-2") == "8"
    for _ in range(6):
        page.keyboard.press("PageUp")
    until(page, lambda: page.input_value("#cut-2") == "11")  # the last


def test_no_stroke_begins_between_the_cuts(scanned):
    page, folder = scanned
    page.check("input[value=paint]")
    drag(page, (41.5, 37.5), (20.5, 17.5))
    wait(page)
    assert load_log(folder / "scan.gmmseg.json").work.strokes == ()
    assert overlay(page) == [0, 0, 0]


SOLID = "#volume canvas"
BALL = palette(K)[K].astype(float)


def opened(page):
    """Open the view in space, straight from behind and a little from above, and wait until it is drawn."""
    page.click("#show-volume")
    page.wait_for_selector(f"{SOLID}[aria-busy=false]")
    page.focus(SOLID)
    for _ in range(3):
        page.keyboard.press("ArrowLeft")


def solid(page):
    """What is seen of the volume in space, (rows, columns, 4)."""
    return pixels(page, SOLID, "RGBA").astype(float)


def of_the_ball(drawn):
    """Where the class of the ball is drawn: its colour, in any light."""
    light = drawn[..., :3] @ BALL / (BALL @ BALL)
    return (drawn[..., 3] > 0) & (np.abs(drawn[..., :3] - light[..., None] * BALL).max(axis=-1) < 6)


def test_the_view_in_space_comes_only_when_it_is_asked_for(chromium, scanned):
    page, _ = scanned
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    wait(page)
    assert not any("rays.js" in each or "name=volume" in each for each in asked)
    opened(page)
    assert [each.rpartition("name=")[2] for each in asked if "name=volume" in each] == ["volume"]
    assert page.get_attribute("#show-volume", "aria-expanded") == "true"
    page.click("#show-volume")
    assert page.is_hidden(SOLID)
    assert page.get_attribute("#show-volume", "aria-expanded") == "false"


def test_a_ball_is_round_and_lies_on_its_side_in_space(scanned):
    page, _ = scanned
    opened(page)
    page.check(f"#choose-{K}")
    for around in ("#choose-1", "#choose-2"):  # nothing is seen through what lies around the ball
        page.check(around)
    until(page, lambda: (solid(page)[..., 3] > 0).any())
    assert not of_the_ball(solid(page)).any()
    for around in ("#choose-1", "#choose-2"):
        page.uncheck(around)
    until(page, lambda: of_the_ball(solid(page)).any())
    drawn = solid(page)
    seen = drawn[..., 3] > 0
    assert (of_the_ball(drawn) == seen).all()  # and nothing else
    rows, columns = np.nonzero(seen)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert 0.9 < height / width < 1.2  # of seven slices that are three times as thick as wide, seen a little from above
    # Its middle is voxel 25 of 40, to the right, which is to the right of the view as of the cuts.
    lengths = np.array([40.0, 36, 36])
    box = lengths / np.linalg.norm(lengths)
    reach = 0.85 * seen.shape[1] / min(seen.shape)
    expected = seen.shape[1] / 2 * (1 + (2 * 25.5 / 40 - 1) * box[0] / reach)
    assert abs((columns.min() + columns.max() + 1) / 2 - expected) < 0.04 * seen.shape[1]
    before = drawn
    page.keyboard.press("ArrowUp")
    page.focus(SOLID)
    page.keyboard.press("ArrowRight")
    until(page, lambda: (solid(page) != before).any())
    page.keyboard.press("+")
    until(page, lambda: (solid(page)[..., 3] > 0).sum() > 1.3 * seen.sum())


def test_colours_in_space_ask_for_nothing(scanned):
    page, _ = scanned
    opened(page)
    page.check(f"#choose-{K}")
    until(page, lambda: of_the_ball(solid(page)).any())
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.fill(f"#color-{K}", "#ff00ff")
    page.dispatch_event(f"#color-{K}", "change")

    def purple():
        seen = solid(page)[..., :3].max(axis=(0, 1))
        return seen[0] == seen[2] > 180 and seen[1] == 0

    until(page, purple)
    page.uncheck(f"#show-{K}")
    until(page, lambda: not solid(page)[..., 3].any())
    assert {*asked} <= {"do"}


def test_the_view_in_space_is_cut_at_the_cross_and_a_click_moves_it(scanned):
    page, folder = scanned
    opened(page)
    page.check(f"#choose-{K}")
    until(page, lambda: of_the_ball(solid(page)).any())
    rows, columns = np.nonzero(solid(page)[..., 3] > 0)
    box = page.locator(SOLID).first.bounding_box()
    at = box["x"] + columns.mean(), box["y"] + rows.mean()
    page.mouse.click(*at)
    until(page, lambda: page.input_value("#cut-0") != "20")
    x, y, z = (int(page.input_value(f"#cut-{axis}")) for axis in range(3))
    labels = gmmseg.segment(folder / "scan.nii.gz", K).labels
    assert labels[x, y, z] == K
    assert abs(x - 25) <= 1
    assert y < 12  # from behind one sees its back
    lit = solid(page)
    page.select_option("#volume-cut", "1")
    page.fill("#cut-1", "18")
    page.press("#cut-1", "Enter")
    until(page, lambda: (solid(page) != lit).any())
    row, column = int(rows.mean()), int(columns.mean())
    until(page, lambda: np.abs(solid(page)[row, column, :3] - 0.95 * BALL).max() < 2)  # flat, where it is cut


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_of_a_volume(chromium, scanned, scheme):
    page, _ = scanned
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 860})
    other = context.new_page()
    other.goto(page.url)
    wait(other)
    opened(other)
    other.evaluate(node_file("axe-core/axe.min.js").read_text(encoding="utf-8"))
    found = other.evaluate("() => axe.run()")
    context.close()
    assert len(found["passes"]) > 20
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []
