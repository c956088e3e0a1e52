"""Segmentation: what segment() and apply() return."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmseg import io
from gmmseg.errors import ParameterError
from gmmseg.guidance import Guidance
from gmmseg.image import Image
from gmmseg.model import Model
from gmmseg.tiles import visit

if TYPE_CHECKING:
    from gmmseg.export import Instances, Polygon
    from gmmseg.export.kinds import Kind

__all__ = ["ClassSummary", "Segmentation"]

Array = NDArray[Any]


@dataclass(frozen=True)
class ClassSummary:
    """One class of a segmentation.

    Parameters
    ----------
    label : int
        Its number in the label map.
    name : str
    share : float
        Of the valid pixels, 0 to 1.
    color : tuple of int or None
        Mean red, green and blue, 0 to 255; None for images that are not colour and for classes of hardly any pixel.
    means : dict of str to float
        Mean of each feature under the model, in its own unit.
    """

    label: int
    name: str
    share: float
    color: tuple[int, int, int] | None
    means: dict[str, float]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels, and on demand everything else that the mixture says of each pixel.

    Parameters
    ----------
    labels : ndarray of uint8, shape (*spatial)
        Classes 1 to k; 0 = no data or masked out.
    image : Image
    model : Model
    threads : int
        Used for what is computed on demand.
    guidance : Guidance, optional
        Scribbles and prior maps that the pixels were classified with.
    """

    labels: Array
    image: Image
    model: Model
    threads: int = 1
    guidance: Guidance | None = None

    @cached_property
    def probabilities(self) -> Array:
        """Smoothed posteriors (k, *spatial), float32, summing to 1; all zero where the label is 0."""
        out = np.zeros((self.model.k, *self.image.shape), np.float32)
        visit(self.image, self.model, probabilities=out, guidance=self.guidance, threads=self.threads)
        return out

    @cached_property
    def uncertainty(self) -> Array:
        """1 - the largest probability (*spatial), float32: 0 where the class is certain, at most 1 - 1/k."""
        certain = self.probabilities.max(axis=0)
        return np.where(self.labels > 0, 1 - certain, np.float32(0))

    @cached_property
    def log_density(self) -> Array:
        """Log density of each pixel's features under the mixture (*spatial), float32, nats; NaN where no data."""
        out = np.full(self.image.shape, np.nan, np.float32)
        visit(self.image, self.model, log_density=out, threads=self.threads)
        return out

    @cached_property
    def anomaly(self) -> Array:
        """How usual each pixel is (*spatial), float32, 0 to 1; NaN where no data.

        A p-value: the probability that a pixel of its class lies as far from the class's mean as this one, or farther,
        by the chi-square distribution of the squared Mahalanobis distance. Below 0.001: hardly of any class.
        """
        out = np.full(self.image.shape, np.nan, np.float32)
        visit(self.image, self.model, anomaly=out, threads=self.threads)
        return out

    def mask(self, label: int) -> Array:
        """Return the pixels of one class as a boolean array (*spatial)."""
        if label not in range(self.model.k + 1):
            raise ParameterError(f"label={label!r} is no class of this segmentation; use 0 (no data) to {self.model.k}")
        return np.asarray(self.labels == label)

    @cached_property
    def classes(self) -> tuple[ClassSummary, ...]:
        """The classes' names, shares, colours and means."""
        counts = _count_labels(self.labels, self.model.k)
        colors = self._mean_colors()
        return tuple(
            ClassSummary(
                label=i + 1,
                name=name,
                share=float(counts[i + 1] / max(1, counts[1:].sum())),
                color=colors[i],
                means={f: float(m) for f, m in zip(self.model.plane_names, self.model.means[i], strict=True)},
            )
            for i, name in enumerate(self.model.class_names)
        )

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the labels; the suffix chooses the format (.png, .tif, .npy, .npz), what located the pixels is kept.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is False, the suffix is not known or the folder cannot be written.
        """
        io.write_labels(Path(path), self.labels, image=self.image, overwrite=overwrite)

    def to_coco(self, *, instances: Kind = "component", min_size: int = 1) -> dict[str, Any]:
        """Return a COCO instance data set of this image, as `gmmseg.export.to_coco` does.

        `instances` ("component", connected regions, or "class") and `min_size`, in pixels, are those of
        `gmmseg.export.find_instances`, here and below.
        """
        from gmmseg.export import to_coco

        return to_coco(self._instances(instances, min_size), file_name=Path(self.image.name).name)

    def to_panoptic(self, *, instances: Kind = "component", min_size: int = 1) -> tuple[dict[str, Any], Array]:
        """Return a COCO panoptic data set of this image and its picture of segments (rows, columns, 3), uint8."""
        from gmmseg.export import to_panoptic

        found, name = self._instances(instances, min_size), Path(self.image.name)
        return to_panoptic(found, file_name=name.name, segments_file=f"{name.stem}_panoptic.png")

    def to_polygons(self, *, simplify: float | None = None, min_size: int = 1) -> list[Polygon]:
        """Return the outline of each connected region of a class, in pixels; see `gmmseg.export.to_polygons`."""
        from gmmseg.export import to_polygons

        return to_polygons(self._instances("component", min_size), simplify=simplify)

    def to_geojson(
        self,
        *,
        instances: Kind = "component",
        min_size: int = 1,
        simplify: float | None = None,
        keep_crs: bool = False,
    ) -> dict[str, Any]:
        """Return GeoJSON, in WGS 84 where the image is georeferenced; see `gmmseg.export.to_geojson`."""
        from gmmseg.export import place_of, to_geojson

        found = self._instances(instances, min_size)
        return to_geojson(found, place=place_of(self.image), keep_crs=keep_crs, simplify=simplify)

    def _instances(self, instances: Kind, min_size: int) -> Instances:
        from gmmseg.export import find_instances

        return find_instances(self.labels, class_names=self.model.class_names, instances=instances, min_size=min_size)

    def _mean_colors(self) -> list[tuple[int, int, int] | None]:
        """Mean colour of each class over an even sample of about 100 000 pixels."""
        k = self.model.k
        if not self.image.color:
            return [None] * k
        step = max(1, int((self.image.n_pixels / 100_000) ** (1 / self.image.ndim)))
        every = (slice(step // 2, None, step),) * self.image.ndim
        labels = self.labels[every].ravel()
        pixels = self.image.pixels[every].reshape(-1, 3)
        top = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
        counts = np.bincount(labels, minlength=k + 1)
        sums = np.stack([np.bincount(labels, channel, minlength=k + 1) for channel in pixels.T])
        means = np.rint(np.clip(sums[:, 1:] / np.maximum(counts[1:], 1) / top, 0, 1) * 255).astype(int).T
        return [(int(r), int(g), int(b)) if n else None for (r, g, b), n in zip(means, counts[1:], strict=True)]


def _count_labels(labels: Array, k: int) -> Array:
    """Pixels of each label 0 to k."""
    flat = labels.reshape(-1)
    counts = np.zeros(k + 1, np.int64)
    for part in (flat[i : i + (1 << 17)] for i in range(0, flat.size, 1 << 17)):
        if k <= 8:  # comparisons within the cache, where bincount would convert to 64 bits first
            counts[1:] += [np.count_nonzero(part == label) for label in range(1, k + 1)]
        else:
            counts += np.bincount(part, minlength=k + 1)
    counts[0] = flat.size - counts[1:].sum()
    return counts
