"""Time what labels of a picture are made of, in one thread, beside labels without smoothing.

usage: benchmark_stages.py FILE [-k K] [--turns N]      any picture; 12 megapixels are a photograph

Times are of the processor: of each call for a tile the least of all turns, added up, so that other programs hardly
change them. Python's share of a tile is left out, some 50 microseconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gmmseg
from gmmseg.features.recipe import Recipe
from gmmseg.labelling import tiles
from gmmseg.mixture import patterns
from gmmseg.spatial.smoothing import Smoothing

STAGES = (
    (Recipe, "parts", "features"),
    (tiles, "spread", "features"),
    (Smoothing, "classify", "classes and smoothing"),
    (patterns, "classify", "classes"),
)


def watch(owner: Any, method: str, name: str, took: dict[str, list[float]]) -> None:
    """Add the seconds of each call of a function to those of its stage."""
    plain: Callable[..., Any] = getattr(owner, method)

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return plain(*arguments, **options)
        finally:
            took.setdefault(name, []).append(time.process_time() - start)

    setattr(owner, method, timed)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("-k", type=int, default=4, help="number of classes (4)")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    image = gmmseg.io.read(options.file)
    smoothed = gmmseg.fit(image, options.k)
    took: dict[str, list[float]] = {}
    least: dict[str, dict[str, list[float]]] = {"smoothed": {}, "plain": {}}
    for each in STAGES:
        watch(*each, took)
    for _ in range(options.turns):
        for kind, model in (("smoothed", smoothed), ("plain", replace(smoothed, strength=0.0))):
            took.clear()
            gmmseg.apply(model, image, threads=1)
            for name, calls in took.items():
                least[kind][name] = list(map(min, calls, least[kind].get(name, calls)))
    print(f"{image.n_pixels / 1e6:.1f} megapixels, k = {options.k}, {gmmseg.kernels.INSTRUCTION_SET}\n")
    print("| labels | stage | ms | ns a pixel |\n| --- | --- | --: | --: |")
    total = {kind: sum(map(sum, stages.values())) for kind, stages in least.items()}
    for kind, stages in least.items():
        for name, seconds in [*((name, sum(calls)) for name, calls in stages.items()), ("all", total[kind])]:
            print(f"| {kind} | {name} | {seconds * 1e3:.0f} | {seconds * 1e9 / image.n_pixels:.1f} |")
    print(f"\nsmoothed over plain: {total['smoothed'] / total['plain']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
