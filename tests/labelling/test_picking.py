"""Layers at some pixels."""

import numpy as np
import pytest

import gmmseg
from gmmseg.labelling.picking import picked


@pytest.fixture(params=[1 << 30, 300_000], ids=["memory", "file"])
def found(request, tmp_path, rng):
    values = rng.integers(0, 90, (300, 500), np.uint8)
    values[:, 200:] += 60
    np.save(tmp_path / "a.npy", values)
    return gmmseg.segment(tmp_path / "a.npy", k=2, memory=request.param)


@pytest.mark.parametrize("layer", ["labels", "uncertainty"])
def test_picked_pixels_are_those_of_the_whole(found, layer, rng):
    flat = rng.integers(0, found.image.n_pixels, 200)
    some = picked(found, layer, flat)
    np.testing.assert_array_equal(some, getattr(found, layer).reshape(-1)[flat])
