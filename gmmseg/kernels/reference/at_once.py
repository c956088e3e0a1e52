"""What compiled kernels do in one call, and others leave to the loops that they are called from, by returning None."""

from __future__ import annotations

from typing import Any

__all__ = ["begin", "outlying", "tie"]


def begin(*_: Any) -> Any:
    """Return None: that divisions, EM and moves have to be called one by one, as `gmmseg.fitting.starting` does.

    Compiled kernels take planes `(d, n)`, and as `divide` does how many components there shall be, in what ways these
    are divided, what is added to variances, limits, and how halves climb alone and in rounds. Of EM and moves after it
    they take iterations, how many of the samples moves are tried on, after how many more iterations, how often
    components are halved and the tolerance; iterations of trials; the least gain of a move, that after which it is
    tried again, and what it may be short of after its first steps; and threads. Returned are what `climb` returns of
    components of full covariance, and what moves gain; None where samples do not support so many, or EM does not get by
    alone.
    """
    return None


def outlying(*_: Any) -> Any:
    """Return None: that `gmmseg.mixture.rare` has to find what could make room for samples far out.

    Compiled kernels take planes `(d, n)`, weights `(n,)` or None, the mixture as `climb` does; the least and the most
    weight of a class, what its parameters fit by chance, the weight up to which a component is a light one, the least
    gain, what EM takes back of a merger, and the squared distance that is far; the most samples of either kind, and
    light components; and threads. Returned is a list of the ways that could gain enough: how many kinds came before,
    weights, means and covariances of the components that stay, indices and weights of some samples, how many of these
    are far, and the gain needed; None where features are missing.
    """
    return None


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
