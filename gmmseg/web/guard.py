"""Which requests are answered: those of the page that this server sent, and of nobody else."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http import HTTPStatus

__all__ = ["HEADERS", "MOST_BYTES", "Guard"]

_TOKEN_HEADER = "X-Gmmseg-Token"

MOST_BYTES = 4 << 20
"""Of the body of a request: a stroke has at most 50 000 points."""

HEADERS = {
    # Scripts, styles and requests are of this server alone; pictures are also what its scripts have made.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""

Refusal = tuple[HTTPStatus, str]


class Guard:
    """What has to be true of a request.

    Parameters
    ----------
    port : int
        That the server listens on.
    token : str
        Known to the page alone: it stands in the fragment of its address, which no browser sends anywhere.
    """

    def __init__(self, port: int, token: str) -> None:
        self.token = token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request is refused, or None.

        Another site may give its own name this machine's address (DNS rebinding): its requests have its name as their
        Host. It may send forms and scripts here (CSRF): browsers add its Origin, and say that it is another site. And
        whoever asks for more than the page itself has to know the token.
        """
        host = headers.get("Host", "")
        if host not in self.hosts:
            return HTTPStatus.MISDIRECTED_REQUEST, "this host is not served here"
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return HTTPStatus.FORBIDDEN, "requests of other pages are refused"
        asked = path.startswith("/api/")
        if headers.get("Sec-Fetch-Site", "same-origin") not in (("same-origin",) if asked else ("same-origin", "none")):
            return HTTPStatus.FORBIDDEN, "requests of other sites are refused"
        if method not in ("GET", "POST") or (method == "POST" and not asked):
            return HTTPStatus.METHOD_NOT_ALLOWED, "only GET, and POST to /api/, are answered"
        if asked and not hmac.compare_digest(headers.get(_TOKEN_HEADER, "").encode(), self.token.encode()):
            return HTTPStatus.FORBIDDEN, "the token is missing or wrong; open the address that gmmseg view printed"
        return _body_refusal(headers) if method == "POST" else None


def _body_refusal(headers: Mapping[str, str]) -> Refusal | None:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only JSON is taken"
    length = headers.get("Content-Length", "")
    if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in headers:
        return HTTPStatus.LENGTH_REQUIRED, "the length of the body has to be said"
    if len(length) > 9 or int(length) > MOST_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MOST_BYTES} bytes"
    return None
