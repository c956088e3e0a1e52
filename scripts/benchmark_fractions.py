"""Errors of soft masks with and without partial volume, on simulated scans of 2 mm made from anatomies of 1 mm.

usage: benchmark_fractions.py DATA [--noise 0.05 0.1] [--gain 0 0.3] [--seed 0] [--unasked]

DATA has anatomies (`brains/*.nii.gz`, numbers of structures as FreeSurfer has them). The true fractions of a voxel are
means of 2 x 2 x 2 voxels of the anatomy; tissues have .2, .55 and .85, and noise is added to the voxels of 2 mm. Given
are the mean absolute error of all fractions, and by how many percent the volume that is farthest off is wrong.

Unasked: instead, the mean Dice of labels under gains of four shapes, with no bias field, with one where the default
takes it out, and with one that was asked for; and processor time.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

import gmmseg
from gmmseg.image.place import Place

STRUCTURES = (
    (4, 5, 14, 15, 24, 43, 44),
    (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58),
    (2, 41, 7, 46, 77, 85),
)


def fractions_at_2_mm(path: Path) -> np.ndarray:
    """Return fractions of the three tissues (3, *spatial), 0 where most of a voxel is outside."""
    anatomy = np.asarray(nib.load(path).dataobj)
    tissue = np.select([np.isin(anatomy, each) for each in STRUCTURES], [1, 2, 3], 0)
    tissue = tissue[tuple(slice(each.min(), each.max() + 1) for each in np.nonzero(tissue))]
    half = [n // 2 for n in tissue.shape]
    tissue = tissue[tuple(slice(2 * n) for n in half)]
    split = [side for n in half for side in (n, 2)]
    shares = np.stack([(tissue == label).reshape(split).mean(axis=(1, 3, 5)) for label in (1, 2, 3)])
    inside = shares.sum(axis=0)
    return np.where(inside > 0.5, shares / np.maximum(inside, 1e-9), 0)


def logarithm_of_gain(size: tuple[int, ...], shape: str) -> np.ndarray:
    """Return the logarithm of a gain of about 2.5 from the least to the greatest."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in size), indexing="ij", sparse=True)
    if shape == "quadratic":
        return z - 0.5 * y**2 + 0.5 * z * x
    if shape == "linear":
        found = 0.8 * z + 0.4 * y - 0.3 * x
    elif shape == "wave":
        found = np.sin(2.2 * z + 0.4) * np.cos(1.5 * y) + 0.3 * np.sin(2 * x)
    else:
        coils = ((1.4, 1, 0), (-1.2, 1.3, 0.5), (0, -1.5, 1))
        found = np.log(sum(1 / (0.6 + (z - c) ** 2 + (y - b) ** 2 + (x - a) ** 2) for c, b, a in coils))
    return found * (2.5 / np.ptp(found))


def scan(truth: np.ndarray, noise: float, gain: float, seed: int, shape: str = "quadratic") -> np.ndarray:
    """Return a simulated scan of the fractions."""
    field = np.exp(gain * logarithm_of_gain(truth.shape[1:], shape))
    values = np.tensordot([0.2, 0.55, 0.85], truth, 1) * field
    return (values + np.random.default_rng(seed).normal(0, noise, values.shape)).astype(np.float32)


def unasked(truth: np.ndarray, noise: float, gain: float, seed: int) -> list[str]:
    """Return a line for each shape of a gain."""
    mask, labels, lines = truth.sum(axis=0) > 0, truth.argmax(axis=0) + 1, []
    place = Place(affine3d=((0, 0, 2, 0), (0, 2, 0, 0), (2, 0, 0, 0), (0, 0, 0, 1)), unit="mm")
    for shape in ("quadratic", "linear", "wave", "coils") if gain else ("even",):
        values = scan(truth, noise, gain, seed, shape)[..., None]
        image = gmmseg.Image(values, spacing=(2.0, 2.0, 2.0), valid=mask, place=place)
        line = f"{shape}:"
        for name, asked in (("none", False), ("default", "auto"), ("asked", True)):
            start = time.process_time()
            seg = gmmseg.segment(image, 3, bias_field=asked)
            found = seg.labels
            both = [((found == c) & (labels == c) & mask, found == c, (labels == c) & mask) for c in (1, 2, 3)]
            dice = np.mean([2 * hit.sum() / (own.sum() + true.sum()) for hit, own, true in both])
            taken = " (taken out)" if asked == "auto" and seg.rule.bias is not None else ""
            line += f"  {name} {dice:.4f}{taken} {time.process_time() - start:.1f} s"
        lines.append(line)
    return lines


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--noise", type=float, nargs="+", default=[0.03, 0.05, 0.1])
    arguments.add_argument("--gain", type=float, nargs="+", default=[0.0, 0.3])
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--unasked", action="store_true")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    for path in sorted((chosen.data / "brains").glob("*.nii.gz")):
        truth = fractions_at_2_mm(path)
        mask = truth.sum(axis=0) > 0
        for noise, gain in ((noise, gain) for noise in chosen.noise for gain in chosen.gain):
            if chosen.unasked:
                for line in unasked(truth, noise, gain, chosen.seed):
                    print(f"{path.name}, noise {noise:.2f}, gain {gain:.1f}, {line}", flush=True)
                continue
            image = scan(truth, noise, gain, chosen.seed)
            line = f"{path.name}, noise {noise:.2f}, gain {gain:.1f}:"
            for mixed in (False, True):
                start = time.process_time()
                seg = gmmseg.segment(image, 3, channel_axis=None, mask=mask, bias_field=gain > 0, partial_volume=mixed)
                soft = seg.probabilities
                took = time.process_time() - start
                hard = np.stack([seg.labels == label for label in (1, 2, 3)])
                for name, found in (("fractions", soft),) if mixed else (("labels", hard), ("posteriors", soft)):
                    error = np.abs(found[:, mask] - truth[:, mask]).mean()
                    off = 100 * np.abs(found.sum(axis=(1, 2, 3)) / truth.sum(axis=(1, 2, 3)) - 1).max()
                    line += f"  {name} {error:.4f}, volume {off:.1f} %"
                line += f" ({took:.1f} s)"
            print(line, flush=True)


if __name__ == "__main__":
    main()
