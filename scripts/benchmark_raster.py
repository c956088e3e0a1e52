"""Measure segmentation of a raster larger than the memory allowed, beside what merely copying it costs.

The scene has six bands of uint16, drawn from six Gaussians with full covariances in regions that are smooth, so that
the truth is exact. Each figure is a whole process; time is compared with `rio stack` copying one band with the same
compression plus reading all bands once, accuracy with the classifier that knows the Gaussians, pixel by pixel.

    python scripts/benchmark_raster.py --folder scenes            # 10 240 and 20 480 pixels a side
    python scripts/benchmark_raster.py --folder scenes --side 4096 --only smaller
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import rasterio
from benchmark import process
from rasterio.transform import from_origin
from rasterio.windows import Window

K, BANDS, BLOCK = 6, 6, 512
PROFILE = {"driver": "GTiff", "dtype": "uint16", "count": BANDS, "tiled": True, "compress": "deflate", "predictor": 2}
READ_ALL = (
    "import rasterio, sys\n"
    "with rasterio.Env(GDAL_CACHEMAX=64), rasterio.open(sys.argv[1]) as scene:\n"
    "    for _, window in scene.block_windows(1):\n"
    "        scene.read(window=window)\n"
)


def classes() -> tuple[np.ndarray, np.ndarray]:
    """Means (K, d) and factors (K, d, d) of the covariances, in which neighbouring classes overlap."""
    rng = np.random.default_rng(5)
    means = 3000 + 9000 * rng.random((K, BANDS))
    factors = rng.normal(size=(K, BANDS, BANDS)) * 420 + 300 * np.eye(BANDS)
    return means.astype(np.float32), factors.astype(np.float32)


def draw(path: Path, side: int) -> None:
    """Write the scene and its truth, some rows at a time."""
    rng = np.random.default_rng(side)
    means, factors = classes()
    coarse = rng.normal(size=(K, side // 64 + 2, side // 64 + 2)).astype(np.float32)
    profile = PROFILE | {"width": side, "height": side, "crs": "EPSG:32633", "transform": from_origin(5e5, 5e6, 10, 10)}
    blocks = {"blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "yes", "num_threads": "all_cpus"}
    part, truth_path = path.with_suffix(".part"), path.with_suffix(".truth.npy")
    truth = np.lib.format.open_memmap(truth_path, "w+", np.uint8, (side, side))
    with rasterio.open(part, "w", **profile, **blocks) as scene:
        for top in range(0, side, BLOCK):
            rows = (np.arange(top, min(top + BLOCK, side), dtype=np.float32) + 0.5) / 64
            columns = (np.arange(side, dtype=np.float32) + 0.5) / 64
            maps = np.broadcast_to(columns, (len(rows), side)), np.broadcast_to(rows[:, None], (len(rows), side))
            fields = [cv2.remap(each, *map(np.ascontiguousarray, maps), cv2.INTER_CUBIC) for each in coarse]
            label = np.argmax(fields, axis=0)
            noise = rng.standard_normal((label.size, BANDS), np.float32)
            values = np.empty((label.size, BANDS), np.float32)
            for k in range(K):
                chosen = np.flatnonzero(label.reshape(-1) == k)
                values[chosen] = noise[chosen] @ factors[k].T + means[k]
            stored = np.rint(np.clip(values, 0, 65535)).astype(np.uint16).T.reshape(BANDS, *label.shape)
            scene.write(stored, window=Window(0, top, side, len(rows)))
            truth[top : top + len(rows)] = label + 1
    truth.flush()
    part.rename(path)


def accuracies(scene: Path, labels: Path) -> tuple[float, float]:
    """Shares of pixels with the right class: of a label map, and of the classifier that knows the Gaussians."""
    means, factors = classes()
    covariances = np.einsum("kij,klj->kil", factors, factors).astype(np.float64)
    precisions, constants = np.linalg.inv(covariances), -0.5 * np.linalg.slogdet(covariances)[1]
    truth = np.load(scene.with_suffix(".truth.npy"), mmap_mode="r")
    shares = np.bincount(truth[::16, ::16].ravel(), minlength=K + 1)[1:] / truth[::16, ::16].size
    votes, known, count = np.zeros((256, K + 1), np.int64), 0, 0
    with rasterio.open(scene) as source, rasterio.open(labels) as result:
        for top in range(0, source.height, 16 * BLOCK // 4):
            window = Window(0, top, source.width, min(64, source.height - top))
            right = np.array(truth[top : top + window.height]).ravel()
            found = result.read(1, window=window).ravel()
            votes += np.bincount(found.astype(np.int64) * (K + 1) + right, minlength=256 * (K + 1)).reshape(256, K + 1)
            x = source.read(window=window).reshape(BANDS, -1).T
            scores = np.empty((len(x), K))
            for k in range(K):
                centred = x - means[k].astype(np.float64)
                distance = np.einsum("ni,ij,nj->n", centred, precisions[k], centred, optimize=True)
                scores[:, k] = np.log(shares[k]) + constants[k] - distance / 2
            known += int((scores.argmax(axis=1) + 1 == right).sum())
            count += len(right)
    return votes.max(axis=1).sum() / count, known / count


def main() -> None:
    """Print one row a scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where scenes are made, and kept for the next run")
    parser.add_argument("--side", type=int, default=10_240)
    parser.add_argument("--only", choices=("smaller", "larger"), help="one of the two scenes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="1GiB")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sides = {"smaller": options.side, "larger": 2 * options.side}
    tools = Path(sys.executable).parent
    command = shutil.which("gmmseg", path=os.fspath(tools)) or "gmmseg"
    rio = shutil.which("rio", path=os.fspath(tools)) or "rio"
    print("| side | seconds | copy of one band | read of all bands | ratio to 3 copies + 1 read | peak MiB | right "
          "| with --no-smooth | best pixel by pixel |")  # fmt: skip
    print("| --: " * 9 + "|")
    for side in [sides[options.only]] if options.only else sides.values():
        scene, labels, copy = (options.folder / name.format(side) for name in ("{}.tif", "{}_labels.tif", "{}_one.tif"))
        if not scene.exists():
            draw(scene, side)
        ours = [command, "segment", str(scene), "-k", str(K), "-o", str(labels), "--overwrite", "--quiet",
                "--memory", options.memory]  # fmt: skip
        creation = [f"--co={k}={v}" for k, v in PROFILE.items() if k not in ("driver", "dtype", "count")]
        creation += [f"--co=block{axis}size={BLOCK}" for axis in "xy"]
        one = [rio, "stack", str(scene), str(copy), "--bidx", "1", "--overwrite", *creation]
        runs = []
        for _ in range(options.repeats):
            seconds, peak = process(ours)
            copied, _ = process(one)
            read, _ = process([sys.executable, "-c", READ_ALL, str(scene)])
            runs.append((seconds, copied, read, seconds / (3 * copied + read), peak))
        seconds, copied, read, ratio, peak = np.median(runs, axis=0)
        smooth, known = accuracies(scene, labels)
        process([*ours, "--no-smooth"])
        plain, _ = accuracies(scene, labels)
        print(
            f"| {side} | {seconds:.1f} | {copied:.1f} | {read:.1f} | {ratio:.2f} | {peak:.0f} | {smooth:.3%} "
            f"| {plain:.3%} | {known:.3%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
