"""The server, as a program that is no browser meets it."""

import json
import re
import socket
import time
from http.client import HTTPConnection
from threading import Thread

import pytest
from PIL import Image as Pillow

from gmmseg import OutputError
from gmmseg.web import server as module
from gmmseg.web.desk import Desk
from gmmseg.web.guard import MOST_BYTES
from gmmseg.web.server import Server
from gmmseg.web.strip import Strip


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of photo.png in a folder of its own, and its thread."""
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    monkeypatch.setattr(module, "_BEAT", 0.02)
    Pillow.effect_noise((40, 30), 60).convert("RGB").save(tmp_path / "photo.png")
    with Server(Desk(tmp_path / "photo.png", tmp_path)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server, thread
        server.shutdown()
        thread.join(10)


@pytest.fixture
def ask(served):
    """Ask it: (path, asked, **headers) -> (status, headers, body)."""
    server, _ = served

    def call(path, asked=None, body=None, **headers):
        sent = {"X-Gmmseg-Token": server.token, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
        content = body if asked is None else json.dumps(asked)
        connection.request("GET" if content is None else "POST", path, content, sent)
        answer = connection.getresponse()
        found = answer.status, dict(answer.headers), answer.read()
        connection.close()
        return found

    return call


def test_it_listens_on_this_machine_alone(served):
    server, _ = served
    assert server.server_address[0] == "127.0.0.1"
    assert re.fullmatch(rf"http://127\.0\.0\.1:{server.server_port}/#[\w-]{{43}}", server.address)


def test_classes_are_found_and_shown(ask):
    status, _, body = ask("/api/classes", {"ticket": 1})
    found = json.loads(body)
    assert (status, found["stale"], found["shape"], len(found["classes"])) == (200, False, [30, 40], 4)
    status, _, labels = ask("/api/layer?ticket=1&name=labels")
    assert (status, len(labels), set(labels)) == (200, 1200, {1, 2, 3, 4})
    assert json.loads(ask("/api/layer?ticket=2&name=labels")[2])["error"].startswith("ticket=2 is stale")


@pytest.mark.parametrize("what", ["picture", "tile"])
def test_images_of_a_strip_are_asked_for_by_their_numbers_alone(tmp_path, what):
    for name in ("a.png", "b.png", "secret.png"):
        Pillow.effect_noise((20, 20), 60).save(tmp_path / name)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    with Server(Strip(dict.fromkeys(paths, ""), paths, tmp_path)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)

        def ask(at, token=server.token):
            connection.request("GET", f"/api/{what}?at={at}", headers={"X-Gmmseg-Token": token})
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read()

        assert ask("1")[:2] == (200, "image/png")
        for wrong in ("2", "-1", "", "0,1", "secret.png", "../secret.png", "%2e%2e/secret.png", "1e0"):
            status, kind, body = ask(wrong)
            assert (status, kind) == (400, "application/json")
            assert json.loads(body)["error"]
        assert ask("1", token="guessed")[0] == 403
        connection.close()
        server.shutdown()
        thread.join(10)


def test_it_closes_its_desk(served, monkeypatch):
    server, thread = served
    closed = []
    monkeypatch.setattr(server.desk, "close", lambda: closed.append(True))
    server.shutdown()
    thread.join(10)
    server.server_close()
    assert closed


def test_no_page_has_scripts_in_it_or_from_elsewhere(ask, served):
    status, headers, body = ask("/", X_Gmmseg_Token="")
    text = body.decode()
    assert status == 200
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://", text)
    for name in re.findall(r'"/page/([^"]+)"', text):
        assert ask(f"/page/{name}")[0] == 200
    assert served[0].token not in text


@pytest.mark.parametrize(
    "path",
    ["/page/../desk.py", "/page/%2e%2e/desk.py", "/../../etc/passwd", "/page//etc/passwd", "/page/", "/photo.png"],
)
def test_paths_lead_nowhere(ask, path):
    status, _, body = ask(path)
    assert (status, json.loads(body)) == (404, {"error": "there is no such page"})


def test_attacks_are_refused_before_anything_is_done(ask, tmp_path):
    step = {"step": {"do": "set", "option": "k", "value": 6}}
    assert ask("/api/do", step, X_Gmmseg_Token="guessed")[0] == 403
    assert ask("/api/do", step, Origin="https://evil.example")[0] == 403
    assert ask("/api/do", step, Sec_Fetch_Site="cross-site")[0] == 403
    assert ask("/api/do", step, Host="evil.example")[0] == 421
    assert ask("/api/do", step, Content_Type="text/plain")[0] == 415
    assert [each.name for each in tmp_path.iterdir()] == ["photo.png"]
    assert ask("/api/do", step)[0] == 200
    assert (tmp_path / "photo.gmmseg.json").exists()


def test_a_huge_post_is_not_read(served):
    server, _ = served
    head = (
        f"POST /api/do HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nX-Gmmseg-Token: {server.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {MOST_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_who_is_refused_is_told_so_however_late_the_rest_comes(served):
    server, _ = served
    head = (
        f"POST /api/do HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nX-Gmmseg-Token: guessed\r\n"
        "Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 403"  # the answer is there
        for _ in range(4):
            connection.sendall(b" " * 1000)  # which a connection that was closed would refuse
            time.sleep(0.05)
        assert connection.recv(12) == b"HTTP/1.1 403"


@pytest.mark.parametrize("body", ["[1", "[]", "{}", '{"step":{"do":"eval"}}', "[" * 50_000, '{"step":NaN}', "\udcff"])
def test_what_is_not_understood_gets_an_answer(ask, body):
    status, _, content = ask("/api/do", body=body.encode("utf-8", "surrogateescape"))
    assert status in (400, 404)
    assert json.loads(content)["error"]


@pytest.mark.parametrize("asked", [{}, {"ticket": "1"}, {"ticket": 1, "step": {"do": "x"}}])
def test_questions_that_are_none(ask, asked):
    assert ask("/api/classes", asked)[0] == 400


def test_it_ends_with_the_page(served):
    server, thread = served
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as page:
        page.sendall(
            f"GET /api/alive HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
            f"X-Gmmseg-Token: {server.token}\r\n\r\n".encode()
        )
        assert page.recv(20).startswith(b"HTTP/1.1 200")
        thread.join(0.6)
        assert thread.is_alive()  # for as long as the page is open
    thread.join(10)
    assert not thread.is_alive()


def test_what_waits_is_written_when_it_ends(tmp_path):
    Pillow.effect_noise((40, 30), 60).convert("RGB").save(tmp_path / "photo.png")
    desk = Desk(tmp_path / "photo.png", tmp_path)
    with Server(desk):
        desk.do({"step": {"do": "stroke", "class": 2, "size": 3, "points": [[5, 5]]}})
        assert not (tmp_path / "photo_strokes.png").exists()
    assert Pillow.open(tmp_path / "photo_strokes.png").getpixel((5, 5)) == 2


def test_a_port_that_is_taken_is_refused(served, tmp_path):
    server, _ = served
    with pytest.raises(OutputError, match=f"port={server.server_port} cannot be used"):
        Server(server.desk, server.server_port)
