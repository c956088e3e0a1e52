"""The report of a batch."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from gmmseg.batch import plan, run
from gmmseg.batch.manifest import Manifest
from gmmseg.report import batch_report


@pytest.fixture(scope="module")
def batch(tmp_path_factory, pictures):
    """Nine pieces of one photograph, one of another that is unlike them, a damaged file; (folder, lines)."""
    place = tmp_path_factory.mktemp("batch")
    scenes = place / "scenes"
    scenes.mkdir()
    with Pillow.open(pictures / "chelsea.png") as cat, Pillow.open(pictures / "coffee.png") as coffee:
        for number in range(9):
            left = 12 * number
            cat.crop((left, 40, left + 240, 200)).save(scenes / f"cat{number}.png")
        coffee.crop((0, 0, 240, 160)).save(scenes / "other.png")
    (scenes / "x<script>alert(1)<s>\"'&.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    run(plan(scenes, place / "labels", parameters={"k": 2}), jobs=2)
    return place / "labels", list(Manifest.read(place / "labels").lines.values())


@pytest.fixture
def text(batch, tmp_path):
    folder, lines = batch
    assert batch_report(lines, folder, tmp_path / "r.html") == 11
    return (tmp_path / "r.html").read_text()


def cards(text):
    return re.findall(r'<li class="card.*?<b>(.*?)</b>', text)


def test_it_is_small_and_asks_for_nothing(text):
    assert len(text.encode()) < 11 * 20_000
    assert all(each.startswith(("data:image/", "#image-")) for each in re.findall(r'(?:src|href)="(.*?)"', text))
    assert text.count("<script") == 1


def test_failures_come_first_and_then_what_is_unlike_the_others(text):
    assert cards(text)[:2] == ["x&lt;script&gt;alert(1)&lt;s&gt;&quot;&#x27;&amp;.png", "other.png"]
    assert "1 failed" in text


def test_what_is_warned_of_is_listed_above_the_pictures_and_leads_to_the_image(batch, tmp_path):
    folder, lines = batch
    lines = [dict(each) for each in sorted(lines, key=lambda each: "error" in each, reverse=True)]
    lines[3]["warnings"] = ["odd <b>", "odder"]
    batch_report(lines, folder, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    listed = re.search(r'<section class="flags"><h2>Failed, or with warnings</h2>(.*?)</section>', text)[1]
    links = re.findall(r'<li><a href="#(image-\d+)">(.*?)</a>: (.*?)</li>', listed)
    assert [name for _, name, _ in links][1:] == [Path(lines[3]["input"]).name]
    assert links[1][2] == "odd &lt;b&gt;; odder"
    for number, name, _ in links:
        assert re.search(rf'<li class="card[^>]* id="{number}".*?<b>(.*?)</b>', text)[1] == name
    assert "1 with warnings" in text
    batch_report(lines[1:3], folder, tmp_path / "calm.html")
    assert "with warnings" not in (tmp_path / "calm.html").read_text()


def test_each_image_has_one_number_on_its_card_row_and_point(text):
    numbers = {kind: re.findall(rf'<{kind}[^>]* data-image="(\d+)"', text) for kind in ("li", "tr", "circle")}
    assert sorted(numbers["li"]) == sorted(numbers["tr"])
    assert set(numbers["li"]) - set(numbers["circle"]) == {numbers["li"][0]}  # the failed one has no numbers
    assert len(set(numbers["li"])) == 11


def test_thumbnails_show_picture_and_classes(text):
    assert text.count('<img class="base"') == text.count('<img class="classes"') == 10


def test_the_same_batch_gives_the_same_bytes(batch, tmp_path):
    folder, lines = batch
    batch_report(lines, folder, tmp_path / "a.html")
    batch_report(reversed(lines), folder, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_images_that_are_gone_are_shown_by_their_classes(batch, tmp_path):
    folder, lines = batch
    gone = [{**line, "input": "/nowhere/" + line["input"].rsplit("/", 1)[1]} for line in lines]
    batch_report(gone, folder, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count('class="wipe alone"') == 10
    assert '<img class="base"' not in text


def test_one_image_alone_is_unlike_nothing(batch, tmp_path):
    folder, lines = batch
    batch_report(lines[:1], folder, tmp_path / "r.html")
    assert "unlike by 0.0" in (tmp_path / "r.html").read_text()


def test_it_says_how_the_batch_was_made(text, batch):
    assert "k=2" in text
    hashes = [line["sha256"] for line in batch[1] if "error" not in line]
    assert all(each in text for each in hashes)


def test_thumbnails_of_noise_stay_small(tmp_path, rng):
    (tmp_path / "in").mkdir()
    for number in range(2):
        Pillow.fromarray(rng.integers(0, 256, (300, 400, 3), np.uint8)).save(tmp_path / "in" / f"{number}.png")
    run(plan(tmp_path / "in", tmp_path / "out", parameters={"k": 9, "smooth": 0.0, "sample": 3000}), jobs=1)
    lines = Manifest.read(tmp_path / "out").lines.values()
    batch_report(lines, tmp_path / "out", tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 2 * 20_000 + 20_000  # and the page itself
