"""Measure how well regions agree with people on photographs, and classes with the tissues of simulated scans.

usage: quality.py FOLDER [--limit N]
       quality.py --brains LABELS.nii.gz...
       quality.py --cubes
       quality.py --objects FOLDER
       quality.py --nuclei FOLDER [--shaded]
       quality.py --same FOLDER [--limit N]

FOLDER holds photographs NAME.jpg beside NAME.npz, whose array `truth` is (people, rows, columns) label maps, as BSDS500
can be converted to. Constants of `gmmseg.regions` were tuned on every other photograph, by name, from the first; the
others, which only helped to choose between designs, are reported by themselves. Of each measure the best level for all
photographs (ODS), the best for each (OIS) and the default level are given: probabilistic Rand index, variation of
information in bits, covering.

LABELS are maps of brains, numbered as FreeSurfer does. T1 scans are simulated from them: a level for each tissue, a
smooth gain, and noise of constant deviation. The Dice of cerebrospinal fluid, grey and white matter is given, and the
seconds.

Cubes are hyperspectral images of 95 x 95 pixels and 156 bands, in which three spectra are mixed by smooth shares, with
noise of several kinds. Given is the share of pixels in the class of the spectrum that they have most of: of
scikit-learn's mixture of free covariances on ten principal components; on the components that stand above the noise of
standardised bands (Gavish and Donoho's idea: the median eigenvalue tells the noise), and above the noise that
neighbours tell (minimum noise fraction, all bands together), with free and with common covariances; and of
`gmmseg.segment` with free covariances and as it is, with its seconds. Means of three cubes each.

Objects: photographs NAME.jpg beside NAME_truth.png (the object) and NAME_strokes.png (1 object, 2 background, 0 free);
F of the object as gmmseg and as OpenCV's grabCut find it from the strokes. Nuclei: images NAME.png beside
NAME_truth.png, numbered objects; Dice of the foreground, of the brighter of two classes and of the best union of three.
Shaded: the same of each image without `--bias-field`, and with it as the image is and under two vignettes of gain 0.4
to 1, linear and quadratic, that multiply the whole numbers.
Same: how much masks of photographs in four and in two classes agree (adjusted Rand index) with those of other seeds, of
the mirrored image, of the image with every pixel twice along both axes, enlarged so by cubic interpolation, and without
a row and a column of pixels.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from scipy.linalg import eigh
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

import gmmseg
from gmmseg import errors, io

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
            warnings.simplefilter("ignore", errors.DataWarning)  # where there is no gain, none is found
            labels = gmmseg.segment(scan, 3, channel_axis=None, mask=tissue > 0, bias_field=True).labels
        seconds = time.perf_counter() - start
        dice = (
            2 * ((labels == t) & (tissue == t)).sum() / ((labels == t).sum() + (tissue == t).sum()) for t in (1, 2, 3)
        )
        cells = " | ".join(f"{each:.4f}" for each in dice)
        print(f"| {path.name.split('.')[0]} | {noise} | {gain} | {cells} | {seconds:.2f} |", flush=True)


KINDS = ("30 dB", "35 dB", "40 dB", "pure", "correlated", "blurred", "stripes", "few", "spikes", "dead", "shading")


def spectra(rng: np.random.Generator, kind: str, bands: int) -> np.ndarray:
    """Three smooth spectra; of the kind "few" they differ in five bands."""
    x = np.linspace(0, 1, bands)
    peaks = rng.random((3, 4, 3, 1)) * [[0.35], [1.0], [0.2]] + [[0.05], [0.0], [0.05]]  # height, place, width
    found = 0.25 + (peaks[:, :, 0] * np.exp(-(((x - peaks[:, :, 1]) / peaks[:, :, 2]) ** 2))).sum(axis=1)
    if kind == "few":
        found = np.repeat(found[:1], 3, axis=0)
        found[:, rng.choice(bands, 5, replace=False)] += rng.uniform(-0.08, 0.08, (3, 5))
    return found


def cube(kind: str, seed: int, shape: tuple[int, int] = (95, 95), bands: int = 156) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of three spectra, and which of these each pixel has most of, from 0."""
    rng = np.random.default_rng(seed)
    fields = np.stack([cv2.GaussianBlur(rng.normal(size=shape), None, 6) for _ in range(3)])
    shares = np.exp((20 if kind == "pure" else 4) * fields / fields.std())
    shares /= shares.sum(axis=0)
    varied = shares
    if kind == "shading":  # materials vary in brightness, each by its own amount
        varied = shares * np.exp(np.array([0.02, 0.1, 0.25])[:, None, None] * rng.normal(size=shares.shape))
    pixels = np.einsum("krc,kb->rcb", varied, spectra(rng, kind, bands))
    noise = rng.normal(size=pixels.shape)
    if kind == "correlated":
        noise = 0.6 * noise + 2.2 * cv2.blur(rng.normal(size=pixels.shape).reshape(-1, bands), (13, 1)).reshape(
            noise.shape
        )
    elif kind == "blurred":
        noise = np.stack([cv2.GaussianBlur(band, None, 0.7) for band in np.moveaxis(noise, -1, 0)], axis=-1)
    elif kind == "stripes":
        noise += 3 * rng.normal(size=(1, shape[1], bands)) * (rng.random(bands) < 0.3)
    elif kind == "spikes":
        noise[..., ::13] += 50 * rng.standard_t(2, size=noise[..., ::13].shape)
    level = np.sqrt((pixels**2).mean())
    pixels += level * 10 ** (-(int(kind[:2]) if kind[:2].isdigit() else 35) / 20) * noise
    if kind == "dead":
        pixels[..., 7::16], pixels[..., 8::16] = 0, 0.5
    return pixels.astype(np.float32), shares.argmax(axis=0)


def matched(labels: np.ndarray, truth: np.ndarray) -> float:
    """Share of pixels whose class is the right one, for the best pairing of three classes with three."""
    counts = np.zeros((3, 3))
    np.add.at(counts, (labels.ravel(), truth.ravel()), 1)
    return float(counts[linear_sum_assignment(-counts)].sum() / truth.size)


def above_median(pixels: np.ndarray) -> np.ndarray:
    """Components of standardised bands above the noise that the median eigenvalue tells (n, m)."""
    flat = pixels.reshape(-1, pixels.shape[-1]).astype(np.float64)
    flat = (flat - flat.mean(axis=0)) / np.maximum(flat.std(axis=0), 1e-12)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    edge = np.median(values[values > 1e-9]) * (1 + np.sqrt(flat.shape[1] / len(flat))) ** 2
    return flat @ vectors[:, values > min(edge, values[-1] * 0.999)][:, ::-1]


def minimum_noise_fraction(pixels: np.ndarray) -> np.ndarray:
    """Components above twice the noise, whitened by the covariance of neighbours' differences (n, m)."""
    bands = pixels.shape[-1]
    flat = pixels.reshape(-1, bands).astype(np.float64)
    flat -= flat.mean(axis=0)
    flat = flat[:, flat.std(axis=0) > 1e-6]
    change = np.diff(flat.reshape(*pixels.shape[:2], -1), axis=1).reshape(-1, flat.shape[1])
    values, vectors = eigh(flat.T @ flat / len(flat), change.T @ change / (2 * len(change)))
    edge = 2 * (1 + np.sqrt(bands / len(flat))) ** 2
    return flat @ vectors[:, values > min(edge, values[-1] * 0.999)][:, ::-1]


def cubes() -> None:
    """Print the table of hyperspectral images."""
    print("| cube | ten PCs | median: free | common | MNF: free | common | gmmseg: free | as it is | seconds |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for kind in KINDS:
        rows = []
        for seed in range(3):
            pixels, truth = cube(kind, seed)
            ten = PCA(10, random_state=0).fit_transform(pixels.reshape(-1, pixels.shape[-1]).astype(np.float64))
            row = [matched(GaussianMixture(3, random_state=0).fit_predict(ten), truth)]
            for reduced in (above_median(pixels), minimum_noise_fraction(pixels)):
                image = reduced.reshape(*truth.shape, -1).astype(np.float32)
                for covariance in ("full", "tied"):
                    found = gmmseg.segment(image, 3, features="bands", covariance=covariance, channel_axis=-1)
                    row.append(matched(found.labels - 1, truth))
            row.append(matched(gmmseg.segment(pixels, 3, covariance="full", channel_axis=-1).labels - 1, truth))
            start = time.perf_counter()
            labels = gmmseg.segment(pixels, 3, channel_axis=-1).labels
            rows.append([*row, matched(labels - 1, truth), time.perf_counter() - start])
        print(f"| {kind} | {' | '.join(f'{each:.3f}' for each in np.mean(rows, axis=0))} |", flush=True)


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / max(1, mask.sum() + truth.sum()))


def objects(folder: Path) -> None:
    """Print how well objects are found from strokes."""
    rows = []
    for path in sorted(folder.glob("*_truth.png")):
        truth, strokes = (cv2.imread(str(path).replace("_truth", kind), 0) for kind in ("_truth", "_strokes"))
        picture = cv2.imread(str(path).replace("_truth.png", ".jpg"))
        start = time.perf_counter()
        found = gmmseg.segment(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), 2, scribbles=strokes).mask(1)
        seconds = time.perf_counter() - start
        cut = np.full(strokes.shape, cv2.GC_PR_BGD, np.uint8)
        cut[strokes == 1], cut[strokes == 2] = cv2.GC_FGD, cv2.GC_BGD
        cv2.grabCut(picture, cut, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
        masks = found, np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD))
        rows.append([*(dice(mask, truth > 127) for mask in masks), seconds])
    table = np.array(rows)
    print("| photographs | F of the object: mean, worst | grabCut | seconds |\n| --: | --- | --- | --: |")
    cells = " | ".join(f"{table[:, i].mean():.3f}, {table[:, i].min():.3f}" for i in (0, 1))
    print(f"| {len(table)} | {cells} | {np.median(table[:, 2]):.2f} |")


def foreground(image: np.ndarray, truth: np.ndarray, k: int, *, bias_field: bool = False) -> float:
    """Dice of the brighter of two classes, or of the best union of more."""
    labels = gmmseg.segment(image, k, bias_field=bias_field).labels
    picked = [2] if k == 2 else [label for label in np.unique(labels) if truth[labels == label].mean() > 0.5]
    return dice(np.isin(labels, picked), truth)


def stained(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names, images and where their nuclei are."""
    for path in sorted(folder.glob("*_truth.png")):
        image = cv2.imread(str(path).replace("_truth", ""), cv2.IMREAD_UNCHANGED)
        yield path.name.removesuffix("_truth.png"), image, cv2.imread(str(path), cv2.IMREAD_UNCHANGED) > 0


def nuclei(folder: Path) -> None:
    """Print how well the foreground of microscopy is found."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, image, truth in stained(folder):
        found.setdefault(name.split("-")[0], []).append((foreground(image, truth, 2), foreground(image, truth, 3)))
    print("| set | images | two classes | three classes |\n| --- | --: | --: | --: |")
    for name, values in found.items():
        print(f"| {name} | {len(values)} | {' | '.join(f'{each:.3f}' for each in np.mean(values, axis=0))} |")


def shaded(folder: Path) -> None:
    """Print how well the foreground is found with a bias field, also under vignettes."""
    print("| image | classes | without | with | linear | quadratic |\n| --- | --: | --: | --: | --: | --: |")
    for name, image, truth in stained(folder):
        y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in image.shape), indexing="ij")
        vignettes = 0.7 + 0.3 * x, 1 - 0.3 * (x**2 + y**2)
        images = image, *(np.rint(image * gain).astype(image.dtype) for gain in vignettes)
        for k in (2, 3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", errors.DataWarning)  # where there is no gain, none is found
                each = [foreground(image, truth, k), *(foreground(some, truth, k, bias_field=True) for some in images)]
            print(f"| {name} | {k} | {' | '.join(f'{value:.3f}' for value in each)} |", flush=True)


def same(folder: Path, limit: int | None) -> None:
    """Print how much masks agree that should."""
    every, alternate = np.s_[:, :], np.s_[::2, ::2]
    crops = np.s_[1:, 1:], np.s_[:-1, :-1], np.s_[1:, :-1]
    names = "other seeds: mean, worst", "mirrored", "every pixel twice", "enlarged", "cropped: mean, worst, below .8"
    print(f"| classes | photographs | {' | '.join(names)} |\n| --: | --: | --- | --- | --- | --- | --- |")
    for k in (4, 2):
        rows = []
        for path in sorted(folder.glob("*.jpg"))[:limit]:
            picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            mask = gmmseg.segment(picture, k).labels
            others = [(gmmseg.segment(picture, k, seed=seed).labels, every) for seed in (1, 2, 3)]
            others.append((gmmseg.segment(picture[:, ::-1].copy(), k).labels[:, ::-1], every))
            twice = picture.repeat(2, axis=0).repeat(2, axis=1)
            smooth = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            others += [(gmmseg.segment(each, k).labels[alternate], every) for each in (twice, smooth)]
            others += [(gmmseg.segment(picture[crop].copy(), k).labels, crop) for crop in crops]
            rows.append([gmmseg.evaluate(other, mask[part]).adjusted_rand_index for other, part in others])
        table = np.array(rows)
        parts = table[:, :3], table[:, 3], table[:, 4], table[:, 5], table[:, 6:]
        cells = " | ".join(f"{part.mean():.3f}, {part.min():.3f}" for part in parts)
        print(f"| {k} | {len(table)} | {cells}, {(table[:, 6:] < 0.8).sum()} of {table[:, 6:].size} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--brains", type=Path, nargs="+", default=())
    parser.add_argument("--cubes", action="store_true")
    parser.add_argument("--objects", type=Path)
    parser.add_argument("--nuclei", type=Path)
    parser.add_argument("--shaded", action="store_true")
    parser.add_argument("--same", type=Path)
    options = parser.parse_args()
    if options.cubes:
        cubes()
    if options.brains:
        print(f"| brain | noise | gain | {' | '.join(TISSUES)} | seconds |")
        print("| --- | --: | --: | --: | --: | --: | --: |")
    for path in options.brains:
        brain(path)
    if options.objects is not None:
        objects(options.objects)
    if options.nuclei is not None:
        (shaded if options.shaded else nuclei)(options.nuclei)
    if options.same is not None:
        same(options.same, options.limit)
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
