"""Segmentations to report of."""

import numpy as np
import pytest

import gmmseg


@pytest.fixture(scope="session")
def found(pictures):
    """A photograph in classes whose number was chosen."""
    return gmmseg.segment(pictures / "chelsea.png", k="auto")


@pytest.fixture(scope="session")
def volume():
    """A volume of two classes, with voxels of 1 x 1 x 3 mm."""
    rng = np.random.default_rng(0)
    values = rng.normal(50, 4, (12, 30, 24)).astype(np.float32)
    values[:, 10:] += 60
    return gmmseg.segment(values, k=2, channel_axis=None, spacing=(3, 1, 1), unit="mm")
