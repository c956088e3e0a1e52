"""Classes heard together with their neighbours, in one call."""

from __future__ import annotations

from typing import Any

__all__ = ["tie"]


def tie(*_: Any) -> Any:
    """Return None: that the loop of `gmmseg.fitting.hmrf` has to do it, whose result compiled kernels return at once.

    They take float32 planes `(d, n)` of a picture, which of its pixels are valid `(rows, columns)`, uint8, and their
    weights `(n,)`; the mixture to start from and what is added to its variances, as of `climb`; how neighbours are
    heard, and by which law, as `gmmseg.spatial.smoothing.Smoothing.law` tells; the strength, whether it is estimated,
    the error that is expected without neighbours, the weight that a class needs, how little means move once they have
    settled, and how much less likely the samples that judge may become, which follow with their weights; iterations,
    and threads. Returned are whether all mixtures on the way were accepted, the strength, and what `climb` returns of
    the mixture; None where features are missing.
    """
    return None
