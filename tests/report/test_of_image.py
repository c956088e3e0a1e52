"""The report of one image."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from doubtful import doubtful, strokes
from PIL import Image as Pillow

import gmmseg
from gmmseg.io.hashes import digest
from gmmseg.report.of_image import image_page
from gmmseg.web.painting import painted


class Tags(HTMLParser):
    """Names of the tags, and whatever has an address."""

    def __init__(self, text):
        super().__init__()
        self.names, self.addresses, self.handlers = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


@pytest.fixture(scope="module")
def text(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "chelsea.html"
    found.report(path, command="gmmseg segment chelsea.png -k auto", warnings=["take care"])
    return path.read_text()


def test_it_is_one_small_file_that_asks_for_nothing(text):
    tags = Tags(text)
    assert len(text.encode()) < 500_000
    assert tags.addresses
    assert all(each.startswith("data:image/") for each in tags.addresses)
    assert tags.handlers == []
    assert tags.names.count("script") == tags.names.count("style") == 1


def test_it_says_how_it_was_made(text, found, pictures):
    assert "gmmseg segment chelsea.png -k auto" in text
    assert digest(pictures / "chelsea.png") in text
    assert f"gmmseg {gmmseg.__version__}" in text
    assert "<dt>seed</dt><dd>0</dd>" in text
    assert "<li>take care</li>" in text


def test_it_shows_classes_charts_and_maps(text, found):
    for title in ("Picture and classes", "Uncertainty", "Choice of k", "Objective of the fit", "rings hold 50 %"):
        assert title in text
    assert len(re.findall("Histogram of", text)) == 4  # each as its title, and as its description
    row = found.table().rows()[0]
    assert f"{row['pixels']:,}".replace(",", " ") in text


def test_the_same_segmentation_gives_the_same_bytes(pictures, tmp_path):
    for name, threads in (("a", 1), ("b", 2)):
        gmmseg.segment(pictures / "camera.png", k=3, threads=threads).report(tmp_path / f"{name}.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("name", ["x<script>alert(1)<s>\"'&.png", "\udcff\udcfe.png", "a\nb\x1b.png"])
def test_hostile_names_are_text(name, tmp_path, pictures):
    path = tmp_path / name
    path.write_bytes((pictures / "cell.png").read_bytes())
    gmmseg.segment(path, k=2, class_names=["<img src=x onerror=alert(1)>", "b"]).report(
        tmp_path / "r.html", command=f"gmmseg segment '{path}'"
    )
    tags = Tags((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert tags.names.count("script") == 1
    assert tags.handlers == []


def test_a_noisy_picture_of_many_classes_stays_small(tmp_path, rng):
    noise = rng.integers(0, 256, (1500, 2000, 3), np.uint8)
    gmmseg.segment(noise, k=12, smooth=False, sample=5000).report(tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 500_000


def test_a_volume_has_planes_and_volumes(volume, tmp_path):
    volume.report(tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count('class="wipe"') == 3
    assert "plane 7 of 12, axis 1" in text
    assert "volume in ml" in text or "volume in mm³" in text
    assert "SHA-256 of the pixels" in text


def test_an_image_in_its_file_has_the_pictures_of_the_one_in_memory(tmp_path, rng):
    values = rng.integers(0, 60, (400, 500), np.uint8)
    values[:, 250:] += 120
    np.save(tmp_path / "a.npy", values)
    images = []
    for name, memory in (("whole", 1 << 30), ("windows", 300_000)):
        found = gmmseg.segment(tmp_path / "a.npy", k=2, memory=memory)
        assert found.image.in_memory == (name == "whole")
        found.report(tmp_path / f"{name}.html")
        images.append(re.findall('data:image[^"]*', (tmp_path / f"{name}.html").read_text()))
    assert images[0] == images[1]


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.full((3, 3), np.nan, np.float32), np.uint8([[5]])],
    ids=["flat", "nan", "one"],
)
def test_images_of_next_to_nothing_have_a_report(image, tmp_path):
    gmmseg.segment(image, k=2).report(tmp_path / "r.html")
    assert "<h2>Classes</h2>" in (tmp_path / "r.html").read_text()


def test_a_file_that_exists_is_kept(found, tmp_path):
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(gmmseg.OutputError, match="exists"):
        found.report(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "mine"


def test_colours_of_the_legend_are_those_of_the_label_map(found, text, tmp_path):
    found.save(tmp_path / "labels.png")
    with Pillow.open(tmp_path / "labels.png") as labels:
        red, green, blue = labels.getpalette()[3:6]
    assert f'fill="#{red:02x}{green:02x}{blue:02x}"' in text


@pytest.mark.filterwarnings("ignore::gmmseg.GmmsegWarning")
def test_the_pixel_that_a_warning_is_about_is_marked_on_the_picture():
    picture, drawn = doubtful(), painted(strokes(), (90, 160), (90, 160))
    found = gmmseg.segment(picture, 2, scribbles=drawn, spacing=(1, 2))
    (warning,) = found.warnings
    text = image_page(found).decode()
    flag = re.search(rf'<li>{re.escape(str(warning))} <a href="#(.*?)">mark 1 on the picture</a></li>', text)
    drawn = rf'viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*><g id="{flag[1]}".*? cx="([\d.]+)" cy="([\d.]+)"'
    width, height, x, y = map(float, re.search(drawn, text).groups())
    assert (y / height * 90 - 0.5, x / width * 160 - 0.5) == pytest.approx(warning.place, abs=0.01)
    assert width / height == pytest.approx(320 / 90)  # as wide as its pixels are
    assert str(warning) in found._repr_html_()
    renamed = str(warning).replace("image: ", "standard input: ")  # as the command has it
    assert f'{renamed} <a href="#place-1">' in image_page(found, warnings=["odd", renamed]).decode()
    said = image_page(found, warnings=["nothing of that"]).decode()
    assert "nothing of that" in said
    assert "might as well be" not in re.sub("<title>.*?</title>", "", said)
    assert 'class="place"' not in image_page(gmmseg.segment(picture, 2)).decode()
