"""Text of a page: whatever a name holds, it is shown and never obeyed."""

from __future__ import annotations

import html

__all__ = ["escaped", "percent"]


def _visible(text: str) -> str:
    r"""Return a text with what cannot be seen, or not be written as UTF-8, as Python would write it.

    Examples
    --------
    >>> _visible("a\nb\udcff.png")
    'a\\nb\\udcff.png'
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def escaped(text: str) -> str:
    """Return a text as HTML that shows it, also within the quotes of an attribute.

    Examples
    --------
    >>> escaped('<script>"&')
    '&lt;script&gt;&quot;&amp;'
    """
    return html.escape(_visible(text))


def percent(share: float) -> str:
    """Return a share of the pixels in percent, so that none looks like nothing.

    Examples
    --------
    >>> percent(0.1234), percent(0.0), percent(0.00001)
    ('12.3 %', '0.0 %', '< 0.1 %')
    """
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
