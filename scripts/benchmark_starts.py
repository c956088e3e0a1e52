"""Compare one fit of gmmseg with scikit-learn's best of ten, over many seeds, and print the table.

usage: benchmark_starts.py [--seeds N] [--peer-seeds N] [--sets NAME ...]      needs the `test` extra

The score is the mean log-likelihood a sample, in nats, on the data of the fit. Both sides keep their default stopping
rule. Runs of the two take turns, each has one thread, and the time ratio is that of mean seconds of the processor.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.mixture import GaussianMixture as Peer
from threadpoolctl import threadpool_limits

import gmmseg

Set = tuple[np.ndarray, int]  # samples (n, d), components


def overlapping(rng: np.random.Generator) -> Set:
    """Five round clusters whose centres are two standard deviations apart."""
    centers = 2.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0.5]])
    return centers[rng.integers(5, size=5000)] + rng.normal(size=(5000, 2)), 5


def elongated(rng: np.random.Generator) -> Set:
    """Six needles of aspect 15, each turned its own way, some crossing."""
    turn = np.pi * np.arange(6) / 6
    component = rng.integers(6, size=6000)
    along, across = rng.normal(size=6000) * 3, rng.normal(size=6000) * 0.2
    c, s = np.cos(turn)[component], np.sin(turn)[component]
    centers = rng.uniform(-4, 4, (6, 2))[component]
    return centers + np.stack([c * along - s * across, s * along + c * across], axis=1), 6


def unbalanced(rng: np.random.Generator) -> Set:
    """Six clusters in three dimensions; the largest holds 75 % of the samples, the least 1 %."""
    component = rng.choice(6, 10_000, p=[0.75, 0.12, 0.06, 0.04, 0.02, 0.01])
    return rng.uniform(-5, 5, (6, 3))[component] + rng.normal(size=(10_000, 3)), 6


def anisotropic(rng: np.random.Generator) -> Set:
    """Five components in four dimensions, each covariance of condition number 1e4 and a random orientation."""
    component = rng.integers(5, size=8000)
    axes = np.stack([np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(5)])
    white = rng.normal(size=(8000, 4)) * np.geomspace(1, 1e-2, 4)
    return rng.uniform(-1.5, 1.5, (5, 4))[component] + np.einsum("nij,nj->ni", axes[component], white), 5


def many(rng: np.random.Generator, n: int, k: int) -> Set:
    """Round clusters of different sizes at random places of a square, a few of them touching."""
    component = rng.integers(k, size=n)
    spread = rng.uniform(0.3, 0.8, k)[component]
    return rng.uniform(0, 2 * np.sqrt(k), (k, 2))[component] + spread[:, None] * rng.normal(size=(n, 2)), k


def many_25(rng: np.random.Generator) -> Set:
    """25 clusters."""
    return many(rng, 10_000, 25)


def many_40(rng: np.random.Generator) -> Set:
    """40 clusters."""
    return many(rng, 20_000, 40)


def strips(rng: np.random.Generator) -> Set:
    """Four parallel strips that touch: uniform along, normal across."""
    component = rng.integers(4, size=4000)
    return np.stack([rng.uniform(0, 20, 4000), component + 0.2 * rng.normal(size=4000)], axis=1), 4


def densities(rng: np.random.Generator) -> Set:
    """Six clusters of equal counts, the widest 40 times as wide as the narrowest."""
    component = rng.integers(6, size=6000)
    spread = np.geomspace(0.05, 2, 6)[component]
    return rng.uniform(-4, 4, (6, 2))[component] + spread[:, None] * rng.normal(size=(6000, 2)), 6


def correlated(rng: np.random.Generator) -> Set:
    """Eight components in eight correlated dimensions."""
    component = rng.integers(8, size=12_000)
    mixing = rng.normal(size=(8, 8, 8)) * np.geomspace(1, 0.1, 8)
    noise = np.einsum("nij,nj->ni", mixing[component], rng.normal(size=(12_000, 8)))
    return rng.normal(0, 1.5, (8, 8))[component] + noise, 8


def background(rng: np.random.Generator) -> Set:
    """Four tight clusters on a uniform background of half the samples, fitted by five components."""
    clusters = rng.uniform(-4, 4, (4, 2))[rng.integers(4, size=2500)] + 0.3 * rng.normal(size=(2500, 2))
    return np.concatenate([clusters, rng.uniform(-6, 6, (2500, 2))]), 5


def nested(rng: np.random.Generator) -> Set:
    """Three concentric scales around each of two centres."""
    component = rng.integers(6, size=2000)
    center = np.array([[-3.0, 0], [3.0, 0]])[component % 2]
    return center + np.array([0.1, 0.7, 3.0])[component // 2][:, None] * rng.normal(size=(2000, 2)), 6


def grid(rng: np.random.Generator, side: int) -> Set:
    """Round clusters at the crossings of a square grid, six standard deviations apart, 200 samples each."""
    places = np.stack(np.meshgrid(*[6.0 * np.arange(side)] * 2), axis=-1).reshape(-1, 2)
    return np.repeat(places, 200, axis=0) + rng.normal(size=(200 * side**2, 2)), side**2


def grid_25(rng: np.random.Generator) -> Set:
    """25 clusters on a grid."""
    return grid(rng, 5)


def grid_64(rng: np.random.Generator) -> Set:
    """64 clusters on a grid."""
    return grid(rng, 8)


def rare(rng: np.random.Generator) -> Set:
    """Three clusters of weights 1 : 100 : 1000, eight standard deviations apart."""
    component = rng.choice(3, 20_000, p=np.array([1, 100, 1000]) / 1101)
    return np.array([[0.0, 8.0], [8.0, 0.0], [0.0, 0.0]])[component] + rng.normal(size=(20_000, 2)), 3


def shells(rng: np.random.Generator) -> Set:
    """Two thin shells in three dimensions, by twelve components."""
    white = rng.normal(size=(6000, 3))
    radius = rng.choice([2.0, 5.0], 6000) + 0.1 * rng.normal(size=6000)
    return white * (radius / np.linalg.norm(white, axis=1))[:, None], 12


def spirals(rng: np.random.Generator) -> Set:
    """Two interlocked spirals, by sixteen components."""
    turn, arm = np.sqrt(rng.uniform(0.05, 1, 5000)) * 3 * np.pi, np.pi * rng.integers(2, size=5000)
    return np.stack([turn * np.cos(turn + arm), turn * np.sin(turn + arm)], 1) + 0.2 * rng.normal(size=(5000, 2)), 16


def heavy_tails(rng: np.random.Generator) -> Set:
    """Four clusters of Student-t samples with three degrees of freedom."""
    centers = 10.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[rng.integers(4, size=5000)]
    return centers + rng.normal(size=(5000, 2)) / np.sqrt(rng.chisquare(3, (5000, 1)) / 3), 4


def apart(rng: np.random.Generator, n: int, d: int) -> Set:
    """Four round clusters 20 standard deviations apart."""
    turned = np.linalg.qr(rng.normal(size=(d, 4)))[0].T * 20 / np.sqrt(2)
    return turned[rng.integers(4, size=n)] + rng.normal(size=(n, d)), 4


def apart_64(rng: np.random.Generator) -> Set:
    """Clusters in 64 dimensions."""
    return apart(rng, 4000, 64)


def apart_156(rng: np.random.Generator) -> Set:
    """Clusters in 156 dimensions."""
    return apart(rng, 8000, 156)


def digits_10(rng: np.random.Generator) -> Set:
    """Handwritten digits of 64 pixels, by ten components."""
    return load_digits().data, 10


def digits_30(rng: np.random.Generator) -> Set:
    """The same, by thirty."""
    return load_digits().data, 30


def wine(rng: np.random.Generator) -> Set:
    """Analyses of wines from three growers."""
    return load_wine().data, 3


def cancer(rng: np.random.Generator) -> Set:
    """Thirty figures of cells, benign and malignant."""
    return load_breast_cancer().data, 2


def iris(rng: np.random.Generator) -> Set:
    """Leaves of three species."""
    return load_iris().data, 3


def colours(rng: np.random.Generator) -> Set:
    """Every tenth pixel of a photograph, 0 to 1 with the steps of 8 bits smoothed, by eight components."""
    with Image.open(Path(__file__).parents[1] / "images" / "chelsea.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float64).reshape(-1, 3)[::10]
    return (pixels + rng.uniform(-0.5, 0.5, pixels.shape)) / 255, 8


SETS: dict[str, Callable[[np.random.Generator], Set]] = {
    f.__name__: f
    for f in (
        overlapping,
        elongated,
        unbalanced,
        anisotropic,
        many_25,
        many_40,
        grid_25,
        grid_64,
        rare,
        strips,
        densities,
        correlated,
        background,
        nested,
        shells,
        spirals,
        heavy_tails,
        apart_64,
        apart_156,
        digits_10,
        digits_30,
        wine,
        cancer,
        iris,
        colours,
    )
}


def fitted(model: Any, samples: np.ndarray) -> tuple[float, float]:
    """Score and seconds of the processor of a fit."""
    start = time.process_time()
    model.fit(samples)
    taken = time.process_time() - start
    return float(model.score(samples)), taken


def compare(name: str, seeds: int, peer_seeds: int) -> str:
    """Return the table's row of one data set."""
    samples, k = SETS[name](np.random.default_rng(2024))
    ours, theirs = [], []
    fitted(gmmseg.GaussianMixture(k, random_state=0), samples)  # the first call loads modules
    for seed in range(seeds):
        ours.append(fitted(gmmseg.GaussianMixture(k, random_state=seed, threads=1), samples))
        if seed < peer_seeds:
            theirs.append(fitted(Peer(k, n_init=10, random_state=seed), samples))
    score, seconds = np.mean(ours, axis=0)
    worst = min(value for value, _ in ours)
    peer_score, peer_seconds = np.mean(theirs, axis=0)
    n, d = samples.shape
    return (
        f"| {name} | {n} | {d} | {k} | {score:.4f} | {worst:.4f} | {peer_score:.4f} | {score - peer_score:+.4f} "
        f"| {peer_seconds / seconds:.1f}x |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="seeds of each side")
    parser.add_argument("--peer-seeds", type=int, help="seeds of scikit-learn, where fewer are enough")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    arguments = parser.parse_args()
    if arguments.seeds < 1 or (arguments.peer_seeds is not None and arguments.peer_seeds < 1):
        parser.error("at least one seed is needed")
    warnings.filterwarnings("ignore")  # either side may say that it stopped at max_iter
    print("| data | n | d | k | mean score | worst | scikit-learn, best of 10 | difference | time ratio |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    peer_seeds = arguments.seeds if arguments.peer_seeds is None else min(arguments.peer_seeds, arguments.seeds)
    with threadpool_limits(1):
        for name in arguments.sets:
            print(compare(name, arguments.seeds, peer_seeds), flush=True)


if __name__ == "__main__":
    main()
