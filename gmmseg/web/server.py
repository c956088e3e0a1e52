"""The server of the page: on this machine alone, for as long as the page is open."""

from __future__ import annotations

import json
import logging
import secrets
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socket import SHUT_WR
from threading import Event, Lock, Timer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gmmseg.errors import GmmsegError, OutputError
from gmmseg.web.desk import Desk
from gmmseg.web.guard import HEADERS, Guard
from gmmseg.web.strip import Strip

__all__ = ["Server"]

_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PATIENCE = 3.0  # seconds without a page, as while it is loaded again
_BEAT = 0.5  # seconds
_PARTING, _PARTS = 1.0, 32  # seconds, and 64 kB each, that are waited for from who was refused
_STALLED = 30.0  # seconds after which a request that does not go on is given up

_log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """Serves one desk.

    Parameters
    ----------
    desk : Desk or Strip
    port : int
        0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, desk: Desk | Strip, port: int = 0) -> None:
        self.desk, self.token = desk, secrets.token_urlsafe(32)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise OutputError(f"port={port} cannot be used: {error}; leave it out for any that is free") from None
        self.guard = Guard(self.server_port, self.token)
        self.pages = {each.name: each for each in resources.files("gmmseg.web").joinpath("page").iterdir()}
        self.ended = Event()
        self._counting, self._open = Lock(), 0
        self._leaving: Timer | None = None

    @property
    def address(self) -> str:
        """What to open in a browser; what stands behind the # is sent to nobody."""
        return f"http://127.0.0.1:{self.server_port}/#{self.token}"

    def page_came(self) -> None:
        """Note that a page is open."""
        with self._counting:
            self._open += 1
            if self._leaving is not None:
                self._leaving.cancel()

    def page_left(self) -> None:
        """Note that a page was closed; after the last one the server ends, unless it is loaded again."""
        with self._counting:
            self._open -= 1
            if self._open == 0:
                self._leaving = Timer(_PATIENCE, self._end)
                self._leaving.daemon = True
                self._leaving.start()

    def _end(self) -> None:
        self.ended.set()
        self.shutdown()

    def server_close(self) -> None:
        """Close the socket, and what the desk does by itself."""
        super().server_close()
        self.desk.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note what went wrong where nobody reads it: pages go away in the middle of an answer."""
        _log.debug("a request ended early", exc_info=sys.exc_info())


class _Handler(BaseHTTPRequestHandler):
    """Answers one request after the other of a connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "gmmseg", ""
    timeout = _STALLED
    server: Server

    def do_GET(self) -> None:  # the standard library's name
        self._answer("GET", self._get)

    def do_POST(self) -> None:  # the standard library's name
        self._answer("POST", self._post)

    def log_message(self, format: str, *arguments: Any) -> None:
        _log.debug(format, *arguments)

    def _answer(self, method: str, answer: Callable[[str, Mapping[str, list[str]]], None]) -> None:
        address = urlsplit(self.path)
        refused = self.server.guard.refusal(method, address.path, {key.title(): v for key, v in self.headers.items()})
        if refused is not None:
            self.close_connection = True  # whatever follows is not read
            self._send_json({"error": refused[1]}, refused[0])
            self._linger()
            return
        try:
            answer(address.path, parse_qs(address.query))
        except GmmsegError as error:
            said = str(error)
            kinds = {"exists": "exists already" in said, "stale": "is stale" in said}
            self._send_json({"error": said, **kinds}, HTTPStatus.BAD_REQUEST)
        except (TypeError, ValueError, KeyError, RecursionError) as error:
            _log.debug("a request was not understood", exc_info=error)
            self._send_json({"error": "the request is not understood; load the page again"}, HTTPStatus.BAD_REQUEST)

    def _linger(self) -> None:
        """Pass over a little of what still comes: to close before that resets the connection, and loses the answer."""
        self.connection.shutdown(SHUT_WR)
        self.connection.settimeout(_PARTING)
        try:
            for _ in range(_PARTS):
                if not self.connection.recv(1 << 16):
                    break
        except OSError:
            pass  # it is gone, or sends no more

    def _get(self, path: str, query: Mapping[str, list[str]]) -> None:
        desk = self.server.desk
        at = [int(each) for each in query["at"][0].split(",")] if "at" in query else ()
        if path == "/api/state":
            self._send_json(desk.state({}))
        elif path == "/api/picture":
            self._send(*desk.picture(at))
        elif path == "/api/tile":
            self._send(*desk.tile(at, int(query["ticket"][0]) if "ticket" in query else None))
        elif path == "/api/layer":
            self._send(desk.layer(int(query["ticket"][0]), query["name"][0], at), "application/octet-stream")
        elif path == "/api/alive":
            self._stay()
        else:
            self._send_page(path)

    def _send_page(self, path: str) -> None:
        # Only names that are in the package: a path leads nowhere.
        found = self.server.pages.get("index.html" if path == "/" else path.removeprefix("/page/"))
        kind = None if found is None else _KINDS.get("." + found.name.rpartition(".")[2])
        if found is None or kind is None:
            self._send_json({"error": "there is no such page"}, HTTPStatus.NOT_FOUND)
        else:
            self._send(found.read_bytes(), f"{kind}; charset=utf-8")

    def _post(self, path: str, _: Mapping[str, list[str]]) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        desk = self.server.desk
        answers: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "/api/do": desk.do,
            "/api/undo": desk.undo,
            "/api/redo": desk.redo,
            "/api/paste": desk.paste,
            "/api/classes": desk.classes,
            "/api/export": desk.export,
            "/api/settle": desk.settle,
        }
        if path not in answers or not isinstance(asked, dict):
            self._send_json({"error": "nothing is done there"}, HTTPStatus.NOT_FOUND)
        else:
            self._send_json(answers[path](asked))

    def _stay(self) -> None:
        """Write a byte now and then for as long as the page reads them."""
        self.close_connection = True
        self._send_head(HTTPStatus.OK, "application/octet-stream", None)
        self.server.page_came()
        try:
            while not self.server.ended.wait(_BEAT):
                self.wfile.write(b".")
        except OSError:
            pass  # the page is gone
        finally:
            self.server.page_left()

    def _send_json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(content, allow_nan=False).encode(), "application/json", status)

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send_head(status, kind, len(content))
        self.wfile.write(content)

    def _send_head(self, status: HTTPStatus, kind: str, length: int | None) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
