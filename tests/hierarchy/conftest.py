"""What the tests of regions share."""

from pathlib import Path

import pytest

import gmmseg

IMAGES = Path(__file__).parents[2] / "images"


@pytest.fixture(scope="session")
def coffee():
    return gmmseg.regions(IMAGES / "coffee.png")
