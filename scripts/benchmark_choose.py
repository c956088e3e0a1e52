"""Measure how often the right number of classes is chosen, on images made from seeds, and what it costs.

usage: benchmark_choose.py [--images N] [--blur SIGMA] [--colour] [--photographs] [--cost]

The images are 192 x 192 pixels of 2 to 8 Gaussian classes in one or three channels: the label map is the largest of
smooth noise fields, means lie 4 to 6 standard deviations apart, and the noise is Gaussian, smoothed by 0.5 to 2 pixels
and scaled back. `--blur` blurs the finished image, so that pixels between classes are mixed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from gmmseg.mixture.choosing import CRITERIA
from gmmseg.mixture.fitting import expectation_maximization
from gmmseg.mixture.seeding import seed_mixture
from gmmseg.segmentation import choose_k, segment

IMAGES = Path(__file__).parents[1] / "images"


def means_of(rng: np.random.Generator, k: int, channels: int) -> np.ndarray:
    """Class means (k, channels), the nearest two at least 4 standard deviations apart."""
    if channels == 1:
        return np.cumsum(rng.uniform(4, 6, k))[:, None]
    means: list[np.ndarray] = []
    while len(means) < k:
        new = rng.uniform(0, 14, channels)
        if all(np.linalg.norm(new - old) >= 4 for old in means):
            means.append(new)
    return np.stack(means)


def scene(seed: int, blur: float = 0.0, size: int = 192) -> tuple[np.ndarray, int]:
    """Image (size, size, channels) in standard deviations of the noise, and its number of classes."""
    rng = np.random.default_rng(seed)
    k, channels, sigma = int(rng.integers(2, 9)), (1, 3)[seed % 2], rng.uniform(0.5, 2.0)
    labels = np.stack([gaussian_filter(rng.normal(size=(size, size)), 8, mode="wrap") for _ in range(k)]).argmax(0)
    noise = np.stack([gaussian_filter(rng.normal(size=(size, size)), sigma) for _ in range(channels)], axis=-1)
    image = means_of(rng, k, channels)[labels] + noise / noise.std(axis=(0, 1))
    if blur:
        image = gaussian_filter(image, (blur, blur, 0))
    return image - 100.0, k  # negative numbers are no colour


def recovery(count: int, blur: float) -> None:
    """Print how often each criterion is right, and by how much it is wrong."""
    errors: dict[str, Counter[int]] = {name: Counter() for name in CRITERIA}
    by_k: dict[int, list[bool]] = {}
    for seed in range(count):
        image, k = scene(seed, blur)
        choice = choose_k(image, covariance="full", channel_axis=-1)
        for name in CRITERIA:
            errors[name][choice.best_by(name).k - k] += 1
        by_k.setdefault(k, []).append(choice.k == k)
    print(f"{count} images, blur {blur:g}: right, and (chosen - true: how often)")
    for name, counter in errors.items():
        wrong = ", ".join(f"{error:+d}: {n}" for error, n in sorted(counter.items()) if error)
        print(f"  {name}  {counter[0]:4d}   {wrong}")
    print("  default, by true k:  " + "  ".join(f"{k}: {sum(v)}/{len(v)}" for k, v in sorted(by_k.items())))


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

    image, _ = scene(1, size=317)
    planes = np.ascontiguousarray(image.reshape(-1, 3).T[:, :100_000] + 100, np.float32)
    planes = (planes - planes.mean(1, keepdims=True)) / planes.std(1, keepdims=True)
    some = np.ascontiguousarray(planes[:, ::6])

    def single(samples: np.ndarray) -> float:
        start = time.perf_counter()
        seeded = seed_mixture(samples, 12, np.random.default_rng(0), noise=1e-4)
        expectation_maximization(samples, seeded, noise=1e-4, tolerance=1e-5, max_iterations=300)
        return time.perf_counter() - start

    def many(samples: np.ndarray) -> float:
        start = time.perf_counter()
        choose(samples, range(1, 13), ["full"], np.random.default_rng(0), effective=500, noise=1e-4)
        return time.perf_counter() - start

    for name, samples in (("as in segment(), of 16 667 samples", some), ("of the same 100 000 samples", planes)):
        ratios = [many(samples) / single(planes) for _ in range(repeats)]
        print(f"choosing among 1..12, {name}: {np.median(ratios):.2f} fits of k=12 to 100 000 samples")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--blur", type=float, default=0.0)
    parser.add_argument("--photographs", action="store_true")
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.photographs:
        photographs()
    if options.cost:
        cost()
    if not (options.photographs or options.cost):
        recovery(options.images, options.blur)


if __name__ == "__main__":
    main()
