"""Measure how well regions agree with people on photographs, at every level of detail.

usage: quality.py FOLDER [--limit N]

FOLDER holds photographs NAME.jpg beside NAME.npz, whose array `truth` is (people, rows, columns) label maps, as BSDS500
can be converted to. Constants of `gmmseg.regions` were tuned on every other photograph, by name, from the first; the
others, which only helped to choose between designs, are reported by themselves. Of each measure the best level for all
photographs (ODS), the best for each (OIS) and the default level are given: probabilistic Rand index, variation of
information in bits, covering.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

import gmmseg

DETAILS = np.linspace(0.05, 0.95, 19)


def scores(labels: np.ndarray, truths: list[np.ndarray]) -> tuple[float, float, float]:
    found = gmmseg.evaluate(labels, truths)
    return found.rand_index, found.variation_of_information, found.covering


def measure(path: Path) -> tuple[np.ndarray, tuple[float, float, float], float]:
    """Scores at every level, those at the default level, and seconds."""
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    truths = list(np.load(path.with_suffix(".npz"))["truth"])
    start = time.perf_counter()
    tree = gmmseg.regions(picture)
    seconds = time.perf_counter() - start
    return np.array([scores(tree.labels(detail), truths) for detail in DETAILS]), scores(tree.labels(), truths), seconds


def row(name: str, table: np.ndarray, own: np.ndarray, seconds: np.ndarray) -> str:
    def best(values: np.ndarray) -> np.ndarray:
        return np.array([values[..., 0].max(axis=-1), values[..., 1].min(axis=-1), values[..., 2].max(axis=-1)])

    figures = best(table.mean(axis=0)), best(table).mean(axis=1), own.mean(axis=0)
    cells = " | ".join("{:.3f}, {:.2f}, {:.3f}".format(*each) for each in figures)
    return f"| {name} | {len(table)} | {cells} | {np.median(seconds):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    results = [measure(path) for path in sorted(options.folder.glob("*.jpg"))[: options.limit]]
    table, own, seconds = (np.array([each[i] for each in results]) for i in range(3))
    print("| photographs | number | one level: PRI, VoI, covering | best level of each | default level | seconds |")
    print("| --- | --: | --- | --- | --- | --: |")
    for name, part in (("tuned on", slice(0, None, 2)), ("others", slice(1, None, 2)), ("all", slice(None))):
        print(row(name, table[part], own[part], seconds[part]))


if __name__ == "__main__":
    main()
