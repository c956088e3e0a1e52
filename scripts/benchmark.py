"""Measure gmmseg beside what it is compared with, in one run, and print the README's table.

usage: benchmark.py [--only WORD] [--repeats N]      needs the `test` extra

Runs of the two sides take turns, and each figure is the median of the ratios of neighbouring runs, because a busy
machine slows both. EM iterations start from the same parameters on the same samples.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import color, data
from sklearn.mixture import GaussianMixture as Peer

import gmmseg
from gmmseg import kernels
from gmmseg.kernels import reference
from gmmseg.mixture.em import Iteration, expectation_maximization, with_outliers
from gmmseg.mixture.parameters import Mixture
from gmmseg.threads import thread_count

CUBE = """
import gmmseg, numpy as np
rng = np.random.default_rng(0)
spectra = rng.uniform(100, 1000, (4, 150))
cube = spectra[np.indices((96, 96)).sum(0) // 48] + rng.normal(0, 40, (96, 96, 150))
gmmseg.segment(cube.astype(np.float32), 4, channel_axis=-1)
"""
VOLUME = """
import gmmseg, numpy as np
places = np.indices((96, 96, 96)) / 96
inside = np.digitize(np.linalg.norm(places - 0.5, axis=0), [0.15, 0.3, 0.45])
volume = np.array([800, 600, 300, 20])[inside] * (0.7 + 0.6 * places[2])
volume += np.random.default_rng(0).normal(0, 20, inside.shape)
gmmseg.segment(volume.astype(np.int16), 4, channel_axis=None, bias_field=True)
"""
FLOOR = "import sys, cv2; image = cv2.imread(sys.argv[1]); cv2.imwrite(sys.argv[2], image[..., 0] // 64)"


def pixels(n: int, dtype: str) -> np.ndarray:
    """Samples (n, 5): standardised Lab and position of pixels of a photograph, with a little noise."""
    image = data.astronaut()
    grid = np.stack(np.mgrid[: image.shape[0], : image.shape[1]], axis=-1)
    samples = np.concatenate([color.rgb2lab(image), grid], axis=-1).reshape(-1, 5)
    samples = (samples - samples.mean(axis=0)) / samples.std(axis=0)
    rng = np.random.default_rng(2)
    drawn = samples[rng.integers(len(samples), size=n)]
    return np.ascontiguousarray(drawn + rng.normal(0, 0.02, drawn.shape), dtype)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(slow: Callable[[], object], fast: Callable[[], object], repeats: int) -> float:
    """Median of the time of `slow` over that of `fast`, in turns.

    `fast` runs for milliseconds, in which a processor has not woken up yet: it runs five times in a row, and the least
    counts. `slow` runs for seconds and needs none of this.
    """
    return float(np.median([seconds(slow) / min(seconds(fast) for _ in range(5)) for _ in range(repeats)]))


def iteration(covariance: str, k: int, dtype: str, repeats: int) -> str:
    x = pixels(262_144, dtype)
    precisions = np.full((k, 5), 2.0) if covariance == "diag" else np.tile(2 * np.eye(5), (k, 1, 1))
    start = {"weights_init": np.full(k, 1 / k), "means_init": x[:k].astype(float), "precisions_init": precisions}

    def fit(cls: type) -> Callable[[], object]:
        return lambda: cls(k, covariance_type=covariance, tol=0.0, max_iter=20, **start).fit(x)

    return f"{ratio(fit(Peer), fit(gmmseg.GaussianMixture), repeats):.0f} x"


def option(name: str, k: int, repeats: int) -> str:
    """Cost of 20 iterations with an option of EM, over that of 20 plain ones."""
    planes = np.ascontiguousarray(pixels(262_144, "f4").T)
    rng = np.random.default_rng(0)
    start = Mixture(np.full(k, 1 / k), planes[:, :k].T.astype(float), np.tile(0.5 * np.eye(5), (k, 1, 1)))
    some, more, other = planes, {}, start
    if name == "weights":
        more["weights"] = rng.uniform(0.5, 2, planes.shape[1]).astype("f4")
    elif name == "missing":  # three patterns: all features, and one of two missing
        some = planes.copy()
        some[0, rng.random(planes.shape[1]) < 0.1] = np.nan
        some[1, np.isfinite(some[0]) & (rng.random(planes.shape[1]) < 0.1)] = np.nan
    else:
        other = with_outliers(start, name, planes)

    def run(samples: np.ndarray, mixture: Mixture, **options: Any) -> Callable[[], object]:
        def work() -> None:
            expectation_maximization(samples, mixture, Iteration(0, 20, threads=thread_count(None)), **options)

        return work

    plain, special = run(planes, start), run(some, other, **more)
    plain(), special()
    ratios = [seconds(special) / seconds(plain) for _ in range(5 * repeats)]
    return f"{np.median(ratios):.2f} x"


def whole_fit(repeats: int) -> str:
    x = pixels(50_000, "f4")
    ratios, gains = [], []
    for seed in range(max(3, repeats)):
        models = [cls(6, random_state=seed) for cls in (Peer, gmmseg.GaussianMixture)]
        ratios.append(ratio(lambda model=models[0]: model.fit(x), lambda model=models[1]: model.fit(x), 1))
        scores = [model.score(x.astype(float)) for model in models]
        gains.append(scores[1] - scores[0])
    return f"{np.median(ratios):.0f} x, median score {np.median(gains):+.3f} nats"


def inference(method: str, repeats: int) -> str:
    x = pixels(2_000_000, "f4")
    models = [cls(6, random_state=0, max_iter=5).fit(x[:50_000]) for cls in (Peer, gmmseg.GaussianMixture)]
    peer, ours = (getattr(model, method) for model in models)
    return f"{ratio(lambda: peer(x), lambda: ours(x), repeats):.0f} x"


def wide(d: int, repeats: int) -> str:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(d, 65_536)).astype(np.float32)
    densities = kernels.Densities(np.full(4, -1.0), rng.normal(size=(4, d)), np.tile(np.eye(d), (4, 1, 1)))

    def work(implementation: Any) -> Callable[[], object]:
        return lambda: implementation.statistics(x, None, densities, thread_count(None))

    return f"{ratio(work(reference), work(kernels.native), repeats):.1f} x" if kernels.native else "-"


def process(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds and peak memory (MiB) of a process, started from a small one so that its own peak is seen."""
    program = (
        "import os, subprocess, sys, time\n"
        "t = time.perf_counter()\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "_, status, usage = os.wait4(child.pid, 0)\n"
        "print(time.perf_counter() - t, usage.ru_maxrss / 1024, status)\n"
    )
    words = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, check=True, text=True)
    wall, peak, status = map(float, words.stdout.split())
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return wall, peak


def against(ours: list[str], floor: list[str], repeats: int) -> tuple[float, float]:
    """Median ratios of two processes, in time and in memory."""
    process(ours), process(floor)
    pairs = [(process(ours), process(floor)) for _ in range(max(7, repeats))]
    return tuple(float(np.median([a[i] / b[i] for a, b in pairs])) for i in range(2))


def end_to_end(name: str, height: int, width: int, repeats: int) -> str:
    command = shutil.which("gmmseg", path=os.path.dirname(sys.executable)) or "gmmseg"
    with tempfile.TemporaryDirectory() as folder:
        source, target = str(Path(folder, name)), str(Path(folder, "labels.png"))
        image = cv2.resize(data.astronaut()[..., ::-1], (width, height), interpolation=cv2.INTER_CUBIC)
        noise = np.random.default_rng(0).normal(0, 3, image.shape)
        cv2.imwrite(source, np.clip(image + noise, 0, 255).astype(np.uint8))
        ours = [command, "segment", source, "-k", "4", "-o", target, "--overwrite"]
        wall, memory = against(ours, [sys.executable, "-c", FLOOR, source, target], repeats)
    return f"{wall:.2f} x in time, {memory:.2f} x in memory"


def processor(command: list[str], **environment: str) -> float:
    """Seconds of processor time of a process, with all its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def one_blas_thread(job: str, busy: int, repeats: int) -> str:
    """Processor time beside busy processes, and time without them, over that of BLAS held to one thread."""
    command, one = [sys.executable, "-c", job], {"OPENBLAS_NUM_THREADS": "1"}
    ratios = [seconds(lambda: processor(command)) / seconds(lambda: processor(command, **one)) for _ in range(repeats)]
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    try:
        pairs = [(processor(command), processor(command, **one)) for _ in range(repeats)]
    finally:
        for other in others:
            other.kill()
            other.wait()
    share = np.median([ours / least for ours, least in pairs])
    return f"{share:.2f} x ({np.median(pairs, axis=0)[0]:.1f} s), alone {np.median(ratios):.2f} x in time"


def start_up(ours: list[str], floor: str, repeats: int) -> str:
    return f"{against(ours, [sys.executable, '-c', floor], 3 * repeats)[0]:.2f} x"


def main() -> None:
    """Print one row a figure: what, the least that is asked, what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="only the figures whose name contains this")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    n = options.repeats
    gmmseg_command = [shutil.which("gmmseg", path=os.path.dirname(sys.executable)) or "gmmseg", "--help"]
    figures: list[tuple[str, str, Callable[[], str]]] = [
        ("EM iteration, full, k = 4, float32", "150 x", lambda: iteration("full", 4, "f4", n)),
        ("EM iteration, full, k = 8, float32", "150 x", lambda: iteration("full", 8, "f4", n)),
        ("EM iteration, diag, k = 8, float32", "80 x", lambda: iteration("diag", 8, "f4", n)),
        ("EM iteration, full, k = 4, float64", "50 x", lambda: iteration("full", 4, "f8", n)),
        ("EM with sample weights, over plain EM, k = 4", "1.10 x", lambda: option("weights", 4, n)),
        ("EM with sample weights, over plain EM, k = 8", "1.10 x", lambda: option("weights", 8, n)),
        ("EM with three patterns of missing features, over plain EM, k = 4", "2 x", lambda: option("missing", 4, n)),
        ("EM with Student-t components, over plain EM, k = 4", "1.5 x", lambda: option("student", 4, n)),
        ("EM with Student-t components, over plain EM, k = 8", "1.5 x", lambda: option("student", 8, n)),
        ("EM with a uniform component, over plain EM, k = 4", "-", lambda: option("uniform", 4, n)),
        ("whole fit, k = 6, n = 50 000", "40 x, -0.005 nats", lambda: whole_fit(n)),
        ("predict, n = 2 000 000", "25 x", lambda: inference("predict", n)),
        ("predict_proba, n = 2 000 000", "25 x", lambda: inference("predict_proba", n)),
        ("score_samples, n = 2 000 000", "25 x", lambda: inference("score_samples", n)),
        (
            "segment, 12-megapixel JPEG, over decode and encode",
            "2.0 x, 3 x",
            lambda: end_to_end("a.jpg", 3000, 4000, n),
        ),
        ("segment, 512 x 512 PNG, over decode and encode", "2.5 x", lambda: end_to_end("a.png", 512, 512, n)),
        (
            "import gmmseg, over import numpy",
            "1.3 x",
            lambda: start_up([sys.executable, "-P", "-c", "import gmmseg"], "import numpy", n),
        ),
        ("gmmseg --help, over python -c pass", "3 x", lambda: start_up(gmmseg_command, "pass", n)),
        (
            "cube of 150 bands beside 4 busy processes, over one BLAS thread",
            "1.5 x",
            lambda: one_blas_thread(CUBE, 4, n),
        ),
        (
            "volume, bias field, beside 4 busy processes, over one BLAS thread",
            "1.5 x",
            lambda: one_blas_thread(VOLUME, 4, n),
        ),
        ("wide: compiled over NumPy kernel, d = 16", "-", lambda: wide(16, n)),
        ("wide: compiled over NumPy kernel, d = 32", "-", lambda: wide(32, n)),
        ("wide: compiled over NumPy kernel, d = 48", "-", lambda: wide(48, n)),
    ]
    print("| figure | asked | measured |\n| --- | --- | --- |")
    for name, asked, measure in figures:
        if options.only in name:
            print(f"| {name} | {asked} | {measure()} |", flush=True)


if __name__ == "__main__":
    main()
