"""Compare the kernels with what one core can do at most, print a table and, on request, draw it.

usage: benchmark_roofline.py [--picture FILE.svg]      needs a C++ compiler (c++, or what CXX says) and the `plot` extra

The limits are measured beside the kernels: multiply-adds of whole registers without any memory, and sums over more than
the caches hold. A multiply-add counts as two operations, as anywhere; most others take an instruction for one, so that
not even perfect code reaches the first limit. Everything runs in one thread; times are those of the processor.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gmmseg import kernels
from gmmseg.mixture.parameters import Mixture

LIMITS = """
volatile double sink;
template <class V> double run(long n) {
    V a[12], x;
    for (unsigned i = 0; i < sizeof(V) / sizeof(x[0]); ++i) x[i] = i / 1e7;
    for (V& each : a) each = x;
    const V m = x + 1;
    for (long t = 0; t < n; ++t)
        for (V& each : a) each = each * m + x;
    for (const V& each : a) sink += each[1];
    return n * 12.0 * 2 * sizeof(V) / sizeof(x[0]);
}
typedef float F __attribute__((vector_size(BYTES)));
typedef double D __attribute__((vector_size(BYTES)));
extern "C" double operations(int wide) { return wide ? run<D>(4000000) : run<F>(4000000); }
extern "C" double bytes(const float* p, long n) {
    F s[4] = {};
    for (long i = 0; i + BYTES <= n; i += BYTES)
        for (int j = 0; j < 4; ++j) s[j] += *(const F*)(p + i + j * BYTES / 4);
    for (const F& each : s) sink += each[0];
    return 4.0 * n;
}
"""
SAMPLES = 400_000
TURNS = 9


class Figure(NamedTuple):
    """What a kernel does a second, and how much of it for each byte."""

    name: str
    operations: float
    bytes: float
    dtype: str

    def share(self, most: dict[str, float]) -> float:
        """The larger part of a limit that is reached."""
        return max(self.operations / most[self.dtype], self.bytes / most["bytes"])


def seconds(call: Callable[[], object]) -> float:
    """Least seconds of the processor."""
    call()
    took = []
    for _ in range(TURNS):
        start = time.process_time()
        call()
        took.append(time.process_time() - start)
    return min(took)


def limits(folder: Path) -> dict[str, float]:
    """Operations a second in float32 and float64, and bytes a second from memory."""
    width = {"x86-64-v4": 64, "x86-64-v3": 32}.get(kernels.INSTRUCTION_SET, 16)
    source, library = folder / "limits.cpp", folder / "limits.so"
    source.write_text(LIMITS)
    options = ["-O3", "-march=native", f"-DBYTES={width}", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run([os.environ.get("CXX", "c++"), *options], check=True)
    found = ctypes.CDLL(str(library))
    found.operations.restype = found.bytes.restype = ctypes.c_double
    data = np.ones(64 << 20, np.float32)
    first = -data.ctypes.data % 64 // 4  # where whole registers start
    read = ctypes.c_void_p(data[first:].ctypes.data), ctypes.c_long(len(data) - first)
    return {
        "float32": found.operations(0) / seconds(lambda: found.operations(0)),
        "float64": found.operations(1) / seconds(lambda: found.operations(1)),
        "bytes": found.bytes(*read) / seconds(lambda: found.bytes(*read)),
    }


def density_operations(d: int, *, diagonal: bool) -> int:
    """Of a component's density at a sample: the difference from the mean, times the factor, squared and added up."""
    return d + (d if diagonal else d * d) + 2 * d + 1


def figures() -> list[Figure]:
    """The mixture's kernels on samples of five features, and colour."""
    rng, d, found = np.random.default_rng(0), 5, []
    cases = [("float32", 4, False), ("float32", 8, False), ("float32", 8, True), ("float64", 4, False)]
    for dtype, k, diagonal in cases:
        planes = rng.normal(size=(d, SAMPLES)).astype(dtype)
        balls = np.ones((k, d)) if diagonal else np.stack([np.eye(d)] * k)
        mixture = Mixture(np.full(k, 1 / k), rng.normal(size=(k, d)), balls, "diag" if diagonal else "full")
        what, each = mixture.densities, density_operations(d, diagonal=diagonal)
        exponential = 17 if dtype == "float32" else 29
        moments = 2 + 3 * d + (2 * d if diagonal else d * (d + 1))  # weights, first and second moments
        name = f"{'diagonal' if diagonal else 'full'}, k = {k}, {dtype}"
        took = seconds(lambda planes=planes, what=what: kernels.statistics(planes, None, what, 1))  # type: ignore[misc]
        done = SAMPLES * k * (each + exponential + moments)
        found.append(Figure(f"EM iteration, {name}", done / took, planes.nbytes / took, dtype))
        if diagonal or k == 8:
            continue
        soft, labels = np.empty((k, SAMPLES), dtype), np.empty(SAMPLES, np.uint8)
        took = seconds(lambda a=(planes, what, soft): kernels.posterior(*a, None, 1))  # type: ignore[misc]
        done, moved = SAMPLES * k * (each + exponential + 1), planes.nbytes + soft.nbytes
        found.append(Figure(f"posteriors, {name}", done / took, moved / took, dtype))
        took = seconds(lambda a=(planes, what, labels): kernels.classify(*a, 1, 1))  # type: ignore[misc]
        done, moved = SAMPLES * k * (each + 1), planes.nbytes + labels.nbytes
        found.append(Figure(f"labels, {name}", done / took, moved / took, dtype))
    return found


def draw(path: str, found: list[Figure], most: dict[str, float]) -> None:
    """The limits, and below them each kernel at its operations a byte."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    intensity = np.geomspace(0.5, 200, 200)
    for dtype, color in (("float32", "tab:blue"), ("float64", "tab:orange")):
        axes.plot(intensity, np.minimum(most[dtype], most["bytes"] * intensity) / 1e9, color=color, label=dtype)
        own = [each for each in found if each.dtype == dtype]
        axes.plot([f.operations / f.bytes for f in own], [f.operations / 1e9 for f in own], "o", color=color)
        for i, each in enumerate(own):
            at, left = (each.operations / each.bytes, each.operations / 1e9), i % 2
            place = {
                "xytext": (-6 if left else 6, -3),
                "textcoords": "offset points",
                "ha": "right" if left else "left",
            }
            axes.annotate(each.name.replace(f", {dtype}", ""), at, fontsize=7, **place)
    axes.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="1e9 operations a second, one core")
    axes.legend(loc="upper left")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", help="file that the limits and the kernels are drawn to")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        most = limits(Path(folder))
    found = figures()
    print(f"At most {most['float32'] / 1e9:.0f} and {most['float64'] / 1e9:.0f} (float64) operations a ns, ", end="")
    print(f"{most['bytes'] / 1e9:.0f} bytes a ns; {kernels.INSTRUCTION_SET}\n")
    print("| kernel | operations a ns | bytes a ns | share of the nearer limit |\n| --- | --: | --: | --: |")
    for each in found:
        rates = f"{each.operations / 1e9:.0f} | {each.bytes / 1e9:.1f}"
        print(f"| {each.name} | {rates} | {each.share(most):.0%} |")
    if options.picture:
        draw(options.picture, found, most)
    return 0


if __name__ == "__main__":
    sys.exit(main())
