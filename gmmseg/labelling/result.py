"""Segmentation: what segment() and apply() return."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gmmseg import io
from gmmseg.arrays import Array
from gmmseg.checks import number_within, path_of, single
from gmmseg.effort import Effort
from gmmseg.errors import GmmsegWarning
from gmmseg.image import Image
from gmmseg.image.windows import Window, everything
from gmmseg.io.classes import class_numbers
from gmmseg.io.contents import Contents
from gmmseg.io.palette import palette
from gmmseg.labelling.faces import Faces
from gmmseg.labelling.layers import Layer, layer_named
from gmmseg.labelling.summary import ClassSummary, Tally
from gmmseg.labelling.tiles import Rule, empty_layer, visit
from gmmseg.model import Model
from gmmseg.records import dataclass, replace

if TYPE_CHECKING:
    from gmmseg.export import Instances, Polygon  # here, because most runs export nothing
    from gmmseg.export.kinds import Kind  # here, because most runs export nothing
    from gmmseg.labelling.chunks import Returned  # here, because most images are in memory
    from gmmseg.measuring import Objects, Table  # here, because most runs measure nothing
    from gmmseg.mixture.em import Course

__all__ = ["Segmentation"]

_LABELS = layer_named("labels")

MOST_FEATHER = 100  # pixels


@dataclass(frozen=True, eq=False, repr=False)
class Segmentation(Faces):
    """Labels, and on demand everything else that the mixture says of each pixel.

    Parameters
    ----------
    image : Image
    rule : Rule
        By what the classes are decided: the model, scribbles and prior maps, the bias field.
    effort : Effort
        How much memory and how many threads what is computed may take; its progress is called while labels are.
    min_size : int
        Regions of fewer pixels are given to their neighbours, see `clean`.
    course : Course, optional
        How the classes were found, where they were found in this image.
    elsewhere : callable, optional
        Computes what is saved of an image in a file, as `gmmseg.batch.cluster` does.
    warnings : sequence of GmmsegWarning
        What was warned of until the labels were there, each once.

    Notes
    -----
    Everything is computed once, when it is asked for. Of an image that stays in its file `save` computes and writes
    window by window; asking for `labels` and the like makes whole arrays.

    Examples
    --------
    >>> import gmmseg
    >>> seg = gmmseg.segment(np.repeat(np.uint8([10, 200, 200]), 8).reshape(3, 8), k=2)
    >>> seg.labels[:, 0].tolist(), seg.probabilities.shape, [round(each.share, 2) for each in seg.classes]
    ([1, 2, 2], (2, 3, 8), [0.33, 0.67])
    """

    image: Image
    rule: Rule
    effort: Effort
    min_size: int = 1
    course: Course | None = None
    elsewhere: Callable[[Segmentation, Layer, Path, Any], Iterator[Returned]] | None = None
    warnings: Sequence[GmmsegWarning] = ()

    def __repr__(self) -> str:
        """Say what was segmented into what, on one line; nothing is computed for it."""
        from reprlib import Repr  # here, because most are never looked at

        short = Repr()
        short.maxstring = 60  # the end of a path is kept
        size = " x ".join(map(str, self.image.shape))
        cleaned = "" if self.min_size == 1 else f", regions of at least {self.min_size} pixels"
        return f"Segmentation({short.repr(self.image.name)}, {size} pixels, k={self.model.k}{cleaned})"

    @property
    def model(self) -> Model:
        """The classes: of the image, or where a bias field was taken out, of the image without it."""
        return self.rule.model

    @cached_property
    def labels(self) -> Array:
        """Classes 1 to k (*spatial), uint8; 0 = no data or masked out."""
        found = self._whole("labels")
        return self._sieved(found) if self.image.in_memory else found  # in windows they are cleaned already

    @cached_property
    def probabilities(self) -> Array:
        """Smoothed posteriors, by `partial_volume` fractions (k, *spatial), float32, summing to 1; 0 where no data."""
        return self._whole("probabilities")

    @cached_property
    def uncertainty(self) -> Array:
        """1 less the largest probability (*spatial), float32: 0 where the class is certain or there is no data."""
        if "probabilities" in self.__dict__ and self.rule.partial is None:
            return np.where(self.labels > 0, 1 - self.probabilities.max(axis=0), np.float32(0))
        return np.nan_to_num(self._whole("uncertainty"), copy=False)

    @cached_property
    def log_density(self) -> Array:
        """Log density of each pixel's features under the mixture (*spatial), float32, nats; NaN where no data."""
        return self._whole("log_density")

    @cached_property
    def anomaly(self) -> Array:
        """How usual each pixel is (*spatial), float32, 0 to 1; NaN where no data.

        A p-value: the probability that a pixel of its class lies as far from the class's mean as this one, or farther,
        by the chi-square distribution of the squared Mahalanobis distance. Below 0.001: hardly of any class.
        """
        return self._whole("anomaly")

    @cached_property
    def bias_field(self) -> Array:
        """Gain that the image was divided by, float32, about 1; 1 everywhere where none was estimated.

        Of the image's shape (*spatial); of an image of several channels that are not colour (*spatial, n_channels).
        """
        from gmmseg.spatial.bias import BiasField  # here, because most runs have none

        if self.image.time:  # of which none is estimated
            return np.stack([BiasField.flat(frame).gain() for frame in self.image.frames])
        return (BiasField.flat(self.image) if self.rule.bias is None else self.rule.bias).gain()

    @property
    def corrected(self) -> Array:
        """The image's pixels (*spatial, n_channels) divided by the bias field, in its dtype."""
        from gmmseg.labelling.saving import corrected  # here, because most runs have no bias field

        return corrected(self.image, self.rule.bias)

    def mask(self, label: int | str | Iterable[int | str]) -> Array:
        """Return the pixels of classes, by number or name, as booleans (*spatial); 0 or "no data" is without."""
        numbers = class_numbers(label, self._all_names, where=self.image.name)
        if len(numbers) == 1:
            return np.asarray(self.labels == numbers[0])
        chosen = np.zeros(256, bool)
        chosen[[*numbers]] = True
        return np.asarray(chosen[self.labels])

    def cutout(
        self,
        label: int | str | Iterable[int | str],
        *,
        background: str | None = None,
        crop: bool = False,
        feather: float = 0.0,
    ) -> Array:
        """Cut classes out of a picture: red, green, blue and opacity (rows, columns, 4), uint8.

        Parameters
        ----------
        label : int, str, or iterable of these
            Classes by number or name.
        background : str, optional
            A colour such as "white" or "#ff8000" that they are laid on; transparent where None.
        crop : bool
            Whether only the rectangle around them is returned.
        feather : float
            Pixels over which edges fade, beyond the two or three by the probabilities.

        Raises
        ------
        ParameterError
            There is no such class, no pixel of it, or no such colour; or it is a volume or a time-lapse.
        """
        from gmmseg.export import cutout  # here, because most runs cut nothing out

        cutout.require_picture(self.image)
        numbers = class_numbers(label, self._names, where=self.image.name)
        if background is not None:
            cutout.color_of(background)  # refused before anything is computed
        wanted = f"is no width of an edge; use 0 to {MOST_FEATHER} pixels"
        feather = number_within("feather", feather, 0, MOST_FEATHER, wanted)
        chosen, probable = np.isin(np.arange(1, self.model.k + 1), numbers), self.probabilities
        best = probable[chosen].max(axis=0)
        share = best / np.maximum(best + probable[~chosen].max(axis=0, initial=0), np.float32(1e-6))
        alpha = cutout.soft_mask(self.mask(numbers), share, feather)
        alpha[self.labels == 0] = 0
        return cutout.cut_out(self.image, alpha, background=background, crop=single("crop", crop))

    def overlay(self, *, alpha: float = 0.5, legend: bool = False) -> Array:
        """Return the picture with the colours of its classes laid over it (rows, columns, 3), uint8.

        With a `legend`, a strip with colours, names and shares of the classes is added below. See
        `gmmseg.export.overlay.overlay`.
        """
        from gmmseg.export.legend import with_legend  # here, because most runs draw nothing
        from gmmseg.export.overlay import overlay  # here, because most runs draw nothing

        drawn = overlay(self.image, self.labels, alpha=alpha)
        return with_legend(drawn, self.legend) if single("legend", legend) else drawn

    @property
    def legend(self) -> list[tuple[tuple[int, int, int], str]]:
        """Colour and text of each class that has pixels, for `gmmseg.export.legend.with_legend`."""
        return [(each.map_color, f"{each.name}  {100 * each.share:.1f} %") for each in self.classes if each.share]

    @property
    def _names(self) -> dict[int, str]:
        """Names of the classes by their numbers."""
        return dict(enumerate(self.model.class_names, 1))

    @property
    def _all_names(self) -> dict[int, str]:
        return {0: "no data", **self._names}

    @cached_property
    def classes(self) -> tuple[ClassSummary, ...]:
        """The classes' names, shares, colours and means."""
        labels = None if self._tally.complete else self.labels  # of an image in its file they are counted on the way
        tally, shown = self._tally, palette(self.model.k).tolist()
        if labels is not None and not tally.complete:
            window = everything(self.image.shape)
            tally.add(window, labels, tally.sample(window, self.image.array))
        colors, sizes, counted = tally.colors, tally.sizes, max(1, tally.counts[1:].sum())
        return tuple(
            ClassSummary(
                label=i + 1,
                name=name,
                share=float(tally.counts[i + 1] / counted),
                color=colors[i],
                means=dict(zip(self.model.plane_names, means, strict=True)),
                map_color=(shown[i + 1][0], shown[i + 1][1], shown[i + 1][2]),
                sizes=sizes[i],
            )
            for i, (name, means) in enumerate(zip(self.model.class_names, self.model.means.tolist(), strict=True))
        )

    def table(self, *, soft: bool | None = None, by_frame: bool = False) -> Table:
        """Return the classes in numbers, `soft` (fractions are) also sums; see `gmmseg.measuring.class_table`."""
        from gmmseg.measuring import class_table  # here, because most runs measure nothing

        wanted = self.rule.partial is not None if soft is None else single("soft", soft)
        names, soft_masks = self.model.class_names, self.probabilities if wanted else None
        return class_table(self.labels, self.image, class_names=names, probabilities=soft_masks, by_frame=by_frame)

    def objects(
        self,
        label: int | str | Iterable[int | str],
        *,
        split: bool = True,
        min_size: int | str | None = None,
        fill_holes: bool = False,
    ) -> Objects:
        """Return the objects of a class, or of several as one, one by one: those that touch told apart, without specks.

        The `label` is as of `mask`; `split`, `min_size` and `fill_holes` are those of `gmmseg.measuring.find_objects`.

        Examples
        --------
        >>> import gmmseg
        >>> y, x = np.mgrid[:40, :80]
        >>> discs = ((x - 25) ** 2 + (y - 20) ** 2 < 200) | ((x - 50) ** 2 + (y - 20) ** 2 < 200)
        >>> found = gmmseg.segment(np.uint8(40 + 150 * discs), k=2, smooth=False).objects(2)
        >>> len(found), found.table()["pixels"].tolist()
        (2, [607, 607])
        """
        from gmmseg.measuring import find_objects  # here, because most runs measure nothing

        known = self._all_names
        numbers = class_numbers(label, known, where=self.image.name)
        mask, name = self.mask(numbers), ", ".join(known[number] for number in numbers)
        return find_objects(mask, self.image, split=split, min_size=min_size, fill_holes=fill_holes, name=name)

    def clean(self, min_size: int | str) -> Segmentation:
        """Return this segmentation with its small regions given to their neighbours: specks, holes and islands.

        Parameters
        ----------
        min_size : int or str
            Regions below it go: a number of pixels or voxels, or where the file says how large a pixel is an area such
            as "20mm2", "2.5ha" or "15um2", or a volume such as "200mm3" or "1ml".

        Returns
        -------
        Segmentation
            Whose labels, and what is counted, exported and saved of them, are clean. Its probabilities are those of
            each pixel as before, so that in what was a speck another class than the label's is the likeliest.

        Raises
        ------
        ParameterError
            The size is not usable, larger than the image, or physical where nothing tells how large a pixel is.

        Notes
        -----
        The smallest region goes first, to the class with which it shares the longest boundary, see
        `gmmseg.spatial.sieve.sieve`; a region that touches nothing but no data stays. In exports `min_size` leaves
        small instances out. Labels of an image in its file are kept beside that which `save` writes, a byte a pixel.

        Examples
        --------
        >>> import gmmseg
        >>> picture = np.zeros((20, 20), np.uint8)
        >>> picture[5:, 5:], picture[12, 12] = 200, 0
        >>> found = gmmseg.segment(picture, k=2, smooth=False)
        >>> found.labels[12, 12], found.clean(4).labels[12, 12]
        (np.uint8(1), np.uint8(2))
        """
        from gmmseg.image.sizes import least_pixels  # here, because most runs clean nothing

        cleaned = replace(self, min_size=max(self.min_size, least_pixels(min_size, self.image)))
        same = ("probabilities", "uncertainty", "log_density", "anomaly", "_known_rule")
        cleaned.__dict__.update({name: self.__dict__[name] for name in same if name in self.__dict__})
        if self.image.in_memory or "labels" in self.__dict__:
            cleaned.__dict__["labels"] = cleaned._sieved(self.labels)
        return cleaned

    def _sieved(self, labels: Array, out: Array | None = None) -> Array:
        """Return labels with small regions given to their neighbours."""
        if self.min_size == 1:
            return labels
        from gmmseg.spatial.sieve import sieve  # here, because most runs clean nothing

        out = labels.copy(order="K") if out is None else out
        for before, after in zip(labels, out, strict=True) if self.image.time else ((labels, out),):
            sieve(before, self.min_size, spacing=self.image.spacing, threads=self.effort.workers, out=after)
        return out

    def save(
        self, path: str | os.PathLike[str], *, layer: str = "labels", overwrite: bool = False, **options: Any
    ) -> None:
        """Write the labels, or another layer; the suffix chooses the format, what located the pixels is kept.

        Parameters
        ----------
        path : path-like
            .png (labels, corrected pictures), .tif, .npy, .npz, .zarr, .nii.gz, .mgz, .nrrd, .seg.nrrd, .mha or .dcm.
        layer : {"labels", "probabilities", "uncertainty", "anomaly", "log_density", "bias_field", "corrected"}
            What `gmmseg.labelling.layers` lists. Pixels without data are 0 in labels and probabilities, NaN elsewhere.
        overwrite : bool
            Whether an existing file may be replaced.
        **options
            Of the format, such as `cog=True`, `plain=True` for labels without colours or `dtype="uint16"` for shares.

        Raises
        ------
        OutputError
            The file exists and `overwrite` is False, the suffix is not known or the folder cannot be written.
        ParameterError
            There is no such layer or option.
        """
        row = layer_named(layer)
        if row.corrects:
            from gmmseg.labelling.saving import write_correction  # here, because most runs have no bias field

            field = layer == "bias_field"
            write_correction(path, self.image, self.rule.bias, field=field, overwrite=overwrite, options=options)
            return
        names = (layer,) if row.kind == "map" else self.model.class_names
        options = {"occupancy": True, **options} if row.kind == "soft" and self.rule.partial is not None else options
        if self.image.in_memory or layer in self.__dict__:
            whole = self._with_nodata(row, getattr(self, layer))
            io.write_layer(path, row.kind, whole, names, image=self.image, overwrite=overwrite, **options)
            return
        contents = Contents(row.kind, self.image.shape, row.dtype, names, self.image, options, path_of(path))
        io.write_windows(path, contents, self._windows(row, contents), overwrite=overwrite)

    def _with_nodata(self, layer: Layer, values: Array) -> Array:
        """Return the uncertainty with NaN where there is no data, as files have it, and any other layer as it is."""
        return np.where(self.labels > 0, values, np.float32(np.nan)) if layer.name == "uncertainty" else values

    def to_coco(self, *, instances: Kind = "component", min_size: int = 1) -> dict[str, Any]:
        """Return a COCO instance data set of this image, as `gmmseg.export.to_coco` does.

        `instances` ("component", connected regions, or "class") and `min_size`, in pixels, are those of
        `gmmseg.export.find_instances`, here and below.
        """
        from gmmseg.export import to_coco  # here, because most runs export nothing

        return to_coco(self._instances(instances, min_size), file_name=Path(self.image.name).name)

    def to_panoptic(self, *, instances: Kind = "component", min_size: int = 1) -> tuple[dict[str, Any], Array]:
        """Return a COCO panoptic data set of this image and its picture of segments (rows, columns, 3), uint8."""
        from gmmseg.export import to_panoptic  # here, because most runs export nothing

        found, name = self._instances(instances, min_size), Path(self.image.name)
        return to_panoptic(found, file_name=name.name, segments_file=f"{name.stem}_panoptic.png")

    def to_polygons(self, *, simplify: float | None = None, min_size: int = 1) -> list[Polygon]:
        """Return the outline of each connected region of a class, in pixels; see `gmmseg.export.to_polygons`."""
        from gmmseg.export import to_polygons  # here, because most runs export nothing

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
        from gmmseg.export import place_of, to_geojson  # here, because most runs export nothing

        found = self._instances(instances, min_size)
        return to_geojson(found, place=place_of(self.image), keep_crs=keep_crs, simplify=simplify)

    def _instances(self, instances: Kind, min_size: int) -> Instances:
        from gmmseg.export import find_instances  # here, because most runs export nothing

        return find_instances(self.labels, class_names=self.model.class_names, instances=instances, min_size=min_size)

    def _whole(self, name: str) -> Array:
        layer = layer_named(name)
        out = empty_layer(layer, self.model, self.image.shape)
        if self.image.in_memory:
            self._fill(layer, out)
        else:
            for window, values in self._windows(layer):
                where: tuple[Any, ...] = (..., *window)
                out[where] = values
        return out

    def _fill(self, layer: Layer, out: Array) -> None:
        """Compute a layer of an image in memory, of a time-lapse frame by frame."""
        if not self.image.time:
            visit(self.image, self.rule, layer, out, effort=self.effort)
            return
        frames, progress = self.image.frames, self.effort.progress
        for number, frame in enumerate(frames):
            place: tuple[Any, ...] = (..., number, *everything(frame.shape))
            visit(frame, self.rule, layer, out[place], effort=replace(self.effort, progress=None))
            if progress is not None:
                progress(number + 1, len(frames))

    def _windows(self, layer: Layer, contents: Contents | None = None) -> Iterator[tuple[Window, Array]]:
        """Compute a layer of an image that stays in its file; labels are counted on the way, and cleaned in a file."""
        cleaned = layer is _LABELS and self.min_size > 1
        return self._cleaned_windows(contents) if cleaned else self._computed_windows(layer, contents)

    def _computed_windows(self, layer: Layer, contents: Contents | None) -> Iterator[tuple[Window, Array]]:
        tally = Tally(self.model.k, self.image)
        for part in self._parts(layer, contents):
            if layer is _LABELS:
                part.count(tally)
            result = part.window, part.values
            del part  # and with it the pixels, before the next window is asked for
            yield result
        if layer is _LABELS:
            self.__dict__["_tally"] = tally

    def _cleaned_windows(self, contents: Contents | None) -> Iterator[tuple[Window, Array]]:
        from gmmseg.labelling.on_disk import kept_on_disk  # here, because most images are in memory

        tally, samples, folder = Tally(self.model.k, self.image), [], contents.target.parent if contents else None
        with kept_on_disk(self.image.shape, self.image.pixels.sweep, folder) as labels:
            for part in self._parts(_LABELS, contents):
                labels[part.window] = part.values
                samples.append((part.window, part.sample(tally)))
                del part
            self._sieved(labels, out=labels)
            for window, sample in samples:
                values = np.array(labels[window])
                tally.add(window, values, sample)
                yield window, values
        self.__dict__["_tally"] = tally

    def _parts(self, layer: Layer, contents: Contents | None) -> Iterator[Any]:
        from gmmseg.labelling.streaming import stream, stream_frames  # here, because most images are in memory

        if self.elsewhere is not None and contents is not None:
            # Labels that are cleaned later are not yet what is stored.
            packing = None if layer is _LABELS and self.min_size > 1 else contents.packing
            return self.elsewhere(self, layer, contents.target, packing)
        if self.image.time:
            return stream_frames(self.image, self.rule, layer, self.effort)
        return stream(self.image, self._known_rule, layer, self.effort)

    @cached_property
    def _known_rule(self) -> Rule:
        """The rule with the contrast of the whole image, which no window tells."""
        return self.rule.measured(self.image)

    @cached_property
    def _tally(self) -> Tally:
        return Tally(self.model.k, self.image)
