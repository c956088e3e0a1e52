# The compiled module, of native/module.cpp. What its functions do is told once, in __init__.py.

from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from gmmseg.kernels.densities import Densities
from gmmseg.kernels.neighbours import Neighbourhood

_Real = TypeVar("_Real", np.float32, np.float64)

INSTRUCTION_SET: str

def statistics(
    planes: NDArray[_Real],
    weights: NDArray[_Real] | None,
    densities: Densities,
    threads: int,
    /,
    log_prior: NDArray[_Real] | None = None,
) -> tuple[NDArray[np.float64], float]: ...
def posterior(
    planes: NDArray[_Real],
    densities: Densities,
    out: NDArray[_Real] | None,
    log_density: NDArray[_Real] | None,
    threads: int,
    /,
    log_prior: NDArray[_Real] | None = None,
) -> bool: ...
def classify(
    planes: NDArray[_Real],
    densities: Densities,
    out: NDArray[np.uint8] | NDArray[np.int64],
    first: int,
    threads: int,
    /,
    log_prior: NDArray[_Real] | None = None,
) -> bool: ...
def known_distances(
    planes: NDArray[np.float64],
    means: NDArray[np.float64],
    factors: NDArray[np.float64],
    precisions: NDArray[np.float64],
    distances: NDArray[np.float64],
    log_roots: NDArray[np.float64],
    threads: int,
    /,
) -> None: ...
def conditional_sums(
    planes: NDArray[np.float64],
    means: NDArray[np.float64],
    factors: NDArray[np.float64],
    precisions: NDArray[np.float64],
    shares: NDArray[np.float64],
    mass: NDArray[np.float64],
    threads: int,
    /,
) -> NDArray[np.float64]: ...
def expected(
    planes: NDArray[np.float64],
    means: NDArray[np.float64],
    factors: NDArray[np.float64],
    precisions: NDArray[np.float64],
    shares: NDArray[np.float64],
    out: NDArray[np.float64],
    threads: int,
    /,
) -> None: ...
def plus_plus(
    planes: NDArray[_Real],
    mass: NDArray[np.float64],
    distances: NDArray[np.float64],
    draws: NDArray[np.float64],
    /,
) -> list[int]: ...
def cluster(
    planes: NDArray[_Real],
    weights: NDArray[_Real] | None,
    draws: NDArray[np.float64],
    candidates: int,
    iterations: int,
    threads: int,
    /,
) -> tuple[NDArray[np.int64], int]: ...
def class_moments(
    planes: NDArray[_Real],
    labels: NDArray[np.int64],
    mass: NDArray[np.float64] | None,
    classes: int,
    diagonal: bool,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def precision_factors(covariances: NDArray[np.float64]) -> NDArray[np.float64] | None: ...
def invert_lower(lower: NDArray[np.float64]) -> NDArray[np.float64]: ...
def spread(
    white: NDArray[np.float64],
    ends: NDArray[np.int64],
    means: NDArray[np.float64],
    lower: NDArray[np.float64],
    /,
) -> NDArray[np.float64]: ...
def climb(
    planes: NDArray[_Real],
    weights: NDArray[_Real] | None,
    start: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str],
    added: NDArray[np.float64],
    noise: NDArray[np.float64] | None,
    limits: tuple[float, float, float],
    iterations: int,
    rescues: int,
    threads: int,
    /,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    list[float],
    bool,
    float,
    int,
    int,
    bool,
]: ...
def climb_each(
    planes: NDArray[_Real],
    weights: NDArray[_Real] | None,
    starts: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str],
    added: NDArray[np.float64],
    noise: NDArray[np.float64] | None,
    limits: tuple[float, float, float],
    iterations: int,
    threads: int,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def attempt(
    planes: NDArray[_Real],
    weights: NDArray[_Real] | None,
    start: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str],
    halvings: int,
    added: NDArray[np.float64],
    noise: NDArray[np.float64] | None,
    limits: tuple[float, float, float],
    steps: tuple[int, int, int],
    bounds: tuple[float, float, float],
    strict: bool,
    threads: int,
    /,
) -> tuple[tuple[Any, ...], bool] | bool | None: ...
def merge(
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    second: NDArray[np.float64],
    k: int,
    spherical: bool,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[int]]: ...
def split(
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    second: NDArray[np.float64],
    share: float,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def divisions(
    weights: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
    family: str,
    ranks: int,
    in_scale: bool,
    share: float,
    /,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def agreement(
    q: NDArray[np.float32],
    guide: NDArray[np.float32],
    valid: NDArray[np.uint8],
    counted: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    strengths: NDArray[np.float32],
    sharpness: NDArray[np.float32],
    total: float,
    most: float,
    settled: float,
    steps: int,
    /,
) -> float: ...
def step_levels(
    levels: NDArray[np.float32],
    least: NDArray[np.float32],
    most: NDArray[np.float32],
    row_starts: NDArray[np.int32],
    row_bands: NDArray[np.float32],
    column_starts: NDArray[np.int32],
    column_bands: NDArray[np.float32],
    limits: tuple[float, float],
    by_axis: bool,
    sweeps: int,
    /,
) -> None: ...
def unfilter(stored: NDArray[np.uint8], depth: int, out: NDArray[np.uint8], /) -> bool: ...
def uniform(seed: list[int], first: int, count: int, /) -> NDArray[np.float64]: ...
def smooth_planes(
    planes: NDArray[np.float32],
    densities: Densities,
    valid: NDArray[np.uint8] | None,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: NDArray[np.uint8],
    /,
) -> bool: ...
def smooth(
    prior: NDArray[np.float32],
    guide: NDArray[np.float32],
    valid: NDArray[np.uint8] | None,
    neighbourhood: Neighbourhood,
    inner_first: tuple[int, int, int],
    labels: NDArray[np.uint8] | None,
    probabilities: NDArray[np.float32] | None,
    /,
) -> None: ...
@overload
def lab(pixels: NDArray[np.float32], linear: None, out: NDArray[np.float32], /) -> None: ...
@overload
def lab(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], linear: NDArray[np.float32], out: NDArray[np.float32], /
) -> None: ...
def texture(
    values: NDArray[np.float32],
    known: NDArray[np.float32] | None,
    steps: NDArray[np.int64],
    shift: NDArray[np.int64],
    slopes: NDArray[np.float32],
    out: NDArray[np.float32],
    /,
) -> None: ...
