"""The hidden Markov random field of a small picture, in one call of the kernels.

Of a few thousand pixels Python's part of `gmmseg.fitting.hmrf` takes longer than the kernels': a picture of 64 x 64 is
segmented in .9 of the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmmseg import kernels
from gmmseg.arrays import Array
from gmmseg.fitting.hmrf import FEW, MOST_ITERATIONS, SETTLED, START
from gmmseg.fitting.scene import Scene
from gmmseg.mixture.em import Iteration
from gmmseg.mixture.parameters import Mixture

__all__ = ["fit_at_once"]


def fit_at_once(
    scenes: Sequence[Scene],
    mixture: Mixture,
    strength: float | None,
    iteration: Iteration,
    *,
    judges: tuple[Array, Array | None],
    fall: float,
) -> tuple[Mixture | None, float] | None:
    """Return what `fit_neighbourhood` does of one patch of one picture; None where there is more to it.

    Parameters
    ----------
    scenes, mixture, strength
        As of `fit_neighbourhood`.
    iteration : Iteration
        Its noise, which is added to the variances, and threads.
    judges : pair of ndarray, shape (d, m), and ndarray, shape (m,), or None
        Samples and their weights. A mixture under which they are less likely is not accepted.
    fall : float
        Nats a sample by which they may be.
    """
    if len(scenes) != 1 or mixture.dof is not None or mixture.outlier_ranges is not None or mixture.family.shared:
        return None
    (scene,), (samples, weights) = scenes, judges
    patches = scene.patches
    depth, rows, columns = patches.shape
    if depth > 1 or patches.told is not None or patches.log_prior is not None or samples.dtype != np.float32:
        return None
    smoothing = scene.smoothing(START if strength is None else strength)
    heard, law = smoothing.law
    bounds = (
        smoothing.strength,
        strength is None,
        mixture.expected_error(),
        float(FEW * (1 + mixture.n_features)),
        SETTLED,
        fall,
    )
    found = kernels.tie(
        scene.planes(),
        patches.valid.view(np.uint8).reshape(rows, columns),
        patches.weights * np.float32(scene.share),
        (mixture.weights, mixture.means, mixture.covariances, mixture.covariance),
        *iteration.variances(mixture.n_features),
        heard,
        law,
        bounds,
        samples,
        weights,
        MOST_ITERATIONS,
        iteration.threads,
    )
    if found is None:
        return None
    accepted, chosen, (shares, means, covariances, factors, *_) = found
    if not accepted:
        return None, chosen
    return Mixture.factored(shares, means, covariances, mixture.covariance, factors), chosen
