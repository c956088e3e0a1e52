"""Compare GaussianMixture with scikit-learn's on tables of any size, and print the ratios of their times.

usage: benchmark_tables.py [iteration | iterations | missing | grid | kinds ...] [--most PRODUCTS]  (the `test` extra)

`iteration` is one step of EM, full covariances, float32, and `iterations` a fit of 20 of them from a given start, whose
classes lie apart or overlap; `missing` a fit to 30 % missing values against that to the complete table; `grid` a whole
fit with one start, over samples, features and components, and `kinds` one of tables with long tails, repeated rows and
the like. Both sides have one thread and take turns, and times are
those of the processor, the least of a few: other programs hardly change the ratios.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from sklearn.mixture import GaussianMixture as Peer
from threadpoolctl import threadpool_limits

import gmmseg
from gmmseg.mixture.parameters import Mixture
from gmmseg.mixture.patterns import SortedSamples
from gmmseg.mixture.statistics import m_step, measure

SAMPLES, FEATURES, COMPONENTS = (100, 1000, 10_000, 100_000), (1, 2, 5, 10, 20, 50, 100, 200), (2, 5, 10, 20, 60)

_QUICK = 1e7  # samples times features squared times components


def table(n: int, d: int, k: int, spread: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Samples (n, d) of k round classes, and the means of these (k, d), which themselves have such a spread."""
    rng = np.random.default_rng([n, d, k])
    means = rng.normal(0, spread, (k, d))
    return means[rng.integers(k, size=n)] + rng.normal(size=(n, d)), means


def by_turns(*calls: Callable[[], object], turns: int = 3) -> list[float]:
    """Least seconds of the processor of each call."""
    seconds = [np.inf] * len(calls)
    for _, (i, call) in product(range(turns), enumerate(calls)):
        start = time.process_time()
        call()
        seconds[i] = min(seconds[i], time.process_time() - start)
    return seconds


def iteration(most: float) -> Iterator[str]:
    """One E and one M step of 100 000 samples."""
    yield "| d | k | gmmseg, ms | scikit-learn, ms | ratio | 1e9 multiply-adds a second |"
    yield "| --: | --: | --: | --: | --: | --: |"
    for d, k in [(16, 4), (16, 16), (32, 4), (32, 16), (64, 4), (64, 16), (156, 4)]:
        x, means = table(100_000, d, k)
        samples = SortedSamples.of(np.ascontiguousarray(x.T, np.float32))
        balls = np.stack([np.eye(d)] * k)
        mixture = Mixture(np.full(k, 1 / k), means, balls)
        peer, x = Peer(k), x.astype(np.float32)
        given = {"weights_": mixture.weights, "means_": means, "covariances_": balls, "precisions_cholesky_": balls}

        def ours(samples: SortedSamples = samples, mixture: Mixture = mixture, d: int = d) -> object:
            return m_step(measure(samples, mixture), "full", np.full(d, 1e-6)).densities

        def theirs(peer: Peer = peer, x: np.ndarray = x, given: dict[str, np.ndarray] = given) -> None:
            for name, values in given.items():
                setattr(peer, name, values.astype(np.float32))
            peer._m_step(x, peer._e_step(x)[1])

        a, b = by_turns(ours, theirs)
        yield f"| {d} | {k} | {1e3 * a:.1f} | {1e3 * b:.0f} | {b / a:.1f} | {1e-4 * k * d * (d + 1) / a:.0f} |"


def iterations(most: float) -> Iterator[str]:
    """Fits of 20 iterations to 100 000 samples, from the true means a little off and round covariances."""
    yield "| d | k | distance of means | gmmseg, ms | scikit-learn, ms | ratio | score less scikit-learn's |"
    yield "| --: | --: | --: | --: | --: | --: | --: |"
    for d, k, distance in product((16, 32, 64), (2, 4, 8, 16), (24, 12, 6, 3)):
        x, means = table(100_000, d, k, distance / np.sqrt(2 * d))
        x, off = x.astype(np.float32), np.random.default_rng(0).normal(0, 0.3, means.shape)
        given = {"weights_init": np.full(k, 1 / k), "means_init": means + off, "precisions_init": [np.eye(d)] * k}
        ours = gmmseg.GaussianMixture(k, tol=0, max_iter=20, threads=1, **given)
        theirs = Peer(k, tol=0, max_iter=20, **given)
        (a,), (b,) = by_turns(lambda: ours.fit(x)), by_turns(lambda: theirs.fit(x), turns=1)  # noqa: B023  # at once
        gain = ours.lower_bound_ - theirs.lower_bound_
        yield f"| {d} | {k} | {distance} | {1e3 * a:.0f} | {1e3 * b:.0f} | {b / a:.1f} | {gain:+.1e} |"


def missing(most: float) -> Iterator[str]:
    """Fits to a table with gaps and without."""
    yield "| n | d | k | complete, s | 30 % missing, s | ratio |"
    yield "| --: | --: | --: | --: | --: | --: |"
    for n, d, k in [(5000, 20, 4), (5000, 20, 10), (20_000, 20, 4), (5000, 50, 4), (2000, 10, 3)]:
        x, _ = table(n, d, k)
        gaps = np.where(np.random.default_rng(0).random(x.shape) < 0.3, np.nan, x)
        model = gmmseg.GaussianMixture(k, random_state=0, threads=1)
        a, b = by_turns(lambda: model.fit(x), lambda: model.fit(gaps), turns=2)  # noqa: B023  # called at once
        yield f"| {n} | {d} | {k} | {a:.3f} | {b:.3f} | {b / a:.1f} |"


def grid(most: float) -> Iterator[str]:
    """Fits with one start; tables of more than `most` samples times features squared times components are left out."""
    yield "| n | d | k | gmmseg, s | scikit-learn, s | scikit-learn / gmmseg | score less scikit-learn's |"
    yield "| --: | --: | --: | --: | --: | --: | --: |"
    for n, d, k in product(SAMPLES, FEATURES, COMPONENTS):
        if n * d**2 * k > most or n < 5 * k:
            continue
        x, _ = table(n, d, k)
        ours, theirs = gmmseg.GaussianMixture(k, random_state=0, threads=1), Peer(k, random_state=0)
        turns = 5 if n * d**2 * k < _QUICK else 1  # of a few milliseconds, one turn is mostly chance
        a, b = by_turns(lambda: ours.fit(x), lambda: theirs.fit(x), turns=turns)  # noqa: B023  # called at once
        yield f"| {n} | {d} | {k} | {a:.3f} | {b:.3f} | {b / a:.2f} | {ours.score(x) - theirs.score(x):+.3f} |"


def tables(n: int, d: int, k: int) -> dict[str, np.ndarray]:
    """Samples (n, d) of k classes, of kinds that a grid of round classes does not have."""
    (apart, means), (touching, _) = table(n, d, k), table(n, d, k, 0.5)
    rng = np.random.default_rng([k, d, n])
    middles, noise = means[rng.integers(k, size=n)], rng.normal(size=(n, d))
    return {
        "long tails": middles + noise / np.sqrt(rng.chisquare(2, (n, 1)) / 2),
        "overlapping": touching,
        "each row five times": apart[rng.integers(n // 5, size=n)],
        "whole numbers": np.round(apart),
        "skewed": np.exp(touching),
        "a constant feature": np.where(np.arange(d) == d - 1, 2.5, apart),
        "correlated by .9": middles + np.sqrt(0.1) * noise + np.sqrt(0.9) * rng.normal(size=(n, 1)),
    }


def kinds(most: float) -> Iterator[str]:
    """Fits with one start to tables of several kinds, of at most 3 000 samples and 50 features."""
    yield "| kind | n | d | k | dtype | gmmseg, ms | scikit-learn, ms | gmmseg / scikit-learn | score less its |"
    yield "| --- | --: | --: | --: | --- | --: | --: | --: | --: |"
    for n, d, k, dtype in product((100, 300, 1000, 3000), (2, 5, 10, 20, 50), (2, 5, 10, 20), (np.float32, np.float64)):
        if n * d**2 * k > min(most, _QUICK) or n < 5 * k:
            continue
        for kind, values in tables(n, d, k).items():
            x = values.astype(dtype)
            ours, theirs = gmmseg.GaussianMixture(k, random_state=0, threads=1), Peer(k, random_state=0)
            try:
                a, b = by_turns(lambda: ours.fit(x), lambda: theirs.fit(x))  # noqa: B023  # called at once
            except ValueError:  # scikit-learn's, of float32
                continue
            gain = ours.score(x) - theirs.score(x)
            name = np.dtype(dtype).name
            yield f"| {kind} | {n} | {d} | {k} | {name} | {1e3 * a:.1f} | {1e3 * b:.1f} | {a / b:.2f} | {gain:+.3f} |"


TABLES = {each.__name__: each for each in (iteration, iterations, missing, grid, kinds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)}; all by default")
    parser.add_argument("--most", type=float, default=1e9, help="of the grid: samples x features^2 x components")
    arguments = parser.parse_args()
    unknown = set(arguments.tables) - set(TABLES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))} is no table; use some of {', '.join(TABLES)}")
    warnings.filterwarnings("ignore")  # either side may say that it stopped at max_iter
    gmmseg.GaussianMixture(2, random_state=0).fit(table(100, 2, 2)[0])  # the first call loads modules
    with threadpool_limits(1):
        for name in arguments.tables or TABLES:
            print(f"\n## {name}\n")
            for line in TABLES[name](arguments.most):
                print(line, flush=True)


if __name__ == "__main__":
    main()
