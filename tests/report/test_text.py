"""Text of a page: shown, never obeyed."""

import pytest

from gmmseg.report.text import escaped, percent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b onload=x>", "&lt;b onload=x&gt;"),
        ("\"'&", "&quot;&#x27;&amp;"),
        ("a\x00b\x1bc", "a\\x00b\\x1bc"),
        ("\udcff", "\\udcff"),
        ("gpj.\u202etxt", "gpj.\\u202etxt"),
        ("Größe 日本", "Größe 日本"),
    ],
)
def test_whatever_is_in_a_name_is_text(text, shown):
    assert escaped(text) == shown
    escaped(text).encode()


def test_shares_that_are_small_are_not_nothing():
    assert [percent(each) for each in (0, 0.0004, 0.0005, 1)] == ["0.0 %", "< 0.1 %", "0.1 %", "100.0 %"]
