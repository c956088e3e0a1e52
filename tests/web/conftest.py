"""One browser for all tests of the page."""

import pytest
from browsers import browser


@pytest.fixture(scope="package")
def chromium():
    with browser() as opened:
        yield opened
