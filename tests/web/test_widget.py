"""The widget of notebooks: what Python answers, and what a browser shows of it."""

import base64
import json
import sys

import numpy as np
import pytest
from browsers import listened
from doubtful import doubtful, strokes

import gmmseg
from gmmseg import GmmsegError, ParameterError
from gmmseg.web.painting import painted
from gmmseg.web.widget import Bench, bundled


@pytest.fixture(scope="module")
def array():
    """Three stripes of 40 pixels, with noise."""
    values = np.repeat(np.uint8([40, 120, 210]), 40)[None, :].repeat(80, axis=0)
    return values + np.random.default_rng(0).integers(0, 9, values.shape).astype(np.uint8)


@pytest.fixture(scope="module")
def found(array):
    return gmmseg.segment(array, 3)


def setting(option, value):
    return {"do": "set", "option": option, "value": value}


def test_it_begins_with_what_was_found(found):
    bench = Bench(found)
    told = bench.answer(bench.work([bench.first]))
    np.testing.assert_array_equal(np.frombuffer(told["labels"], np.uint8).reshape(told["shape"]), found.labels)
    assert bench.segmentation(bench.work([bench.first])) is found


def test_steps_change_the_classes_of_all_pixels(array, found):
    bench = Bench(found)
    stroke = {"do": "stroke", "class": 1, "size": 5, "points": [[100, 10], [100, 70]]}
    work = bench.work([bench.first, setting("k", 2), stroke, {"do": "merge", "classes": [1, 2]}])
    scribbles = np.zeros(array.shape, np.uint8)
    scribbles[10:70, 98:102] = 1
    assert (bench.segmentation(work).labels[scribbles > 0] == 1).all()
    assert bench.segmentation(work).model.k == 2
    assert (bench.labels(work) == 1).all()


def test_of_large_pictures_it_shows_a_copy(monkeypatch, array):
    monkeypatch.setattr("gmmseg.web.preview.MOST_PIXELS", 1000)
    found = gmmseg.segment(array, 3, class_names=["dark", "grey", "light"])
    bench = Bench(found)
    for steps in ([bench.first], [bench.first, setting("smooth", 0.5)]):
        told = bench.answer(bench.work(steps))
        assert told["shape"] == [26, 39]
        assert len(told["labels"]) == 26 * 39
    assert told["work"]["names"] == {1: "dark", 2: "grey", 3: "light"}
    assert bench.labels(bench.work([bench.first])).shape == array.shape


@pytest.mark.parametrize(
    ("steps", "message"),
    [([{"do": "dance"}], "dance"), ([setting("k", 900)], "900"), ([setting("detail", 0.5)], "use gmmseg.regions")],
)
def test_steps_that_cannot_be_done_are_refused(found, steps, message):
    bench = Bench(found)
    with pytest.raises(ParameterError, match=message):
        bench.work([bench.first, *steps])


def test_volumes_are_refused(rng):
    found = gmmseg.segment(rng.random((6, 8, 9)), 2, channel_axis=None)
    with pytest.raises(ParameterError, match="6 x 8 x 9 pixels; widgets show pictures"):
        Bench(found)


def test_without_the_extra_it_is_said_how_to_get_it(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.setattr("gmmseg.web.widget._widget_class", gmmseg.web.widget._widget_class.__wrapped__)
    with pytest.raises(GmmsegError, match=r"pip install 'gmmseg\[notebook\]'"):
        found.widget()


def test_the_script_is_one_module():
    script = bundled("widget")
    assert "import {" not in script
    assert script.count("class Drawing") == 1
    assert script.count("\nexport ") == 1


@pytest.fixture
def widget(found):
    pytest.importorskip("anywidget", reason="needs anywidget")
    shown = found.widget()
    yield shown
    shown.close()


def test_the_log_in_the_browser_is_answered(widget, found):
    before = widget.log
    widget.tried = setting("k", 2)
    assert len(widget.told["classes"]) == 2
    assert widget.segmentation is found  # nothing has been done
    with widget.hold_trait_notifications():  # as what comes from the browser is set
        widget.log = {"steps": [*before["steps"], setting("k", 2)], "done": 2}
        widget.tried = None
    assert widget.told["count"] == 2
    assert widget.segmentation.model.k == 2
    widget.log = {"steps": [*widget.log["steps"], setting("k", 0)], "done": 3}
    assert "k=0" in widget.told["error"]
    assert widget.log["done"] == 2
    widget.log = {**widget.log, "done": 1}
    assert widget.told["error"] is None
    np.testing.assert_array_equal(widget.labels, found.labels)


PAGE = "<!DOCTYPE html><html lang='en'><title>notebook</title><body><main></main></body></html>"
# A page that plays the notebook: what the widget sets is passed to Python, which says what all traits are now.
MODEL = """
async ([script, traits]) => {
  const told = (traits) => JSON.parse(traits, (_, value) =>
    value?.bytes === undefined ? value
      : new DataView(Uint8Array.from(atob(value.bytes), (each) => each.charCodeAt(0)).buffer));
  const calls = {};
  let state = told(traits), changed = {};
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = changed[name] = value; },
    on: (event, call) => { calls[event] = call; },
    off: (event) => { delete calls[event]; },
    save_changes: async () => {
      const sent = changed;
      changed = {};
      state = told(await window.kernel(sent));
      calls['change:told']?.();
    },
  };
  const module = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
  await module.default.render({ model, el: document.querySelector('main') });
}
"""


def traits_of(widget):
    def packed(value):
        return {"bytes": base64.b64encode(value).decode()}

    names = ("log", "tried", "told", "picture")
    return json.dumps({name: getattr(widget, name) for name in names}, default=packed)


def shown(chromium, widget):
    """A page that plays the notebook with the widget on it, and what it has to say."""

    def kernel(changed):
        with widget.hold_trait_notifications():
            for name, value in changed.items():
                setattr(widget, name, value)
        return traits_of(widget)

    page, said = listened(chromium, 1100, 800)
    page.expose_function("kernel", kernel)
    page.set_content(PAGE)
    page.add_style_tag(content=widget._css)
    page.evaluate(MODEL, [widget._esm, traits_of(widget)])
    return page, said


@pytest.mark.slow
def test_in_a_browser_strokes_and_merging_reach_python(chromium, widget, array):
    page, said = shown(chromium, widget)
    page.wait_for_selector("#name-3")
    box = page.locator("canvas >> nth=0").bounding_box()
    scale = min(box["width"] / 120, box["height"] / 80)
    left, top = box["x"] + (box["width"] - 120 * scale) / 2, box["y"] + (box["height"] - 80 * scale) / 2

    page.mouse.click(left + 20 * scale, top + 40 * scale)
    assert page.is_checked("#choose-1")
    page.keyboard.down("Shift")
    page.mouse.click(left + 60 * scale, top + 40 * scale)
    page.keyboard.up("Shift")
    page.click("text=Merge chosen")
    page.wait_for_selector("#name-2", state="detached")
    np.testing.assert_array_equal(np.unique(widget.labels[:, :80]), [1])

    page.click("text=Undo")
    page.wait_for_selector("#name-2")
    page.uncheck("#choose-1")
    page.check("#choose-3")
    page.check("text=Paint the chosen class")
    page.mouse.move(left + 10 * scale, top + 20 * scale)
    page.mouse.down()
    page.mouse.move(left + 10 * scale, top + 60 * scale, steps=3)
    page.mouse.up()
    page.wait_for_selector("canvas[aria-busy=false] >> nth=0")
    page.wait_for_function("() => [...document.querySelectorAll('button')].some((each) => each.disabled)")
    assert widget.log["steps"][-1]["do"] == "stroke"
    assert (widget.labels[25:55, 9:11] == 3).all()
    page.close()
    assert said == []


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_a_doubt_is_of_classes_as_they_are_called_now():
    drawn = painted(strokes(), (90, 160), (90, 160))
    bench = Bench(gmmseg.segment(doubtful(), 2, scribbles=drawn, class_names=["thing", "field"]))
    steps = [bench.first, {"do": "name", "class": 1, "name": "crab"}]
    for n_done, names in ((1, "thing might as well be field"), (2, "crab might as well be field")):
        (told,) = bench.answer(bench.work(steps[:n_done]))["warnings"]
        assert f"% of {names}, most of it around row" in told["text"]
    bench = Bench(gmmseg.segment(doubtful(), 2, scribbles=drawn))
    (told,) = bench.answer(bench.work([bench.first]))["warnings"]
    assert "% of class 1 might as well be class 2" in told["text"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_what_classes_are_to_be_doubted_for_is_said_and_marked_in_a_browser(chromium):
    drawn = painted(strokes(), (90, 160), (90, 160))
    widget = gmmseg.segment(doubtful(), 2, scribbles=drawn).widget()
    (told,) = widget.told["warnings"]

    page, _ = shown(chromium, widget)
    row, column = told["place"]
    page.wait_for_selector(f".mark[title='Go to row {row}, column {column}']")
    canvas, mark = (page.locator(each).first.bounding_box() for each in ("canvas", ".mark"))
    scale = min(canvas["width"] / 160, canvas["height"] / 90)
    x, y = (mark[a] + mark[b] / 2 - canvas[a] - canvas[b] / 2 for a, b in (("x", "width"), ("y", "height")))
    assert (y / scale + 44.5, x / scale + 79.5) == pytest.approx((row, column), abs=1)
    assert page.inner_text("[data-part=warnings]").startswith(told["text"])
    page.locator("[data-part=k]").fill("3")
    page.locator("[data-part=k]").press("Enter")
    page.wait_for_selector("#name-3")
    page.wait_for_selector(".mark", state="detached")
    assert page.inner_text("[data-part=warnings]") == ""
    page.close()
