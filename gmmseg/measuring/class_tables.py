"""Classes in numbers: pixels, shares, areas or volumes, and what the channels of an image are like in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gmmseg.arrays import Array
from gmmseg.checks import single
from gmmseg.errors import ParameterError
from gmmseg.image import Image
from gmmseg.image.windows import Window, tiles
from gmmseg.io.classes import default_names
from gmmseg.io.ground import Ground, pixels_of
from gmmseg.measuring.table import Table, stacked

__all__ = ["class_table"]

PERCENTILES = (5, 25, 50, 75, 95)
"""Of each channel in each class."""

_SAMPLE = 1 << 22  # pixels, evenly chosen, that percentiles and entropy are of
_TILE = 1 << 20  # pixels
_BINS = 256  # of floats, for the entropy


def class_table(
    labels: ArrayLike,
    image: Image,
    *,
    class_names: Sequence[str] = (),
    probabilities: ArrayLike | None = None,
    channels: bool = True,
    by_frame: bool = False,
) -> Table:
    """Measure the classes of a label map.

    Parameters
    ----------
    labels : array_like of integers from 0, shape (*spatial)
        0 = no data, which is no class.
    image : Image
        What they are of; read window by window where it stays in its file.
    class_names : sequence of str
        Of the classes 1, 2, ...; those that have one are listed even where no pixel has their label.
    probabilities : array_like, shape (n_classes, *spatial), optional
        Of the classes: their sums are listed as "pixels_soft", and as the area or volume that ends so.
    channels : bool
        Whether the image's channels are measured too.
    by_frame : bool
        Whether each frame of a time-lapse has its own rows, those of all classes; otherwise frames count together.

    Returns
    -------
    Table
        A row a class, by frame with the "frame", counted from 1, first: "label", "name", "pixels", "share" of the
        pixels that have a label, "area_mm2", "area_um2", "area_ha", "volume_ml", "volume_um3" or "volume_m3" where the
        image tells how large a pixel is; and of each channel "NAME_mean", "NAME_std", "NAME_p5", "_p25", "_p50",
        "_p75", "_p95" and "NAME_entropy", Shannon's of the values in bits. On a map areas are those on the ellipsoid,
        see `gmmseg.io.ground.Ground`. Percentiles and entropy are of at most 4 million pixels, evenly chosen; floats
        count in 256 steps for the entropy.

    Raises
    ------
    ParameterError
        The labels or probabilities do not fit the image, or frames are asked for and it has none.

    Examples
    --------
    >>> image = Image.from_array(np.array([[1.0, 2.0], [5.0, 7.0]], np.float32))
    >>> table = class_table([[1, 1], [2, 0]], image, class_names=("low", "high"))
    >>> table["pixels"].tolist(), table["intensity_mean"].tolist()
    ([2, 1], [1.5, 5.0])
    """
    numbers = np.asarray(labels)
    if numbers.shape != image.shape:
        raise ParameterError(
            f"labels have shape {numbers.shape}, but {image.name} has shape {image.shape}; give one number a pixel"
        )
    n = max(int(numbers.max(initial=0)), len(class_names)) + 1
    if single("by_frame", by_frame):
        return _by_frame(numbers, image, default_names(n - 1, class_names), probabilities, channels=channels)
    there = pixels_of(numbers, n)
    listed = np.flatnonzero((there > 0) | (np.arange(n) <= len(class_names)))
    listed = listed[listed > 0]
    ground = Ground.of(image)
    soft = None if probabilities is None else _checked(probabilities, n, image)
    tally = _Tally(numbers, image, ground, n, soft, channels=channels)
    for window in _windows(image):
        tally.add(window)
    columns: dict[str, Array] = {
        "label": listed,
        "name": np.array(default_names(n - 1, class_names), object)[listed - 1],
        "pixels": there[listed],
        "share": there[listed] / max(1, there[1:].sum()),
    }
    if ground.known:
        columns[ground.name] = tally.covered[listed]
    if soft is not None:
        columns["pixels_soft"] = tally.soft_pixels[listed]
        if ground.known:
            columns[f"{ground.name}_soft"] = tally.soft_covered[listed]
    return Table(columns | (tally.of_channels(listed) if channels else {}))


def _by_frame(
    numbers: Array, image: Image, names: Sequence[str], probabilities: ArrayLike | None, *, channels: bool
) -> Table:
    """Tables of the frames below each other; all classes are named, so that each frame has a row of each."""
    if not image.time:
        raise ParameterError(f"{image.name} has no frames; by_frame=True (--by-frame) is for time-lapses, leave it out")
    soft = None if probabilities is None else _checked(probabilities, len(names) + 1, image)
    tables = {
        number: class_table(
            numbers[number - 1],
            frame,
            class_names=names,
            probabilities=None if soft is None else soft[:, number - 1],
            channels=channels,
        )
        for number, frame in enumerate(image.frames, 1)
    }
    return stacked(tables, "frame")


def _checked(probabilities: ArrayLike, n: int, image: Image) -> Array:
    soft = np.asarray(probabilities)
    if soft.shape[1:] != image.shape or len(soft) < n - 1:
        raise ParameterError(
            f"probabilities have shape {soft.shape}, expected {(n - 1, *image.shape)}: one map a class"
        )
    return soft


def _windows(image: Image) -> list[Window]:
    """Windows that are cheap to read, none so large that its floats would fill the memory."""
    found = []
    for window in image.windows():
        sides = tuple(s.stop - s.start for s in window)
        step = max(1, _TILE * sides[0] // max(1, int(np.prod(sides))))
        found += [tile.inner for tile in tiles(image.shape, (step, *sides[1:]), 0, within=window)]
    return found


class _Tally:
    """Sums of the classes, window by window."""

    def __init__(
        self, labels: Array, image: Image, ground: Ground, n: int, soft: Array | None, *, channels: bool
    ) -> None:
        self._labels, self._image, self._ground, self._n, self._soft = labels, image, ground, n, soft
        self._covered, self.soft_pixels, self.soft_covered = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
        self._channels = image.n_channels if channels else 0
        shape = (self._channels, n)
        self._counts, self._means, self._squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._step = max(1, -(-image.n_pixels // _SAMPLE))
        self._some: list[tuple[Array, Array]] = []

    @property
    def covered(self) -> Array:
        """What the pixels of each class cover together."""
        return self._covered * self._ground.each

    def add(self, window: Window) -> None:
        """Count a window."""
        labels, n = self._labels[window], self._n
        self._covered += self._ground.counts(window, labels, n)
        if self._soft is not None:
            soft = np.nan_to_num(self._soft[(slice(None), *window)])
            within = self._ground.within(window) * self._ground.each
            self.soft_pixels[1 : 1 + len(soft)] += soft.reshape(len(soft), -1).sum(axis=1, dtype=np.float64)
            self.soft_covered[1 : 1 + len(soft)] += (soft * within).reshape(len(soft), -1).sum(axis=1)
        if not self._channels:
            return
        part = self._image.crop(window)
        pixels, numbers = part.array.reshape(-1, self._channels), labels.reshape(-1)
        if part.valid is not None:
            numbers = np.where(part.valid.reshape(-1), numbers, 0)
        for channel in range(self._channels):
            self._add_channel(channel, pixels[:, channel].astype(np.float64), numbers)
        first = int(np.ravel_multi_index([s.start for s in window], self._image.shape))
        chosen = slice((-first) % self._step, None, self._step)
        self._some.append((numbers[chosen].copy(), pixels[chosen].copy()))

    def _add_channel(self, channel: int, values: Array, numbers: Array) -> None:
        """Add means and squares about them (Chan, Golub and LeVeque 1979), so that nothing cancels."""
        numbers = np.where(np.isfinite(values), numbers, 0)
        values = np.where(numbers > 0, values, 0)
        count = np.bincount(numbers, minlength=self._n).astype(np.float64)
        mean = np.bincount(numbers, values, minlength=self._n) / np.maximum(count, 1)
        square = np.bincount(numbers, (values - mean[numbers]) ** 2, minlength=self._n)
        before, shift = self._counts[channel], mean - self._means[channel]
        total = np.maximum(before + count, 1)
        self._squares[channel] += square + shift**2 * before * count / total
        self._means[channel] += shift * count / total
        self._counts[channel] += count

    def of_channels(self, listed: Array) -> dict[str, Array]:
        """Return the columns of the channels."""
        numbers = np.concatenate([each for each, _ in self._some])
        pixels = np.concatenate([each for _, each in self._some])
        order = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[order], np.stack([listed, listed + 1]))
        columns = {}
        for channel, name in enumerate(_channel_names(self._image)):
            count = self._counts[channel, listed]
            known = count > 0
            columns[f"{name}_mean"] = np.where(known, self._means[channel, listed], np.nan)
            spread = np.sqrt(self._squares[channel, listed] / np.maximum(count, 1))
            columns[f"{name}_std"] = np.where(known, spread, np.nan)
            values = pixels[order, channel]
            each = [values[start:stop] for start, stop in ends.T]
            each = [own[np.isfinite(own)] for own in each]
            cuts = np.array([np.percentile(own, PERCENTILES) if len(own) else [np.nan] * 5 for own in each])
            columns |= {f"{name}_p{p}": cuts[:, i] for i, p in enumerate(PERCENTILES)} if len(cuts) else {}
            columns[f"{name}_entropy"] = np.array([_entropy(own, values) for own in each])
        return columns


def _channel_names(image: Image) -> tuple[str, ...]:
    if image.known_names:
        return image.known_names
    return ("intensity",) if image.n_channels == 1 else tuple(f"band {i + 1}" for i in range(image.n_channels))


def _entropy(own: Array, every: Array) -> float:
    """Shannon's entropy of values, in bits; of floats in steps of the range of all."""
    if not len(own):
        return float("nan")
    if own.dtype.kind == "f":
        known = every[np.isfinite(every)]
        counts = np.histogram(own, _BINS, (known.min(), known.max()))[0]
    else:
        counts = np.unique(own, return_counts=True)[1]
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
