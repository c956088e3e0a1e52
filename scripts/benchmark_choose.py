"""Measure how often the right number of classes is chosen, on images made from seeds, and what it costs.

usage: benchmark_choose.py [--images N] [--first SEED] [--families LIST] [--photographs] [--cost]

The images have 128 to 384 pixels a side, 2 to 8 Gaussian classes of equal or unequal sizes in one or three channels,
and are floats or rounded to 8 bits. Regions are blobs (the largest of smooth fields), Voronoi cells, stripes or
squares; the nearest two means lie 4 to 7 standard deviations apart, and the noise is Gaussian, white or smoothed by up
to 5 pixels and scaled back.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from gmmseg.mixture.choosing import CRITERIA, DEFAULT_CRITERION
from gmmseg.mixture.em import Iteration, expectation_maximization
from gmmseg.mixture.seeding import Seeding, seed_mixture
from gmmseg.segmentation import choose_k, segment

IMAGES = Path(__file__).parents[1] / "images"


KINDS = ("blobs", "cells", "stripes", "squares")
WIDTHS = (0, 0.7, 1, 1.5, 2, 3, 4, 5)


def means_of(rng: np.random.Generator, k: int, channels: int, nearest: float) -> np.ndarray:
    """Class means (k, channels), the nearest two at least so many standard deviations apart."""
    if channels == 1:
        return np.cumsum(rng.uniform(nearest, nearest + 3, k))[:, None]
    side = (nearest + 3) * max(1.5, k ** (1 / 3))
    means: list[np.ndarray] = []
    for _ in range(100_000):
        new = rng.uniform(0, side, channels)
        if all(np.linalg.norm(new - old) >= nearest for old in means):
            means.append(new)
        if len(means) == k:
            break
    return np.stack(means)


def regions(rng: np.random.Generator, kind: str, k: int, size: int) -> np.ndarray:
    """Label map (size, size) of classes 0 to k - 1."""
    shares = rng.dirichlet(np.full(k, 4.0)) if rng.random() < 0.5 else np.full(k, 1 / k)

    def owners(count: int) -> np.ndarray:
        return rng.permutation(np.concatenate([np.arange(k), rng.choice(k, count - k, p=shares)]))

    rows, columns = np.mgrid[:size, :size]
    if kind == "blobs":
        fields = [gaussian_filter(rng.normal(size=(size, size)), rng.uniform(5, 15), mode="wrap") for _ in range(k)]
        return np.stack([field / field.std() for field in fields]).argmax(0)
    if kind == "cells":
        count = int(rng.integers(3 * k, 12 * k))
        tree = cKDTree(rng.uniform(0, size, (count, 2)))
        return owners(count)[tree.query(np.stack([rows, columns], -1).reshape(-1, 2))[1]].reshape(size, size)
    if kind == "stripes":
        angle = rng.uniform(0, np.pi)
        along = rows * np.sin(angle) + columns * np.cos(angle)
        along = (along - along.min()) / np.ptp(along)
        return owners(3 * k)[np.minimum((along * 3 * k).astype(int), 3 * k - 1)]
    side = size // int(rng.integers(6, 12))
    across = -(-size // side)
    return owners(across**2).reshape(across, across)[rows // side, columns // side]


def scene(seed: int, size: int | None = None) -> tuple[np.ndarray, int, float]:
    """Image (size, size, channels), its number of classes, and the width of its noise in pixels."""
    rng = np.random.default_rng(seed)
    k, channels, width = int(rng.integers(2, 9)), (1, 3)[seed // 4 % 2], float(rng.choice(WIDTHS))
    size = size or int(rng.choice([128, 192, 256, 384]))
    labels = regions(rng, KINDS[seed % 4], k, size)
    noise = np.stack([gaussian_filter(rng.normal(size=(size, size)), width) for _ in range(channels)], axis=-1)
    image = means_of(rng, k, channels, rng.uniform(4, 7))[labels] + noise / noise.std(axis=(0, 1))
    if seed // 8 % 2:
        image = np.round(255 * (image - image.min()) / np.ptp(image)).astype(np.uint8)
    else:
        image -= 100.0  # negative numbers are no colour
    return image, len(np.unique(labels)), width


def recovery(seeds: range, families: tuple[str, ...]) -> None:
    """Print how often each criterion, if it decides, is right, and by how much it is wrong."""
    errors: dict[str, Counter[int]] = {name: Counter() for name in CRITERIA}
    groups: dict[str, list[bool]] = {}
    for seed in seeds:
        image, k, width = scene(seed)
        for name in CRITERIA:
            choice = choose_k(image, covariance=families, criterion=name, channel_axis=-1)
            errors[name][choice.k - k] += 1
            if name == DEFAULT_CRITERION:
                for group in (f"k = {k}", f"noise of {width:g} pixels", KINDS[seed % 4]):
                    groups.setdefault(group, []).append(choice.k == k)
    print(f"{len(seeds)} images, {', '.join(families)}: right, and (chosen - true: how often)")
    for name, counter in errors.items():
        wrong = ", ".join(f"{error:+d}: {n}" for error, n in sorted(counter.items()) if error)
        print(f"  {name}  {counter[0]:4d}   {wrong}")
    for group, right in sorted(groups.items()):
        print(f"  {DEFAULT_CRITERION}, {group}: {sum(right)} of {len(right)}")


def photographs() -> None:
    """Print what each criterion chooses on the sample pictures."""
    print(f"{'picture':20}{'pixels':>9}{'effective':>11}" + "".join(f"{name:>6}" for name in CRITERIA))
    for path in sorted(IMAGES.glob("*.*")):
        if path.suffix not in (".png", ".tif") or path.stem.endswith("segmented"):
            continue
        axis = "auto"
        try:
            choice = choose_k(path, covariance="full", channel_axis=axis)
        except ValueError as error:
            print(error)
            continue
        n = len(segment(path, 1, smooth=False, channel_axis=axis).labels.ravel())
        print(f"{path.name:20}{n:9d}{choice.effective:11.0f}" + "".join(f"{choice.best_by(c).k:6d}" for c in CRITERIA))


def cost(repeats: int = 5) -> None:
    """Print the time of choosing among 1..12 classes over that of one fit of 12, in turns, and what it gains."""
    from gmmseg.mixture.choosing import choose

    image = scene(4, size=317)[0]
    planes = np.ascontiguousarray(image.reshape(-1, 3).T[:, :100_000], np.float32)
    planes = (planes - planes.mean(1, keepdims=True)) / planes.std(1, keepdims=True)
    some = np.ascontiguousarray(planes[:, ::6])

    def single(samples: np.ndarray) -> float:
        start = time.perf_counter()
        seeded = seed_mixture(samples, 12, np.random.default_rng(0), Seeding(noise=1e-4))
        expectation_maximization(samples, seeded, Iteration(1e-5, 300, noise=1e-4))
        return time.perf_counter() - start

    def many(samples: np.ndarray) -> float:
        start = time.perf_counter()
        iteration = Iteration(1e-4, noise=1e-4)
        choose(samples, range(1, 13), ["full"], np.random.default_rng(0), effective=500, iteration=iteration)
        return time.perf_counter() - start

    for name, samples in (("as in segment(), of 16 667 samples", some), ("of the same 100 000 samples", planes)):
        ratios = [many(samples) / single(planes) for _ in range(repeats)]
        print(f"choosing among 1..12, {name}: {np.median(ratios):.2f} fits of k=12 to 100 000 samples")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--families", default="full", help="full,tied,diag,spherical or some of them")
    parser.add_argument("--photographs", action="store_true")
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.photographs:
        photographs()
    if options.cost:
        cost()
    if not (options.photographs or options.cost):
        recovery(range(options.first, options.first + options.images), tuple(options.families.split(",")))


if __name__ == "__main__":
    main()
