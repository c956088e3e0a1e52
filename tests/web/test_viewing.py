"""view(): serves until the page is closed."""

from http.client import HTTPConnection
from threading import Thread
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image as Pillow

import gmmseg
from gmmseg import InputError, ParameterError
from gmmseg.web import server, view, view_images, view_segmentation
from gmmseg.web.log import load_log


@pytest.fixture
def visit(monkeypatch):
    """Open the page of an address, and close it at once."""
    monkeypatch.setattr(server, "_PATIENCE", 0.1)
    monkeypatch.setattr(server, "_BEAT", 0.02)
    visits = []

    def start(address):
        parts = urlsplit(address)
        page = HTTPConnection("127.0.0.1", parts.port, timeout=10)

        def look():
            page.request("GET", "/api/alive", headers={"X-Gmmseg-Token": parts.fragment})
            answer = page.getresponse()
            answer.read(1)
            answer.close()
            page.close()

        visits.append(Thread(target=look))
        visits[-1].start()

    yield start
    for thread in visits:
        thread.join(10)


def test_it_returns_once_the_page_is_closed(tmp_path, visit):
    Pillow.effect_noise((20, 20), 50).save(tmp_path / "photo.png")
    log = view(tmp_path / "photo.png", folder=tmp_path, browser=False, opened=visit)
    assert log == tmp_path / "photo.gmmseg.json"
    assert not log.exists()  # nothing was done


def test_a_segmentation_is_gone_on_with(tmp_path, visit):
    Pillow.effect_noise((20, 20), 50).convert("RGB").save(tmp_path / "photo.png")
    found = gmmseg.segment(tmp_path / "photo.png", 3, features="rgb", smooth=False, class_names=["a", "b", "c"])
    log = view_segmentation(found, folder=tmp_path, browser=False, opened=visit)
    work = load_log(log).work
    assert work.options == {"k": 3, "features": "rgb", "smooth": 0.0}
    again = gmmseg.segment(tmp_path / "photo.png", **work.parameters)
    np.testing.assert_array_equal(again.labels, found.labels)
    assert again.model.class_names == ("a", "b", "c")
    assert load_log(view_segmentation(found, folder=tmp_path, browser=False, opened=visit)).done == 1


def test_a_segmentation_of_an_array_has_no_page(tmp_path):
    found = gmmseg.segment(np.uint8([[10, 200]] * 2), 2)
    with pytest.raises(ParameterError, match="image is no file"):
        view_segmentation(found, folder=tmp_path, browser=False)


def test_an_image_that_is_none_is_refused(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="photo.png"):
        view(tmp_path / "photo.png", folder=tmp_path, browser=False)


def test_images_are_a_strip_with_one_log(tmp_path, visit):
    for name in ("a.png", "b.png"):
        Pillow.effect_noise((20, 20), 50).save(tmp_path / name)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    log = view_images(dict.fromkeys(paths, ""), paths, folder=tmp_path, browser=False, opened=visit)
    assert log == tmp_path / f"{tmp_path.name}.gmmseg.json"
    assert not log.exists()  # nothing was done
