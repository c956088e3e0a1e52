"""Measure how well regions agree with people on photographs, and classes with the tissues of simulated scans.

usage: quality.py FOLDER [--limit N]
       quality.py --brains LABELS.nii.gz...

FOLDER holds photographs NAME.jpg beside NAME.npz, whose array `truth` is (people, rows, columns) label maps, as BSDS500
can be converted to. Constants of `gmmseg.regions` were tuned on every other photograph, by name, from the first; the
others, which only helped to choose between designs, are reported by themselves. Of each measure the best level for all
photographs (ODS), the best for each (OIS) and the default level are given: probabilistic Rand index, variation of
information in bits, covering.

LABELS are maps of brains, numbered as FreeSurfer does. T1 scans are simulated from them: a level for each tissue, a
smooth gain, and noise of constant deviation. The Dice of cerebrospinal fluid, grey and white matter is given, and the
seconds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import cv2
import numpy as np

import gmmseg
from gmmseg import io

TISSUES = {
    "CSF": (4, 5, 14, 15, 24, 43, 44),
    "grey": (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58),
    "white": (2, 41, 7, 46, 77, 85),
}
LEVELS = np.array([0.0, 0.2, 0.55, 0.85])  # outside, and of each tissue
SCANS = (0.05, 0.0), (0.05, 0.3), (0.10, 0.3), (0.15, 0.2)  # noise and strength of the gain
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


def simulated(tissue: np.ndarray, noise: float, gain: float) -> np.ndarray:
    """A scan of a map of tissues, 0 outside."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in tissue.shape), indexing="ij", sparse=True)
    scan = LEVELS[tissue] * np.exp(gain * (z - 0.5 * y**2 + 0.5 * z * x))
    return (scan + np.random.default_rng(0).normal(0, noise, tissue.shape) * (tissue > 0)).astype(np.float32)


def brain(path: Path) -> None:
    """Print a row of the table for each scan that is simulated."""
    anatomy = io.read_labels(path)
    tissue = np.zeros(anatomy.shape, np.uint8)
    for number, labels in enumerate(TISSUES.values(), 1):
        tissue[np.isin(anatomy, labels)] = number
    tissue = tissue[tuple(slice(place.min(), place.max() + 1) for place in np.nonzero(tissue))]
    for noise, gain in SCANS:
        scan = simulated(tissue, noise, gain)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gmmseg.errors.DataWarning)  # where there is no gain, none is found
            labels = gmmseg.segment(scan, 3, channel_axis=None, mask=tissue > 0, bias_field=True).labels
        seconds = time.perf_counter() - start
        dice = (
            2 * ((labels == t) & (tissue == t)).sum() / ((labels == t).sum() + (tissue == t).sum()) for t in (1, 2, 3)
        )
        cells = " | ".join(f"{each:.4f}" for each in dice)
        print(f"| {path.name.split('.')[0]} | {noise} | {gain} | {cells} | {seconds:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--brains", type=Path, nargs="+", default=())
    options = parser.parse_args()
    if options.brains:
        print(f"| brain | noise | gain | {' | '.join(TISSUES)} | seconds |")
        print("| --- | --: | --: | --: | --: | --: | --: |")
    for path in options.brains:
        brain(path)
    if options.folder is not None:
        photographs(options.folder, options.limit)


def photographs(folder: Path, limit: int | None) -> None:
    """Print the table of regions."""
    results = [measure(path) for path in sorted(folder.glob("*.jpg"))[:limit]]
    table, own, seconds = (np.array([each[i] for each in results]) for i in range(3))
    print("| photographs | number | one level: PRI, VoI, covering | best level of each | default level | seconds |")
    print("| --- | --: | --- | --- | --- | --: |")
    for name, part in (("tuned on", slice(0, None, 2)), ("others", slice(1, None, 2)), ("all", slice(None))):
        print(row(name, table[part], own[part], seconds[part]))


if __name__ == "__main__":
    main()
