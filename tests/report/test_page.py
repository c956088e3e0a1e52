"""The page: its policy lets a browser load its own script and style, and nothing else."""

import base64
import hashlib
import re

import pytest

from gmmseg.errors import OutputError
from gmmseg.report.page import check_page, page, write_page


def test_the_policy_names_the_script_and_the_style_that_are_there():
    text = page("a", "<main></main>").decode()
    policy = re.search('Content-Security-Policy" content="(.*?)"', text)[1]
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy


def test_the_page_holds_no_address_to_fetch_and_no_style_or_handler_within_its_tags():
    text = page("a", "<main></main>").decode()
    assert re.findall(r"https?://[^\s\"')]+", text) == ["http://www.w3.org/2000/svg"]  # a name, which is not fetched
    assert "url(" not in text
    assert "@import" not in text


def test_a_title_is_text():
    assert "<title>&lt;/title&gt;&lt;script&gt;</title>" in page("</title><script>", "").decode()


def test_pages_are_written_to_html_files_that_are_not_there(tmp_path):
    write_page(tmp_path / "a.html", b"1")
    with pytest.raises(OutputError, match="a.html"):
        write_page(tmp_path / "a.html", b"2")
    write_page(tmp_path / "a.html", b"2", overwrite=True)
    assert (tmp_path / "a.html").read_bytes() == b"2"
    with pytest.raises(OutputError, match="ends in .html"):
        check_page(tmp_path / "a.pdf")
