"""Measure `gmmseg batch` beside one process and beside scikit-learn in a loop, and kill it at random moments.

usage: benchmark_batch.py [--images N] [--repeats N] [--kills N] [--peer FILE]      needs the `test` extra
       benchmark_batch.py --icons N [--repeats N]

The photographs, of one megapixel, are made from `images/`. Runs of the two sides take turns, and the figure is the
median of the ratios of neighbouring runs. FILE is a script that takes an image, k and the label map to write; by
default one that does with scikit-learn what gmmseg does. Icons are crops of 64 x 64 pixels, in four classes: given is
how many a processor does in a second, with the start of the program and without it, which is the time of one icon, and
how many are done in a second of the clock: each with classes of its own, and with those of one model.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

import gmmseg

IMAGES = Path(__file__).parents[1] / "images"
PROGRAM = "from gmmseg.cli import program; program()"
PEER = """
import sys, cv2, numpy as np
from skimage.color import rgb2lab
from sklearn.mixture import GaussianMixture
image = cv2.imread(sys.argv[1])[..., ::-1]
grid = np.stack(np.mgrid[: image.shape[0], : image.shape[1]], -1)
x = np.concatenate([rgb2lab(image), grid], -1).reshape(-1, 5).astype(np.float32)
x = (x - x.mean(0)) / x.std(0)
sample = np.random.default_rng(0).choice(len(x), 50_000, replace=False)
labels = GaussianMixture(int(sys.argv[2]), random_state=0).fit(x[sample]).predict(x) + 1
cv2.imwrite(sys.argv[3], labels.reshape(image.shape[:2]).astype(np.uint8))
"""


def make_photographs(folder: Path, count: int) -> None:
    """Crops of the sample pictures, some flipped, with a little noise, 1224 x 816 pixels, as JPEG."""
    rng = np.random.default_rng(0)
    pictures = [cv2.imread(str(IMAGES / name)) for name in ("coffee.png", "chelsea.png")]
    for number in range(count):
        picture = pictures[number % 2]
        rows, columns = (int(side * rng.uniform(0.6, 1)) for side in picture.shape[:2])
        top, left = (
            int(rng.integers(whole - part + 1)) for whole, part in zip(picture.shape, (rows, columns), strict=False)
        )
        crop = picture[top : top + rows, left : left + columns]
        crop = crop[:, ::-1] if rng.random() < 0.5 else crop
        large = cv2.resize(crop, (1224, 816), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        noisy = np.clip(large + rng.normal(0, 3, large.shape), 0, 255).astype(np.uint8)
        path = folder / f"{number % 5}" / f"photo {number:03}.jpg"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), noisy)


def make_icons(folder: Path, count: int) -> None:
    """Parts of the sample pictures, 64 to 256 pixels wide, at 64 x 64, as PNG."""
    rng = np.random.default_rng(0)
    pictures = [cv2.imread(str(IMAGES / name)) for name in ("coffee.png", "chelsea.png")]
    for number in range(count):
        picture, side = pictures[number % 2], int(rng.integers(64, 257))
        top, left = (int(rng.integers(whole - side + 1)) for whole in picture.shape[:2])
        crop = picture[top : top + side, left : left + side]
        cv2.imwrite(str(folder / f"icon {number:05}.png"), cv2.resize(crop, (64, 64), interpolation=cv2.INTER_AREA))


def measure_icons(work: Path, count: int, repeats: int) -> None:
    many, one = work / "icons", work / "one icon"
    for folder, number in ((many, count), (one, 1)):
        folder.mkdir()
        make_icons(folder, number)
    model = work / "icons.gmm.json"
    gmmseg.fit(sorted(many.iterdir())[:8], 4).save(model)
    for name, options in (("k=4", ("-k", "4")), ("a model", ("--model", str(model)))):
        alone = ("--jobs", "1", "--threads", "1", *options)
        runs = [[seconds(each, work / "results", *alone) for each in (many, one)] for _ in range(repeats)]
        (wall, whole), (_, start) = np.median(runs, axis=0)
        rates = f"{count / whole:.0f} a second of the processor, {(count - 1) / (whole - start):.0f} without the start"
        print(f"{count} icons, {name}: {rates} of {start:.2f} s, {count / wall:.0f} of the clock; medians of {repeats}")


def batch(source: Path, results: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-c", PROGRAM, "batch", str(source), "--out-dir", str(results), "-q"]
    environment = {**os.environ, "PYTHONPATH": str(Path(gmmseg.__file__).parents[1])}
    return subprocess.Popen([*command, *options], env=environment)


def seconds(source: Path, results: Path, *options: str) -> tuple[float, float]:
    """Time of a whole batch into a new folder, and that of the processors, which other programs do not change."""
    if results.exists():  # is not removed: for some seconds after that files take ext4 .4 ms longer to make
        results.rename(tempfile.mkdtemp(dir=results.parent))
    start, before = time.perf_counter(), processor_seconds()
    if batch(source, results, *options).wait() != 0:
        raise SystemExit("a batch failed")
    return time.perf_counter() - start, processor_seconds() - before


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def contents(folder: Path) -> dict[str, bytes]:
    """The label maps below a folder by their names; what is being written lies in hidden folders."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*.png")}
    return {name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}"}


def measure(photographs: Path, work: Path, count: int, repeats: int, peer: Path) -> None:
    ways = {
        "one process, one thread": ("-k", "6", "--jobs", "1", "--threads", "1"),
        "one process, two threads": ("-k", "6", "--jobs", "1", "--threads", "2"),
        "two processes": ("-k", "6", "--jobs", "2", "--threads", "1"),
    }
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, options in ways.items():
            times[way].append(seconds(photographs, work / way, *options))
    first, *others = (contents(work / way) for way in ways)
    if any(other != first for other in others):
        raise SystemExit("the number of jobs changed the label maps")
    few = sorted(photographs.rglob("*.jpg"))[:5]
    start = time.perf_counter()
    for path in few:
        subprocess.run([sys.executable, "-P", str(peer), str(path), "6", str(work / "peer.png")], check=True)
    peer_seconds = (time.perf_counter() - start) / len(few)
    print(f"{count} photographs of 1 megapixel, k=6; seconds an image, medians of {repeats}")
    alone = np.array(times["one process, one thread"])
    for way, pairs in times.items():
        wall, processors = np.median(pairs, axis=0) / count
        rate = np.median(alone[:, 0] / np.array(pairs)[:, 0])
        print(f"  {way:26} {wall:.3f}, processors {processors:.3f}: {rate:.2f} x the first")
    both = np.median(times["two processes"], axis=0)[0] / count
    print(f"  {'scikit-learn in a loop':26} {peer_seconds:.3f}: two processes are {peer_seconds / both:.0f} x as fast")


def kill_again_and_again(photographs: Path, work: Path, kills: int, whole_seconds: float) -> None:
    """Kill a batch, or one of its workers, at random moments; check what is there after each, and all at the end."""
    whole, results = contents(work / "two processes"), work / "killed"
    rng = random.Random(0)
    wrong = lost = 0
    kept: set[str] = set()
    for number in range(kills):
        process = batch(photographs, results, "-k", "6", "--resume", "--jobs", "2")
        time.sleep(rng.uniform(0, 2 * whole_seconds / kills))
        victims = children(process.pid) if number % 3 == 2 else [process.pid]
        for victim in victims[:1]:
            os.kill(victim, signal.SIGKILL)
        if number % 3 == 2:
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
        process.wait()
        there = contents(results) if results.exists() else {}
        wrong += sum(content != whole[name] for name, content in there.items())
        lost += len(kept - set(there))
        kept = set(there)
    if batch(photographs, results, "-k", "6", "--resume", "--jobs", "2").wait() != 0:
        raise SystemExit("the last run failed")
    complete = contents(results) == whole
    left = [path.name for path in results.rglob(".*")]
    print(f"{kills} kills: {wrong} wrong or partial, {lost} lost, complete at the end: {complete}, left over: {left}")


def children(process: int) -> list[int]:
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(word) for word in file.read().split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--icons", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if options.icons is not None:
            measure_icons(work, options.icons, options.repeats)
            return
        photographs = work / "photographs"
        photographs.mkdir()
        make_photographs(photographs, options.images)
        peer = options.peer
        if peer is None:
            peer = work / "peer.py"
            peer.write_text(PEER)
        measure(photographs, work, options.images, options.repeats, peer)
        if options.kills:
            whole_seconds, _ = seconds(photographs, work / "two processes", "-k", "6", "--jobs", "2")
            kill_again_and_again(photographs, work, options.kills, whole_seconds)


if __name__ == "__main__":
    main()
