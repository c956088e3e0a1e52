"""What the tests of batches share."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    """A folder of six small pictures, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    names = ("a.png", "b.png", "with space.png", "deep/a.png", "deep/Zürich.jpg", "deep/er/two\nlines.png")
    for number, name in enumerate(names):
        path = Path("scenes", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, 20 + number :] = (200, 60, 30)
        picture[30 + number :, 30:] = (240, 240, 200)
        Pillow.fromarray(picture + rng.integers(0, 15, picture.shape, np.uint8)).save(path)
    return Path("scenes")
