"""An image, and the file of its model."""

import json

import numpy as np
import pytest

import gmmseg


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    region = np.indices((40, 50)).sum(axis=0) // 30
    return (60 * region[..., None] + rng.normal(40, 10, (40, 50, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture
def saved(image, tmp_path):
    """The content of a good model's file, and how to load a changed one."""
    gmmseg.fit(image, 3, features="lab,xy:0.5").save(tmp_path / "good.json")
    path = tmp_path / "changed.json"

    def load(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return gmmseg.load_model(path)

    return json.loads((tmp_path / "good.json").read_text()), load
