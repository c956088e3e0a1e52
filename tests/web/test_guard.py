"""Requests that are answered, and attacks that are not."""

import pytest

from gmmseg.web.guard import MOST_BYTES, Guard

OWN = {
    "Host": "127.0.0.1:8000",
    "Origin": "http://127.0.0.1:8000",
    "Sec-Fetch-Site": "same-origin",
    "X-Gmmseg-Token": "secret",
    "Content-Type": "application/json",
    "Content-Length": "2",
}
GUARD = Guard(8000, "secret")


def status(method="POST", path="/api/do", **changes):
    headers = {name: value for name, value in {**OWN, **changes}.items() if value is not None}
    refused = GUARD.refusal(method, path, headers)
    return None if refused is None else refused[0].value


def test_the_page_itself_is_answered():
    assert status() is None
    assert status("GET", "/api/state", Origin=None) is None
    assert status("GET", "/", **{"Origin": None, "Sec-Fetch-Site": "none", "X-Gmmseg-Token": None}) is None
    assert status(Host="localhost:8000", Origin="http://localhost:8000") is None
    assert status(**{"Content-Type": "application/json; charset=utf-8"}) is None


@pytest.mark.parametrize("host", ["evil.example:8000", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8000.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/api/state"])
def test_a_name_that_was_bound_to_this_machine(host, path):
    assert status("GET", path, Host=host, Origin=None) == 421


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://localhost:8000"},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
        {"Origin": None, "Sec-Fetch-Site": "none"},
    ],
)
def test_requests_that_another_page_sends(changes):
    assert status(**changes) == 403


@pytest.mark.parametrize("token", [None, "", "secre", "secret2", "sécret"])
def test_who_does_not_know_the_token(token):
    assert status(**{"X-Gmmseg-Token": token}) == 403
    assert status("GET", "/api/alive", **{"X-Gmmseg-Token": token}) == 403


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_forms(kind):
    assert status(**{"Content-Type": kind}) == 415


@pytest.mark.parametrize("length", [str(MOST_BYTES + 1), "9" * 5000])
def test_huge_bodies(length):
    assert status(**{"Content-Length": length}) == 413


@pytest.mark.parametrize("changes", [{"Content-Length": None}, {"Content-Length": "-1"}, {"Content-Length": "²"}])
def test_bodies_without_a_length(changes):
    assert status(**changes) == 411
    assert status(**{"Transfer-Encoding": "chunked"}) == 411


@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/do"), ("POST", "/"), ("OPTIONS", "/api/do")])
def test_other_methods(method, path):
    assert status(method, path) == 405
