"""Gain and offset at which samples are likeliest."""

import numpy as np
import pytest

from gmmseg.mixture.calibration import calibrate
from gmmseg.mixture.parameters import Mixture


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_calibration_finds_gain_and_offset_and_leaves_its_input(rng, dtype):
    mixture = Mixture(np.array([0.3, 0.7]), np.array([[0.0, 0], [4, -3]]), np.stack([np.eye(2), np.eye(2) * 0.5]))
    planes = (mixture.sample(20_000, rng)[0] * [[2], [0.5]] + [[1], [-3]]).astype(dtype)
    planes.flags.writeable = False
    gain, offset = calibrate(mixture, planes, rng)
    np.testing.assert_allclose(gain, [2, 0.5], rtol=0.02)
    np.testing.assert_allclose(offset, [1, -3], atol=0.05)
