"""Errors of soft masks with and without partial volume, on simulated scans of 2 mm made from anatomies of 1 mm.

usage: benchmark_fractions.py DATA [--noise 0.05 0.1] [--gain 0 0.3] [--seed 0]

DATA has anatomies (`brains/*.nii.gz`, numbers of structures as FreeSurfer has them). The true fractions of a voxel are
means of 2 x 2 x 2 voxels of the anatomy; tissues have .2, .55 and .85, and noise is added to the voxels of 2 mm. Given
are the mean absolute error of all fractions, and by how many percent the volume that is farthest off is wrong.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

import gmmseg

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


def scan(truth: np.ndarray, noise: float, gain: float, seed: int) -> np.ndarray:
    """Return a simulated scan of the fractions."""
    z, y, x = (np.linspace(-1, 1, n) for n in truth.shape[1:])
    field = np.exp(gain * (z[:, None, None] - 0.5 * y[None, :, None] ** 2 + 0.5 * z[:, None, None] * x))
    values = np.tensordot([0.2, 0.55, 0.85], truth, 1) * field
    return (values + np.random.default_rng(seed).normal(0, noise, values.shape)).astype(np.float32)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--noise", type=float, nargs="+", default=[0.03, 0.05, 0.1])
    arguments.add_argument("--gain", type=float, nargs="+", default=[0.0, 0.3])
    arguments.add_argument("--seed", type=int, default=0)
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")
    for path in sorted((chosen.data / "brains").glob("*.nii.gz")):
        truth = fractions_at_2_mm(path)
        mask = truth.sum(axis=0) > 0
        for noise, gain in ((noise, gain) for noise in chosen.noise for gain in chosen.gain):
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
