"""view(): serves until the page is closed."""

from http.client import HTTPConnection
from threading import Thread
from urllib.parse import urlsplit

import pytest
from PIL import Image as Pillow

from gmmseg import InputError
from gmmseg.web import server, view


def test_it_returns_once_the_page_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_PATIENCE", 0.1)
    monkeypatch.setattr(server, "_BEAT", 0.02)
    Pillow.effect_noise((20, 20), 50).save(tmp_path / "photo.png")
    visits = []

    def visit(address):
        parts = urlsplit(address)
        page = HTTPConnection("127.0.0.1", parts.port, timeout=10)

        def look():
            page.request("GET", "/api/alive", headers={"X-Gmmseg-Token": parts.fragment})
            page.getresponse().read(1)
            page.close()

        visits.append(Thread(target=look))
        visits[-1].start()

    log = view(tmp_path / "photo.png", folder=tmp_path, browser=False, opened=visit)
    visits[0].join(10)
    assert log == tmp_path / "photo.gmmseg.json"
    assert not log.exists()  # nothing was done


def test_an_image_that_is_none_is_refused(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match="photo.png"):
        view(tmp_path / "photo.png", folder=tmp_path, browser=False)
