"""Samples of a mixture, with features that are missing here and there."""

import numpy as np

from gmmseg.mixture.parameters import Mixture

TRUE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[0.0, 0.0, 0.0], [4.0, 1.0, 0.0], [0.0, 5.0, 3.0]]),
    np.array(
        [np.diag([1.0, 2.0, 0.5]), [[1.0, 0.8, 0.0], [0.8, 1.0, 0.2], [0.0, 0.2, 1.0]], 0.3 * np.eye(3)],
    ),
)


def gappy(n, share=0.3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    planes, _ = TRUE.sample(n, rng)
    planes = planes[:, rng.permutation(n)]
    planes[rng.random(planes.shape) < share] = np.nan
    return planes.astype(dtype)
