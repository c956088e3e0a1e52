"""Reports in a real browser, where one is installed: nothing is asked for, nothing is refused, and it answers."""

import pytest

from gmmseg.batch import plan, run
from gmmseg.batch.manifest import Manifest
from gmmseg.report import batch_report

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(chromium):
    """Open a page: (path) -> (page, addresses that were asked for, what the browser had to say)."""

    def show(path):
        page = chromium.new_page()
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        return page, asked, said

    return show


def test_a_report_of_an_image_answers_to_its_slider(found, opened, tmp_path):
    found.report(tmp_path / "r.html")
    page, asked, said = opened(tmp_path / "r.html")
    edge = "document.querySelector('.wipe').style.getPropertyValue('--cut')"
    assert page.evaluate(edge) == "50%"
    page.locator("#cut").fill("80")
    assert page.evaluate(edge) == "20%"
    page.get_by_role("button", name="share").click()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("share")
    numbers = page.locator("tbody tr").evaluate_all("all => all.map(each => Number(each.cells[1].textContent))")
    assert numbers == [each.label for each in sorted(found.classes, key=lambda each: each.share)]
    assert [each for each in asked if each != "data"] == ["file"]
    assert said == []


def test_what_is_smuggled_into_a_page_does_not_run(found, opened, tmp_path):
    found.report(tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    attack = "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    (tmp_path / "r.html").write_text(text.replace("<main>", f"<main>{attack}"))
    page, _, said = opened(tmp_path / "r.html")
    assert page.title() == f"chelsea.png: {len(found.classes)} classes"
    assert any("Content Security Policy" in each for each in said)


def test_a_batch_marks_one_image_everywhere_and_turns_its_pages(opened, tmp_path, pictures):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cell.png").write_bytes((pictures / "cell.png").read_bytes())
    run(plan(tmp_path / "in", tmp_path / "out", parameters={"k": 2}), jobs=1)
    (line,) = Manifest.read(tmp_path / "out").lines.values()
    classes = [
        [{"share": share, "name": "", "label": 1}, {"share": 1 - share, "name": "", "label": 2}] for share in (0.1, 0.9)
    ]
    lines = [{**line, "input": f"{number}.png", "classes": classes[number % 2]} for number in range(500)]
    batch_report(lines, tmp_path / "out", tmp_path / "r.html")
    page, asked, said = opened(tmp_path / "r.html")
    assert page.locator(".card:visible").count() == page.locator("tr[data-image]:visible").count() == 100
    page.locator("[data-turn='1']").click()
    assert page.locator(".where").first.inner_text() == "page 2 of 5"
    page.locator(".card:visible").first.hover()
    marked = page.locator(".on")
    assert marked.count() == 3
    assert len(set(marked.evaluate_all("all => all.map(each => each.dataset.image)"))) == 1
    page.get_by_role("button", name="share 1").click()
    first = page.locator("tr[data-image]:visible td").nth(2)
    assert first.inner_text() == "10.0 %"
    assert [each for each in asked if each != "data"] == ["file"]
    assert said == []
